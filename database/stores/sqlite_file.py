"""The embedded store's file: its tables and every statement sent to it. Blocking; any thread.

Tables: `documents` (the records; `contents` is the version that the other tables hold, so that
`searchable` says whether readers may see it),
`pages`, `chunks`, `windows` (with vectors), and the full-text tables `words` and `grams`, whose
rowids are those of `windows`. Deleting a document deletes its contents by foreign key and trigger.
FTS5: https://sqlite.org/fts5.html
"""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from database.documents import (
    Candidate,
    Candidates,
    Chunk,
    Contents,
    Counts,
    Document,
    IndexRecord,
    Page,
    SearchQuery,
    Window,
)
from database.errors import StoreError
from database.stores.matrix import VectorMatrix, VectorRows

DOCUMENT, RECORD, PAGE, CHUNK = TypeAdapter(Document), TypeAdapter(IndexRecord), TypeAdapter(Page), TypeAdapter(Chunk)

# The tokenizer splits at nothing that the analyser leaves inside a term.
_TERMS = "tokenize=\"unicode61 remove_diacritics 0 tokenchars '_'\""
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS documents (
    id TEXT PRIMARY KEY, record TEXT NOT NULL, version TEXT NOT NULL, contents TEXT NOT NULL,
    visible INTEGER NOT NULL, stamp INTEGER NOT NULL,
    searchable INTEGER GENERATED ALWAYS AS (visible AND version = contents));
CREATE TABLE IF NOT EXISTS pages (
    document_id TEXT NOT NULL REFERENCES documents (id) ON DELETE CASCADE, number INTEGER NOT NULL,
    record TEXT NOT NULL, PRIMARY KEY (document_id, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS chunks (
    id TEXT PRIMARY KEY, document_id TEXT NOT NULL REFERENCES documents (id) ON DELETE CASCADE, record TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS windows (
    rowid INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, chunk_id TEXT NOT NULL,
    document_id TEXT NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    page INTEGER NOT NULL, language TEXT NOT NULL, text TEXT NOT NULL, vector BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS chunks_document ON chunks (document_id);
CREATE INDEX IF NOT EXISTS windows_document ON windows (document_id);
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (terms, {_TERMS});
CREATE VIRTUAL TABLE IF NOT EXISTS grams USING fts5 (terms, {_TERMS});
CREATE TRIGGER IF NOT EXISTS windows_gone AFTER DELETE ON windows BEGIN
    DELETE FROM words WHERE rowid = old.rowid;
    DELETE FROM grams WHERE rowid = old.rowid;
END;
"""
_SEEN = "JOIN documents d ON d.id = w.document_id AND d.searchable"


class IndexFile:
    """One SQLite file, a connection for each thread that asks, one writer at a time."""

    def __init__(self, path: Path):
        self.path = path
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._writing, self._refreshing = threading.Lock(), threading.Lock()
        self._matrix, self._stamps, self._version = VectorMatrix({}), dict[str, int](), -1

    def create(self) -> None:
        """Make folder, file and tables where they are missing."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the connections of all threads; none of them may be in use."""
        while self._connections:
            self._connections.pop().close()

    @property
    def _db(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(self.path, timeout=30, isolation_level=None, check_same_thread=False)
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            self._local.connection = connection
            self._connections.append(connection)
        return connection

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._writing:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def read_index(self) -> IndexRecord | None:
        """The index record, or None."""
        row = self._db.execute("SELECT value FROM meta WHERE key = 'index'").fetchone()
        return RECORD.validate_json(row[0]) if row else None

    def write_index(self, record: IndexRecord) -> None:
        """Replace the index record."""
        with self._transaction() as db:
            _put_meta(db, record)

    def reset(self, record: IndexRecord, documents: Sequence[Document]) -> None:
        """Replace the records by `documents`, without contents, and the index record."""
        with self._transaction() as db:
            _touch(db)
            db.execute("DELETE FROM documents")
            for document in documents:
                _put_record(db, document)
            _put_meta(db, record)

    def read_documents(self, document_id: str | None = None) -> list[Document]:
        """All records by id, or the one asked for."""
        rows = self._db.execute("SELECT record FROM documents WHERE ?1 IS NULL OR id = ?1 ORDER BY id", (document_id,))
        return [DOCUMENT.validate_json(row[0]) for row in rows]

    def put_document(self, document: Document) -> None:
        """Insert or replace a record; contents stay."""
        with self._transaction() as db:
            _put_record(db, document)

    def publish(self, document: Document, contents: Contents) -> None:
        """Replace record and contents in one transaction."""
        with self._transaction() as db:
            _check_vectors(db, contents)
            _put_record(db, document)
            db.execute("UPDATE documents SET contents = version WHERE id = ?", (document.id,))
            _delete_contents(db, document.id)
            _insert_contents(db, document.id, contents)

    def remove_document(self, document_id: str) -> None:
        """Delete a record and, by foreign key and trigger, all that belongs to it."""
        with self._transaction() as db:
            _touch(db)
            db.execute("DELETE FROM documents WHERE id = ?", (document_id,))

    def sweep(self) -> int:
        """Delete contents of versions that no record names; the number of windows."""
        with self._transaction() as db:
            rows = db.execute("SELECT id FROM documents WHERE version <> contents AND contents <> ''").fetchall()
            db.execute("UPDATE documents SET contents = '' WHERE version <> contents")
            return sum(_delete_contents(db, document_id) for (document_id,) in rows)

    def get_page(self, document_id: str, number: int) -> Page | None:
        """One page, if its document is searchable."""
        row = self._db.execute(
            f"SELECT w.record FROM pages w {_SEEN} WHERE w.document_id = ? AND w.number = ?", (document_id, number)
        ).fetchone()
        return PAGE.validate_json(row[0]) if row else None

    def get_chunks(self, chunk_ids: Sequence[str]) -> list[Chunk]:
        """Chunks of searchable documents in the order asked."""
        marks = ",".join("?" * len(chunk_ids))
        rows = self._db.execute(f"SELECT w.record FROM chunks w {_SEEN} WHERE w.id IN ({marks})", list(chunk_ids))
        found = {chunk.id: chunk for chunk in (CHUNK.validate_json(row[0]) for row in rows)}
        return [found[chunk_id] for chunk_id in chunk_ids if chunk_id in found]

    def search(self, query: SearchQuery) -> Candidates:
        """The three views, all of the same moment."""
        while True:
            self._db.execute("BEGIN")
            try:
                matrix = self._matrix_of_now()
                if matrix is not None:
                    return Candidates(
                        _search_vectors(matrix, query),
                        _search_terms(self._db, "words", query.words, query),
                        _search_terms(self._db, "grams", query.grams, query),
                    )
            finally:
                self._db.execute("COMMIT")

    def sample_windows(self, limit: int) -> list[Window]:
        """The searchable windows with the smallest ids."""
        rows = self._db.execute(
            "SELECT w.id, w.chunk_id, w.document_id, w.page, w.language, w.text, f.terms, g.terms "
            f"FROM windows w {_SEEN} JOIN words f ON f.rowid = w.rowid JOIN grams g ON g.rowid = w.rowid "
            "ORDER BY w.id LIMIT ?",
            (limit,),
        )
        return [Window(*row) for row in rows]

    def count(self) -> Counts:
        """Searchable documents, their chunks and windows."""
        counts = [
            self._db.execute(f"SELECT count(*) FROM {table} {join}").fetchone()[0]
            for table, join in (("documents WHERE searchable", ""), ("chunks w", _SEEN), ("windows w", _SEEN))
        ]
        return Counts(*counts)

    def _matrix_of_now(self) -> VectorMatrix | None:
        """The matrix as of the open transaction, or None when another thread has a newer one already.

        Only documents whose stamp changed are read again.
        """
        with self._refreshing:
            row = self._db.execute("SELECT value FROM meta WHERE key = 'stamp'").fetchone()
            stamp = int(row[0]) if row else 0
            if stamp > self._version:
                self._reload(stamp)
            return self._matrix if stamp == self._version else None

    def _reload(self, stamp_of_now: int) -> None:
        stamps = dict(self._db.execute("SELECT id, stamp FROM documents WHERE searchable ORDER BY id").fetchall())
        rows = {
            document_id: self._matrix.rows(document_id)
            if self._stamps.get(document_id) == stamp
            else self._read_vectors(document_id)
            for document_id, stamp in stamps.items()
        }
        self._matrix, self._stamps, self._version = VectorMatrix(rows), stamps, stamp_of_now

    def _read_vectors(self, document_id: str) -> VectorRows:
        rows: list[Any] = self._db.execute(
            "SELECT id, chunk_id, vector FROM windows WHERE document_id = ? ORDER BY rowid", (document_id,)
        ).fetchall()
        vectors = np.frombuffer(b"".join(row[2] for row in rows), np.float32)
        shape = (len(rows), -1) if rows else (0, 0)
        return VectorRows([row[0] for row in rows], [row[1] for row in rows], vectors.reshape(shape))


def _search_terms(db: sqlite3.Connection, table: str, terms: Sequence[str], query: SearchQuery) -> list[Candidate]:
    """The best windows by BM25 over `table` ("words" or "grams"), ties by id."""
    if not terms:
        return []
    wanted = " OR ".join('"{}"'.format(term.replace('"', '""')) for term in terms)
    marks = ",".join("?" * len(query.filters.documents))
    only = f"AND w.document_id IN ({marks})" if marks else ""
    rows = db.execute(
        f"SELECT w.id, w.chunk_id, -f.rank FROM {table} f JOIN windows w ON w.rowid = f.rowid {_SEEN} "
        f"WHERE f.terms MATCH ? {only} ORDER BY f.rank LIMIT ?",
        [wanted, *query.filters.documents, query.limit],
    )
    return sorted((Candidate(*row) for row in rows), key=lambda c: (-c.score, c.window_id))


def _search_vectors(matrix: VectorMatrix, query: SearchQuery) -> list[Candidate]:
    """The best windows by cosine, ties by id."""
    if query.vector is None:
        return []
    if matrix.ids and matrix.dimension != len(query.vector):
        raise StoreError(
            f"The index holds vectors of {matrix.dimension} dimensions, the question's has {len(query.vector)}. "
            "Rebuild the index with this embedder: python database/main.py --reindex"
        )
    return matrix.search(query.vector, query.filters.documents, query.limit)


def _put_meta(db: sqlite3.Connection, record: IndexRecord) -> None:
    db.execute("REPLACE INTO meta VALUES ('index', ?)", (RECORD.dump_json(record).decode(),))


def _touch(db: sqlite3.Connection) -> None:
    """Advance the stamp, by which every process sees that documents changed."""
    db.execute(
        "INSERT INTO meta VALUES ('stamp', 1) ON CONFLICT (key) DO UPDATE SET value = CAST(value AS INTEGER) + 1"
    )


def _put_record(db: sqlite3.Connection, document: Document) -> None:
    """Write a record under a new stamp."""
    _touch(db)
    db.execute(
        "INSERT INTO documents VALUES (?, ?, ?, '', ?, (SELECT value FROM meta WHERE key = 'stamp')) ON CONFLICT (id) "
        "DO UPDATE SET (record, version, visible, stamp) = "
        "(excluded.record, excluded.version, excluded.visible, excluded.stamp)",
        (document.id, DOCUMENT.dump_json(document).decode(), document.version, document.searchable),
    )


def _delete_contents(db: sqlite3.Connection, document_id: str) -> int:
    """Delete one document's pages, chunks and windows; the number of windows."""
    for table in ("pages", "chunks"):
        db.execute(f"DELETE FROM {table} WHERE document_id = ?", (document_id,))
    return db.execute("DELETE FROM windows WHERE document_id = ?", (document_id,)).rowcount


def _check_vectors(db: sqlite3.Connection, contents: Contents) -> None:
    if len(contents.windows) != len(contents.vectors):
        raise StoreError(f"{len(contents.windows)} windows came with {len(contents.vectors)} vectors.")
    row = db.execute("SELECT length(vector) / 4 FROM windows LIMIT 1").fetchone()
    if row and contents.vectors.size and contents.vectors.shape[1] != row[0]:
        raise StoreError(
            f"These vectors have {contents.vectors.shape[1]} dimensions, the index holds {row[0]}. "
            "Rebuild it with this embedder: python database/main.py --reindex"
        )


def _insert_contents(db: sqlite3.Connection, document_id: str, contents: Contents) -> None:
    db.executemany(
        "INSERT INTO pages VALUES (?, ?, ?)",
        ((document_id, page.number, PAGE.dump_json(page).decode()) for page in contents.pages),
    )
    db.executemany(
        "INSERT INTO chunks VALUES (?, ?, ?)",
        ((chunk.id, document_id, CHUNK.dump_json(chunk).decode()) for chunk in contents.chunks),
    )
    vectors = np.ascontiguousarray(contents.vectors, np.float32)
    for window, vector in zip(contents.windows, vectors, strict=True):
        row = (window.id, window.chunk_id, document_id, window.page, window.language, window.text, vector.tobytes())
        rowid = db.execute("INSERT INTO windows VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)", row).lastrowid
        db.execute("INSERT INTO words (rowid, terms) VALUES (?, ?)", (rowid, window.words))
        db.execute("INSERT INTO grams (rowid, terms) VALUES (?, ?)", (rowid, window.grams))

"""The rows of the embedded store: its tables, and what is read from and written to them.

Tables: `documents` (the records; `contents` is the version that the other tables hold, so that
`searchable` says whether readers may see it), `pages`, `chunks`, `windows` (with vectors), `terms`
(of windows and pages, under the rowids of `windows`) and `postings` (of documents), which
`sqlite_terms.py` describes. A window without a vector has an empty one. Deleting a document deletes
its contents by foreign key and trigger. `places` (`sqlite_migrations.py`) holds the collections of
each document's visible names.
"""

import sqlite3
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from database.documents import Chunk, Contents, Document, IndexRecord, Page, PageTerms, Window
from database.errors import GenerationGone, StoreError
from database.stores.sqlite_terms import Terms, decompress, define_terms, insert_terms

DOCUMENT, RECORD, PAGE, CHUNK = TypeAdapter(Document), TypeAdapter(IndexRecord), TypeAdapter(Page), TypeAdapter(Chunk)

SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS documents (
    id TEXT PRIMARY KEY, record TEXT NOT NULL, version TEXT NOT NULL, contents TEXT NOT NULL,
    visible INTEGER NOT NULL, stamp INTEGER NOT NULL,
    searchable INTEGER GENERATED ALWAYS AS (visible AND version = contents));
"""
CONTENTS = ("pages", "chunks", "windows", "terms", "postings")
"""Every table that `make_contents` makes: the next generation's take their names when it answers."""


def make_contents(db: sqlite3.Connection, prefix: str = "") -> None:
    """Make the tables of contents; those of a generation that does not answer yet have a prefix."""
    document = "document_id TEXT NOT NULL REFERENCES documents (id) ON DELETE CASCADE"
    for statement in (
        f"CREATE TABLE {prefix}pages ({document}, number INTEGER NOT NULL, record TEXT NOT NULL, "
        "PRIMARY KEY (document_id, number)) WITHOUT ROWID",
        f"CREATE TABLE {prefix}chunks (id TEXT PRIMARY KEY, {document}, record TEXT NOT NULL)",
        f"CREATE TABLE {prefix}windows (rowid INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, chunk_id TEXT NOT NULL, "
        f"{document}, page INTEGER NOT NULL, language TEXT NOT NULL, text TEXT NOT NULL, vector BLOB NOT NULL)",
        f"CREATE INDEX {prefix}chunks_document ON {prefix}chunks (document_id)",
        f"CREATE INDEX {prefix}windows_document ON {prefix}windows (document_id)",
        *define_terms(prefix),
    ):
        db.execute(statement)


def has_table(db: sqlite3.Connection, name: str) -> bool:
    """Whether there is such a table."""
    return db.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (name,)).fetchone() is not None


WINDOW = "w.id, w.chunk_id, w.document_id, w.page, w.language, w.text, t.words, t.grams"
SEEN = "JOIN documents d ON d.id = w.document_id AND d.searchable"


def read_meta(db: sqlite3.Connection, key: str = "index") -> IndexRecord | None:
    """The index record, or, as "next", that of the generation being made; None where there is none."""
    row = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return _read_index(row[0]) if row else None


@lru_cache(maxsize=4)
def _read_index(text: str) -> IndexRecord:
    # Every question reads it several times over, and it lists thousands of terms.
    return RECORD.validate_json(text)


@lru_cache(maxsize=2048)
def read_document(text: str) -> Document:
    """A record of `documents`. Questions read those of hundreds, most of which stay as they are."""
    return DOCUMENT.validate_json(text)


def require_generation(db: sqlite3.Connection, generation: int) -> None:
    """Raise `GenerationGone` unless this one answers; 0 stands for any."""
    record = read_meta(db) if generation else None
    if record is not None and record.generation != generation:
        raise GenerationGone("The index was rebuilt meanwhile. Ask again.")


def put_meta(db: sqlite3.Connection, record: IndexRecord, key: str = "index") -> None:
    """Replace the index record, or, as "next", that of the generation being made."""
    db.execute("REPLACE INTO meta VALUES (?, ?)", (key, RECORD.dump_json(record).decode()))


def read_sample(db: sqlite3.Connection, limit: int, seen: str = SEEN, prefix: str = "") -> list[Window]:
    """The windows with the smallest ids, of searchable documents unless `seen` joins others."""
    rows = db.execute(
        f"SELECT {WINDOW} FROM {prefix}windows w {seen} JOIN {prefix}terms t ON t.rowid = w.rowid "
        "ORDER BY w.id LIMIT ?",
        (limit,),
    )
    return [_make_window(row) for row in rows]


def _make_window(row: Sequence[Any]) -> Window:
    """The window of a row that begins with the columns WINDOW."""
    id_, chunk_id, document_id, page, language, text, words, grams = row[:8]
    return Window(id_, chunk_id, document_id, page, language, text, decompress(words), decompress(grams))


def touch(db: sqlite3.Connection) -> None:
    """Advance the stamp, by which every process sees that documents changed."""
    db.execute(
        "INSERT INTO meta VALUES ('stamp', 1) ON CONFLICT (key) DO UPDATE SET value = CAST(value AS INTEGER) + 1"
    )


def read_stamp(db: sqlite3.Connection) -> int:
    """The stamp of the open transaction's moment; 0 in a fresh file."""
    row = db.execute("SELECT value FROM meta WHERE key = 'stamp'").fetchone()
    return int(row[0]) if row else 0


def put_record(db: sqlite3.Connection, document: Document) -> None:
    """Write a record under a new stamp."""
    touch(db)
    db.execute(
        "INSERT INTO documents VALUES (?, ?, ?, '', ?, (SELECT value FROM meta WHERE key = 'stamp')) ON CONFLICT (id) "
        "DO UPDATE SET (record, version, visible, stamp) = "
        "(excluded.record, excluded.version, excluded.visible, excluded.stamp)",
        (document.id, DOCUMENT.dump_json(document).decode(), document.version, document.searchable),
    )


def delete_contents(db: sqlite3.Connection, document_id: str, prefix: str = "") -> int:
    """Delete one document's pages, chunks and windows with their terms; the number of windows."""
    for table in ("pages", "chunks", "postings"):
        db.execute(f"DELETE FROM {prefix}{table} WHERE document_id = ?", (document_id,))
    return db.execute(f"DELETE FROM {prefix}windows WHERE document_id = ?", (document_id,)).rowcount


def read_contents(db: sqlite3.Connection, document: Document) -> Contents | None:
    """What was published of a document, in its order; None when nothing was."""
    own = {"id": document.id, "version": document.version}
    if not db.execute(
        "SELECT 1 FROM documents WHERE id = :id AND contents = :version AND version <> ''", own
    ).fetchone():
        return None
    pages = db.execute("SELECT record FROM pages WHERE document_id = :id ORDER BY number", own)
    chunks = db.execute("SELECT record FROM chunks WHERE document_id = :id ORDER BY rowid", own)
    rows = db.execute(
        f"SELECT {WINDOW}, w.vector FROM windows w JOIN terms t USING (rowid) WHERE document_id = :id ORDER BY w.rowid",
        own,
    ).fetchall()
    terms = db.execute(
        "SELECT w.page, page_words, page_grams, heads FROM windows w JOIN terms t USING (rowid) "
        "WHERE document_id = :id AND page_words IS NOT NULL ORDER BY w.rowid",
        own,
    )
    embedded = bool(rows) and all(row[-1] for row in rows)
    vectors = np.frombuffer(b"".join(row[-1] for row in rows), np.float32).reshape(len(rows), -1) if embedded else None
    return Contents(
        [PAGE.validate_json(row[0]) for row in pages],
        [CHUNK.validate_json(row[0]) for row in chunks],
        [_make_window(row) for row in rows],
        vectors,
        [PageTerms(page, *map(decompress, texts)) for page, *texts in terms],
    )


def check_vectors(db: sqlite3.Connection, contents: Contents, prefix: str = "") -> None:
    """Raise `StoreError` unless each window has a vector, as long as those the index holds, or none has."""
    if contents.vectors is None:
        return
    if len(contents.windows) != len(contents.vectors):
        raise StoreError(f"{len(contents.windows)} windows came with {len(contents.vectors)} vectors.")
    row = db.execute(f"SELECT length(vector) / 4 FROM {prefix}windows WHERE vector <> x'' LIMIT 1").fetchone()
    if row and contents.vectors.size and contents.vectors.shape[1] != row[0]:
        raise StoreError(
            f"These vectors have {contents.vectors.shape[1]} dimensions, the index holds {row[0]}. "
            "Rebuild it with this embedder: python database/main.py --reindex"
        )


def insert_contents(
    db: sqlite3.Connection, document_id: str, contents: Contents, terms: Terms, prefix: str = ""
) -> None:
    """Insert one document's pages, chunks and windows with their vectors and `terms`."""
    db.executemany(
        f"INSERT INTO {prefix}pages VALUES (?, ?, ?)",
        ((document_id, page.number, PAGE.dump_json(page).decode()) for page in contents.pages),
    )
    db.executemany(
        f"INSERT INTO {prefix}chunks VALUES (?, ?, ?)",
        ((chunk.id, document_id, CHUNK.dump_json(chunk).decode()) for chunk in contents.chunks),
    )
    first = db.execute(f"SELECT coalesce(max(rowid), 0) + 1 FROM {prefix}windows").fetchone()[0]
    rowids = range(first, first + len(contents.windows))
    windows = zip(rowids, contents.windows, _vector_bytes(contents), strict=True)
    db.executemany(
        f"INSERT INTO {prefix}windows VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        ((rowid, w.id, w.chunk_id, document_id, w.page, w.language, w.text, vector) for rowid, w, vector in windows),
    )
    insert_terms(db, document_id, rowids, terms, prefix)


def _vector_bytes(contents: Contents) -> list[bytes]:
    if contents.vectors is None:
        return [b""] * len(contents.windows)
    return [vector.tobytes() for vector in np.ascontiguousarray(contents.vectors, np.float32)]

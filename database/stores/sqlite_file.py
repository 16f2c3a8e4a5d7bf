"""The embedded store's file: transactions, and what searches hold beside it. Blocking; any thread."""

import contextlib
import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from database.documents import (
    Candidates,
    Chunk,
    Contents,
    Counts,
    Document,
    IndexRecord,
    Name,
    Page,
    SearchQuery,
    Window,
)
from database.stores.sqlite_memory import Memory
from database.stores.sqlite_migrations import migrate, require_known
from database.stores.sqlite_rows import (
    CHUNK,
    PAGE,
    SCHEMA,
    SEEN,
    check_vectors,
    delete_contents,
    has_table,
    insert_contents,
    make_contents,
    put_meta,
    put_record,
    read_contents,
    read_document,
    read_meta,
    read_sample,
    require_generation,
    touch,
)
from database.stores.sqlite_search import search_views
from database.stores.sqlite_terms import prepare_terms

SNAPSHOT_TRIES = 5
"""How often a search looks for a moment that is no older than the memory's."""


class IndexFile:
    """One SQLite file, a connection for each thread that asks, one writer at a time."""

    def __init__(self, path: Path):
        self.path = path
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._writing, self._memory = threading.Lock(), Memory()

    def create(self) -> None:
        """Make folder, file and tables where they are missing."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(OSError):  # SQLite tells better what is wrong
            self.path.touch(0o600)  # for its owner alone: hashes of passwords are in it, too
        require_known(self._db, self.path)  # before anything is written
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.executescript(SCHEMA)
        if not has_table(self._db, "windows"):
            with self._transaction() as db:
                if not has_table(db, "windows"):  # still
                    make_contents(db)
        migrate(self._db, self.path)

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
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # a full disk may have ended it already
                    self._db.execute("ROLLBACK")
                raise

    def read_index(self) -> IndexRecord | None:
        """The index record, or None."""
        return read_meta(self._db)

    def write_index(self, record: IndexRecord) -> None:
        """Replace the index record."""
        with self._transaction() as db:
            put_meta(db, record)

    def read_documents(self, document_ids: Sequence[str] | None = None) -> list[Document]:
        """All records by id, or those asked for."""
        query, asked = "SELECT record FROM documents", list[str]()
        if document_ids is not None:
            query, asked = f"{query} WHERE id IN (SELECT value FROM json_each(?))", [json.dumps(list(document_ids))]
        rows = self._db.execute(f"{query} ORDER BY id", asked)
        return [read_document(row[0]) for row in rows]

    def read_whole(self, document_id: str) -> tuple[Document, Contents | None] | None:
        """A record and its contents, of one moment."""
        self._db.execute("BEGIN")
        try:
            found = self.read_documents([document_id])
            return (found[0], read_contents(self._db, found[0])) if found else None
        finally:
            self._db.execute("COMMIT")

    def put_document(self, document: Document) -> None:
        """Insert or replace a record; contents stay."""
        with self._transaction() as db:
            put_record(db, document)

    def put_names(self, document_id: str, names: Sequence[Name]) -> Document | None:
        """Replace a record's names; the record, or None."""
        with self._transaction() as db:
            found = self.read_documents([document_id])
            if not found:
                return None
            document = replace(found[0], names=tuple(names))
            put_record(db, document)
            return document

    def publish(self, document: Document, contents: Contents) -> None:
        """Replace record and contents in one transaction."""
        terms = prepare_terms(contents.windows, contents.page_terms)
        with self._transaction() as db:
            check_vectors(db, contents)
            put_record(db, document)
            db.execute("UPDATE documents SET contents = version WHERE id = ?", (document.id,))
            delete_contents(db, document.id)
            insert_contents(db, document.id, contents, terms)

    def remove_document(self, document_id: str) -> None:
        """Delete a record and, by foreign key and trigger, all that belongs to it."""
        with self._transaction() as db:
            touch(db)
            db.execute("DELETE FROM documents WHERE id = ?", (document_id,))

    def sweep(self) -> int:
        """Delete contents of versions that no record names; the number of windows."""
        with self._transaction() as db:
            rows = db.execute("SELECT id FROM documents WHERE version <> contents AND contents <> ''").fetchall()
            db.execute("UPDATE documents SET contents = '' WHERE version <> contents")
            if rows:
                touch(db)
            return sum(delete_contents(db, document_id) for (document_id,) in rows)

    def get_page(self, document_id: str, number: int) -> Page | None:
        """One page, if its document is searchable."""
        row = self._db.execute(
            f"SELECT w.record FROM pages w {SEEN} WHERE w.document_id = ? AND w.number = ?", (document_id, number)
        ).fetchone()
        return PAGE.validate_json(row[0]) if row else None

    def get_chunks(self, chunk_ids: Sequence[str]) -> list[Chunk]:
        """Chunks of searchable documents in the order asked."""
        marks = ",".join("?" * len(chunk_ids))
        rows = self._db.execute(f"SELECT w.record FROM chunks w {SEEN} WHERE w.id IN ({marks})", list(chunk_ids))
        found = {chunk.id: chunk for chunk in (CHUNK.validate_json(row[0]) for row in rows)}
        return [found[chunk_id] for chunk_id in chunk_ids if chunk_id in found]

    def search(self, query: SearchQuery) -> Candidates:
        """What every view finds, all of the same moment."""
        for tries_left in reversed(range(SNAPSHOT_TRIES)):
            self._db.execute("BEGIN")
            try:
                require_generation(self._db, query.generation)
                snapshot = self._memory.of_now(self._db, rewind=not tries_left)
                if snapshot is not None:
                    return search_views(self._db, snapshot, query)
            finally:
                self._db.execute("COMMIT")
        raise AssertionError("the last try takes whatever the file says")

    def sample_windows(self, limit: int) -> list[Window]:
        """The searchable windows with the smallest ids."""
        return read_sample(self._db, limit)

    def count(self) -> Counts:
        """Searchable documents, their chunks and windows."""
        counts = [
            self._db.execute(f"SELECT count(*) FROM {table} {join}").fetchone()[0]
            for table, join in (("documents WHERE searchable", ""), ("chunks w", SEEN), ("windows w", SEEN))
        ]
        return Counts(*counts)

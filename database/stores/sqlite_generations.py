"""The embedded store's next generation: tables with a prefix beside those that answer.

To switch is to give them the names of those, in one transaction; readers go on with the snapshot
that they have. The old tables are dropped afterwards.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from database.documents import Contents, Document, IndexRecord, Vector, Window
from database.stores.generations import carry_over
from database.stores.sqlite_file import IndexFile
from database.stores.sqlite_rows import (
    CONTENTS,
    DOCUMENT,
    check_vectors,
    delete_contents,
    has_table,
    insert_contents,
    make_contents,
    put_meta,
    put_record,
    read_meta,
    read_sample,
)
from database.stores.sqlite_terms import prepare_terms

if TYPE_CHECKING:
    from database.stores.sqlite import SqliteStore

OLD = "old_"
ROWS_AT_ONCE = 500
"""Rows deleted in one transaction: some megabytes."""
KEYS = {"pages": "document_id, number"}
LARGE_ROWS = {"postings": 4}
"""So many of them, as one alone may have some megabytes."""
NEXT_DOCUMENTS = """CREATE TABLE next_documents (
    id TEXT PRIMARY KEY REFERENCES documents (id) ON DELETE CASCADE, record TEXT NOT NULL)"""


class GenerationsFile(IndexFile):
    """The file with its next generation. Blocking; any thread."""

    def read_vectors(self, document_id: str) -> dict[str, Vector]:
        """The answering generation's vectors of a document by their windows' texts."""
        found = "SELECT text, vector FROM windows WHERE document_id = ? AND vector <> x''"
        return {text: np.frombuffer(vector, np.float32) for text, vector in self._db.execute(found, (document_id,))}

    def read_next(self) -> IndexRecord | None:
        """The next generation's record, or None."""
        return read_meta(self._db, "next")

    def open_next(self, record: IndexRecord) -> str:
        """Make the tables, unless an unfinished generation made the same way has them; their prefix."""
        with self._transaction() as db:
            unfinished, answering = read_meta(db, "next"), read_meta(db)
            if unfinished is not None and unfinished.made_by == record.made_by:
                return _prefix(unfinished)
            before = unfinished or answering
            record = replace(record, generation=before.generation + 1 if before else 1)
            if unfinished is not None:
                _rename(db, _prefix(unfinished), OLD)
                db.execute("DROP TABLE next_documents")
            make_contents(db, _prefix(record))
            db.execute(NEXT_DOCUMENTS)
            put_meta(db, record, "next")
            return _prefix(record)

    def write_next(self, record: IndexRecord) -> None:
        """Replace the next generation's record."""
        with self._transaction() as db:
            put_meta(db, record, "next")

    def read_next_documents(self) -> list[Document]:
        """What it has of each document, by id."""
        rows = self._db.execute("SELECT record FROM next_documents ORDER BY id")
        return [DOCUMENT.validate_json(row[0]) for row in rows]

    def put_next(self, document: Document) -> None:
        """Insert or replace what it has of a document; contents stay."""
        with self._transaction() as db:
            if _is_known(db, document):
                _put_next(db, document)

    def publish_next(self, document: Document, contents: Contents, prefix: str) -> None:
        """Replace a document's record and contents in one transaction."""
        terms = prepare_terms(contents.windows, contents.page_terms)
        with self._transaction() as db:
            check_vectors(db, contents, prefix)
            if _is_known(db, document):
                _put_next(db, document)
                delete_contents(db, document.id, prefix)
                insert_contents(db, document.id, contents, terms, prefix)

    def sample_next(self, limit: int, prefix: str) -> list[Window]:
        """Its windows with the smallest ids."""
        return read_sample(self._db, limit, "", prefix)

    def switch(self) -> None:
        """Rename the tables and carry every record over, in one transaction."""
        with self._transaction() as db:
            record = read_meta(db, "next")
            if record is None:
                return
            _rename(db, "", OLD)
            _rename(db, _prefix(record), "")
            made = {document.id: document for document in self.read_next_documents()}
            for document in self.read_documents():
                carried = carry_over(document, made.get(document.id))
                put_record(db, carried)
                whole = document.id in made and carried.state != "failed"
                contents = carried.version if whole else ""
                db.execute("UPDATE documents SET contents = ? WHERE id = ?", (contents, document.id))
            db.execute("DROP TABLE next_documents")
            db.execute("DELETE FROM meta WHERE key = 'next'")
            put_meta(db, record)

    def drop_old(self) -> bool:
        """Drop the tables of a generation that no longer answers, whether there are any. They are emptied
        little by little: where SQLite wipes what it frees, hundreds of megabytes would keep writers waiting."""
        tables = [table for table in CONTENTS if has_table(self._db, OLD + table)]
        for trigger in self._find_triggers(OLD + "windows"):
            self._db.execute(f"DROP TRIGGER {trigger}")
        for table in tables:
            self._empty(OLD + table, KEYS.get(table, "rowid"), LARGE_ROWS.get(table, ROWS_AT_ONCE))
        with self._transaction() as db:
            for table in tables:
                db.execute(f"DROP TABLE IF EXISTS {OLD}{table}")
        return bool(tables)

    def _find_triggers(self, table: str) -> list[str]:
        found = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?"
        return [name for (name,) in self._db.execute(found, (table,))]

    def _empty(self, table: str, key: str, at_once: int) -> None:
        some = f"DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table} LIMIT {at_once})"
        while True:
            with self._transaction() as db:
                if not db.execute(some).rowcount:
                    return


class SqliteGeneration:
    """The next generation of a `SqliteStore`; `database.stores.Generation` says what each method promises."""

    def __init__(self, store: "SqliteStore", prefix: str):
        self._run, self._file, self._prefix = store.run, store.file, prefix

    async def wait_until_searchable(self, document_ids: Sequence[str]) -> None:
        """What is committed is found."""

    async def write_index(self, record: IndexRecord) -> None:
        """Replace its record."""
        await self._run(self._file.write_next, record)

    async def list_documents(self) -> list[Document]:
        """What it has of each document, by id."""
        return await self._run(self._file.read_next_documents)

    async def put_document(self, document: Document) -> None:
        """Write what it has of a document."""
        await self._run(self._file.put_next, document)

    async def publish(self, document: Document, contents: Contents) -> None:
        """Replace a document's record and contents in one transaction."""
        await self._run(self._file.publish_next, document, contents, self._prefix)

    async def sample_windows(self, limit: int) -> list[Window]:
        """Its windows with the smallest ids."""
        return await self._run(self._file.sample_next, limit, self._prefix)


def _prefix(record: IndexRecord) -> str:
    # Indexes keep the names they were made with, so no two generations may share one.
    return f"g{record.generation}_"


def _is_known(db: sqlite3.Connection, document: Document) -> bool:
    return db.execute("SELECT 1 FROM documents WHERE id = ?", (document.id,)).fetchone() is not None


def _put_next(db: sqlite3.Connection, document: Document) -> None:
    db.execute("REPLACE INTO next_documents VALUES (?, ?)", (document.id, DOCUMENT.dump_json(document).decode()))


def _rename(db: sqlite3.Connection, old: str, new: str) -> None:
    for table in CONTENTS:
        if has_table(db, old + table):  # an index of an older version may lack some
            db.execute(f"ALTER TABLE {old}{table} RENAME TO {new}{table}")

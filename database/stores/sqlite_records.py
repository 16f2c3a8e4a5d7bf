"""The embedded store's books: entries by kind and id, beside the documents in the same file."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import replace

from database.documents import LEASE_SPARE, Record
from database.errors import RecordConflict
from database.stores.sqlite_file import IndexFile

SCHEMA = """
CREATE TABLE IF NOT EXISTS books (
    kind TEXT NOT NULL, id TEXT NOT NULL, data TEXT NOT NULL, open INTEGER NOT NULL, due_at REAL NOT NULL,
    holder TEXT NOT NULL, lease_until REAL NOT NULL, created_at REAL NOT NULL, revision INTEGER NOT NULL,
    PRIMARY KEY (kind, id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS books_open ON books (kind, id) WHERE open;
"""
COLUMNS = "kind, id, data, open, due_at, holder, lease_until, created_at, revision"


class RecordsFile(IndexFile):
    """The file with its books. Blocking; any thread."""

    def create(self) -> None:
        """Make folder, file and tables where they are missing."""
        super().create()
        self._db.executescript(SCHEMA)

    def get_record(self, kind: str, record_id: str) -> Record | None:
        """One entry, or None."""
        found = _read(self._db, "kind = ? AND id = ?", (kind, record_id))
        return found[0] if found else None

    def list_records(self, kind: str, after: str, limit: int) -> list[Record]:
        """Entries past `after`, by id."""
        return _read(self._db, "kind = ? AND id > ? ORDER BY id LIMIT ?", (kind, after, limit))

    def put_record(self, record: Record) -> Record:
        """Insert or replace an entry. Raises `RecordConflict`."""
        with self._transaction() as db:
            found = _read(db, "kind = ? AND id = ?", (record.kind, record.id))
            if (found[0].revision if found else 0) != record.revision:
                raise RecordConflict(f"The {record.kind} {record.id} has changed meanwhile. Try again.")
            return _write(db, replace(record, revision=record.revision + 1))

    def remove_record(self, kind: str, record_id: str) -> bool:
        """Delete an entry; whether there was one."""
        with self._transaction() as db:
            return db.execute("DELETE FROM books WHERE kind = ? AND id = ?", (kind, record_id)).rowcount > 0

    def claim_record(self, kind: str, holder: str, lease_s: float, now: float) -> Record | None:
        """Lease the first entry that is free."""
        free = "kind = ? AND open AND due_at <= ? AND NOT (lease_until > ? AND lease_until <= ?) ORDER BY id LIMIT 1"
        with self._transaction() as db:
            found = _read(db, free, (kind, now, now, now + LEASE_SPARE * lease_s))
            if not found:
                return None
            revision = found[0].revision + 1
            return _write(db, replace(found[0], holder=holder, lease_until=now + lease_s, revision=revision))


def _read(db: sqlite3.Connection, condition: str, values: Sequence[object]) -> list[Record]:
    rows = db.execute(f"SELECT {COLUMNS} FROM books WHERE {condition}", values)
    return [Record(kind, id_, json.loads(data), bool(open_), *rest) for kind, id_, data, open_, *rest in rows]


def _write(db: sqlite3.Connection, record: Record) -> Record:
    row = (record.kind, record.id, json.dumps(record.data), record.open, record.due_at, record.holder)
    rest = (record.lease_until, record.created_at, record.revision)
    db.execute(f"REPLACE INTO books ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row + rest)
    return record

"""What searches of the embedded store hold in memory, brought to the moment that a transaction sees."""

import sqlite3
import threading
from functools import partial

from database.stores.segments import refresh
from database.stores.snapshot import Snapshot
from database.stores.sqlite_rows import read_stamp
from database.stores.sqlite_terms import read_segment


class Memory:
    """The newest snapshot of a file. Any thread."""

    def __init__(self) -> None:
        self._refreshing = threading.Lock()
        self._snapshot, self._stamp = Snapshot((), {}, ()), -1

    def of_now(self, db: sqlite3.Connection, rewind: bool) -> Snapshot | None:
        """The snapshot as of the open transaction, or None when another thread has a newer one already.

        Only documents that were published since are read. With `rewind` an older file is believed, too: somebody has
        put a backup in its place.
        """
        with self._refreshing:
            stamp = read_stamp(db)
            if stamp > self._stamp or (rewind and stamp < self._stamp):
                self._snapshot, self._stamp = _read(db, self._snapshot), stamp
            return self._snapshot if stamp == self._stamp else None


def _read(db: sqlite3.Connection, before: Snapshot) -> Snapshot:
    rows = db.execute(
        "SELECT p.document_id, p.publication, d.searchable FROM postings p JOIN documents d ON d.id = p.document_id "
        "ORDER BY p.document_id"
    ).fetchall()
    wanted = {document: publication for document, publication, _ in rows}
    seen = frozenset(document for document, _, searchable in rows if searchable)
    return Snapshot(refresh(before.segments, wanted, partial(read_segment, db)), wanted, seen)

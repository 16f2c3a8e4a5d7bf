"""The embedded store's file as older versions of this program left it, brought up to this one in place.

`PRAGMA user_version` counts the steps that a file has behind it. Each step is one transaction
together with its number, so one that is killed never happened. Steps are never changed or taken
away again, only added.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from database.errors import StoreError
from database.stores.sqlite_full_text import replace_full_text

Step = Callable[[sqlite3.Connection], None]

_FILL = """INSERT INTO places SELECT DISTINCT coalesce(json_extract(n.value, '$.collection'), ''), {row}.id
    FROM json_each({row}.record, '$.names') n WHERE NOT json_extract(n.value, '$.excluded')"""
_EMPTY = "DELETE FROM places WHERE document_id = new.id"


def _add_places(db: sqlite3.Connection) -> None:
    """`places`: the collections of each document's visible names. Triggers keep it, whoever writes records."""
    # In the order of the key: otherwise quick_check of SQLite 3.40 sees faults where there are none.
    db.execute(
        "CREATE TABLE places (collection TEXT NOT NULL, document_id TEXT NOT NULL REFERENCES documents (id) "
        "ON DELETE CASCADE, PRIMARY KEY (collection, document_id)) WITHOUT ROWID"
    )
    db.execute("CREATE INDEX places_document ON places (document_id)")
    fill = _FILL.format(row="new")
    db.execute(f"CREATE TRIGGER places_added AFTER INSERT ON documents BEGIN {_EMPTY}; {fill}; END")
    db.execute(f"CREATE TRIGGER places_changed AFTER UPDATE OF record ON documents BEGIN {_EMPTY}; {fill}; END")
    db.execute(_FILL.format(row="d").replace("FROM ", "FROM documents d, ", 1))


STEPS: Sequence[Step] = (_add_places, replace_full_text)


def migrate(db: sqlite3.Connection, path: Path, steps: Sequence[Step] = STEPS) -> None:
    """Take the steps that the file at `path` lacks. Raises `StoreError` for one of a newer version."""
    require_known(db, path, len(steps))
    for number, step in enumerate(steps, 1):
        if _version(db) < number:
            with _whole(db):
                if _version(db) < number:  # no other process was quicker
                    step(db)
                    db.execute(f"PRAGMA user_version = {number}")


def require_known(db: sqlite3.Connection, path: Path, known: int = len(STEPS)) -> None:
    """Raise `StoreError` for a file that a newer version of this program made."""
    version = _version(db)
    if version > known:
        raise StoreError(
            f"The index {path} is of a newer version of Acervo (format {version}; this one knows {known}). "
            "Update Acervo, restore a backup made with this version, or choose another DATA_DIR."
        )


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


@contextmanager
def _whole(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")

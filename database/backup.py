"""Backing up the embedded store while it is at work, and restoring it: index, books and originals in one file.

The index is copied by SQLite's own backup in one read transaction, so it is of one moment whatever
is written meanwhile. The cache of converted pages is left out; it is made again when it is needed.
https://www.sqlite.org/backup.html
"""

import re
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from database.archive import ORIGINAL, Archive, ArchiveWriter, open_archive, require_room, write_archive
from database.errors import AcervoError, ArchiveError, SettingsError
from database.files import Originals
from database.settings import IndexSettings
from database.stores.sqlite_migrations import migrate, require_known

FORMAT, VERSION = "acervo-backup", 1
INDEX = "index.sqlite"
MEMBERS = re.compile(rf"index\.sqlite|{ORIGINAL}")
MONGODB = (
    "MONGODB_URI is set, and backups are of the embedded store. Back MongoDB up with mongodump and keep DATA_DIR/files "
    "beside it (docs/operations.md), or use --export, which works with both stores."
)


@dataclass(slots=True)
class Carried:
    """What was carried. `missing` are documents whose originals were not there, or damaged."""

    documents: int = 0
    originals: int = 0
    missing: list[str] = field(default_factory=list)


def back_up(settings: IndexSettings, path: Path, force: bool = False) -> Carried:
    """Write a backup to `path`. Raises `AcervoError`; then nothing is left there."""
    index = _find_index(settings)
    if not index.is_file():
        raise AcervoError(f"There is no index in {settings.data_dir}. Load documents first, or set DATA_DIR.")
    about = {"format": FORMAT, "version": VERSION}
    with write_archive(path, about, force) as archive, _telling(index), _scratch(path.parent) as scratch:
        copy = scratch / INDEX
        _copy_database(index, copy)
        backup = _add_originals(archive, Originals(settings.data_dir / "files"), index, copy)
        archive.add_file(INDEX, copy, compress=True)
    return backup


def _find_index(settings: IndexSettings) -> Path:
    if settings.mongodb_uri:
        raise SettingsError(MONGODB)
    return settings.data_dir / INDEX


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=folder, prefix=".acervo-") as scratch:
        yield Path(scratch)


@contextmanager
def _telling(index: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise AcervoError(f"The index {index} cannot be copied: {error}. Look whether the disk is full.") from error


def _copy_database(source: Path, target: Path) -> None:
    with (
        closing(sqlite3.connect(source, timeout=30)) as reading,
        closing(sqlite3.connect(target, timeout=30)) as writing,
    ):
        require_known(reading, source)
        reading.backup(writing)


def _add_originals(archive: ArchiveWriter, originals: Originals, index: Path, copy: Path) -> Carried:
    """Add the originals of all documents of `copy`. What has been deleted for good since goes from it."""
    backup = Carried()
    with closing(sqlite3.connect(copy, isolation_level=None)) as copied, closing(sqlite3.connect(index)) as live:
        copied.execute("PRAGMA foreign_keys = ON")
        for document_id in _list_ids(copied):
            try:
                whole = archive.add_original(originals.path(document_id), document_id)
            except FileNotFoundError:
                if not live.execute("SELECT 1 FROM documents WHERE id = ?", (document_id,)).fetchone():
                    copied.execute("DELETE FROM documents WHERE id = ?", (document_id,))
                    continue
                whole = False
            backup.documents += 1
            backup.originals += whole
            backup.missing.extend([] if whole else [document_id])
        copied.execute("PRAGMA journal_mode = DELETE")  # one file, with nothing beside it
    return backup


def _list_ids(db: sqlite3.Connection) -> list[str]:
    return [document_id for (document_id,) in db.execute("SELECT id FROM documents ORDER BY id")]


def restore(settings: IndexSettings, path: Path, force: bool = False) -> Carried:
    """Make DATA_DIR what the backup at `path` holds. The caller holds the lock of loads. Raises `AcervoError`.

    Everything is checked before anything is written, originals come before the index, and that in one
    transaction: a restoring that is killed leaves the index as it was, or restored.
    """
    index = _find_index(settings)
    if index.exists() and not force:
        raise AcervoError(
            f"{settings.data_dir} holds an index already. Restore into another folder (DATA_DIR=…), or add --force "
            "to replace everything in it."
        )
    originals = Originals(settings.data_dir / "files")
    with open_archive(path, FORMAT, VERSION, MEMBERS, INDEX) as archive:
        require_room(settings.data_dir, sum(map(archive.size, archive.names)) + archive.size(INDEX))
        with _scratch(settings.data_dir) as scratch:
            archive.copy(INDEX, scratch / INDEX)
            documents = _check_index(scratch / INDEX, path)
            kept = _restore_originals(archive, originals, documents)
            with _telling(index):
                _replace_index(scratch / INDEX, index)
        originals.drop_others(documents)
    return Carried(len(documents), len(kept), sorted(documents - kept))


def _check_index(index: Path, path: Path) -> set[str]:
    """The ids of the documents in an index that came from elsewhere, brought up to date. Raises `ArchiveError`."""
    try:
        with closing(sqlite3.connect(index, isolation_level=None)) as db:
            db.execute("PRAGMA trusted_schema = OFF")
            require_known(db, index)
            if db.execute("PRAGMA quick_check").fetchone() != ("ok",):
                raise ArchiveError(f"The index in {path} is damaged. Use another backup.")
            migrate(db, index)  # before a running server sees it
            return set(_list_ids(db))
    except sqlite3.Error as error:
        raise ArchiveError(f"The index in {path} cannot be read: {error}. Use another backup.") from error


def _restore_originals(archive: Archive, originals: Originals, documents: set[str]) -> set[str]:
    kept = set[str]()
    for name in archive.names:
        match = MEMBERS.fullmatch(name)
        document_id = match[1] if match and match[1] else ""
        if document_id in documents and archive.digest(name) == document_id:
            archive.copy(name, originals.place(document_id, Path(name).suffix))
            kept.add(document_id)
    return kept


def _replace_index(source: Path, index: Path) -> None:
    try:
        _copy_database(source, index)
    except (sqlite3.DatabaseError, AcervoError):
        # What stands there is no database that this version can write, which may be why a backup is wanted.
        for side in ("", "-wal", "-shm"):
            Path(f"{index}{side}").unlink(missing_ok=True)
        _copy_database(source, index)

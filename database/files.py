"""Files on disk: finding them, hashing them, and keeping the originals by hash in DATA_DIR."""

import contextlib
import errno
import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from database.changes import FoundFile
from database.documents import Name
from database.errors import AcervoError, ReadError

SUFFIXES = frozenset({".pdf"})
LEFTOVER_S = 3600
_BLOCK = 1 << 20


def list_files(path: Path, without: Path | None, on_closed: Callable[[OSError], None]) -> Iterator[Path]:
    """`path` itself when it is a file, else the documents below it in a fixed order.

    Hidden ones and the folder `without` are left out; folders that cannot be listed go to `on_closed`.
    """
    if path.is_file():
        yield path
        return
    for folder, folders, names in os.walk(path, onerror=on_closed):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and Path(folder, name) != without)
        for name in sorted(names):
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES:
                yield Path(folder, name)


def find_files(paths: Iterable[Path], without: Path | None = None) -> tuple[list[FoundFile], dict[Path, str]]:
    """Every document below `paths` (absolute) but not below `without`, with its hash; and the files
    and folders that cannot be opened, with the reason."""
    found: dict[Path, FoundFile] = {}
    closed: dict[Path, str] = {}

    def close(error: OSError, path: Path | None = None) -> None:
        closed[path or Path(error.filename)] = f"cannot be opened: {error.strerror}. Check its permissions."

    for path in paths:
        root = path if path.is_dir() else path.parent
        for file in list_files(path, without, close):
            if not is_utf8(file):
                closed[file] = "has a name that is not UTF-8. Rename it."
                continue
            try:
                digest, size = _hash_file(file)
            except OSError as error:
                close(error, file)
                continue
            found[file] = FoundFile(Name(str(root), file.relative_to(root).as_posix()), digest, size)
    return list(found.values()), closed


def is_utf8(path: Path) -> bool:
    """False for a name in some older encoding, which no store could keep."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _hash_file(path: Path) -> tuple[str, int]:
    if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait for ever
        raise OSError(errno.EINVAL, "it is not a regular file")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), os.fstat(file.fileno()).st_size


def drop_leftovers(data_dir: Path) -> None:
    """Delete what killed loads left half written, once it is LEFTOVER_S old."""
    for pattern in ("files/*/*.part", "pages/*/*/*.part"):
        for part in data_dir.glob(pattern):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - part.stat().st_mtime > LEFTOVER_S:
                    part.unlink()


class Originals:
    """Copies of the loaded files, named by the SHA-256 of their bytes, below `folder`."""

    def __init__(self, folder: Path):
        self._folder = folder

    def path(self, document_id: str) -> Path:
        """Where the original of this document is kept."""
        return self._folder / document_id[:2] / f"{document_id}.pdf"

    def keep(self, source: Path, document_id: str) -> Path:
        """Copy `source` unless it is kept already. Raises `ReadError` when its bytes are others by now."""
        kept = self.path(document_id)
        if kept.exists():
            return kept
        try:
            kept.parent.mkdir(parents=True, exist_ok=True)
            handle, part = tempfile.mkstemp(dir=kept.parent, suffix=".part")
        except OSError as error:
            raise AcervoError(f"DATA_DIR cannot be written: {error.strerror} ({kept.parent}).") from error
        try:
            with os.fdopen(handle, "wb") as target:
                digest = _copy(source, target)
            if digest != document_id:
                raise ReadError("changed while it was being read; load again when it is complete.")
            os.replace(part, kept)
        except (FileNotFoundError, PermissionError) as error:
            raise ReadError(f"cannot be read any more: {error.strerror}.") from error
        except OSError as error:
            raise AcervoError(f"{source} cannot be copied to DATA_DIR: {error.strerror}.") from error
        finally:
            Path(part).unlink(missing_ok=True)
        return kept

    def drop(self, document_id: str) -> None:
        """Forget the original of a removed document."""
        self.path(document_id).unlink(missing_ok=True)


def _copy(source: Path, target: BinaryIO) -> str:
    digest = hashlib.sha256()
    with source.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            target.write(block)
    return digest.hexdigest()

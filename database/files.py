"""Files on disk: finding them, hashing them, and keeping the originals by hash in DATA_DIR."""

import contextlib
import errno
import filecmp
import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from database.changes import FoundFile
from database.documents import Name
from database.errors import AcervoError, ReadError
from database.formats import ENDINGS, KEPT_ENDINGS

if TYPE_CHECKING:
    from _typeshed import SupportsRead

LEFTOVER_S = 3600
_BLOCK = 1 << 20


def list_files(path: Path, without: Path | None, on_closed: Callable[[OSError], None]) -> Iterator[Path]:
    """`path` itself unless it is a folder, else the documents below it in a fixed order.

    Hidden ones and the folder `without` are left out; folders that cannot be listed go to `on_closed`.
    """
    if not path.is_dir():
        yield path
        return
    for folder, folders, names in os.walk(path, onerror=on_closed):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and Path(folder, name) != without)
        for name in sorted(names):
            if not name.startswith(".") and Path(name).suffix.lower() in ENDINGS:
                yield Path(folder, name)


def hash_file(path: Path) -> tuple[str, int]:
    """SHA-256 of a file's bytes, and how many there are. Raises `OSError`, also for what is no regular file."""
    if not stat.S_ISREG(path.stat().st_mode) or path.resolve().is_relative_to("/proc"):
        # Opening a pipe would wait for ever, and some files of /proc have no end.
        raise OSError(errno.EINVAL, "it is not a regular file")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), os.fstat(file.fileno()).st_size


def find_files(
    paths: Iterable[Path], without: Path | None = None, hash_file: Callable[[Path], tuple[str, int]] = hash_file
) -> tuple[list[FoundFile], dict[Path, str]]:
    """Every document below `paths` (absolute) but not below `without`, with its hash; and the files
    and folders that cannot be opened, with the reason. Links are followed within their folder only: who may
    put files there may not thereby have others read."""
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
            if file != path and file.is_symlink() and file.exists() and not _lies_in(file, root):
                closed[file] = (
                    "is a link to a file outside its folder. Copy the file there, or load it by its own name."
                )
                continue
            try:
                digest, size = hash_file(file)
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


def _lies_in(file: Path, folder: Path) -> bool:
    return file.resolve().is_relative_to(folder.resolve())


def drop_leftovers(data_dir: Path) -> None:
    """Delete what killed loads left half written, once it is LEFTOVER_S old."""
    for pattern in ("files/*/*.part", "pages/*/*/*.part", "fetched/page-*", "fetched/*/page-*"):
        for part in data_dir.glob(pattern):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - part.stat().st_mtime > LEFTOVER_S:
                    part.unlink()


def list_old_copies(data_dir: Path) -> set[str]:
    """Documents of which originals or converted pages lie in DATA_DIR for LEFTOVER_S or longer."""
    if (data_dir / "index.sqlite").exists():
        return set()  # an embedded index lies there, too, and has its only originals in the same folder
    before = time.time() - LEFTOVER_S
    files = {path: path.stem for path in data_dir.glob("files/*/*") if path.suffix in KEPT_ENDINGS}
    folders = {path: path.name for path in data_dir.glob("pages/*")}
    return {document_id for path, document_id in (files | folders).items() if _is_older(path, before)}


class Originals:
    """Copies of the loaded files, named by the SHA-256 of their bytes, below `folder`."""

    def __init__(self, folder: Path):
        self._folder = folder

    def path(self, document_id: str) -> Path:
        """Where the original of this document is kept; where that of a PDF would be when there is none."""
        places = (self.place(document_id, ending) for ending in KEPT_ENDINGS)
        return next((path for path in places if path.is_file()), self.place(document_id))

    def place(self, document_id: str, ending: str = ".pdf") -> Path:
        """Where an original with this ending belongs."""
        return self._folder / document_id[:2] / f"{document_id}{ending}"

    def keep(self, source: Path, document_id: str, ending: str = ".pdf") -> Path:
        """Copy `source` unless it is kept already. Raises `ReadError` when its bytes are others by now."""
        kept = self.path(document_id)
        if _is_whole(kept, source):
            return kept
        kept = self.place(document_id, ending)
        try:
            with source.open("rb") as file:
                copy_whole(file, kept, document_id)
        except (FileNotFoundError, PermissionError) as error:
            raise ReadError(f"cannot be read any more: {error.strerror}.") from error
        return kept

    def adopt(self, part: Path, document_id: str, ending: str = ".pdf") -> None:
        """Take over a file in DATA_DIR whose bytes are known to hash to this id; it is moved, not copied. Where these
        bytes are kept already they stay as they are: a process that reads them may open this file and no other."""
        known = self.path(document_id)
        kept = known if known.is_file() else self.place(document_id, ending)
        try:
            if kept.is_file() and filecmp.cmp(kept, part, shallow=False):
                kept.touch()  # as new as if it had been moved there: what is old and no document's is swept away
                part.unlink()
                return
            kept.parent.mkdir(parents=True, exist_ok=True)
            os.replace(part, kept)
            _sync_folder(kept.parent)
        except OSError as error:
            raise AcervoError(f"DATA_DIR cannot be written: {error.strerror} ({kept.parent}).") from error

    def drop(self, document_id: str) -> None:
        """Forget the original of a removed document."""
        for ending in KEPT_ENDINGS:
            self.place(document_id, ending).unlink(missing_ok=True)

    def drop_others(self, document_ids: Collection[str]) -> None:
        """Forget the originals of all documents but these."""
        for path in self._folder.glob("*/*"):
            if path.suffix in KEPT_ENDINGS and path.stem not in document_ids:
                path.unlink(missing_ok=True)


def _is_older(path: Path, before: float) -> bool:
    try:
        return path.stat().st_mtime < before
    except FileNotFoundError:
        return False  # somebody dropped it


def _is_whole(kept: Path, source: Path) -> bool:
    """Whether the copy is there, and as long as its source unless that is gone: a power cut may have cut it."""
    try:
        return kept.is_file() and (not source.exists() or kept.stat().st_size == source.stat().st_size)
    except OSError:
        return False


def copy_whole(
    source: "SupportsRead[bytes]",
    kept: Path,
    document_id: str,
    otherwise: str = "changed while it was being read; load again when it is complete.",
) -> None:
    """Write what is read from `source` to `kept`, whole or not at all. Raises `ReadError`, with the text `otherwise`,
    when its bytes do not hash to this id."""
    digest = hashlib.sha256()
    try:
        with whole_file(kept) as target:
            while block := source.read(_BLOCK):
                digest.update(block)
                target.write(block)
            if digest.hexdigest() != document_id:
                raise ReadError(otherwise)
    except OSError as error:
        raise AcervoError(f"DATA_DIR cannot be written: {error.strerror} ({kept.parent}).") from error


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file that stands at `path`, whole and on disk, once the block has ended well; else nothing does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
        _sync_folder(path.parent)
    finally:
        Path(part).unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Have the names in it on disk, too: a power cut may forget new ones otherwise."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

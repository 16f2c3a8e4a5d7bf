"""The file that backups and exports are: a zip that says what it is and proves that it is whole.

Its first member, `acervo.json`, tells format and version; its last, `sums.json`, size and SHA-256 of
every other. It is written beside its place and renamed, readable by its owner alone. Nothing of a
file is believed when it is read: members are only those of known names, each is looked at once
before any is used, and nothing is ever unpacked to a path that the file names.
"""

import hashlib
import json
import re
import shutil
import stat
import time
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Self

from database.errors import AcervoError, ArchiveError
from database.files import whole_file
from database.formats import KEPT_ENDINGS

ABOUT, SUMS = "acervo.json", "sums.json"
MAX_ABOUT, MAX_SUMS = 1 << 20, 1 << 28
"""Bytes."""
ORIGINAL = rf"files/([0-9a-f]{{64}})(?:{'|'.join(map(re.escape, sorted(KEPT_ENDINGS)))})"
"""What the member with a document's original is called, as a regular expression."""
_BLOCK = 1 << 20
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, ValueError, KeyError)
"""What zipfile and json raise for bytes that were damaged or made to hurt."""


class ArchiveWriter:
    """Writes members; made by `write_archive`."""

    def __init__(self, file: IO[bytes]):
        self._zip = zipfile.ZipFile(file, "w")
        self.sums: dict[str, tuple[int, str]] = {}

    def add(self, name: str, data: bytes) -> None:
        """A member of these bytes, compressed."""
        with self._open(name, zipfile.ZIP_DEFLATED) as member:
            member.write(data)
        self.sums[name] = len(data), hashlib.sha256(data).hexdigest()

    def add_file(self, name: str, path: Path, compress: bool = False) -> str:
        """A member with a file's bytes; their SHA-256. Raises `FileNotFoundError` before it writes anything."""
        digest, size = hashlib.sha256(), 0
        with path.open("rb") as source, self._open(name, zipfile.ZIP_DEFLATED if compress else 0) as member:
            while block := source.read(_BLOCK):
                digest.update(block)
                size += len(block)
                member.write(block)
        self.sums[name] = size, digest.hexdigest()
        return digest.hexdigest()

    def add_original(self, path: Path, document_id: str) -> bool:
        """The original of a document; whether its bytes are the right ones. Raises `FileNotFoundError`."""
        return self.add_file(f"files/{document_id}{path.suffix}", path) == document_id

    def close(self) -> None:
        """Write the sums and the end."""
        self.add(SUMS, json.dumps({name: sums for name, sums in self.sums.items() if name != ABOUT}).encode())
        self._zip.close()

    def abandon(self) -> None:
        """Write nothing any more: zipfile would write its end when it is forgotten, to a file that is closed."""
        self._zip.fp = None

    def _open(self, name: str, method: int) -> IO[bytes]:
        info = zipfile.ZipInfo(name, time.localtime()[:6])
        info.compress_type, info.external_attr = method, (stat.S_IFREG | 0o600) << 16
        info._compresslevel = 1  # type: ignore[attr-defined]  # zipfile's own constructor sets it this way
        return self._zip.open(info, "w", force_zip64=True)


@contextmanager
def write_archive(path: Path, about: Mapping[str, Any], force: bool) -> Iterator[ArchiveWriter]:
    """An archive that stands at `path` once the block has ended well. Raises `AcervoError`."""
    if path.exists() and not force:
        raise AcervoError(f"{path} exists already. Name another file, or add --force to replace it.")
    try:
        with whole_file(path) as file:
            writer = ArchiveWriter(file)
            try:
                writer.add(ABOUT, json.dumps({"made_at": time.time(), **about}).encode())
                yield writer
                writer.close()
            finally:
                writer.abandon()
    except OSError as error:
        raise AcervoError(f"{path} cannot be written: {error.strerror}. Nothing was left there.") from error


class Archive:
    """An archive to read; made by `open_archive`. `about` is what its first member tells."""

    def __init__(self, path: Path, source: zipfile.ZipFile):
        self.path, self._zip = path, source
        self._infos: dict[str, zipfile.ZipInfo] = {}
        self.about: Mapping[str, Any] = {}
        self._sums: Mapping[str, tuple[int, str]] = {}

    @property
    def names(self) -> list[str]:
        """Members other than those that describe the archive, in the order they were written."""
        return [name for name in self._infos if name not in (ABOUT, SUMS)]

    def size(self, name: str) -> int:
        """Bytes of a member."""
        return self._sums[name][0]

    def check(self, kind: str, version: int, allowed: re.Pattern[str]) -> Self:
        """Look at every byte once; nothing is used before. Raises `ArchiveError`."""
        with self._reading():
            self.about = json.loads(self._read_small(ABOUT, MAX_ABOUT))
            if self.about["format"] != kind:
                raise ArchiveError(f"{self.path} is of the kind {self.about['format']}; {kind} is needed here.")
            if self.about["version"] > version:
                raise ArchiveError(f"{self.path} was made by a newer version of Acervo. Update this one first.")
            for info in self._zip.infolist():
                self._check_member(info, allowed)
            self._sums = {
                str(k): (int(v[0]), str(v[1])) for k, v in json.loads(self._read_small(SUMS, MAX_SUMS)).items()
            }
            if self._sums.keys() != set(self.names):
                raise ArchiveError(f"{self.path} does not hold what it says. Use another copy of it.")
            for name in self.names:
                for _ in self.read_blocks(name):
                    pass
        return self

    def _check_member(self, info: zipfile.ZipInfo, allowed: re.Pattern[str]) -> None:
        mode = info.external_attr >> 16
        known = info.filename in (ABOUT, SUMS) or allowed.fullmatch(info.filename)
        if not known or info.filename in self._infos or stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            raise ArchiveError(f"{self.path} holds {info.filename[:100]!r}, which does not belong there.")
        self._infos[info.filename] = info

    def _read_small(self, name: str, most: int) -> bytes:
        with self._zip.open(name) as member:
            data = member.read(most + 1)
        if len(data) > most:
            raise ArchiveError(f"{self.path}: {name} is larger than it can be.")
        return data

    def digest(self, name: str) -> str:
        """SHA-256 of a member, hex."""
        return self._sums[name][1]

    def read_blocks(self, name: str) -> Iterator[bytes]:
        """A member's bytes; never more than the archive says. Raises `ArchiveError` when they are others."""
        size, wanted = self._sums[name]
        digest, read = hashlib.sha256(), 0
        with self._reading(), self._zip.open(self._infos[name]) as member:
            while read <= size and (block := member.read(_BLOCK)):
                digest.update(block)
                read += len(block)
                yield block
        if (read, digest.hexdigest()) != (size, wanted):
            raise ArchiveError(f"{self.path} is damaged: {name} is not as it was written. Use another copy of it.")

    def read(self, name: str) -> bytes:
        """All bytes of a member."""
        return b"".join(self.read_blocks(name))

    def copy(self, name: str, path: Path) -> None:
        """Write a member to `path`, whole or not at all."""
        with whole_file(path) as file:
            for block in self.read_blocks(name):
                file.write(block)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except ArchiveError:
            raise
        except _BROKEN as error:
            raise ArchiveError(f"{self.path} is damaged or was cut off: {error}. Use another copy of it.") from error


@contextmanager
def open_archive(path: Path, kind: str, version: int, allowed: re.Pattern[str], needed: str = "") -> Iterator[Archive]:
    """A checked archive of this kind, at most this version, with members `allowed` and one that is `needed`.
    Raises `ArchiveError`."""
    try:
        source = zipfile.ZipFile(path)
    except OSError as error:
        raise ArchiveError(f"{path} cannot be read: {error.strerror}.") from error
    except _BROKEN as error:
        raise ArchiveError(f"{path} is no file made by --backup or --export, or was cut off.") from error
    with source:
        archive = Archive(path, source).check(kind, version, allowed)
        if needed and needed not in archive.names:
            raise ArchiveError(f"{path} lacks {needed}. Use another copy of it.")
        yield archive


def require_room(folder: Path, size: int) -> None:
    """Make a folder. Raises `AcervoError` where `size` bytes do not fit into it."""
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if size > free:
        raise AcervoError(f"{size >> 20} MB are needed in {folder}, {free >> 20} MB are free.")

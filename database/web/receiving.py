"""The body of a response becomes a file, within its limits. Blocks; run it in a thread."""

import hashlib
import os
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from database.errors import AcervoError, EmptyFile, FileTooLarge, Unreachable

FOLDER = "fetched"
"""In DATA_DIR: what is being fetched."""
PREFIX = "page-"
BLOCK = 1 << 20
ENCODINGS = frozenset({"", "identity", "gzip", "x-gzip"})
"""Of bodies. Only gzip is asked for."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was fetched: the address in the end, where its bytes lie, and what they hash to."""

    address: str
    path: Path
    document_id: str
    size: int


class Sink:
    """One body on its way into a file below `folder`, which ends like this; at most `max_mb` of it, unpacked."""

    def __init__(self, folder: Path, max_mb: int, encoding: str, ending: str = ""):
        self._max_mb, self._size, self._digest = max_mb, 0, hashlib.sha256()
        self._unpacker = None if encoding in ("", "identity") else zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle, path = tempfile.mkstemp(dir=folder, prefix=PREFIX, suffix=ending)
        except OSError as error:
            raise AcervoError(f"DATA_DIR cannot be written: {error.strerror} ({folder}).") from error
        self.path, self._file = Path(path), os.fdopen(handle, "wb")

    def write(self, data: bytes) -> None:
        """Take what came. Raises `FileTooLarge`, `Unreachable` for what cannot be unpacked."""
        for block in self._unpack(data):
            self._size += len(block)
            if self._size > self._max_mb << 20:
                raise FileTooLarge(f"It has more than MAX_FILE_MB={self._max_mb} MB. Raise that setting to load it.")
            self._digest.update(block)
            try:
                self._file.write(block)
            except OSError as error:
                raise AcervoError(f"DATA_DIR cannot be written: {error.strerror}. Make room on its disk.") from error

    def finish(self, address: str) -> Fetched:
        """The file, when the body has ended. Raises `EmptyFile`, `Unreachable` when it ended too early."""
        if self._unpacker is not None and not self._unpacker.eof:
            raise Unreachable("What came was cut off. Try again.")
        if self._size == 0:
            raise EmptyFile("The address gives nothing (0 bytes). Open it in the browser to see why.")
        self._file.flush()
        os.fsync(self._file.fileno())
        return Fetched(address, self.path, self._digest.hexdigest(), self._size)

    def close(self) -> None:
        """Close the file; it stays where it is."""
        self._file.close()

    def _unpack(self, data: bytes) -> Iterator[bytes]:
        """What `data` unpacks to, a block at a time: a little may become very much."""
        if self._unpacker is None:
            yield data
            return
        while data and not self._unpacker.eof:
            try:
                yield self._unpacker.decompress(data, BLOCK)
            except zlib.error:
                raise Unreachable("What came is not packed as its headers say. Try again.") from None
            data = self._unpacker.unconsumed_tail

"""Files that arrive in a request: streamed to DATA_DIR while they are hashed, judged by their first bytes."""

import asyncio
import contextlib
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Awaitable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, TypeVar

from aiohttp import BodyPartReader, MultipartReader, web
from aiohttp.http import HttpProcessingError

from app.errors import BadRequest, TooManyFiles, TooSlow
from app.filenames import make_safe
from app.settings import ServerSettings
from database.belonging import check_collection
from database.errors import AcervoError, EmptyFile, FileTooLarge, ReadError
from database.formats import SNIFF_BYTES, check_start

T = TypeVar("T")

FOLDER = "uploads"
CHUNK = 1 << 16
BLOCK = 1 << 20
"""Bytes gathered before they are written."""
SPARE_PARTS = 100
"""Parts that are looked at beyond MAX_UPLOAD_FILES, to name the files refused."""


@dataclass(frozen=True, slots=True)
class Received:
    """A file that has arrived whole: where it lies until it is kept, and what its bytes hash to."""

    name: str
    path: Path
    document_id: str
    size: int


@dataclass(frozen=True, slots=True)
class Refused:
    """A file that is not taken, and why."""

    name: str
    error: ReadError


@dataclass(slots=True)
class Arrival:
    """The files of one request."""

    received: list[Received] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    collection: str = ""
    """Where the files are to go."""


class Receiver:
    """Reads one request's files into DATA_DIR, within the limits of the settings."""

    def __init__(self, request: web.Request, settings: ServerSettings, stack: contextlib.ExitStack):
        self._request, self._settings, self._stack = request, settings, stack
        self._max_bytes = settings.max_file_mb << 20
        self._skipped = 0

    async def receive(self) -> Arrival:
        """All files; those received lie on disk until the stack is closed, unless they were moved.

        Raises `BadRequest`, `TooSlow`, and `FileTooLarge` when even what is to be thrown away is too much.
        """
        self._check_length()
        arrival = Arrival()
        try:
            reader = await self._request.multipart()
            for _ in range(self._settings.max_upload_files + SPARE_PARTS):
                part = await self._wait(reader.next())
                if part is None:
                    return arrival
                await self._take(part, arrival)
        except (ValueError, AssertionError, HttpProcessingError, web.RequestPayloadError) as error:
            raise BadRequest(
                "The body is no multipart/form-data with files in it, or it was cut off. Send it again."
            ) from error
        raise TooManyFiles(f"A request may bring {self._settings.max_upload_files} files (MAX_UPLOAD_FILES).")

    def _check_length(self) -> None:
        if self._request.content_type != "multipart/form-data":
            raise BadRequest("Send the files as multipart/form-data, as a form does.")
        most = self._max_bytes * self._settings.max_upload_files + BLOCK
        if (self._request.content_length or 0) > most:
            raise FileTooLarge(f"The request is larger than MAX_UPLOAD_FILES files of MAX_FILE_MB: {most >> 20} MB.")

    async def _take(self, part: MultipartReader | BodyPartReader, arrival: Arrival) -> None:
        if isinstance(part, MultipartReader):
            raise BadRequest("A part of the body has parts itself. Send each file as a part of its own.")
        if part.filename is None:
            await self._take_field(part, arrival)
            return
        name = make_safe(part.filename)
        try:
            if len(arrival.received) >= self._settings.max_upload_files:
                raise TooManyFiles(
                    f"A request may bring {self._settings.max_upload_files} files (MAX_UPLOAD_FILES). "
                    "Send the others after it."
                )
            arrival.received.append(await self._keep(part, name))
        except ReadError as error:
            arrival.refused.append(Refused(name, error))
            await self._skip(part)

    async def _take_field(self, part: BodyPartReader, arrival: Arrival) -> None:
        if part.name != "collection":
            await self._skip(part)
            return
        if arrival.received or arrival.refused:
            raise BadRequest("The field `collection` has to come before the files.")
        value = bytearray()
        while (chunk := await self._wait(part.read_chunk(CHUNK))) and len(value) < CHUNK:
            value += chunk
        try:
            arrival.collection = check_collection(value.decode())
        except UnicodeDecodeError as error:
            raise BadRequest("The field `collection` is not UTF-8.") from error

    async def _keep(self, part: BodyPartReader, name: str) -> Received:
        path, file = await asyncio.to_thread(self._open_part)
        digest, size, block = hashlib.sha256(), 0, bytearray()
        while True:
            chunk = await self._wait(part.read_chunk(CHUNK))
            size += len(chunk)
            if size > self._max_bytes:
                limit = self._settings.max_file_mb
                raise FileTooLarge(f"It has more than MAX_FILE_MB={limit} MB. Split it or raise that setting.")
            block += chunk
            if len(block) < BLOCK and chunk:
                continue
            if size == len(block):  # the first ones
                _check_first(block)
            await asyncio.to_thread(_write, file, digest, bytes(block), not chunk)
            block.clear()
            if not chunk:
                return Received(name, path, digest.hexdigest(), size)

    def _open_part(self) -> tuple[Path, BinaryIO]:
        folder = self._settings.data_dir / FOLDER
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle, path = tempfile.mkstemp(dir=folder, suffix=".part")
        except OSError as error:
            raise AcervoError(f"DATA_DIR cannot be written: {error.strerror} ({folder}).") from error
        self._stack.callback(Path(path).unlink, missing_ok=True)
        file = os.fdopen(handle, "wb")
        self._stack.callback(_close, file)
        fcntl.flock(file, fcntl.LOCK_EX)  # `drop_partial` leaves it alone
        return Path(path), file

    async def _skip(self, part: BodyPartReader) -> None:
        """Read the rest of a part, so that the next one can be; not without end."""
        while chunk := await self._wait(part.read_chunk(CHUNK)):
            self._skipped += len(chunk)
            if self._skipped > self._max_bytes:
                raise FileTooLarge(f"The request brings far more than MAX_FILE_MB={self._settings.max_file_mb} MB.")

    async def _wait(self, reading: Awaitable[T]) -> T:
        limit_s = self._settings.stall_timeout_s
        try:
            async with asyncio.timeout(limit_s):
                return await reading
        except TimeoutError:
            raise TooSlow(f"Nothing arrived for {limit_s:g} seconds (STALL_TIMEOUT_S). Send it again.") from None


def _check_first(block: bytes | bytearray) -> None:
    if not block:
        raise EmptyFile("It is empty (0 bytes). Copy or download the file again.")
    check_start(bytes(block[:SNIFF_BYTES]))


def _write(file: BinaryIO, digest: "hashlib._Hash", block: bytes, last: bool) -> None:
    try:
        file.write(block)
        digest.update(block)
        if last:
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise AcervoError(
            f"DATA_DIR cannot be written: {error.strerror}. Make room on its disk and send it again."
        ) from error


def _close(file: BinaryIO) -> None:
    """Whatever was worth writing has been by now: a disk that is full has been told of."""
    with contextlib.suppress(OSError):
        file.close()


def drop_partial(data_dir: Path) -> None:
    """Delete the files of requests that ended with their server. Those of a running one are locked."""
    for path in data_dir.glob(f"{FOLDER}/*.part"):
        with contextlib.suppress(FileNotFoundError, BlockingIOError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()

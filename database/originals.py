"""The originals of documents: files in DATA_DIR, and behind them a store that keeps them for every machine.

Where the store keeps them, what lies in DATA_DIR is a copy that may be deleted at any time: it is fetched
again when it is needed.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from weakref import WeakValueDictionary

from database.files import Originals
from database.stores import Files


class KeptOriginals:
    """The originals that one process reaches; `files` is None where they lie in DATA_DIR alone."""

    def __init__(self, data_dir: Path, files: Files | None):
        self.local, self._files = Originals(data_dir / "files"), files
        self._fetching: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def find(self, document_id: str) -> Path:
        """Where the original lies on this machine, fetched if need be; a path with nothing there when nobody
        has it. Raises `StoreError`, `ReadError`."""
        path = await asyncio.to_thread(self.local.path, document_id)
        if self._files is None or await asyncio.to_thread(path.is_file):
            return path
        async with self._fetching.setdefault(document_id, asyncio.Lock()):
            path = await asyncio.to_thread(self.local.path, document_id)
            if await asyncio.to_thread(path.is_file):
                return path  # another request fetched it
            return await self._files.fetch(document_id, partial(self.local.place, document_id)) or path

    @asynccontextmanager
    async def borrow(self, document_id: str) -> AsyncIterator[Path]:
        """As `find`; what had to be fetched for it does not stay."""
        here = await asyncio.to_thread(self.local.path(document_id).is_file)
        try:
            yield await self.find(document_id)
        finally:
            if not here:
                await asyncio.to_thread(self.local.drop, document_id)

    async def has(self, document_id: str) -> bool:
        """Whether the original is to be had."""
        path = await asyncio.to_thread(self.local.path, document_id)
        if await asyncio.to_thread(path.is_file):
            return True
        return self._files is not None and bool(await self._files.find([document_id]))

    async def keep(self, source: Path, document_id: str, ending: str = ".pdf") -> Path:
        """Copy `source` into DATA_DIR unless that has it. Raises `ReadError` when its bytes are others by now."""
        return await asyncio.to_thread(self.local.keep, source, document_id, ending)

    async def adopt(self, part: Path, document_id: str, ending: str = ".pdf") -> None:
        """Take over a file in DATA_DIR whose bytes are known to hash to this id; the store has it then, too."""
        await asyncio.to_thread(self.local.adopt, part, document_id, ending)
        await self.put(document_id)

    async def put(self, document_id: str) -> None:
        """Let the store have the original that lies here, if one does."""
        if self._files is None:
            return
        path = await asyncio.to_thread(self.local.path, document_id)
        if await asyncio.to_thread(path.is_file):
            await self._files.put(document_id, path)

    async def put_missing(self, document_ids: Iterable[str]) -> None:
        """Let the store have all originals that only this machine has: older versions kept them here alone."""
        if self._files is None:
            return
        stored = await self._files.find()
        for document_id in document_ids:
            if document_id not in stored:
                await self.put(document_id)

    async def drop(self, document_id: str) -> None:
        """Forget the original of a removed document."""
        await asyncio.to_thread(self.local.drop, document_id)
        if self._files is not None:
            await self._files.drop(document_id)

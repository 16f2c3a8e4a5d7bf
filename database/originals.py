"""The originals of documents: files in DATA_DIR, and behind them a store that keeps them for every machine.

Where the store keeps them, what lies in DATA_DIR is a copy that may be deleted at any time: it is fetched
again when it is needed.
"""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from weakref import WeakValueDictionary

from database.files import Originals, list_old_copies
from database.stores import Files


class KeptOriginals:
    """The originals that one process reaches; `files` is None where they lie in DATA_DIR alone."""

    def __init__(self, data_dir: Path, files: Files | None):
        self.local, self._files, self._data_dir = Originals(data_dir / "files"), files, data_dir
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
        path = await asyncio.to_thread(self.local.path, document_id)
        if self._files is None or await asyncio.to_thread(path.is_file):
            yield path
            return
        # Not where originals lie: somebody else may want it there meanwhile.
        folder = Path(await asyncio.to_thread(tempfile.mkdtemp))
        try:
            yield await self._files.fetch(document_id, lambda ending: folder / f"{document_id}{ending}") or path
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

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

    async def send(self, part: Path, document_id: str, ending: str) -> None:
        """Let the store have a file that is on its way into DATA_DIR."""
        if self._files is not None:
            await self._files.put(document_id, part, ending)

    async def put(self, document_id: str) -> None:
        """Let the store have the original that lies here, if one does."""
        if self._files is None:
            return
        path = await asyncio.to_thread(self.local.path, document_id)
        if await asyncio.to_thread(path.is_file):
            await self._files.put(document_id, path, path.suffix)

    async def put_missing(self, document_ids: Iterable[str]) -> list[str]:
        """Let the store have all originals that only this machine has: older versions kept them here alone. Those
        that neither has."""
        stored = await self._files.find() if self._files else set[str]()
        rest = [document_id for document_id in document_ids if document_id not in stored]
        here = await asyncio.to_thread(lambda: {one for one in rest if self.local.path(one).is_file()})
        if self._files is not None:
            for document_id in here:
                await self.put(document_id)
        return [document_id for document_id in rest if document_id not in here]

    async def find_old(self) -> set[str]:
        """Documents of which something lies here or in the store for an hour or longer. None where DATA_DIR is the
        only place: nobody else drops anything there."""
        if self._files is None:
            return set()
        await self._files.sweep()
        return await self._files.find_old() | await asyncio.to_thread(list_old_copies, self._data_dir)

    async def drop(self, document_id: str) -> None:
        """Forget the original of a removed document."""
        await asyncio.to_thread(self.local.drop, document_id)
        if self._files is not None:
            await self._files.drop(document_id)

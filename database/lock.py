"""One load at a time on one DATA_DIR."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from database.errors import SettingsError

POLL_S = 0.2


@asynccontextmanager
async def load_lock(data_dir: Path, say: Callable[[str], None]) -> AsyncIterator[None]:
    """Hold the lock; while another load has it, say so once and wait.

    The system frees the lock when its process ends, however it ends.
    """
    handle = await asyncio.to_thread(_open_lock, data_dir)
    try:
        waiting = False
        while not _try_lock(handle):
            if not waiting:
                say("Another load is running on this data folder; waiting for it to end.")
            waiting = True
            await asyncio.sleep(POLL_S)
        yield
    finally:
        os.close(handle)


class SharedLock:
    """The lock of a load for several tasks of one process, which hold it together."""

    def __init__(self, data_dir: Path):
        self._data_dir, self._holders = data_dir, 0
        self._entering, self._stack = asyncio.Lock(), AsyncExitStack()

    @asynccontextmanager
    async def hold(self, say: Callable[[str], None]) -> AsyncIterator[None]:
        """Hold it, with the others or once no other process does; say so once while one does."""
        async with self._entering:
            if not self._holders:
                await self._stack.enter_async_context(load_lock(self._data_dir, say))
            self._holders += 1
        try:
            yield
        finally:
            self._holders -= 1
            if not self._holders:
                await self._stack.aclose()


def _open_lock(data_dir: Path) -> int:
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        return os.open(data_dir / "load.lock", os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        raise SettingsError(f"DATA_DIR {data_dir} cannot be written: {error.strerror}. Choose another.") from error


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

"""Opening a part of the engine once, however many ask for it at the same time."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from database.errors import AcervoError

RETRY_S = 3.0
"""A failure counts this long: those who ask meanwhile get it at once instead of each waiting in turn."""


class Opening:
    """Calls `open_part` until it has succeeded once."""

    def __init__(self, open_part: Callable[[], Awaitable[None]]):
        self._open_part = open_part
        self._lock = asyncio.Lock()
        self._error: AcervoError | None = None
        self._retry_at = 0.0
        self.done = False

    async def __call__(self) -> None:
        """Return when the part is open; raises the `AcervoError` that keeps it closed."""
        if self.done:
            return
        async with self._lock:
            if self._error is not None and time.monotonic() < self._retry_at:
                raise self._error.with_traceback(None)
            if not self.done:
                await self._try()

    async def _try(self) -> None:
        try:
            await self._open_part()
        except AcervoError as error:
            self._error, self._retry_at = error, time.monotonic() + RETRY_S
            raise
        self._error, self.done = None, True

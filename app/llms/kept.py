"""A thing that takes a request to learn, such as whether a model is there: asked for once, kept a while."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")

PATIENCE_S = 0.3
KEEP_S = 5.0
"""What was learned counts this long, and longer after a slow request: six times what it took."""


class Kept(Generic[T]):
    """Calls `learn` once for all who wait, and not again for a few seconds, so that a service that is
    away costs no connection attempt for each question."""

    def __init__(self, learn: Callable[[], Awaitable[T]], keep_s: float = KEEP_S) -> None:
        self._learn = learn
        self._keep_s = keep_s
        self._asking = asyncio.Lock()
        self._valid_until = 0.0
        self._renewing: asyncio.Task[T] | None = None
        self._learned: T

    async def __call__(self) -> T:
        """What was learned last, or is now. After a failure nobody waits long for better news."""
        if not isinstance(getattr(self, "_learned", None), Exception):
            return await self._learn_now()
        renewing = self._renewing = self._renewing or asyncio.create_task(self._renew())
        done, _ = await asyncio.wait({renewing}, timeout=PATIENCE_S)
        return renewing.result() if done else self._learned

    async def aclose(self) -> None:
        """Stop learning."""
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.gather(self._renewing, return_exceptions=True)

    async def _renew(self) -> T:
        try:
            return await self._learn_now()
        finally:
            self._renewing = None

    async def _learn_now(self) -> T:
        async with self._asking:
            started = time.monotonic()
            if started >= self._valid_until:
                self._learned = await self._learn()
                now = time.monotonic()
                self._valid_until = now + max(self._keep_s, 6 * (now - started))
            return self._learned

"""A limit on how long an upstream may be silent, kept by one timer for a whole answer.

A timeout of its own for each read, as asyncio and aiohttp set them, costs as much as relaying a token.
"""

import asyncio
from typing import Self

import aiohttp


class Silence:
    """Ends the reading of `content` by `TimeoutError` when what is waited for does not come. A context manager."""

    __slots__ = ("_content", "_loop", "_timer", "_until")

    def __init__(self, content: aiohttp.StreamReader) -> None:
        self._content, self._loop = content, asyncio.get_running_loop()
        self._until: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def wait(self, limit_s: float) -> None:
        """Something must come within `limit_s` seconds from now, until `rest`."""
        self._until = self._loop.time() + limit_s
        if self._timer is None or self._timer.when() > self._until:
            self._set(self._until)

    def rest(self) -> None:
        """Nothing is waited for."""
        self._until = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _set(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._until is None:
            return
        if self._loop.time() >= self._until:
            self._content.set_exception(TimeoutError())
        else:
            self._set(self._until)

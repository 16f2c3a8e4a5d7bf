"""Watching folders: when something may have changed there, and which files are written to their end."""

import asyncio
import contextlib
import errno
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from database.files import hash_file

AWAY_S = 1.0
"""How often a watched folder that is away is looked for."""
DEBOUNCE_MS = 1000


async def watch(paths: Sequence[Path], without: Path, every_s: float | None = None) -> AsyncGenerator[None, None]:
    """Yield once at the start, then whenever files have changed, also while the caller was busy; and every so many
    seconds, for folders of other machines, of which nothing tells. Changes below `without` are left out."""
    upcoming = asyncio.ensure_future(_wait_for_change(paths, without))
    try:
        while True:
            yield
            done, _ = await asyncio.wait({upcoming}, timeout=every_s)
            if done:
                upcoming.result()
                upcoming = asyncio.ensure_future(_wait_for_change(paths, without))
    finally:
        upcoming.cancel()
        await asyncio.gather(upcoming, return_exceptions=True)


async def _wait_for_change(paths: Sequence[Path], without: Path) -> None:
    """Return after the next change; a folder that is away counts as changed once it is back."""
    if all(path.exists() for path in paths):
        with contextlib.suppress(FileNotFoundError):
            try:
                return await _wait(paths, without, polling=False)
            except FileNotFoundError:
                raise
            except OSError:  # the system watches no more folders
                return await _wait(paths, without, polling=True)
    while not all(path.exists() for path in paths):  # noqa: ASYNC110 (nothing tells of its return)
        await asyncio.sleep(AWAY_S)


async def _wait(paths: Sequence[Path], without: Path, polling: bool) -> None:
    from watchfiles import awatch
    from watchfiles._rust_notify import WatchfilesRustInternalError

    def matters(change: object, path: str) -> bool:
        return not Path(path).is_relative_to(without)  # or every load would bring on the next

    force = True if polling else None
    try:
        async for _ in awatch(*paths, debounce=DEBOUNCE_MS, watch_filter=matters, force_polling=force):
            return
    except* WatchfilesRustInternalError:  # a name that is not UTF-8: something has changed, whatever it is
        await asyncio.sleep(AWAY_S)


class Unsettled(OSError):
    """A file has changed a moment ago: it may be half of what it will be."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """A file as it was found: what changes when it is written to, since when it is so, its hash and size."""

    marks: tuple[int, ...]
    since: float
    hashed: tuple[str, int] | None = None


class SettledFiles:
    """Hashes files that have not changed for `settle_s`, and no file twice that stays as it is.

    What counts is that a file looks the same for so long, not what its times say: clocks of other machines differ.
    """

    def __init__(self, settle_s: float, clock: Callable[[], float] = time.monotonic):
        self._settle_s, self._clock = settle_s, clock
        self._seen: dict[Path, _Seen] = {}
        self._now: dict[Path, _Seen] = {}
        self.unsettled = 0
        """How many files of this round may be half written."""

    def begin(self) -> None:
        """A new round: what is not hashed in it is forgotten after it."""
        self._seen, self._now, self.unsettled = self._now, {}, 0

    def hash(self, path: Path) -> tuple[str, int]:
        """As `hash_file`. Raises `Unsettled` for what may be half written, and `OSError`."""
        marks, now = _mark(path), self._clock()
        seen = self._seen.get(path)
        if seen is None or seen.marks != marks:
            seen = _Seen(marks, now)
        self._now[path] = seen
        if now - seen.since < self._settle_s:
            raise self._wait(path)
        if seen.hashed is None:
            seen = replace(seen, hashed=hash_file(path))
            if _mark(path) != marks:
                raise self._wait(path)
            self._now[path] = seen
        assert seen.hashed is not None
        return seen.hashed

    def _wait(self, path: Path) -> Unsettled:
        self.unsettled += 1
        return Unsettled(errno.EBUSY, "it is still being written", str(path))


def _mark(path: Path) -> tuple[int, ...]:
    state = path.stat()
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns

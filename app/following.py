"""Follows PDF_DIR (WATCH=1): what is new, changed or gone there is so in the index a few seconds later.

What to do is found as a load finds it, and done by the same queue as uploads, a few files ahead at a time.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Collection
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass
from pathlib import Path

from app.engine import PartState
from app.library import Library
from app.taking import adopt, queue_files, remove
from database.belonging import read_rules
from database.changes import FoundFile, find_changes, full_path
from database.claims import Claim
from database.documents import Name
from database.errors import AcervoError, ClaimLost
from database.files import find_files
from database.plan import Plan, make_plan
from database.watching import SettledFiles, watch

log = logging.getLogger(__name__)

SETTLE_S = 1.0
"""A file is read once it has stayed the same for so long; one that is missing is gone after twice that, for it may
have been renamed."""
GLANCE_S = 0.5
"""Between two looks while something waits."""
RESCAN_S = 30.0
"""Between two looks when nothing tells of a change: folders of other machines do not."""
RETRY_S = 5.0
FOLLOWING = "following"
"""The kind of claims on folders."""
SHARE = 5
"""So many times as long as a look took is waited after it, however many files there are."""


@dataclass(frozen=True, slots=True)
class _Found:
    """The files below the folder, what cannot be read now, and which folder it is."""

    files: list[FoundFile]
    closed: Collection[Path]
    identity: tuple[int, int]


class Follower:
    """Follows for one server as long as `run` does. Documents go or get names only within a `change`."""

    def __init__(self, library: Library, change: Callable[[], AbstractAsyncContextManager[None]]):
        self._library, self._store, self._change = library, library.store, change
        self._folder, self._data_dir = library.settings.pdf_dir, library.settings.data_dir
        self._files, self._missing = SettledFiles(SETTLE_S), dict[Name, float]()
        self._identity: tuple[int, int] | None = None
        self._took_s = 0.0
        self._claim: Claim | None = None
        self._detail, self._failed = "The folder has not been looked at yet.", False

    @property
    def state(self) -> PartState:
        """What `/ready` tells."""
        return PartState(str(self._folder), "failed" if self._failed else "ready", self._detail)

    async def run(self) -> None:
        """Follow until cancelled."""
        async with aclosing(watch((self._folder,), self._data_dir, RESCAN_S)) as turns:
            async for _ in turns:
                while await self._look():  # noqa: ASYNC110 (what waits tells nobody)
                    await asyncio.sleep(max(RETRY_S if self._failed else GLANCE_S, SHARE * self._took_s))

    def _tell(self, detail: str, failed: bool = False) -> None:
        if failed and detail != self._detail:
            log.warning("%s", detail)
        self._took_s = 0.0
        self._detail, self._failed = detail, failed

    async def _look(self) -> bool:
        """Whether to look again soon: a file is being written, or has to wait."""
        try:
            await self._library.open()
            if not await self._is_mine():
                return False
            self._files.begin()
            started = time.monotonic()
            found = await asyncio.to_thread(self._find)
            self._took_s = time.monotonic() - started
            async with self._library.lock.hold(self._tell):
                return await self._bring_up(found) if found else self._tell_away("away")
        except AcervoError as error:
            self._tell(str(error), failed=True)
            return True

    async def _is_mine(self) -> bool:
        """Whether no other server follows the folder: two would take each other's files for gone."""
        claims = self._library.claims
        if self._claim is not None:
            try:
                await self._claim.renew()
                return True
            except ClaimLost:
                await claims.end(self._claim)
        taken = await claims.take(str(self._folder), FOLLOWING)
        self._claim = taken if isinstance(taken, Claim) else None
        if self._claim is None:
            self._tell("Another server follows the folder.")
        return self._claim is not None

    def _tell_away(self, how: str) -> bool:
        self._tell(f"{self._folder} is {how}. What was loaded from it stays until it has files again.", failed=True)
        return False

    def _find(self) -> _Found | None:
        """What is there now; None when the folder is away."""
        try:
            state = self._folder.stat()
        except OSError:
            return None
        files, closed = find_files([self._folder], self._data_dir, self._files.hash)
        return _Found(files, closed, (state.st_dev, state.st_ino))

    async def _bring_up(self, found: _Found) -> bool:
        started = time.monotonic()
        plan = await self._plan(found)
        self._took_s += time.monotonic() - started
        empty = not found.files and not found.closed
        if empty and self._missing and found.identity != self._identity:
            return self._tell_away("empty")  # as the place is where a disk was mounted
        self._identity = found.identity
        waits = await self._carry_out(plan)
        self._tell(f"Followed; {self._files.unsettled} files are being written." if self._files.unsettled else "")
        return waits or bool(self._files.unsettled or self._missing)

    async def _plan(self, found: _Found) -> Plan:
        documents = {document.id: document for document in await self._store.list_documents()}
        files = (await read_rules(self._store)).place(found.files)
        changes = find_changes(documents.values(), files, [self._folder])
        changes.removed = [
            (d, n) for d, n in changes.removed if not any(map(full_path(n).is_relative_to, found.closed))
        ]
        now = time.monotonic()
        self._missing = {name: self._missing.get(name, now) for _, name in changes.removed}
        gone = now - 2 * SETTLE_S
        changes.removed = [(d, n) for d, n in changes.removed if self._missing[n] <= gone]
        return make_plan(changes, documents, self._library.ingester.versions, retry=False)

    async def _carry_out(self, plan: Plan) -> bool:
        """Whether files have to wait."""
        waits = await queue_files(self._library, plan)
        if plan.adopted or plan.removed:
            async with self._change():
                for planned in plan.adopted:
                    await adopt(self._library, planned)
                for document, name in plan.removed:
                    await remove(self._library, document, name)
                    del self._missing[name]
        return waits

"""Claims: which of several processes on one store makes which document.

A claim is an entry of the store's books. Its holder renews it by writing it again, and closes it when the work is
done, with the reason if that failed. No machine's clock is compared with another's: a claim counts as left behind,
and may be taken over, once its entry has stayed as it is for the length of its lease by the clock of the one who
looks. In a store that is one machine's the lock on DATA_DIR keeps others away, and nothing is written.
"""

import asyncio
import contextlib
import itertools
import logging
import os
import secrets
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Self

from database.documents import Record
from database.errors import ClaimLost, RecordConflict, StoreError
from database.stores import Store
from database.unbroken import unbroken

log = logging.getLogger(__name__)

MAKING = "making"
"""The kind of claims on documents."""
RENEWALS = 3
"""In the length of a lease."""
LOOK_S = 0.2
"""How often what is waited for is looked at."""
END_S = 3.0
"""How long the end of a claim may take to be told, also while the store is away."""


@dataclass(frozen=True, slots=True)
class Closed:
    """Somebody did the work: `by` is another one each time, `reason` why it failed, if it did."""

    by: str
    reason: str = ""


class Claim:
    """Held by this process until it is closed, or was lost to another process."""

    def __init__(self, store: Store, record: Record, lease_s: float, shared: bool):
        self._store, self._record, self._lease_s, self._shared = store, record, lease_s, shared
        self._writing, self._over = asyncio.Lock(), False
        self.key = (record.kind, record.id)

    @property
    def record(self) -> Record:
        """Its entry as this process last wrote it."""
        return self._record

    async def renew(self) -> None:
        """Hold it for the length of another lease. Raises `ClaimLost` when somebody else has it by now."""
        if self._shared:
            await self._write(self._record.data, open_=True)

    async def finish(self) -> None:
        """The work is done, and whoever looks can tell by its result."""
        await self._end(self._finish)

    async def close(self, reason: str = "") -> None:
        """The work is done, or, with a reason, cannot be done, and nothing else may tell."""
        data = {"by": self._record.holder, "reason": reason}
        await self._end(lambda: self._write(data, open_=False))

    async def release(self) -> None:
        """Leave the work to others, unless it is done."""
        await self._end(lambda: self._write({}, open_=False))

    async def _finish(self) -> None:
        await self._write(self._record.data, open_=True)  # raises where somebody else has it by now: that entry stays
        await self._store.remove_record(*self.key)

    async def _end(self, write: Callable[[], Awaitable[object]]) -> None:
        """Tell the others; where that fails they wait until the lease has ended."""
        try:
            if self._shared and not self._over:
                with contextlib.suppress(StoreError, TimeoutError):
                    async with asyncio.timeout(END_S):
                        await write()
        finally:
            self._over = True

    async def _write(self, data: Mapping[str, Any], open_: bool) -> None:
        async with self._writing:
            if self._over:
                raise ClaimLost(_LOST)
            until, holder = (time.time() + self._lease_s, self._record.holder) if open_ else (0.0, "")
            record = replace(self._record, data=data, open=open_, lease_until=until, holder=holder)
            try:
                self._record = await self._store.put_record(record)
            except RecordConflict:
                self._record = await self._store.put_record(replace(record, revision=await self._own_revision()))

    async def _own_revision(self) -> int:
        """That of the entry where this claim wrote it and was not told so. Raises `ClaimLost`."""
        known = await self._store.get_record(*self.key)
        if known is None or not known.open or known.holder != self._record.holder:
            self._over = True
            raise ClaimLost(_LOST)
        return known.revision


_LOST = (
    "This process did not come to renew its claim in time, and another one took over its work. "
    "What was finished is kept; load again to see to the rest."
)


class Claims:
    """Those of one process on one open store. They are renewed between entering and leaving; leaving releases them."""

    def __init__(self, store: Store, lease_s: float):
        self._store, self._lease_s = store, lease_s
        self.shared = store.files is not None
        """Whether other machines may have claims, too."""
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._numbers = itertools.count(1)
        self._held: dict[tuple[str, str], Claim | None] = {}
        self._seen: dict[tuple[str, str], tuple[str, int, float]] = {}
        self.watched: set[str] = set()
        """Kinds that are looked at all the time, so that it shows at once which of them nobody holds any more."""
        self._renewing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if self.shared:
            self._renewing = asyncio.create_task(self._renew())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.wait({self._renewing})
        for claim in [*self._held.values()]:
            if claim is not None:
                await claim.release()
        self._held.clear()

    async def take(self, record_id: str, kind: str = MAKING, past: str = "") -> "Claim | Closed | None":
        """The claim, or None while another process, or task of this one, has it. What was closed stays so,
        unless by `past`."""
        key = (kind, record_id)
        if key in self._held:
            return None
        self._held[key] = None
        taken: Claim | Closed | None = None
        taking = asyncio.ensure_future(self._take(key, past))
        try:
            taken = await unbroken(taking)
        except asyncio.CancelledError:  # it is written by now, perhaps, and nobody would renew or release it
            if not taking.cancelled() and not taking.exception() and isinstance(claim := taking.result(), Claim):
                await unbroken(claim.release())
            raise
        finally:
            if isinstance(taken, Claim):
                self._held[key] = taken
            else:
                del self._held[key]
        return taken

    async def _take(self, key: tuple[str, str], past: str) -> "Claim | Closed | None":
        if not self.shared:
            return Claim(self._store, Record(*key, {}, open=True), self._lease_s, False)
        record = await self._store.get_record(*key) or Record(*key, {})
        if not record.open and record.data.get("by", past) != past:
            return Closed(record.data["by"], record.data["reason"])
        if record.open and not self.is_left(record):
            return None
        claimed = replace(
            record,
            data={"lease_s": self._lease_s},
            open=True,
            holder=f"{self._holder}:{next(self._numbers)}",
            lease_until=time.time() + self._lease_s,
            created_at=record.created_at or time.time(),
        )
        try:
            written = await self._store.put_record(claimed)
        except RecordConflict:
            return None
        self._seen.pop(key, None)
        return Claim(self._store, written, self._lease_s, True)

    @asynccontextmanager
    async def hold(
        self, record_id: str, kind: str = MAKING, wait: Callable[[], None] = lambda: None
    ) -> AsyncIterator[Claim]:
        """The claim as soon as nobody else has it, whatever was done before; `wait` is called once if not at once."""
        past, told = "", False
        while not isinstance(claim := await self.take(record_id, kind, past), Claim):
            if isinstance(claim, Closed):
                past = claim.by
                continue
            if not told:
                wait()
            told = True
            await asyncio.sleep(LOOK_S)
        try:
            yield claim
        finally:
            await self.end(claim)

    async def end(self, claim: Claim) -> None:
        """Have the claim no more; what is not done is left to others."""
        try:
            await unbroken(claim.release())
        finally:  # or it would be renewed for ever, and nobody would get it again
            self._held.pop(claim.key, None)

    def is_left(self, record: Record) -> bool:
        """Whether this one has been seen for the length of its lease without being renewed."""
        return self.shared and self._watch(record) > 1

    def _watch(self, record: Record) -> float:
        """For how many lengths of its lease it has been seen without being renewed."""
        key, state, now = (record.kind, record.id), (record.holder, record.revision), time.monotonic()
        *before, since = self._seen.get(key, ("", 0, now))
        if tuple(before) != state:
            self._seen[key], since = (*state, now), now
        return (now - since) / max(self._lease_s, float(record.data.get("lease_s", 0)))

    async def list(self, kind: str) -> list[Record]:
        """Every claim of a kind, open or closed; where nothing is written, those that this process has."""
        if not self.shared:
            return [claim.record for claim in self._held.values() if claim is not None and claim.record.kind == kind]
        records: list[Record] = []
        while more := await self._store.list_records(kind, after=records[-1].id if records else ""):
            records += more
        return records

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._lease_s / RENEWALS)
            try:
                for claim in [*self._held.values()]:
                    with contextlib.suppress(ClaimLost):  # its holder finds out before anything is published
                        if claim is not None:
                            await claim.renew()
                for kind in self.watched:
                    for record in await self.list(kind):
                        self._watch(record)
            except StoreError as error:
                log.warning("%s", error)

"""Turns: what concerns the index as a whole is done by one of several loaders and servers at a time.

gate     held for a moment, to change the index record or to be the only one: one holder at a time
present  for as long as somebody publishes documents: many at a time, each coming and going through the gate
alone    the gate while nobody is present: to sweep, or to let another generation answer
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from database.claims import LOOK_S, MAKING, Claim, Claims
from database.documents import Record
from database.stores import Store

GATE, PRESENT = "gate", "present"
"""Kinds of claims."""
GATE_HELD = "Another load or server changes this index as a whole; waiting for it to end."
SOMEBODY_HERE = "Another load or server writes to this index; waiting for it to end."
MAYBE_GONE = "Another load or server writes to this index; waiting for a sign that it still does."
AT_ONCE = 32
"""Entries removed at the same time."""


class Turns:
    """Those of one process with open claims; `say` tells a person what is waited for."""

    def __init__(self, store: Store, claims: Claims, say: Callable[[str], None]):
        self._store, self._claims, self._say = store, claims, say
        self._here: Claim | None = None
        claims.watched.add(PRESENT)

    @asynccontextmanager
    async def gate(self) -> AsyncIterator[None]:
        """Hold the gate, once nobody else does."""
        async with self._claims.hold("index", GATE, lambda: self._say(GATE_HELD)):
            yield

    @asynccontextmanager
    async def present(self) -> AsyncIterator[None]:
        """Be known as one who publishes, until `leave` or the end."""
        try:
            async with self.gate():
                await self.find_others()  # from now on it shows who of them has gone
                claim = await self._claims.take(secrets.token_hex(8), PRESENT)
                assert isinstance(claim, Claim)  # nobody else has this id
                self._here = claim
            yield
        finally:
            await self._go()

    async def confirm(self) -> None:
        """Return while the others know that this process is present. Raises `ClaimLost`."""
        if self._here is not None:
            await self._here.renew()

    async def await_signs(self) -> None:
        """Return when each of the others that are present has given a sign of life since, or is known to be gone:
        of one that was killed just now nobody can tell before. Raises `ClaimLost`."""
        seen, told = {record.id: record.revision for record in await self.find_others()}, False
        while seen and any(seen.get(record.id) == record.revision for record in await self.find_others()):
            if not told:
                self._say(MAYBE_GONE)
            told = True
            await self.confirm()  # who waits for a sign, too, gets one
            await asyncio.sleep(LOOK_S)

    @asynccontextmanager
    async def leave(self) -> AsyncIterator[bool]:
        """The gate and, within, whether nobody else is present; at its end this process is no longer present."""
        async with self.gate():
            yield not await self.find_others()
            await self._go()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """The gate while nobody else is present, however long that takes."""
        told = False
        while True:
            async with self.gate():
                if not await self.find_others():
                    yield
                    return
            if not told:
                self._say(SOMEBODY_HERE)
            told = True
            await asyncio.sleep(LOOK_S)

    async def forget_claims(self) -> None:
        """Drop what is known of finished work. Only while alone: others' claims go, too."""
        records = await self._claims.list(MAKING)
        for some in (records[at : at + AT_ONCE] for at in range(0, len(records), AT_ONCE)):
            await asyncio.gather(*(self._store.remove_record(MAKING, record.id) for record in some))

    async def find_others(self) -> list[Record]:
        """Who is present besides; whoever has gone without leaving, its lease over, is forgotten."""
        others = []
        for record in await self._claims.list(PRESENT):
            if self._here is not None and record.id == self._here.key[1]:
                continue
            if not record.open or self._claims.is_left(record):
                await self._store.remove_record(PRESENT, record.id)
            else:
                others.append(record)
        return others

    async def _go(self) -> None:
        if self._here is not None:
            claim, self._here = self._here, None
            try:
                await claim.finish()
            finally:
                await self._claims.end(claim)

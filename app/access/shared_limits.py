"""A limit that several servers on one store keep together: the buckets are entries of its books.

Only for what is rare: a taking reads and writes an entry for each name.
"""

import hashlib
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from app.access.limits import refill, refuse
from app.access.users import list_all
from database.documents import Record
from database.errors import RecordConflict
from database.stores import Store

KIND = "tries"
ATTEMPTS = 8
"""Others may write the same entry at the same time."""


class SharedLimit:
    """As `Limit`, for all servers together. Every method may raise `StoreError`."""

    def __init__(self, store: Store, per_minute: int, what: str, clock: Callable[[], float] = time.time):
        self._store, self._per_minute, self._what, self._clock = store, per_minute, what, clock
        self._prune_at = 0.0

    async def take(self, *names: str) -> None:
        """Take a token of each. Raises `TooManyRequests` when one has none; then none is taken."""
        if not self._per_minute:
            return
        await self._prune()
        records = [await self._read(name) for name in names]
        self._require(*records)
        for record in records:
            await self._take_one(record)

    async def _take_one(self, record: Record) -> None:
        for _ in range(ATTEMPTS):
            tokens, now = self._count(record), self._clock()
            # No earlier than others have written: where a clock is behind, the bucket only fills later. And like
            # no other entry: stores take one that is the same for this one, sent again.
            data = {"tokens": tokens - 1, "at": max(now, record.data.get("at", 0.0)), "by": secrets.token_hex(8)}
            try:
                await self._store.put_record(replace(record, data=data, created_at=record.created_at or now))
            except RecordConflict:
                record = await self._store.get_record(KIND, record.id) or Record(KIND, record.id, {})
                self._require(record)
            else:
                return
        refuse(0, self._per_minute, self._what)

    def _require(self, *records: Record) -> None:
        if (least := min(map(self._count, records))) < 1:
            refuse(least, self._per_minute, self._what)

    def _count(self, record: Record) -> float:
        tokens, at = record.data.get("tokens", self._per_minute), record.data.get("at", 0.0)
        return refill(float(tokens), max(0.0, self._clock() - at), self._per_minute)

    async def _read(self, name: str) -> Record:
        key = hashlib.sha256(name.encode()).hexdigest()  # nothing is kept of what was typed as a name
        return await self._store.get_record(KIND, key) or Record(KIND, key, {})

    async def _prune(self) -> None:
        """Forget full buckets, once in a minute."""
        if self._clock() < self._prune_at:
            return
        self._prune_at = self._clock() + 60
        for record in self._find_full(await list_all(self._store, KIND)):
            await self._store.remove_record(KIND, record.id)

    def _find_full(self, records: list[Record]) -> Iterator[Record]:
        return (record for record in records if self._count(record) >= self._per_minute)

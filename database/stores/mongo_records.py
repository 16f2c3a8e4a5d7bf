"""The books in MongoDB: one collection, `books`, whose `_id` is kind and id of the entry."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from database.documents import LEASE_SPARE, Record
from database.errors import RecordConflict
from database.stores.mongo_client import Connection
from database.stores.mongo_rows import Row

if TYPE_CHECKING:
    from database.stores.mongo_client import MotorCollection

BOOKS = "books"


class RecordRows:
    """The entries of the books over one connection."""

    def __init__(self, connection: Connection):
        self._connection = connection

    @property
    def _books(self) -> "MotorCollection":
        return self._connection.database[BOOKS]

    async def create(self) -> None:
        """Create the collection's index."""
        await self._connection.call(lambda: self._books.create_index([("kind", 1), ("id", 1)]))

    async def get(self, kind: str, record_id: str) -> Record | None:
        """One entry, or None."""
        found = await self._connection.find(BOOKS, {"_id": _key(kind, record_id)})
        return _read(found[0]) if found else None

    async def list_after(self, kind: str, after: str, limit: int) -> list[Record]:
        """Entries past `after`, by id."""
        query = {"kind": kind, "id": {"$gt": after}}
        return [_read(row) for row in await self._connection.find(BOOKS, query, sort=[("id", 1)], limit=limit)]

    async def put(self, record: Record) -> Record:
        """Insert or replace an entry. Raises `RecordConflict`."""
        written = replace(record, revision=record.revision + 1)
        done = await self._connection.call(lambda: self._write(_row(written), record.revision))
        # The command may have been sent twice, because its first reply was lost.
        if not done and await self.get(record.kind, record.id) != written:
            raise RecordConflict(f"The {record.kind} {record.id} has changed meanwhile. Try again.")
        return written

    async def _write(self, row: Row, revision: int) -> bool:
        if revision:
            result = await self._books.replace_one(
                {"_id": row["_id"], "revision": revision, "created_at": row["created_at"]}, row
            )
            return result.matched_count > 0
        try:
            await self._books.insert_one(row)
        except DuplicateKeyError:
            return False
        return True

    async def remove(self, kind: str, record_id: str) -> bool:
        """Delete an entry; whether there was one."""
        return await self._connection.delete(BOOKS, {"_id": _key(kind, record_id)}) > 0

    async def claim(self, kind: str, holder: str, lease_s: float, now: float) -> Record | None:
        """Lease the first entry that is free."""
        leases = [{"lease_until": {"$lte": now}}, {"lease_until": {"$gt": now + LEASE_SPARE * lease_s}}]
        free = {"kind": kind, "open": True, "due_at": {"$lte": now}, "$or": leases}
        lease = {"$set": {"holder": holder, "lease_until": now + lease_s}, "$inc": {"revision": 1}}
        row = await self._connection.call(
            lambda: self._books.find_one_and_update(free, lease, sort=[("id", 1)], return_document=ReturnDocument.AFTER)
        )
        return _read(row) if row else None


def _key(kind: str, record_id: str) -> str:
    return f"{kind}:{record_id}"


def _row(record: Record) -> Row:
    # As text the data keep keys and numbers that BSON would refuse or change.
    return {
        "_id": _key(record.kind, record.id),
        "kind": record.kind,
        "id": record.id,
        "data": json.dumps(record.data),
        "open": record.open,
        "due_at": record.due_at,
        "holder": record.holder,
        "lease_until": record.lease_until,
        "created_at": record.created_at,
        "revision": record.revision,
    }


def _read(row: Mapping[str, Any]) -> Record:
    fields = {name: value for name, value in row.items() if name not in ("_id", "data")}
    return Record(data=json.loads(row["data"]), **fields)

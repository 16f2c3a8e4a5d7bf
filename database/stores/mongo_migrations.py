"""What older versions of this program left in MongoDB, brought up to this one.

`schema` in the collection `index` counts the steps that a database has behind it. Loads take the steps that are left;
until then servers read rows of either layout, so that nothing has to stand still. A step may be killed and done again,
also by several at the same time. Steps are never changed or taken away again, only added.
"""

import logging
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from pymongo import UpdateOne

from database.errors import StoreError
from database.stores.mongo_client import Connection
from database.stores.mongo_rows import Row
from database.stores.mongo_vectors import read_vector, to_binary

LOG = logging.getLogger(__name__)
KEY = "schema"
BATCH = 500
TOLD_EVERY_S = 5.0

Step = Callable[[Connection], Awaitable[None]]


async def _pack_vectors(connection: Connection) -> None:
    """Vectors out of arrays of doubles, in which versions before 0.2 kept them: those are three times as long."""
    names = await connection.call(connection.database.list_collection_names)
    for name in sorted(name for name in names if re.fullmatch(r"windows(_\d+)?", name)):
        await _pack(connection, name)


async def _pack(connection: Connection, name: str) -> None:
    array: Row = {"embedding": {"$type": "array"}}
    done, told, query = 0, time.monotonic(), array
    while rows := await connection.find(name, query, projection=["embedding"], sort=[("_id", 1)], limit=BATCH):
        # A row that a load has written meanwhile is left alone: it is none with an array any more.
        changes = [
            UpdateOne({"_id": row["_id"], **array}, {"$set": {"embedding": to_binary(read_vector(row["embedding"]))}})
            for row in rows
        ]
        await connection.call(partial(connection.database[name].bulk_write, changes, ordered=False))
        done, query = done + len(rows), {"_id": {"$gt": rows[-1]["_id"]}, **array}
        if time.monotonic() - told > TOLD_EVERY_S:
            LOG.warning("bringing the collection %s up to date: %d vectors packed", name, done)
            told = time.monotonic()


STEPS: Sequence[Step] = (_pack_vectors,)


async def migrate(connection: Connection, steps: Sequence[Step] = STEPS) -> None:
    """Take the steps that the database lacks. Raises `StoreError` for one of a newer version."""
    version = await require_known(connection, len(steps))
    for number, step in enumerate(steps[version:], version + 1):
        await step(connection)
        await connection.replace("index", {"_id": KEY, "version": number})


async def require_known(connection: Connection, known: int = len(STEPS)) -> int:
    """How many steps the database has behind it. Raises `StoreError` when a newer version of this program took some."""
    found = await connection.find("index", {"_id": KEY})
    version = int(found[0]["version"]) if found else 0
    if version > known:
        raise StoreError(
            f"The database at {connection.address} is of a newer version of Acervo (format {version}; this one knows "
            f"{known}). Update Acervo, or choose another MONGODB_DB."
        )
    return version

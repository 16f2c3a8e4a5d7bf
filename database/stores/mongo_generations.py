"""MongoDB's generations side by side: which one answers, and passing from one to the next.

Each has collections of its own for contents (a vector index has one dimension for ever) and fields
of its own in `documents`, whose names they share. The index record says which one answers, so that
writing it is the switch.
"""

import re
from dataclasses import dataclass, replace
from functools import partial

from database.documents import IndexRecord
from database.stores import mongo_rows as rows
from database.stores.mongo_client import Connection
from database.stores.mongo_contents import ContentsRows
from database.stores.mongo_definitions import IndexOptions
from database.stores.mongo_generation import MongoGeneration
from database.stores.mongo_rows import FIELDS, Shelf

_COLLECTION = re.compile(r"(?:pages|chunks|windows)(?:_(\d+))?")


@dataclass(frozen=True, slots=True)
class IndexRecords:
    """The record of the generation that answers and of the one that is being made."""

    answering: IndexRecord | None
    next: IndexRecord | None

    @property
    def number(self) -> int:
        """Of the generation that answers."""
        return self.answering.generation if self.answering else 1


class Generations:
    """All generations over one connection."""

    def __init__(self, connection: Connection, options: IndexOptions):
        self._connection, self._options = connection, options

    async def read(self) -> IndexRecords:
        """The records by now. What a killed switch left of the next one's is passed over."""
        found = await self._connection.find("index", {"_id": {"$in": ["record", "next"]}})
        by_key = {row["_id"]: rows.read_record(row) for row in found}
        records = IndexRecords(by_key.get("record"), by_key.get("next"))
        stale = records.next is not None and records.next.generation <= records.number
        return replace(records, next=None) if stale else records

    async def answering(self) -> MongoGeneration:
        """The generation that answers."""
        return self._open(Shelf((await self.read()).number))

    def _open(self, shelf: Shelf, key: str = "record") -> MongoGeneration:
        return MongoGeneration(self._connection, self._options, shelf, key)

    async def all_contents(self) -> list[ContentsRows]:
        """The contents of every generation there is."""
        records = await self.read()
        numbers = {records.number, *([records.next.generation] if records.next else [])}
        return [ContentsRows(self._connection, Shelf(number)) for number in sorted(numbers)]

    async def open_next(self, record: IndexRecord) -> MongoGeneration:
        """The unfinished generation if it is made by the same, or else a new one; ready for searches."""
        records = await self.read()
        unfinished = records.next
        if unfinished is None or unfinished.made_by != record.made_by:
            number = 1 + (unfinished.generation if unfinished else records.number)
            unfinished = replace(record, generation=number)
            await self._connection.replace("index", rows.record_row(unfinished, "next"))
            await self.drop_old()
        generation = self._open(Shelf(unfinished.generation), "next")
        await generation.prepare(unfinished.dimension)
        return generation

    async def switch(self) -> None:
        """Write the next generation's record as the index record."""
        records = await self.read()
        if records.next is None:
            return
        await self._connection.replace("index", rows.record_row(records.next))
        await self._connection.delete("index", {"_id": "next"})

    async def _take_over(self, shelf: Shelf) -> None:
        """Give every document that this generation lacks the record that it has there when it answers."""
        documents = self._connection.database["documents"]
        lacking = {shelf.name("record"): {"$exists": False}}
        for row in await self._connection.find("documents", lacking):
            fields = rows.document_fields(rows.read_document(row, shelf), shelf)
            query = {"_id": row["_id"], **lacking}
            await self._connection.call(partial(documents.update_one, query, {"$set": fields}))

    async def drop_old(self) -> bool:
        """Drop collections and fields of generations that neither answer nor are being made."""
        records = await self.read()
        kept = {records.number, *([records.next.generation] if records.next else [])}
        names = await self._connection.call(self._connection.database.list_collection_names)
        numbers = {int(match[1] or 1) for match in map(_COLLECTION.fullmatch, names) if match} - kept
        for number in sorted(numbers):
            await self._take_over(Shelf(records.number))
            await self._drop(Shelf(number))
        return bool(numbers)

    async def _drop(self, shelf: Shelf) -> None:
        documents = self._connection.database["documents"]
        # The collections go last: as long as one is there, a killed attempt is repeated.
        fields = {"$unset": dict.fromkeys(map(shelf.name, FIELDS), "")}
        await self._connection.call(lambda: documents.update_many({}, fields))
        await self._connection.drop_index("documents", f"{shelf.name('searchable')}_1")
        await ContentsRows(self._connection, shelf).drop()

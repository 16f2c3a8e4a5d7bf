"""The store for teams: MongoDB with Atlas Search, asked through Motor.

Collections: `documents` (the records, whose `release` says which contents count), `pages`,
`chunks`, `windows` (with the two search indexes), `index` (the index record), `books`, and what GridFS
keeps of originals.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from database.documents import (
    Candidates,
    Chunk,
    Contents,
    Counts,
    Document,
    IndexRecord,
    Name,
    Page,
    Record,
    SearchQuery,
    Vector,
    Window,
)
from database.errors import GenerationGone
from database.settings import IndexSettings
from database.stores import Files, Generation
from database.stores.mongo_client import Connection, soon
from database.stores.mongo_contents import ContentsRows
from database.stores.mongo_definitions import IndexOptions
from database.stores.mongo_files import MongoFiles
from database.stores.mongo_generation import MongoGeneration
from database.stores.mongo_generations import Generations
from database.stores.mongo_migrations import migrate, require_known
from database.stores.mongo_records import RecordRows
from database.stores.mongo_rows import Row, Shelf
from database.stores.mongo_search import TRIES, Searcher

T = TypeVar("T")


class MongoStore:
    """The `Store` at MONGODB_URI; `database.stores.Store` says what each method promises."""

    kind = "mongodb"

    def __init__(self, settings: IndexSettings):
        self.connection = Connection(settings)
        options = IndexOptions(settings.index_ready_timeout_s, settings.mongodb_quantization)
        self._generations = Generations(self.connection, options)
        self._quantized = options.quantization != "none"
        self._records = RecordRows(self.connection)
        self.files: Files | None = (files := MongoFiles(self.connection, settings.originals == "store"))
        self._create_files = files.create

    async def open(self) -> None:
        """Connect, and create collections and ordinary indexes.

        A store whose server is away raises `StoreUnavailable` here and works once the server is there.
        """
        await self.connection.open()
        await require_known(self.connection)  # before anything is written
        await self._records.create()
        await self._create_files()
        await (await self._answering()).create()

    async def aclose(self) -> None:
        """Close the connections."""
        await asyncio.to_thread(self.connection.close)

    async def _answering(self) -> MongoGeneration:
        return await self._generations.answering()

    async def _read(self, read: Callable[[Shelf], Awaitable[T]]) -> T:
        """What `read` gives in a generation that answers before and after."""
        for tries_left in reversed(range(TRIES)):
            shelf = (await self._answering()).shelf
            found = await read(shelf)
            if not tries_left or (await self._answering()).shelf == shelf:
                return found
        raise AssertionError("the last try returns")

    @soon
    async def check(self) -> None:
        """Tell apart: no server, login refused, no search process, no index, not ready, other dimension."""
        await self.connection.call(lambda: self.connection.database.command("ping"))
        await require_known(self.connection)
        record = await self.read_index()
        await (await self._answering()).indexes.require_ready(record.dimension if record else None)

    async def prepare(self, record: IndexRecord) -> None:
        """Bring what older versions left up to date, create the search indexes and wait until they answer."""
        await migrate(self.connection)
        await (await self._answering()).prepare(record.dimension)

    async def wait_until_searchable(self, document_ids: Sequence[str]) -> None:
        """Wait until mongot has taken in the windows of these documents."""
        await (await self._answering()).wait_until_searchable(document_ids)

    @soon
    async def read_index(self) -> IndexRecord | None:
        """The index record, or None in a fresh store."""
        return (await self._generations.read()).answering

    async def write_index(self, record: IndexRecord) -> None:
        """Replace the index record."""
        await (await self._answering()).write_index(record)

    async def list_documents(self) -> list[Document]:
        """Every record, by id."""
        return await (await self._answering()).list_documents()

    @soon
    async def get_document(self, document_id: str) -> Document | None:
        """One record."""
        return await (await self._answering()).get_document(document_id)

    async def read_whole(self, document_id: str) -> tuple[Document, Contents | None] | None:
        """A record and its contents, of one moment."""

        async def read(shelf: Shelf) -> tuple[Document, Contents | None] | None:
            return await ContentsRows(self.connection, shelf).read_whole(document_id)

        return await self._read(read)

    async def put_document(self, document: Document) -> None:
        """Write a record alone."""
        await (await self._answering()).put_document(document)

    @soon
    async def get_documents(self, document_ids: Sequence[str]) -> list[Document]:
        """Some records, by id."""
        return await (await self._answering()).get_documents(document_ids)

    async def put_names(self, document_id: str, names: Sequence[Name]) -> Document | None:
        """Replace a record's names."""
        return await (await self._answering()).put_names(document_id, names)

    async def publish(self, document: Document, contents: Contents) -> None:
        """Write contents, commit, drop other versions' contents."""
        await (await self._answering()).publish(document, contents)

    async def remove_document(self, document_id: str) -> None:
        """Delete the record, then the contents, also those that do not answer yet."""
        await self.connection.delete("documents", {"_id": document_id})
        for contents in await self._generations.all_contents():
            await contents.delete({"document_id": document_id})

    async def sweep(self) -> int:
        """Delete contents that no record names."""
        return await (await self._answering()).contents.sweep()

    @soon
    async def get_page(self, document_id: str, number: int) -> Page | None:
        """One page of a searchable document."""
        return await self._read(lambda shelf: ContentsRows(self.connection, shelf).get_page(document_id, number))

    @soon
    async def get_chunks(self, chunk_ids: Sequence[str]) -> list[Chunk]:
        """Chunks of searchable documents in the order asked."""
        return await self._read(lambda shelf: ContentsRows(self.connection, shelf).get_chunks(chunk_ids))

    @soon
    async def search(self, query: SearchQuery) -> Candidates:
        """Search the views, all of the same moment."""

        async def search(shelf: Shelf) -> Candidates:
            if query.generation not in (0, shelf.generation):
                raise GenerationGone("The index was rebuilt meanwhile. Ask again.")
            found = await Searcher(self.connection, shelf, quantized=self._quantized).search(query)
            if query.vector is not None and not found.vector and (await self.count()).windows:
                await self.check()  # mongot finds nothing, too, in an index that was deleted
            return found

        return await self._read(search)

    async def sample_windows(self, limit: int) -> list[Window]:
        """The searchable windows with the smallest ids."""
        return await (await self._answering()).sample_windows(limit)

    async def read_vectors(self, document_id: str) -> dict[str, Vector]:
        """Vectors by their windows' texts."""
        return await (await self._answering()).contents.read_vectors(document_id)

    @soon
    async def count(self) -> Counts:
        """Searchable documents, their chunks and windows."""
        shelf = (await self._answering()).shelf
        sums = {name: {"$sum": f"${shelf.name(f'{name}_count')}"} for name in ("chunk", "window")}
        totals: Row = {"_id": None, "documents": {"$sum": 1}, **sums}
        found = await self.connection.aggregate("documents", [{"$match": shelf.seen}, {"$group": totals}])
        return Counts(found[0]["documents"], found[0]["chunk"], found[0]["window"]) if found else Counts(0, 0, 0)

    async def read_next(self) -> IndexRecord | None:
        """The next generation's record."""
        return (await self._generations.read()).next

    async def open_next(self, record: IndexRecord) -> Generation:
        """The next generation, as a killed rebuilding left it or empty."""
        return await self._generations.open_next(record)

    async def switch(self) -> None:
        """Let the next generation answer, by writing the index record."""
        await self._generations.switch()

    async def drop_old(self) -> bool:
        """Drop what other generations left."""
        return await self._generations.drop_old()

    async def get_record(self, kind: str, record_id: str) -> Record | None:
        """One entry of the books."""
        return await self._records.get(kind, record_id)

    async def list_records(self, kind: str, *, after: str = "", limit: int = 1000) -> list[Record]:
        """Entries past `after`, by id."""
        return await self._records.list_after(kind, after, limit)

    async def put_record(self, record: Record) -> Record:
        """Insert or replace an entry."""
        return await self._records.put(record)

    async def remove_record(self, kind: str, record_id: str) -> bool:
        """Forget an entry."""
        return await self._records.remove(kind, record_id)

    async def claim_record(self, kind: str, holder: str, lease_s: float, now: float) -> Record | None:
        """Lease the first entry that is free."""
        return await self._records.claim(kind, holder, lease_s, now)

"""The store for teams: MongoDB with Atlas Search, asked through Motor.

Collections: `documents` (the records, whose `release` says which contents count), `pages`,
`chunks`, `windows` (with the two search indexes), `index` (the index record) and `books`.
"""

import asyncio
from collections.abc import Sequence
from functools import partial

from database.documents import (
    Candidates,
    Chunk,
    Contents,
    Counts,
    Document,
    IndexRecord,
    Page,
    Record,
    SearchQuery,
    Window,
)
from database.errors import StoreError
from database.settings import IndexSettings
from database.stores import mongo_rows as rows
from database.stores.mongo_client import Connection
from database.stores.mongo_contents import ContentsRows
from database.stores.mongo_errors import REBUILD
from database.stores.mongo_index import SearchIndexes
from database.stores.mongo_records import RecordRows
from database.stores.mongo_rows import Row
from database.stores.mongo_search import Searcher, read_releases

INDEXES: dict[str, tuple[str | list[tuple[str, int]], ...]] = {
    "documents": ("searchable",),
    "pages": ("document_id", "release"),
    "chunks": ("document_id", "release", "chunk_id"),
    "windows": ("document_id", "release", "window_id"),
    "books": ([("kind", 1), ("id", 1)],),
}


class MongoStore:
    """The `Store` at MONGODB_URI; `database.stores.Store` says what each method promises."""

    kind = "mongodb"

    def __init__(self, settings: IndexSettings):
        self._connection = Connection(settings)
        self._indexes = SearchIndexes(self._connection, settings.index_ready_timeout_s)
        self._searcher = Searcher(self._connection)
        self._contents = ContentsRows(self._connection)
        self._records = RecordRows(self._connection)

    async def open(self) -> None:
        """Connect, and create collections and ordinary indexes.

        A store whose server is away raises `StoreUnavailable` here and works once the server is there.
        """
        await self._connection.open()
        await self._create_collections()

    async def _create_collections(self) -> None:
        for name, fields in INDEXES.items():
            for field in fields:
                await self._connection.call(partial(self._connection.database[name].create_index, field))

    async def aclose(self) -> None:
        """Close the connections."""
        await asyncio.to_thread(self._connection.close)

    async def check(self) -> None:
        """Tell apart: no server, login refused, no search process, no index, not ready, other dimension."""
        await self._connection.call(lambda: self._connection.database.command("ping"))
        record = await self.read_index()
        await self._indexes.require_ready(record.dimension if record else None)

    async def prepare(self, record: IndexRecord) -> None:
        """Create the search indexes and wait until they answer."""
        await self._create_collections()
        await self._indexes.create(record.dimension)

    async def wait_until_searchable(self, document_ids: Sequence[str]) -> None:
        """Wait until mongot has taken in the windows of these documents."""
        releases = await read_releases(self._connection, document_ids)
        record = await self.read_index()
        if record is not None:
            await self._indexes.wait_for(list(releases.values()), record.dimension)

    async def read_index(self) -> IndexRecord | None:
        """The index record, or None in a fresh store."""
        found = await self._connection.find("index", {"_id": "record"})
        return rows.read_record(found[0]) if found else None

    async def write_index(self, record: IndexRecord) -> None:
        """Replace the index record."""
        await self._connection.replace("index", rows.record_row(record))

    async def reset(self, record: IndexRecord) -> None:
        """Queue every document again, without contents. The search indexes go: `prepare` makes them anew."""
        fields: Row = {"release": "", "searchable": False, "record.state": "queued", "record.version": ""}
        documents = self._connection.database["documents"]
        await self._connection.call(lambda: documents.update_many({}, {"$set": fields}))
        await self._contents.drop()
        await self._create_collections()
        await self.write_index(record)

    async def list_documents(self) -> list[Document]:
        """Every record, by id."""
        found = await self._connection.find("documents", {}, sort=[("_id", 1)])
        return [rows.read_document(row) for row in found]

    async def get_document(self, document_id: str) -> Document | None:
        """One record."""
        found = await self._connection.find("documents", {"_id": document_id})
        return rows.read_document(found[0]) if found else None

    async def put_document(self, document: Document) -> None:
        """Write a record alone."""
        await self._connection.replace("documents", rows.document_row(document))

    async def publish(self, document: Document, contents: Contents) -> None:
        """Write contents, commit, drop other versions' contents.

        Where readers see an older version, that one stays until mongot has taken in the new one.
        """
        await self._check_contents(document, contents)
        release = rows.release_of(document.id, document.version)
        published = await read_releases(self._connection, [document.id])
        if published.get(document.id) != release:
            # A killed attempt may have left rows, and perhaps others than will be written now.
            await self._contents.delete({"release": release})
        await self._contents.write(document, contents)
        if published.get(document.id, release) != release:
            await self._indexes.wait_for([release], 0 if contents.vectors is None else contents.vectors.shape[1])
        await self.put_document(document)
        await self._contents.delete({"document_id": document.id, "release": {"$ne": release}})

    async def _check_contents(self, document: Document, contents: Contents) -> None:
        if not document.version:
            raise StoreError(f"{document.id} cannot be published without a version.")
        if contents.vectors is None:
            return
        if contents.vectors.ndim != 2 or len(contents.vectors) != len(contents.windows):
            raise StoreError(f"{len(contents.windows)} windows came with vectors of shape {contents.vectors.shape}.")
        record = await self.read_index()
        dimension = contents.vectors.shape[1]
        if record is not None and contents.windows and record.dimension != dimension:
            raise StoreError(
                f"The index holds vectors of {record.dimension} dimensions, these have {dimension}. "
                f"Rebuild it with `{REBUILD}`, or set EMBEDDER back."
            )

    async def remove_document(self, document_id: str) -> None:
        """Delete the record, then the contents."""
        await self._connection.delete("documents", {"_id": document_id})
        await self._contents.delete({"document_id": document_id})

    async def sweep(self) -> int:
        """Delete contents that no record names."""
        return await self._contents.sweep()

    async def get_page(self, document_id: str, number: int) -> Page | None:
        """One page of a searchable document."""
        return await self._contents.get_page(document_id, number)

    async def get_chunks(self, chunk_ids: Sequence[str]) -> list[Chunk]:
        """Chunks of searchable documents in the order asked."""
        return await self._contents.get_chunks(chunk_ids)

    async def search(self, query: SearchQuery) -> Candidates:
        """Search the three views, all of the same moment."""
        return await self._searcher.search(query)

    async def sample_windows(self, limit: int) -> list[Window]:
        """The searchable windows with the smallest ids."""
        return await self._contents.sample_windows(limit)

    async def count(self) -> Counts:
        """Searchable documents, their chunks and windows."""
        sums = {name: {"$sum": f"${name}_count"} for name in ("chunk", "window")}
        totals: Row = {"_id": None, "documents": {"$sum": 1}, **sums}
        found = await self._connection.aggregate("documents", [{"$match": {"searchable": True}}, {"$group": totals}])
        return Counts(found[0]["documents"], found[0]["chunk"], found[0]["window"]) if found else Counts(0, 0, 0)

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

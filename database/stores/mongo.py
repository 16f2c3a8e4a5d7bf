"""The store for teams: MongoDB with Atlas Search, asked through Motor.

Collections: `documents` (the records, whose `release` says which contents count), `pages`,
`chunks`, `windows` (with the two search indexes) and `index` (the index record).
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from pymongo import ReplaceOne

from database.documents import (
    Candidates,
    Chunk,
    Contents,
    Counts,
    Document,
    IndexRecord,
    Page,
    SearchQuery,
    Window,
)
from database.errors import StoreError
from database.settings import IndexSettings
from database.stores import mongo_rows as rows
from database.stores.mongo_client import Connection
from database.stores.mongo_index import SearchIndexes
from database.stores.mongo_rows import Row
from database.stores.mongo_search import TRIES, Searcher

if TYPE_CHECKING:
    from pymongo.collection import Collection

    from database.stores.mongo_client import MotorCollection

CONTENTS = ("pages", "chunks", "windows")
INDEXES = {
    "documents": ("searchable",),
    "pages": ("document_id", "release"),
    "chunks": ("document_id", "release", "chunk_id"),
    "windows": ("document_id", "release", "window_id"),
}


def _import_writer() -> Callable[["Collection[Row]", Document, Contents], None]:
    from database.stores.mongo_write import write_windows

    return write_windows


class MongoStore:
    """The `Store` at MONGODB_URI; `database.stores.Store` says what each method promises."""

    kind = "mongodb"

    def __init__(self, settings: IndexSettings):
        self._connection = Connection(settings)
        self._indexes = SearchIndexes(self._connection, settings.index_ready_timeout_s)
        self._searcher = Searcher(self._connection)

    def _collection(self, name: str) -> "MotorCollection":
        return self._connection.database[name]

    async def _find(self, name: str, query: Row, **options: Any) -> list[Row]:
        return await self._connection.call(lambda: self._collection(name).find(query, **options).to_list(None))

    async def _replace(self, name: str, row: Row) -> None:
        key = {"_id": row["_id"]}
        await self._connection.call(lambda: self._collection(name).replace_one(key, row, upsert=True))

    async def _delete(self, name: str, query: Row) -> int:
        result = await self._connection.call(lambda: self._collection(name).delete_many(query))
        return result.deleted_count

    async def open(self) -> None:
        """Connect, and create collections and ordinary indexes."""
        await self._connection.open()
        await self._create_collections()

    async def _create_collections(self) -> None:
        for name, fields in INDEXES.items():
            for field in fields:
                await self._connection.call(partial(self._collection(name).create_index, field))

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
        releases = await self._searcher.read_releases(document_ids)
        record = await self.read_index()
        if record is not None:
            await self._indexes.wait_for(list(releases.values()), record.dimension)

    async def read_index(self) -> IndexRecord | None:
        """The index record, or None in a fresh store."""
        found = await self._find("index", {"_id": "record"})
        return rows.read_record(found[0]) if found else None

    async def write_index(self, record: IndexRecord) -> None:
        """Replace the index record."""
        await self._replace("index", rows.record_row(record))

    async def reset(self, record: IndexRecord) -> None:
        """Queue every document again. `windows` goes with its search indexes: `prepare` makes them anew."""
        fields: Row = {"release": "", "searchable": False, "record.state": "queued", "record.version": ""}
        documents = self._collection("documents")
        await self._connection.call(lambda: documents.update_many({}, {"$set": fields}))
        for name in CONTENTS:
            await self._connection.call(self._collection(name).drop)
        await self._create_collections()
        await self.write_index(record)

    async def list_documents(self) -> list[Document]:
        """Every record, by id."""
        return [rows.read_document(row) for row in await self._find("documents", {}, sort=[("_id", 1)])]

    async def get_document(self, document_id: str) -> Document | None:
        """One record."""
        found = await self._find("documents", {"_id": document_id})
        return rows.read_document(found[0]) if found else None

    async def put_document(self, document: Document) -> None:
        """Write a record alone."""
        await self._replace("documents", rows.document_row(document))

    async def publish(self, document: Document, contents: Contents) -> None:
        """Write contents, wait for mongot where readers see an older version, commit, clean up."""
        await self._check_contents(document, contents)
        release = rows.release_of(document.id, document.version)
        published = await self._searcher.read_releases([document.id])
        if published.get(document.id) != release:
            # A killed attempt may have left rows, and perhaps others than will be written now.
            await self._delete_contents({"release": release})
        await self._write(document, contents)
        if published.get(document.id, release) != release:
            await self._indexes.wait_for([release], contents.vectors.shape[1])
        await self.put_document(document)
        await self._delete_contents({"document_id": document.id, "release": {"$ne": release}})

    async def _check_contents(self, document: Document, contents: Contents) -> None:
        if not document.version:
            raise StoreError(f"{document.id} cannot be published without a version.")
        if contents.vectors.ndim != 2 or len(contents.vectors) != len(contents.windows):
            raise StoreError(f"{len(contents.windows)} windows came with vectors of shape {contents.vectors.shape}.")
        record = await self.read_index()
        dimension = contents.vectors.shape[1]
        if record is not None and contents.windows and record.dimension != dimension:
            raise StoreError(
                f"The index holds vectors of {record.dimension} dimensions, these have {dimension}. "
                "Rebuild it with `python database/main.py --reindex`, or set EMBEDDER back."
            )

    async def _write(self, document: Document, contents: Contents) -> None:
        await self._replace_rows("pages", rows.page_rows(document, contents.pages))
        await self._replace_rows("chunks", rows.chunk_rows(document, contents.chunks))
        write_windows, windows = await asyncio.to_thread(_import_writer), self._collection("windows").delegate
        await self._connection.call(lambda: asyncio.to_thread(write_windows, windows, document, contents))

    async def _replace_rows(self, name: str, written: Sequence[Row]) -> None:
        operations = [ReplaceOne({"_id": row["_id"]}, row, upsert=True) for row in written]
        if operations:
            await self._connection.call(lambda: self._collection(name).bulk_write(operations, ordered=False))

    async def _delete_contents(self, query: Row) -> int:
        """Delete rows of contents; how many windows went."""
        return [await self._delete(name, query) for name in CONTENTS][-1]

    async def remove_document(self, document_id: str) -> None:
        """Delete the record, then the contents."""
        await self._delete("documents", {"_id": document_id})
        await self._delete_contents({"document_id": document_id})

    async def sweep(self) -> int:
        """Delete the contents of releases that no record names; how many windows went."""
        kept = {row["release"] for row in await self._find("documents", {}, projection={"release": 1})}
        return [await self._sweep(name, kept) for name in CONTENTS][-1]

    async def _sweep(self, name: str, kept: set[str]) -> int:
        pipeline: list[Row] = [{"$sort": {"release": 1}}, {"$group": {"_id": "$release"}}]
        groups = await self._connection.call(lambda: self._collection(name).aggregate(pipeline).to_list(None))
        orphans = [group["_id"] for group in groups if group["_id"] not in kept]
        return sum([await self._delete(name, {"release": release}) for release in orphans])

    async def get_page(self, document_id: str, number: int) -> Page | None:
        """One page of a searchable document."""
        for _ in range(TRIES):
            release = (await self._searcher.read_releases([document_id])).get(document_id)
            if release is None:
                return None
            if found := await self._find("pages", {"_id": rows.page_id(release, number)}):
                return rows.read_page(found[0])
            if await self._searcher.read_releases([document_id]) == {document_id: release}:
                return None  # not replaced while it was read: the document has no such page
        return None

    async def get_chunks(self, chunk_ids: Sequence[str]) -> list[Chunk]:
        """Chunks of searchable documents in the order asked."""
        chunks: dict[str, Chunk] = {}
        for _ in range(TRIES):
            found = await self._find("chunks", {"chunk_id": {"$in": list(chunk_ids)}})
            releases = await self._searcher.read_releases(list({row["document_id"] for row in found}))
            current = [row for row in found if releases.get(row["document_id"]) == row["release"]]
            chunks = {row["chunk_id"]: rows.read_chunk(row) for row in current}
            if not any(row["document_id"] in releases and row["chunk_id"] not in chunks for row in found):
                break  # otherwise a document was replaced between the two reads
        return [chunks[chunk_id] for chunk_id in chunk_ids if chunk_id in chunks]

    async def search(self, query: SearchQuery) -> Candidates:
        """Search the three views, all of the same moment."""
        return await self._searcher.search(query)

    async def sample_windows(self, limit: int) -> list[Window]:
        """The searchable windows with the smallest ids."""
        documents = await self._find("documents", {"searchable": True}, projection={"release": 1})
        releases = {row["release"] for row in documents}
        return await self._connection.call(lambda: self._sample(releases, limit))

    async def _sample(self, releases: set[str], limit: int) -> list[Window]:
        sample: list[Window] = []
        cursor = self._collection("windows").find({}, {"embedding": 0}).sort("window_id", 1)
        async for row in cursor:
            if len(sample) == limit:
                break
            if row["release"] in releases:
                sample.append(rows.read_window(row))
        return sample

    async def count(self) -> Counts:
        """Searchable documents, their chunks and windows."""
        sums = {name: {"$sum": f"${name}_count"} for name in ("chunk", "window")}
        pipeline: list[Row] = [
            {"$match": {"searchable": True}},
            {"$group": {"_id": None, "documents": {"$sum": 1}, **sums}},
        ]
        documents = self._collection("documents")
        found = await self._connection.call(lambda: documents.aggregate(pipeline).to_list(None))
        return Counts(found[0]["documents"], found[0]["chunk"], found[0]["window"]) if found else Counts(0, 0, 0)

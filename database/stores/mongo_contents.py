"""Pages, chunks and windows in MongoDB: written under a release, read while it counts, dropped after."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pymongo import ReplaceOne

from database.documents import Chunk, Contents, Document, Page, Vector, Window
from database.errors import StoreError
from database.stores import mongo_rows as rows
from database.stores.mongo_client import Connection
from database.stores.mongo_rows import Row, Shelf
from database.stores.mongo_scope import read_releases
from database.stores.mongo_search import TRIES
from database.stores.mongo_vectors import read_vector

if TYPE_CHECKING:
    from pymongo.collection import Collection

COLLECTIONS = ("pages", "chunks", "windows")


def _import_writer() -> Callable[["Collection[Row]", Document, Contents], None]:
    from database.stores.mongo_write import write_windows

    return write_windows


class ContentsRows:
    """The rows of one generation's contents over one connection."""

    def __init__(self, connection: Connection, shelf: Shelf):
        self._connection, self._shelf = connection, shelf
        self.names = [shelf.name(name) for name in COLLECTIONS]
        self._pages, self._chunks, self._windows = self.names

    async def write(self, document: Document, contents: Contents) -> None:
        """Write all rows of a document under its version. Writing them again replaces them."""
        await self._replace(self._pages, rows.page_rows(document, contents.pages))
        await self._replace(self._chunks, rows.chunk_rows(document, contents.chunks))
        if contents.vectors is None:
            await self._replace(self._windows, rows.plain_rows(document, contents))
            return
        write_windows = await asyncio.to_thread(_import_writer)
        windows = self._connection.database[self._windows].delegate
        await self._connection.call(lambda: asyncio.to_thread(write_windows, windows, document, contents))

    async def _replace(self, name: str, written: Sequence[Row]) -> None:
        operations = [ReplaceOne({"_id": row["_id"]}, row, upsert=True) for row in written]
        if operations:
            collection = self._connection.database[name]
            await self._connection.call(lambda: collection.bulk_write(operations, ordered=False))

    async def delete(self, query: Row) -> int:
        """Delete the rows that meet a query in every collection; how many windows went."""
        return [await self._connection.delete(name, query) for name in self.names][-1]

    async def drop(self) -> None:
        """Drop the collections, and with that of windows its search indexes."""
        for name in self.names:
            await self._connection.call(self._connection.database[name].drop)

    async def sweep(self) -> int:
        """Delete the rows of releases that no record names; how many windows went."""
        field = self._shelf.name("release")
        documents = await self._connection.find("documents", {}, projection={field: 1})
        kept = {row.get(field) for row in documents}
        return [await self._sweep(name, kept) for name in self.names][-1]

    async def _sweep(self, name: str, kept: set[str | None]) -> int:
        pipeline: list[Row] = [{"$sort": {"release": 1}}, {"$group": {"_id": "$release"}}]
        groups = await self._connection.aggregate(name, pipeline)
        orphans = [group["_id"] for group in groups if group["_id"] not in kept]
        return sum([await self._connection.delete(name, {"release": release}) for release in orphans])

    async def get_page(self, document_id: str, number: int) -> Page | None:
        """One page of a searchable document."""
        for _ in range(TRIES):
            releases = await read_releases(self._connection, self._shelf, [document_id])
            if not releases:
                return None
            page_id = rows.page_id(releases[document_id], number)
            if found := await self._connection.find(self._pages, {"_id": page_id}):
                return rows.read_page(found[0])
            if await read_releases(self._connection, self._shelf, [document_id]) == releases:
                return None  # not replaced while it was read: the document has no such page
        return None

    async def get_chunks(self, chunk_ids: Sequence[str]) -> list[Chunk]:
        """Chunks of searchable documents in the order asked."""
        chunks: dict[str, Chunk] = {}
        for _ in range(TRIES):
            found = await self._connection.find(self._chunks, {"chunk_id": {"$in": list(chunk_ids)}})
            releases = await read_releases(self._connection, self._shelf, list({row["document_id"] for row in found}))
            current = [row for row in found if releases.get(row["document_id"]) == row["release"]]
            chunks = {row["chunk_id"]: rows.read_chunk(row) for row in current}
            if not any(row["document_id"] in releases and row["chunk_id"] not in chunks for row in found):
                break  # otherwise a document was replaced between the two reads
        return [chunks[chunk_id] for chunk_id in chunk_ids if chunk_id in chunks]

    async def read_whole(self, document_id: str) -> tuple[Document, Contents | None] | None:
        """A record and its contents, of one moment."""
        for _ in range(TRIES):
            query = {"_id": document_id}
            found = await self._connection.find("documents", query)
            if not found:
                return None
            document, release = rows.read_document(found[0], self._shelf), found[0].get(self._shelf.name("release"))
            if not release or not document.whole:
                return document, None
            held = [await self._connection.find(name, {"release": release}) for name in self.names]
            contents = rows.read_contents(*held)
            again = await self._connection.find("documents", query)
            if again == found:
                # A record may name a version of which nothing was written.
                return document, contents if len(contents.windows) == document.window_count else None
        raise StoreError(f"The document {document_id} changes all the time. Try again when no load is running.")

    async def read_vectors(self, document_id: str) -> dict[str, Vector]:
        """Vectors of a document by their windows' texts."""
        query, fields = {"document_id": document_id, "embedding": {"$exists": True}}, {"text": 1, "embedding": 1}
        found = await self._connection.find(self._windows, query, projection=fields)
        return {row["text"]: read_vector(row["embedding"]) for row in found}

    async def sample_windows(self, limit: int) -> list[Window]:
        """The windows with the smallest ids of searchable documents."""
        field = self._shelf.name("release")
        documents = await self._connection.find("documents", self._shelf.seen, projection={field: 1})
        releases = {row[field] for row in documents}
        return await self._connection.call(lambda: self._sample(releases, limit))

    async def _sample(self, releases: set[str], limit: int) -> list[Window]:
        sample: list[Window] = []
        cursor = self._connection.database[self._windows].find({}, {"embedding": 0}).sort("window_id", 1)
        async for row in cursor:
            if len(sample) == limit:
                break
            if row["release"] in releases:
                sample.append(rows.read_window(row))
        return sample

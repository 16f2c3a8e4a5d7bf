"""One generation in MongoDB: the one that answers, or the one that is made beside it."""

from collections.abc import Sequence
from functools import partial

from pymongo import ReturnDocument

from database.documents import Contents, Document, IndexRecord, Name, Window
from database.errors import StoreError
from database.stores import mongo_rows as rows
from database.stores.mongo_client import Connection
from database.stores.mongo_contents import ContentsRows
from database.stores.mongo_definitions import IndexOptions
from database.stores.mongo_errors import REBUILD
from database.stores.mongo_index import SearchIndexes
from database.stores.mongo_rows import Shelf
from database.stores.mongo_scope import read_releases

INDEXES = {
    "documents": ("searchable",),
    "pages": ("document_id", "release"),
    "chunks": ("document_id", "release", "chunk_id"),
    "windows": ("document_id", "release", "window_id"),
}


class MongoGeneration:
    """A `Generation`; `key` says which of the index records is its own. The next one leaves names alone."""

    def __init__(self, connection: Connection, options: IndexOptions, shelf: Shelf, key: str = "record"):
        self._connection, self._key, self.shelf = connection, key, shelf
        self.contents = ContentsRows(connection, shelf)
        self.indexes = SearchIndexes(connection, options, shelf.name("windows"))

    async def create(self) -> None:
        """Create collections and ordinary indexes."""
        for name, fields in INDEXES.items():
            shared = name == "documents"
            collection = self._connection.database[name if shared else self.shelf.name(name)]
            for field in fields:
                indexed = self.shelf.name(field) if shared else field
                await self._connection.call(partial(collection.create_index, indexed))

    async def prepare(self, dimension: int) -> None:
        """Create the search indexes, too, and wait until they answer."""
        await self.create()
        await self.indexes.create(dimension)

    async def read_index(self) -> IndexRecord | None:
        """Its index record."""
        found = await self._connection.find("index", {"_id": self._key})
        return rows.read_record(found[0]) if found else None

    async def write_index(self, record: IndexRecord) -> None:
        """Replace its index record."""
        await self._connection.replace("index", rows.record_row(record, self._key))

    async def wait_until_searchable(self, document_ids: Sequence[str]) -> None:
        """Wait until mongot has taken in the windows of these documents."""
        releases = await read_releases(self._connection, self.shelf, document_ids)
        record = await self.read_index()
        if record is not None:
            await self.indexes.wait_for(list(releases.values()), record.dimension)

    async def list_documents(self) -> list[Document]:
        """What it has of each document, by id; of the generation that answers every record."""
        query = {} if self._key == "record" else {self.shelf.name("record"): {"$exists": True}}
        found = await self._connection.find("documents", query, sort=[("_id", 1)])
        return [rows.read_document(row, self.shelf) for row in found]

    async def get_document(self, document_id: str) -> Document | None:
        """One record."""
        found = await self.get_documents([document_id])
        return found[0] if found else None

    async def get_documents(self, document_ids: Sequence[str]) -> list[Document]:
        """Some records, by id."""
        query = {"_id": {"$in": list(document_ids)}}
        found = await self._connection.find("documents", query, sort=[("_id", 1)])
        return [rows.read_document(row, self.shelf) for row in found]

    async def put_document(self, document: Document) -> None:
        """Write what it has of a document."""
        await self._put(document)

    async def put_names(self, document_id: str, names: Sequence[Name]) -> Document | None:
        """Replace a record's names; the record, or None."""
        documents, fields = self._connection.database["documents"], rows.name_fields(names)
        row = await self._connection.call(
            lambda: documents.find_one_and_update(
                {"_id": document_id}, {"$set": fields}, return_document=ReturnDocument.AFTER
            )
        )
        return rows.read_document(row, self.shelf) if row else None

    async def _put(self, document: Document) -> bool:
        """Whether there is such a document: the next generation makes none."""
        answers, fields = self._key == "record", rows.document_fields(document, self.shelf)
        change = {"$set": fields | (rows.name_fields(document.names) if answers else {})}
        documents = self._connection.database["documents"]
        result = await self._connection.call(lambda: documents.update_one({"_id": document.id}, change, upsert=answers))
        return answers or result.matched_count > 0

    async def publish(self, document: Document, contents: Contents) -> None:
        """Write contents, commit, drop other versions' contents.

        Where readers see an older version, that one stays until mongot has taken in the new one.
        """
        await self._check_contents(document, contents)
        release = rows.release_of(document.id, document.version)
        published = await read_releases(self._connection, self.shelf, [document.id])
        if published.get(document.id) != release:
            # A killed attempt may have left rows, and perhaps others than will be written now.
            await self.contents.delete({"release": release})
        await self.contents.write(document, contents)
        if published.get(document.id, release) != release:
            await self.indexes.wait_for([release], 0 if contents.vectors is None else contents.vectors.shape[1])
        others = {"release": {"$ne": release}} if await self._put(document) else {}
        await self.contents.delete({"document_id": document.id, **others})

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

    async def sample_windows(self, limit: int) -> list[Window]:
        """Its visible windows with the smallest ids."""
        return await self.contents.sample_windows(limit)

"""Originals in MongoDB: GridFS, in the collections `originals.files` and `originals.chunks`.

A file is called as its document's id. Two servers may put the same one at the same time; it lies there
twice then, either is read, and both go together. pymongo's own bucket is used in a thread, for the
other end of each transfer is a file on disk.
"""

import asyncio
import re
import time
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bson import ObjectId

from database.errors import ReadError
from database.files import LEFTOVER_S, copy_whole
from database.formats import KEPT_ENDINGS
from database.stores.mongo_client import Connection

if TYPE_CHECKING:
    from gridfs import GridFSBucket

BUCKET = "originals"
FILES, CHUNKS = f"{BUCKET}.files", f"{BUCKET}.chunks"
OWN = re.compile("[0-9a-f]{64}")
"""Names of originals: what others keep in a bucket of this name is none, and no path."""
DAMAGED = "Its copy in MongoDB is damaged. Load it again."


class MongoFiles:
    """Originals over one connection; `database.stores.Files` says what each method promises. Unless it `takes`
    any, those that it has can be fetched and dropped."""

    def __init__(self, connection: Connection, takes: bool):
        self._connection, self._takes = connection, takes

    async def create(self) -> None:
        """Create the indexes that GridFS would create with the first file, but for several servers at once."""
        files, chunks = (self._connection.database[name] for name in (FILES, CHUNKS))
        await self._connection.call(lambda: files.create_index([("filename", 1), ("uploadDate", 1)]))
        await self._connection.call(lambda: chunks.create_index([("files_id", 1), ("n", 1)], unique=True))

    async def put(self, document_id: str, path: Path, ending: str) -> None:
        """Keep the file at `path`, unless it is kept."""
        if self._takes and not await self.find([document_id]):
            await self._connection.call(lambda: asyncio.to_thread(self._upload, document_id, path, ending))

    async def fetch(self, document_id: str, find_place: Callable[[str], Path]) -> Path | None:
        """Write a document's original to where `find_place` wants a file with its ending; None without any."""
        damaged: ReadError | None = None
        while True:
            try:
                place = await self._connection.call(lambda: asyncio.to_thread(self._download, document_id, find_place))
            except _Damaged as error:
                damaged = error
                await self._drop(error.file_id)  # another copy may be whole; without any, loading it again helps
                continue
            if place is None and damaged is not None:
                raise damaged
            return place

    async def find(self, document_ids: Collection[str] | None = None) -> set[str]:
        """Which of these documents (None: of all) have their originals here."""
        query = {} if document_ids is None else {"filename": {"$in": list(document_ids)}}
        return await self._names(query)

    async def drop(self, document_id: str) -> None:
        """Forget a document's original."""
        # The record goes first, as in every bucket: what is killed in between is swept later.
        for row in await self._connection.find(FILES, {"filename": document_id}, projection={"_id": 1}):
            await self._drop(row["_id"])

    async def _drop(self, file_id: Any) -> None:
        await self._connection.delete(FILES, {"_id": file_id})
        await self._connection.delete(CHUNKS, {"files_id": file_id})

    async def find_old(self) -> set[str]:
        """Documents whose originals are here for LEFTOVER_S or longer."""
        query = {"uploadDate": {"$lt": _long_ago()}}
        return await self._names(query)

    async def sweep(self) -> None:
        """Drop chunks without a file, unless somebody may be writing it."""
        pipeline: list[dict[str, Any]] = [{"$sort": {"files_id": 1}}, {"$group": {"_id": "$files_id"}}]
        held = {row["_id"] for row in await self._connection.aggregate(CHUNKS, pipeline)}
        files = {row["_id"] for row in await self._connection.find(FILES, {}, projection={"_id": 1})}
        old = {"$lt": ObjectId.from_datetime(_long_ago())}
        for file_id in held - files:
            await self._connection.delete(CHUNKS, {"files_id": file_id, "_id": old})

    async def _names(self, query: dict[str, Any]) -> set[str]:
        rows = await self._connection.find(FILES, query, projection={"filename": 1})
        return {name for row in rows if OWN.fullmatch(name := str(row.get("filename", "")))}

    def _bucket(self) -> "GridFSBucket":
        from gridfs import GridFSBucket

        return GridFSBucket(self._connection.database.delegate, BUCKET)

    def _upload(self, document_id: str, path: Path, ending: str) -> None:
        with path.open("rb") as source:
            self._bucket().upload_from_stream(document_id, source, metadata={"ending": ending})

    def _download(self, document_id: str, find_place: Callable[[str], Path]) -> Path | None:
        from gridfs.errors import CorruptGridFile, NoFile

        try:
            with self._bucket().open_download_stream_by_name(document_id) as stored:
                ending = str((stored.metadata or {}).get("ending", ".pdf"))
                place = find_place(ending if ending in KEPT_ENDINGS else ".pdf")
                try:
                    copy_whole(stored, place, document_id, DAMAGED)
                except (CorruptGridFile, ReadError) as error:
                    raise _Damaged(stored._id) from error
                return place
        except NoFile:
            return None


class _Damaged(ReadError):
    """One of perhaps several copies is."""

    def __init__(self, file_id: Any):
        super().__init__(DAMAGED)
        self.file_id = file_id


def _long_ago() -> datetime:
    return datetime.fromtimestamp(time.time() - LEFTOVER_S, UTC)

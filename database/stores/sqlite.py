"""The embedded store: one SQLite file, asked from threads so that the event loop never waits."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

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
from database.errors import StoreError
from database.stores import Files, Generation
from database.stores.sqlite_generations import GenerationsFile, SqliteGeneration
from database.stores.sqlite_records import RecordsFile

P = ParamSpec("P")
T = TypeVar("T")

THREADS = 4
"""Questions searched at the same time; SQLite and numpy let go of the interpreter while they work."""


class StoreFile(RecordsFile, GenerationsFile):
    """The whole file."""


class SqliteStore:
    """The `Store` in the file `path`; `database.stores.Store` says what each method promises."""

    kind = "sqlite"
    files: Files | None = None
    """Originals lie beside the file."""

    def __init__(self, path: Path):
        self.file = StoreFile(path)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="sqlite")

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of `work`, done in a thread. Raises `StoreError` where SQLite fails."""

        def call() -> T:
            try:
                return work(*args, **kwargs)
            except (sqlite3.Error, OSError) as error:
                raise StoreError(
                    f"The index {self.file.path} failed: {error}. Look whether the disk is full, the folder "
                    "can be written and the file is a database; `make load` builds a missing one."
                ) from error

        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    async def open(self) -> None:
        """Make folder, file and tables where they are missing."""
        await self.run(self.file.create)

    async def aclose(self) -> None:
        """Wait for running work, then close."""
        await asyncio.to_thread(self._threads.shutdown)
        self.file.close()

    async def check(self) -> None:
        """A file that can be read can be searched."""
        await self.run(self.file.read_index)

    async def prepare(self, record: IndexRecord) -> None:
        """Nothing to prepare."""

    async def wait_until_searchable(self, document_ids: Sequence[str]) -> None:
        """What is committed is found."""

    async def read_index(self) -> IndexRecord | None:
        """The index record, or None in a fresh store."""
        return await self.run(self.file.read_index)

    async def write_index(self, record: IndexRecord) -> None:
        """Replace the index record."""
        await self.run(self.file.write_index, record)

    async def list_documents(self) -> list[Document]:
        """Every record, by id."""
        return await self.run(self.file.read_documents)

    async def get_document(self, document_id: str) -> Document | None:
        """One record."""
        found = await self.get_documents([document_id])
        return found[0] if found else None

    async def get_documents(self, document_ids: Sequence[str]) -> list[Document]:
        """Some records, by id."""
        return await self.run(self.file.read_documents, document_ids)

    async def read_whole(self, document_id: str) -> tuple[Document, Contents | None] | None:
        """A record and its contents, of one moment."""
        return await self.run(self.file.read_whole, document_id)

    async def put_document(self, document: Document) -> None:
        """Write a record alone."""
        await self.run(self.file.put_document, document)

    async def put_names(self, document_id: str, names: Sequence[Name]) -> Document | None:
        """Replace a record's names."""
        return await self.run(self.file.put_names, document_id, names)

    async def publish(self, document: Document, contents: Contents) -> None:
        """Replace record and contents in one transaction."""
        await self.run(self.file.publish, document, contents)

    async def remove_document(self, document_id: str) -> None:
        """Delete a document and all that belongs to it in one transaction."""
        await self.run(self.file.remove_document, document_id)

    async def sweep(self) -> int:
        """Delete contents that no record names."""
        return await self.run(self.file.sweep)

    async def get_page(self, document_id: str, number: int) -> Page | None:
        """One page of a searchable document."""
        return await self.run(self.file.get_page, document_id, number)

    async def get_chunks(self, chunk_ids: Sequence[str]) -> list[Chunk]:
        """Chunks of searchable documents in the order asked."""
        return await self.run(self.file.get_chunks, chunk_ids)

    async def search(self, query: SearchQuery) -> Candidates:
        """Search the views, all of the same moment."""
        return await self.run(self.file.search, query)

    async def sample_windows(self, limit: int) -> list[Window]:
        """The searchable windows with the smallest ids."""
        return await self.run(self.file.sample_windows, limit)

    async def read_vectors(self, document_id: str) -> dict[str, Vector]:
        """Vectors by their windows' texts."""
        return await self.run(self.file.read_vectors, document_id)

    async def count(self) -> Counts:
        """Searchable documents, their chunks and windows."""
        return await self.run(self.file.count)

    async def read_next(self) -> IndexRecord | None:
        """The next generation's record."""
        return await self.run(self.file.read_next)

    async def open_next(self, record: IndexRecord) -> Generation:
        """The next generation, as a killed rebuilding left it or empty."""
        await self.drop_old()
        generation = SqliteGeneration(self, await self.run(self.file.open_next, record))
        await self.drop_old()
        return generation

    async def switch(self) -> None:
        """Let the next generation answer, by one transaction."""
        await self.drop_old()
        await self.run(self.file.switch)

    async def drop_old(self) -> bool:
        """Drop what the generation before left."""
        return await self.run(self.file.drop_old)

    async def get_record(self, kind: str, record_id: str) -> Record | None:
        """One entry of the books."""
        return await self.run(self.file.get_record, kind, record_id)

    async def list_records(self, kind: str, *, after: str = "", limit: int = 1000) -> list[Record]:
        """Entries past `after`, by id."""
        return await self.run(self.file.list_records, kind, after, limit)

    async def put_record(self, record: Record) -> Record:
        """Insert or replace an entry."""
        return await self.run(self.file.put_record, record)

    async def remove_record(self, kind: str, record_id: str) -> bool:
        """Forget an entry."""
        return await self.run(self.file.remove_record, kind, record_id)

    async def claim_record(self, kind: str, holder: str, lease_s: float, now: float) -> Record | None:
        """Lease the first entry that is free."""
        return await self.run(self.file.claim_record, kind, holder, lease_s, now)

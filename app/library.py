"""What uploads, jobs and deletions share: the store, the way into it, the books, and one lock."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from app.engine import Engine
from app.jobs import JobBook
from app.settings import ServerSettings
from database.claims import Claims
from database.documents import WEB
from database.ingest import Ingester
from database.lock import SharedLock

UPLOADS = "uploads"
"""The root of uploaded files' names. No folder is called so: roots of folders are absolute paths."""
CHANGING = "changing"
"""The kind of the claim on the records of documents."""
OWN = frozenset({UPLOADS, WEB})
"""Roots of what is only here: deleting it deletes it for good. Files in folders stay and are left out."""


class Library:
    """The documents of one server, as far as requests change them."""

    def __init__(self, settings: ServerSettings, engine: Engine):
        self.settings, self.engine, self.store = settings, engine, engine.store
        self.ingester = Ingester(settings, engine.store, engine.embedder)
        self.jobs = JobBook(engine.store)
        self._changing = asyncio.Lock()
        self.lock = SharedLock(settings.data_dir)
        """Held while documents are made or taken away by what is no request: no load runs then on this DATA_DIR."""
        self.claims = Claims(engine.store, settings.lease_s)
        """On documents that are made here: no other machine makes them."""
        self.wake: Callable[[], None] = lambda: None
        """Tells the queue that there may be work."""
        self.stop_job: Callable[[str], Awaitable[bool]] = _cannot_stop
        """Stops a job that is at work here and waits for its end; False when it is not."""

    @property
    def changing(self) -> AbstractAsyncContextManager[None]:
        """Held while records of documents are read and written by requests, at whichever server of this store."""
        return self._change()

    @asynccontextmanager
    async def _change(self) -> AsyncIterator[None]:
        async with self._changing, self.claims.hold("documents", CHANGING):
            yield

    async def open(self) -> None:
        """Return when the store can be asked. Raises `StoreError`."""
        await self.engine.open_store()


async def _cannot_stop(job_id: str) -> bool:
    return False

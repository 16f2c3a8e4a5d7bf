"""The queue: jobs and deletions from the store's books, worked through one after the other.

It holds the lock of a load while it works, so that loads and jobs take turns. What a killed server
left is found in the books: under the lock nobody else on this DATA_DIR has any of it.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Container
from contextlib import asynccontextmanager
from dataclasses import replace

from app.deletion import erase
from app.holder import name_holder
from app.intake import resume
from app.jobs import KIND, read_job
from app.library import UPLOADS, Library
from app.work import Work
from database.documents import Document, Record
from database.errors import AcervoError, RecordConflict
from database.index import describe_index
from database.ingest import ERASURE, open_index
from database.plan import UNFINISHED
from database.turns import Turns

log = logging.getLogger(__name__)

POLL_S = 2.0
"""How often the books are looked at for what became due, or was queued by another server."""
PREVIEW_S = 0.5
"""How often a file is looked for whose text can be shown while another is at work."""
RETRY_S = 5.0
"""After store or embedder failed."""


class Queue:
    """Works for one server as long as `run` does."""

    def __init__(self, library: Library, is_busy: Callable[[], bool]):
        self._library, self._store, self._is_busy = library, library.store, is_busy
        self._holder, self._lease_s = "", library.settings.lease_s
        self._turns = Turns(self._store, library.claims, self._tell_waiting)
        self._works: dict[str, Work] = {}
        self._woken, self._noting = asyncio.Event(), asyncio.Lock()
        self._behind = False
        """Whether documents came or went otherwise since the index was described."""
        self._left_unsettled = False
        """Whether it is described while others are present, who may never settle it."""
        self.waiting = ""
        """Why no job is begun; empty when there is no reason."""

    def wake(self) -> None:
        """There may be work."""
        self._woken.set()

    @asynccontextmanager
    async def change(self) -> AsyncIterator[None]:
        """Documents may come or go otherwise within: the index is described anew after it, also when this server is
        stopped before."""
        async with Turns(self._store, self._library.claims, self._tell_waiting).present():
            try:
                await self._unsettle()
                yield
            finally:
                self._behind = True
        self.wake()

    async def stop_job(self, job_id: str) -> bool:
        """Cancel a job and wait for its end; False when it is not at work here."""
        work = self._works.get(job_id)
        if work is not None:
            await work.stop()
        return work is not None

    async def run(self) -> None:
        """Work until cancelled; what is not finished then is queued again."""
        async with self._library.claims:
            await self._run()

    async def _run(self) -> None:
        first = True
        while True:
            self._woken.clear()
            try:
                await self._library.open()
                self._holder = await asyncio.to_thread(name_holder, self._library.settings.data_dir)
                if first:
                    await self._take_up()
                if first or self._behind or await self._is_due(KIND, ERASURE) or await self._is_last():
                    async with self._library.lock.hold(self._tell_waiting):
                        self.waiting = ""
                        await self._work_through()
                first, self.waiting = False, ""
            except AcervoError as error:
                log.warning("%s", error)
                self.waiting = str(error)
                await asyncio.sleep(RETRY_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._woken.wait()

    def _tell_waiting(self, text: str) -> None:
        self.waiting = text

    async def _take_up(self) -> None:
        """Queue uploads that lost their job: the server was killed before it was written down."""
        for document in await self._store.list_documents():
            if document.state in UNFINISHED and any(n.root == UPLOADS and not n.excluded for n in document.names):
                async with self._library.changing:  # another server may be about to write its job
                    if known := await self._store.get_document(document.id):
                        await resume(self._library, known)

    async def _is_due(self, *kinds: str) -> bool:
        """Whether an entry of these kinds is to be worked on now, and free."""
        now = time.time()
        records = [record for kind in kinds for record in await self._store.list_records(kind)]
        return any(
            r.open and r.due_at <= now and (r.is_free(now, self._lease_s) or r.holder == self._holder) for r in records
        )

    async def _is_last(self) -> bool:
        """Whether the index is left to be settled here: the others that were present then may have been killed."""
        return self._left_unsettled and not await self._turns.find_others()

    async def _work_through(self) -> None:
        self._left_unsettled = True  # also when something fails
        await self._free_leases()
        if await self._is_due(ERASURE):
            async with self._turns.present():
                await self._unsettle()
                await self._erase_due()
            self.waiting = ""
        record = await self._store.read_index()
        at_work = await self._is_due(KIND)
        if not (at_work or self._behind) and (record is None or record.settled):
            self._left_unsettled = False
            return
        if at_work:
            await self._library.engine.retriever()  # its parts are open then
        async with self._turns.present():
            if at_work:
                await self._begin()
                while await self._serve_all():
                    pass
            async with self._turns.leave() as alone:
                self._behind = False  # a change that ends from now on says so again
                if record := await self._store.read_index():
                    await describe_index(self._store, record, settled=alone)
            self._left_unsettled = not alone
        await self._library.jobs.prune()

    async def _begin(self) -> None:
        """Have an index that is marked as one that is written to."""
        async with self._turns.gate():
            record = await open_index(self._store, self._library.engine.embedder)
            await self._store.write_index(replace(record, settled=False))
        self.waiting = ""

    async def _free_leases(self) -> None:
        """What has our name and the lock is not held by anybody belongs to a server that was killed."""
        for kind in (KIND, ERASURE):
            for record in await self._store.list_records(kind):
                if record.open and record.holder == self._holder and record.lease_until:
                    with contextlib.suppress(RecordConflict):
                        await self._store.put_record(replace(record, holder="", lease_until=0.0))

    async def _serve_all(self) -> int:
        """How many jobs were queued again after their first stage."""
        try:
            async with asyncio.TaskGroup() as group:
                workers = [group.create_task(self._serve()) for _ in range(self._library.settings.job_workers)]
                previewing = group.create_task(self._preview(done := asyncio.Event()))
                await asyncio.wait(workers)
                done.set()
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return previewing.result()

    async def _serve(self) -> None:
        while (record := await self._claim(KIND)) is not None:
            await self._work_on(record)
            await self._erase_due()

    async def _preview(self, done: asyncio.Event) -> int:
        """Publish the plain text of files that wait while another is at work, so that they can be asked, too,
        until the workers are `done`. How many it were."""
        tried: set[str] = set()
        while not done.is_set():
            # After the workers, who take the first files.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PREVIEW_S):
                    await done.wait()
            while not done.is_set() and (record := await self._claim_received(tried)) is not None:
                tried.add(record.id)
                await self._work_on(record, text_only=True)
        return len(tried)

    async def _claim_received(self, tried: Container[str]) -> Record | None:
        """Claim a job whose document cannot be searched yet and that nobody works on."""
        now = time.time()
        for record in await self._store.list_records(KIND):
            free = record.open and record.is_free(now, self._lease_s) and record.id not in tried
            if free and read_job(record).stage in ("fetching", "received"):
                with contextlib.suppress(RecordConflict):  # a worker was quicker
                    claimed = replace(record, holder=self._holder, lease_until=now + self._lease_s)
                    return await self._store.put_record(claimed)
        return None

    async def _work_on(self, record: Record, *, text_only: bool = False) -> None:
        work = Work(self._library, record, self._is_busy, self._note_language, text_only=text_only)
        self._works[record.id] = work
        try:
            await work.run()
        finally:
            del self._works[record.id]

    async def _erase_due(self) -> None:
        while (record := await self._claim(ERASURE)) is not None:
            await erase(self._library, record)

    async def _unsettle(self) -> None:
        """What there is may differ from what is described from now on, also when this server is stopped."""
        async with self._turns.gate():
            record = await self._store.read_index()
            if record is not None and record.settled:
                await self._store.write_index(replace(record, settled=False))

    async def _claim(self, kind: str) -> Record | None:
        return await self._store.claim_record(kind, self._holder, self._lease_s, time.time())

    async def _note_language(self, document: Document) -> None:
        """Questions are analysed in the languages that the index is known to have."""
        async with self._noting, self._turns.gate():
            record = await self._store.read_index()
            if record is not None and document.language and document.language not in record.languages:
                languages = tuple(sorted({*record.languages, document.language}))
                await self._store.write_index(replace(record, languages=languages))
        self.waiting = ""

"""One job at work: its document goes through its stages, its progress is shown, its lease is kept."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from app.jobs import Job, read_job, write_job
from app.library import Library
from app.replacing import give_up, replace_others
from app.webpages import fetch_page
from database.build import Progress
from database.documents import Document, Record
from database.errors import AcervoError, ReadError, RecordConflict

log = logging.getLogger(__name__)

NEWS_S = 1.0
"""How often other servers are told how far a job is, and whether somebody there wants it stopped is found out."""
COURTESY_S = 1.0
"""How long a batch of windows waits while questions are being answered."""
GLANCE_S = 0.05
UNFORESEEN = "The server failed unexpectedly while it worked on this file; its log says why."


class Work(Progress):
    """Works on the job that was claimed with `record`. `is_busy` tells whether questions are being
    answered, `on_stage` is told of each stage that can be searched. With `text_only` the job is queued
    again after the first stage."""

    rows = 32  # a question waits for one such batch at most

    def __init__(
        self,
        library: Library,
        record: Record,
        is_busy: Callable[[], bool],
        on_stage: Callable[[Document], Awaitable[None]],
        *,
        text_only: bool = False,
    ):
        self._text_only = text_only
        self._library, self._record, self._is_busy, self._on_stage = library, record, is_busy, on_stage
        self._lease_s = library.settings.lease_s
        self._saving, self._ended, self._lost = asyncio.Lock(), asyncio.Event(), False
        self._task: asyncio.Task[Document | None] | None = None
        self._job, self._failure = read_job(record), ""

    async def run(self) -> None:
        """Bring the job to an end. Raises `AcervoError` for what is not the file's fault; the job is
        queued again then, and also when this is cancelled."""
        self._show(self._job.change(state="running"))
        renewing = asyncio.create_task(self._renew())
        self._task = asyncio.create_task(self._make())
        try:
            await asyncio.wait({self._task})
        finally:
            for task in (self._task, renewing):
                task.cancel()
            await asyncio.gather(self._task, renewing, return_exceptions=True)
            try:
                await self._end(self._task)
            finally:
                self._library.jobs.live.pop(self._job.id, None)
                self._ended.set()

    async def stop(self) -> None:
        """Cancel the job, and return when it has ended."""
        self._show(self._job.change(cancel=True))
        if self._task is not None:
            self._task.cancel()
        await self._ended.wait()

    def pages(self, done: int, total: int) -> None:
        """Show how many pages are read."""
        self._show(self._job.change(pages=(done, total)))

    def windows(self, done: int, total: int) -> None:
        """Show how many windows are embedded."""
        self._show(self._job.change(windows=(done, total)))

    async def published(self, document: Document) -> None:
        """Show a stage, once searches find it."""
        await self._library.store.wait_until_searchable([document.id])
        await self._on_stage(document)
        self._show(self._job.of(document))
        await self._save()

    async def wait_for_turn(self) -> None:
        """Let questions go first, for a moment."""
        for _ in range(round(COURTESY_S / GLANCE_S)):
            if not self._is_busy():
                return
            await asyncio.sleep(GLANCE_S)

    def _show(self, job: Job) -> None:
        self._job = self._library.jobs.live[job.id] = job

    async def _make(self) -> Document | None:
        """The finished document, or None when nobody wants it any more."""
        await self._save()
        if self._job.stage == "fetching":
            self._show(await fetch_page(self._library, self._job))
            await self._save()
        document = await self._read()
        if document is not None and document.state == "ready" and self._job.replaced:
            async with self._library.changing:
                await replace_others(self._library, self._job)
        return document

    async def _read(self) -> Document | None:
        async with self._library.claims.hold(self._job.document) as claim:  # a load elsewhere may be at it
            document = await self._read_alone()
            await claim.finish()
            return document

    async def _read_alone(self) -> Document | None:
        ingester, store = self._library.ingester, self._library.store
        document = await store.get_document(self._job.document)
        if document is None or not document.visible:
            return None
        if document.state == "ready" and document.version == ingester.versions.of(document).contents:
            return document  # a load was quicker
        try:
            if self._text_only:
                await ingester.make_text(document, self)
                return document
            return await ingester.make_by_stages(document, self)
        except ReadError as error:
            async with self._library.changing:
                self._failure = await give_up(self._library, self._job, str(error))
            raise

    async def _end(self, task: "asyncio.Task[Document | None]") -> None:
        error = None if task.cancelled() else task.exception()
        if task.cancelled():
            job = self._job.change(state="cancelled" if self._job.cancel else "queued")
        elif error is None and self._text_only and task.result() is not None:
            job = self._job.change(state="queued")
        elif error is None:
            document = task.result()
            job = (
                self._job.change(state="cancelled") if document is None else self._job.of(document).change(state="done")
            )
        elif isinstance(error, ReadError):
            job = self._job.change(state="failed", kind=error.kind, error=self._failure or str(error))
        elif isinstance(error, AcervoError):
            job = self._job.change(state="queued")
        else:
            log.error("Job %s failed", self._job.id, exc_info=error)
            job = self._job.change(state="failed", kind="failed", error=UNFORESEEN)
        self._show(job)
        await self._save()
        if isinstance(error, AcervoError) and not isinstance(error, ReadError):
            raise error

    async def _renew(self) -> None:
        told, due = self._job, time.monotonic() + self._lease_s / 3
        while True:
            await asyncio.sleep(min(NEWS_S, self._lease_s / 3))
            try:
                if self._job is told and time.monotonic() < due:
                    await self._look_whether_wanted()
                    continue
                told, due = self._job, time.monotonic() + self._lease_s / 3
                await self._save()
            except AcervoError as error:
                log.warning("%s", error)

    async def _look_whether_wanted(self) -> None:
        async with self._saving:
            record = await self._library.store.get_record(self._record.kind, self._record.id)
            if record is None or record.revision != self._record.revision:
                await self._look_again()

    async def _save(self) -> None:
        """Write the job as it is shown into the books, and renew the lease or give it up."""
        async with self._saving:
            while not self._lost:
                running = self._job.state == "running"
                record = write_job(self._job, self._record)
                record = replace(
                    record,
                    holder=record.holder if running else "",
                    lease_until=time.time() + self._lease_s if running else 0.0,
                )
                try:
                    self._record = await self._library.store.put_record(record)
                except RecordConflict:
                    await self._look_again()
                else:
                    return

    async def _look_again(self) -> None:
        """Somebody wrote the entry: to cancel the job, or because the lease had ended."""
        record = await self._library.store.get_record(self._record.kind, self._record.id)
        if record is None or record.holder != self._record.holder or not record.open:
            self._lost = True
        else:
            self._record = record
            self._show(self._job.change(cancel=read_job(record).cancel))
        if self._task is not None and (self._lost or self._job.cancel) and self._job.state == "running":
            self._task.cancel()

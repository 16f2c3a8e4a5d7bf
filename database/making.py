"""What a load does to documents: make them, each once among all loaders on the store, and give and take names."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace

from database.build import Progress, work_through
from database.claims import MAKING, Claim, Claims, Closed
from database.documents import Contents, Document, Name
from database.errors import ClaimLost, ReadError
from database.ingest import Ingester
from database.plan import KEPT, Job, Labels, join_names, without
from database.report import Reporter, Summary
from database.stores import Store
from database.turns import Turns

LOOK_S = 0.5
"""How often what others work on is looked at."""


class Maker:
    """Makes the documents of one load. `documents` are those of the index, by id."""

    def __init__(
        self,
        store: Store,
        ingester: Ingester,
        reporter: Reporter,
        claims: Claims,
        turns: Turns,
        places: asyncio.Semaphore,
    ):
        self._store, self._ingester, self._reporter = store, ingester, reporter
        self._claims, self._turns, self._places = claims, turns, places
        self._before: dict[str, str] = {}
        self.documents: dict[str, Document] = {}
        self.label = Labels()

    async def look_around(self) -> None:
        """Note what others have done before this load asks what there is to do."""
        self._before = {
            record.id: record.data["by"] for record in await self._claims.list(MAKING) if "by" in record.data
        }

    async def make_all(self, jobs: Sequence[Job], summary: Summary) -> None:
        """Make what nobody makes, and return once everything is made."""
        waiting = [*jobs]
        if self._claims.shared:
            random.shuffle(waiting)  # loaders that begin at the same time begin with others
        told = False
        while waiting:
            waiting = await self._make_free(waiting, summary)
            if waiting and not told:
                self._reporter.say(f"Other loaders work on {len(waiting)} of the files; waiting for them to end.")
                told = True
            await asyncio.sleep(LOOK_S if waiting else 0)

    async def _make_free(self, jobs: Sequence[Job], summary: Summary) -> list[Job]:
        """Those that others are at."""
        busy: list[Job] = []

        async def one(job: Job) -> None:
            if not await self._see_to(job, summary):
                busy.append(job)

        await work_through(jobs, one, self._places)
        return busy

    async def _see_to(self, job: Job, summary: Summary) -> bool:
        """Whether the job is done, here or elsewhere; False while another loader is at it."""
        if await self._is_made(job):
            await self._take_over(job, "", summary)
            return True
        claim = await self._claims.take(job.document.id, past=self._before.get(job.document.id, ""))
        if isinstance(claim, Closed):
            await self._take_over(job, claim.reason, summary)
        return isinstance(claim, Closed) or (claim is not None and await self._work_on(job, claim, summary))

    async def _work_on(self, job: Job, claim: Claim, summary: Summary) -> bool:
        try:
            if await self._is_made(job):  # by who had the claim before
                await self._take_over(job, "", summary)
                await claim.finish()
                return True
            return await self._make(job, claim, summary)
        except ReadError as error:
            if not await self._is_mine(job, claim):
                return False
            await self._skip(job, str(error), summary)
            await claim.close(str(error))
            return True
        finally:
            await self._claims.end(claim)

    async def _make(self, job: Job, claim: Claim, summary: Summary) -> bool:
        built, contents = await self.build(job)
        if not await self._is_mine(job, claim):
            return False
        if job.source is None and await self._store.get_document(job.document.id) is None:
            await claim.finish()
            return True  # it was deleted meanwhile
        document = await self._ingester.publish(built, contents)
        try:
            await self._turns.confirm()
        except ClaimLost:  # somebody may have swept what was written before the record named it
            await self._store.put_document(replace(document, state="queued"))
            raise
        # What a retry changed does not show in the record.
        await (claim.close() if _same(self.documents.get(document.id), document) else claim.finish())
        self.documents[document.id] = document
        await self._drop_replaced(job)
        self.count(document, summary)
        return True

    async def _is_mine(self, job: Job, claim: Claim) -> bool:
        """Whether this process did not stand still, so that another one is at it. Raises `ClaimLost` where others
        take it for gone."""
        await self._turns.confirm()
        try:
            await claim.renew()
        except ClaimLost:
            return False
        return True

    async def build(self, job: Job) -> tuple[Document, Contents]:
        """A document as it is published. Raises `ReadError`."""
        shown = _Shown(self._reporter, self.name(job))
        document, contents = await self._ingester.make(job.document, job.source, shown)
        self._reporter.finished(shown.name, f"{document.page_count} pages, {document.chunk_count} chunks")
        return document, contents

    async def _is_made(self, job: Job) -> bool:
        """Whether another loader made it since this one looked what there is to do."""
        known = await self._store.get_document(job.document.id) if self._claims.shared else None
        if known is None or _same(self.documents.get(job.document.id), known):
            return False
        return known.state == "ready" and known.version == self._ingester.versions.of(known).contents

    async def _take_over(self, job: Job, reason: str, summary: Summary) -> None:
        """Count what another loader made, or could not read and why, and see to its names."""
        known = await self._give_names(job)
        if not reason:
            summary.elsewhere.extend(self.label(name) for name in job.document.names)
            await self._drop_replaced(job)
            self._reporter.finished(self.name(job), "made by another loader")
            return
        kept = bool(job.replaced) or (known is not None and known.searchable)
        self._tell_skipped(job, reason, kept, summary)

    def count(self, document: Document, summary: Summary) -> None:
        """Count what was made here."""
        summary.pages += document.page_count
        summary.windows += document.window_count
        if document.notes:
            summary.notes[self.name(Job(document, None))] = list(document.notes)

    async def _skip(self, job: Job, reason: str, summary: Summary) -> None:
        """Record a file that cannot be read. What was loaded before from its place or its bytes stays."""
        known = self.documents.get(job.document.id)
        kept = bool(job.replaced) or (known is not None and known.searchable)
        if not kept:
            self.documents[job.document.id] = await self._ingester.fail(job.document, reason)
        elif known is None:
            await self._ingester.forget(job.document.id)
        self._tell_skipped(job, reason, kept, summary)

    def _tell_skipped(self, job: Job, reason: str, kept: bool, summary: Summary) -> None:
        summary.skip([self.label(name) for name in job.document.names], reason + KEPT if kept else reason)
        self._reporter.finished(self.name(job), f"skipped: {reason}")

    def name(self, job: Job) -> str:
        """What reports call it."""
        return self.label(job.document.names[0]) if job.document.names else job.document.id

    async def adopt(self, jobs: Sequence[Job]) -> None:
        """Give documents that are made their further names."""
        # All names are given before any is taken: files that swapped their names keep their documents.
        for job in jobs:
            await self._give_names(job)
        for job in jobs:
            await self._drop_replaced(job)

    async def _give_names(self, job: Job) -> Document | None:
        """The document as it is known by now, with the job's names too; None when nothing is known of it."""
        known = await self._store.get_document(job.document.id)
        names = join_names(known.names, job.document.names) if known else ()
        if known and names != known.names:
            known = await self._store.put_names(known.id, names)
        if known:
            self.documents[known.id] = known
        return known

    async def _drop_replaced(self, job: Job) -> None:
        """Take the job's names from the documents that had them before."""
        for name in job.replaced:
            for document in [*self.documents.values()]:
                if document.id != job.document.id and without(document, name) != document:
                    await self.drop_name(document.id, name)

    async def drop_name(self, document_id: str, name: Name) -> None:
        """Take a name from a document, which goes with its last one."""
        known = await self._store.get_document(document_id)  # somebody may have deleted it in the page meanwhile
        document = await self._ingester.drop_name(known or self.documents[document_id], name)
        if document is None:
            del self.documents[document_id]
        else:
            self.documents[document_id] = document


class _Shown(Progress):
    """Shows the pages of one document."""

    def __init__(self, reporter: Reporter, name: str):
        self._reporter, self.name = reporter, name

    def pages(self, done: int, total: int) -> None:
        self._reporter.pages(self.name, done, total)


def _same(one: Document | None, other: Document | None) -> bool:
    """Whether two records of a document tell of the same contents."""
    return one is not None and other is not None and (one.state, one.version) == (other.state, other.version)

"""Deleting documents, at once and for good a little later; cancelling jobs."""

import asyncio
import time
from collections.abc import Collection

from app.errors import NotFound
from app.intake import resume, revoke_erasure
from app.jobs import KIND as JOB
from app.jobs import Job, read_job, write_job
from app.library import OWN, Library
from database.documents import Document, Record
from database.errors import RecordConflict
from database.ingest import ERASURE, erased_from
from database.plan import exclude, without

CANCEL_WAIT_S = 5.0
"""How long a job that another server works on may take to stop."""
POLL_S = 0.1
GONE = "There is no such document any more; upload it again."


async def delete(library: Library, document_id: str, collections: Collection[str] | None = None) -> float:
    """Make a document unfindable in these collections (None: all); the time until which that can be
    undone. Raises `NotFound`."""
    async with library.changing:
        document = _require_visible(await library.store.get_document(document_id), collections)
        collections = {n.collection for n in document.names if collections is None or n.collection in collections}
        # First, so that whoever publishes the document meanwhile finds out.
        undo_until = await _plan_erasure(library, document_id, collections)
        for job in await library.jobs.list_open(document_id, collections):
            await stop(library, job.id)
        # What a job published in between has left these names out already, and may not be visible.
        if latest := await library.store.get_document(document_id):
            await library.store.put_names(document_id, exclude(latest, True, collections).names)
        await _forget_done(library, document_id, collections)
    library.wake()
    return undo_until


async def restore(library: Library, document_id: str, collections: Collection[str] | None = None) -> Document:
    """Make a document that was deleted from these collections (None: all) findable there again. Raises
    `NotFound` when it is erased."""
    async with library.changing:
        document = await library.store.get_document(document_id)
        if document is None or exclude(document, False).within(collections) is None:
            raise NotFound(GONE)
        if not await revoke_erasure(library, document_id, collections):
            raise NotFound(GONE)
        restored = await library.store.put_names(document.id, exclude(document, False, collections).names)
        if restored is None:
            raise NotFound(GONE)
        await resume(library, restored)
    return restored


async def erase(library: Library, record: Record) -> None:
    """Carry out a deletion that is due: forget what was uploaded, unless it is wanted again."""
    async with library.changing:
        planned = await library.store.get_record(ERASURE, record.id)
        if planned is None or planned.due_at > time.time():
            return  # restored meanwhile, or deleted again
        document = await library.store.get_document(record.id)
        if document is None:
            if not await library.jobs.find_open(record.id):
                await library.ingester.forget(record.id)
        else:
            collections = erased_from(record)
            for name in document.names:
                deleted = name.excluded and (collections is None or name.collection in collections)
                if name.root in OWN and deleted and document is not None:
                    document = await library.ingester.drop_name(document, name)
        await library.store.remove_record(ERASURE, record.id)


async def cancel(library: Library, job_id: str) -> Job:
    """Stop a job; a document that came with it goes with it. Raises `NotFound`."""
    job = await stop(library, job_id)
    if job.state == "cancelled" and job.new:
        async with library.changing:
            await _discard(library, job)
        library.wake()
    return job


async def stop(library: Library, job_id: str) -> Job:
    """Have a job stopped, by whichever server works on it; the job as it ended."""
    while True:
        record = await library.jobs.get_record(job_id)
        job = read_job(record)
        if job.finished:
            return job
        job = job.change(cancel=True, state="cancelled" if job.state == "queued" else job.state)
        try:
            await library.store.put_record(write_job(job, record))
            break
        except RecordConflict:
            await asyncio.sleep(0)
    deadline = time.monotonic() + CANCEL_WAIT_S
    while not job.finished and time.monotonic() < deadline:
        if not await library.stop_job(job_id):
            await asyncio.sleep(POLL_S)
        job = await library.jobs.get(job_id)
    return job


async def _discard(library: Library, job: Job) -> None:
    """Take the names of uploads and web pages in the job's collection from a document; without any other it goes,
    and its file a little later. A file of a folder stays out from now on."""
    document = await library.store.get_document(job.document)
    if document is None or document.within((job.collection,)) is None:
        return
    for name in document.names:
        if name.collection == job.collection and (name.root in OWN or name in job.replaced):
            document = without(document, name)
    if job.followed:  # or the folder would bring it again
        document = exclude(document, True, (job.collection,))
    if document.names:
        await library.store.put_names(document.id, document.names)
        return
    await _plan_erasure(library, document.id, (job.collection,))  # until then the job can be tried again
    await library.store.remove_document(document.id)


async def _forget_done(library: Library, document_id: str, collections: Collection[str]) -> None:
    """Jobs that brought a document tell its name, too."""
    for job in await library.jobs.list():
        if job.state == "done" and job.document == document_id and job.collection in collections:
            await library.store.remove_record(JOB, job.id)


def _require_visible(document: Document | None, collections: Collection[str] | None) -> Document:
    if document is None or document.within(collections) is None:
        raise NotFound("There is no such document; GET /documents lists those there are.")
    return document


async def _plan_erasure(library: Library, document_id: str, collections: Collection[str]) -> float:
    """Have a document's names in these collections erased later, with those that wait for it already."""
    due_at, waiting = time.time() + library.settings.undo_s, await library.store.get_record(ERASURE, document_id)
    before = erased_from(waiting) if waiting else ()
    both = None if before is None else sorted({*collections, *before})
    await library.store.remove_record(ERASURE, document_id)
    record = Record(ERASURE, document_id, {"collections": both}, open=True, due_at=due_at, created_at=time.time())
    await library.store.put_record(record)
    return due_at

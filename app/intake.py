"""A received file becomes a document with a job, or is found to be there already."""

import asyncio
import time
from dataclasses import replace

from app.errors import Conflict, NotFound, TooManyFiles
from app.filenames import find_free
from app.jobs import FINAL, Job, read_job, write_job
from app.library import UPLOADS, Library
from app.uploads import Received
from database.documents import Document, Name
from database.ingest import ERASURE
from database.plan import UNFINISHED, exclude, join_names
from database.readers import LimitFailure


async def accept(library: Library, received: Received) -> Job:
    """The job of a received file. Raises `ReadError` where it can be told at once that it cannot be read.

    Bytes that are searchable already give a finished job, and are restored if they were deleted.
    """
    known = await library.store.get_document(received.document_id)
    if known is None or not known.whole:
        await _look(library, received)
    async with library.changing:
        known = await library.store.get_document(received.document_id)
        if known is not None and (found := await library.jobs.find_open(known.id)):
            return found
        await _check_queue(library)
        document = await _place(library, received, known)
        await library.store.remove_record(ERASURE, document.id)
        if document.state == "ready":
            await library.store.put_names(document.id, document.names)
            job = Job(document.id, received.name, document.size).of(document).change(state="done", duplicate=True)
            return await library.jobs.add(job)
        await asyncio.to_thread(library.ingester.originals.adopt, received.path, document.id)
        await _put(library, document, known)
        return await _queue(library, document, new=known is None)


async def resume(library: Library, document: Document) -> None:
    """Queue a document that is not ready, unless it is already or cannot be read."""
    kept = library.ingester.originals.path(document.id)
    if document.state not in UNFINISHED or not await asyncio.to_thread(kept.is_file):
        return
    if await library.jobs.find_open(document.id) is None:
        await _queue(library, document, new=False)


async def retry(library: Library, job_id: str) -> Job:
    """Queue a failed or cancelled job again. Raises `NotFound`, `Conflict`."""
    async with library.changing:
        record = await library.jobs.get_record(job_id)
        job = read_job(record)
        if job.state not in FINAL - {"done"}:
            raise Conflict(f"This job is {job.state}; only failed and cancelled ones can be tried again.")
        if not await asyncio.to_thread(library.ingester.originals.path(job.document).is_file):
            raise NotFound("The file of this job is not kept any more; send it again.")
        if await library.jobs.find_open(job.document):
            raise Conflict("The same file is on its way already.")
        await _check_queue(library)
        known = await library.store.get_document(job.document)
        name = Name(UPLOADS, job.name)
        document = (
            exclude(known, False) if known else Document(job.document, "", (name,), job.size, added_at=time.time())
        )
        await library.store.remove_record(ERASURE, document.id)
        await _put(library, document, known)
        job = job.change(state="queued", cancel=False, error="", kind="", new=job.new and known is None).of(document)
        await library.store.put_record(write_job(job, record))
    library.wake()
    return job


async def _look(library: Library, received: Received) -> None:
    try:
        await library.ingester.reader.look(received.path)
    except LimitFailure:
        return  # the job tells more about it


async def _check_queue(library: Library) -> None:
    limit = library.settings.max_queue
    if sum(not job.finished for job in await library.jobs.list()) >= limit:
        raise TooManyFiles(f"{limit} files wait already (MAX_QUEUE). Send it again when some are done.")


async def _place(library: Library, received: Received, known: Document | None) -> Document:
    """The document with a visible name among the uploads."""
    if known is not None and any(name.root == UPLOADS for name in known.names):
        return exclude(known, False)
    others = await library.store.list_documents()
    taken = {
        name.path.rpartition("/")[2] for other in others if other.id != received.document_id for name in other.names
    }
    name = Name(UPLOADS, find_free(received.name, taken))
    if known is None:
        return Document(received.document_id, "", (name,), received.size, added_at=time.time())
    return replace(exclude(known, False), names=join_names(exclude(known, False).names, (name,)))


async def _put(library: Library, document: Document, known: Document | None) -> None:
    if known is None:
        await library.store.put_document(document)
    else:
        await library.store.put_names(document.id, document.names)


async def _queue(library: Library, document: Document, new: bool) -> Job:
    job = Job(document.id, document.name, document.size, new=new)
    job = await library.jobs.add(job.of(document) if document.whole else job)
    library.wake()
    return job

"""A received file becomes a document with a job, or is found to be there already."""

import time
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from app.errors import Conflict, NotFound, TooManyFiles
from app.filenames import find_free
from app.jobs import FINAL, Job, read_job, write_job
from app.library import UPLOADS, Library
from app.uploads import Received
from database.documents import WEB, Document, Name, Record, name_address
from database.errors import RecordConflict
from database.formats import format_of
from database.ingest import ERASURE, erased_from
from database.plan import UNFINISHED, exclude, join_names
from database.readers import LimitFailure


async def accept(library: Library, received: Received, collection: str = "", user: str = "") -> Job:
    """The job of a file received for a collection. Raises `ReadError` where it can be told at once that it
    cannot be read.

    Bytes that are searchable already give a finished job, and are restored if they were deleted from there.
    """
    known = await library.store.get_document(received.document_id)
    if known is None or not known.whole:
        await look(library, received)
        # Now, for it may take long; who erases the document meanwhile has it sent once more below.
        await library.ingester.send(received.path, received.document_id, received.name)
    async with library.changing:
        known = await library.store.get_document(received.document_id)
        if known is not None and (found := await library.jobs.find_open(known.id, (collection,))):
            return found
        await check_queue(library)
        document = await _place(library, received, known, collection)
        await revoke_erasure(library, document.id, (collection,))
        if known is not None and document.state == "ready":
            await library.store.put_names(document.id, document.names)
            if not await library.ingester.originals.has(document.id):  # it was damaged, or lost
                await library.ingester.adopt(received.path, document.id, received.name)
            # Nobody is told that the same bytes are in a collection that is none of theirs.
            told = any(name.collection == collection for name in known.names)
            job = Job(document.id, received.name, document.size, collection=collection, user=user).of(document)
            return await library.jobs.add(job.change(state="done", duplicate=told))
        await library.ingester.adopt(received.path, document.id, received.name)
        await _put(library, document, known)
        return await _queue(library, document, collection, user, new=known is None)


async def place(library: Library, job: Job, file: Path) -> Job:
    """Give a document the name that its job brings, and keep its file, which is moved; the job then. Whoever calls
    holds `Library.changing`."""
    known = await library.store.get_document(job.document)
    document = _give_name(known or Document(job.document, "", (), job.size, added_at=time.time()), job)
    await revoke_erasure(library, document.id, (job.collection,))
    if document.state != "ready":
        await library.ingester.adopt(file, document.id, file.name)
    await _put(library, document, known)
    told = known is not None and known.state == "ready" and any(n.collection == job.collection for n in known.names)
    job = job.change(stage="received", new=known is None, duplicate=told)
    return job.of(document) if document.whole else job


async def resume(library: Library, document: Document) -> None:
    """Queue a document that is not ready, unless it is already or cannot be read."""
    if document.state not in UNFINISHED or not await library.ingester.originals.has(document.id):
        return
    if await library.jobs.find_open(document.id) is None:
        await _queue(library, document, document.collection, "", new=False)


async def retry(library: Library, job_id: str) -> Job:
    """Queue a failed or cancelled job again. Raises `NotFound`, `Conflict`."""
    async with library.changing:
        record = await library.jobs.get_record(job_id)
        job = read_job(record)
        if job.state not in FINAL - {"done"}:
            raise Conflict(f"This job is {job.state}; only failed and cancelled ones can be tried again.")
        if job.url:
            return await _fetch_again(library, job, record)
        if not await library.ingester.originals.has(job.document):
            raise NotFound("The file of this job is not kept any more; send it again.")
        if await library.jobs.find_open(job.document, (job.collection,)):
            raise Conflict("The same file is on its way already.")
        await check_queue(library)
        known = await library.store.get_document(job.document)
        document = _give_name(known or Document(job.document, "", (), job.size, added_at=time.time()), job)
        await revoke_erasure(library, document.id, (job.collection,))
        await _put(library, document, known)
        job = job.change(state="queued", cancel=False, error="", kind="", new=job.new and known is None).of(document)
        await library.store.put_record(write_job(job, record))
    library.wake()
    return job


async def _fetch_again(library: Library, job: Job, record: Record) -> Job:
    await check_queue(library)
    asked = Job("", name_address(job.url), 0, job.id, stage="fetching", url=job.url, root=WEB, path=job.url)
    asked = asked.change(collection=job.collection, user=job.user, created_at=job.created_at)
    await library.store.put_record(write_job(asked, record))
    library.wake()
    return asked


async def look(library: Library, received: Received) -> None:
    """Raise `ReadError` where it can be told at once that a file cannot be read."""
    try:
        await library.ingester.reader.look(received.path, received.name)
    except LimitFailure:
        return  # the job tells more about it


async def check_queue(library: Library) -> None:
    """Raise `TooManyFiles` when as many wait as may."""
    limit = library.settings.max_queue
    if sum(not job.finished for job in await library.jobs.list()) >= limit:
        raise TooManyFiles(f"{limit} files wait already (MAX_QUEUE). Send it again when some are done.")


async def revoke_erasure(library: Library, document_id: str, collections: Collection[str] | None = None) -> bool:
    """Take these collections (None: all) from a deletion that is not carried out yet. False when it is
    being carried out at this moment."""
    record = await library.store.get_record(ERASURE, document_id)
    if record is None:
        return True
    kept = [name for name in erased_from(record) or () if collections is not None and name not in collections]
    try:
        if record.lease_until > time.time():
            return False
        await library.store.put_record(replace(record, open=bool(kept), data={"collections": kept}))
    except RecordConflict:
        return False
    if not kept:
        await library.store.remove_record(ERASURE, document_id)
    return True


async def _place(library: Library, received: Received, known: Document | None, collection: str) -> Document:
    """The document with a visible name among the uploads of a collection."""
    others = [other for other in await library.store.list_documents() if other.id != received.document_id]
    names = [name for other in others for name in other.names if name.collection == collection]
    free = find_free(received.name, {name.path.rpartition("/")[2] for name in names})
    document = known or Document(received.document_id, "", (), received.size, added_at=time.time())
    return _give_name(document, Job(document.id, free, document.size, collection=collection))


def _give_name(document: Document, job: Job) -> Document:
    """The document with its names in a job's collection restored and the one that the job brings; one among the
    uploads is the job's unless there is one already."""
    document = exclude(document, False, (job.collection,))
    if not document.version:
        document = replace(document, format=format_of(job.name))  # as far as its name tells
    if job.root:
        return replace(document, names=join_names(document.names, (job.place,)))
    if any(name.root == UPLOADS and name.collection == job.collection for name in document.names):
        return document
    # No two names have one place: the collection is part of it.
    path = f"{job.collection}/{job.name}" if job.collection else job.name
    return replace(document, names=join_names(document.names, (Name(UPLOADS, path, collection=job.collection),)))


async def _put(library: Library, document: Document, known: Document | None) -> None:
    if known is None:
        await library.store.put_document(document)
    else:
        await library.store.put_names(document.id, document.names)


async def _queue(library: Library, document: Document, collection: str, user: str, new: bool) -> Job:
    shown = document.within((collection,)) or document
    job = Job(document.id, shown.name, document.size, new=new, collection=collection, user=user)
    job = await library.jobs.add(job.of(document) if document.whole else job)
    library.wake()
    return job

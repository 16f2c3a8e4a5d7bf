"""Does what a look at a watched folder found: names are given and taken, files are kept and queued."""

import asyncio
import contextlib
from collections.abc import Sequence
from pathlib import Path

from app.jobs import Job
from app.library import Library
from app.replacing import drop_names, find_holders, forget_jobs, supersede
from database.changes import full_path
from database.documents import Document, Name
from database.errors import ReadError
from database.plan import KEPT, Plan, join_names, without
from database.plan import Job as Planned

AHEAD = 20
"""Files in the queue at a time, so that there is room for what people send, and their lists stay short."""


async def adopt(library: Library, planned: Planned) -> None:
    """Give a document that is there the names of further files."""
    async with library.changing:
        known = await library.store.get_document(planned.document.id)
        if known is None:
            return
        await library.store.put_names(known.id, join_names(known.names, planned.document.names))
        for other in await find_holders(library, planned.replaced, known.id):
            await forget_jobs(library, other.id)
            await drop_names(library, other, planned.replaced)


async def remove(library: Library, document: Document, name: Name) -> None:
    """Take the name of a file that is gone from its document, which goes with the last one."""
    async with library.changing:
        known = await library.store.get_document(document.id)
        if known is None:
            return
        if not without(known, name).names:
            await forget_jobs(library, known.id)
        await drop_names(library, known, (name,))


async def queue_files(library: Library, plan: Plan) -> bool:
    """Queue as many files as there is room for; whether others have to wait."""
    jobs = await library.jobs.list()
    wanted = [planned for planned in plan.jobs if planned.source and _is_wanted(planned, jobs)]
    for planned in wanted[: _count_room(jobs, library.settings.max_queue)]:
        with contextlib.suppress(_Changed):
            await _queue(library, planned)
    return bool(wanted)


def _count_room(jobs: Sequence[Job], limit: int) -> int:
    """How many more may be in the queue, half of which is left to people at least."""
    open_jobs = [job for job in jobs if not job.finished]
    ahead = sum(job.followed for job in open_jobs)
    return max(0, min(AHEAD - ahead, (limit + 1) // 2 - ahead, limit - len(open_jobs)))


def _is_wanted(planned: Planned, jobs: Sequence[Job]) -> bool:
    """Whether a file is to be read: it is not on its way, and was not given up with these bytes."""
    document = planned.document
    of_it = [job for job in jobs if job.document == document.id]
    given_up = any(job.state in ("failed", "cancelled") and job.followed for job in of_it)
    busy = not all(job.finished for job in of_it)
    return document.visible and not busy and (not given_up or document.state == "failed")


async def _queue(library: Library, planned: Planned) -> None:
    """Keep a file and have it read; one that cannot be is told in a job that has failed."""
    document, source = planned.document, planned.source
    assert source is not None
    name = next(name for name in document.names if Path(full_path(name)) == source)
    job = Job(document.id, name.shown, document.size, collection=name.collection, root=name.root, path=name.path)
    try:
        ending = await library.ingester.find_ending(source)
    except ReadError as error:
        if not await asyncio.to_thread(source.is_file):
            raise _Changed from error
        return await _refuse(library, planned, job, error)
    try:
        await library.ingester.originals.keep(source, document.id, ending)
        await library.ingester.originals.put(document.id)
    except ReadError as error:
        raise _Changed from error
    async with library.changing:
        held = await supersede(library, planned.replaced, document.id)
        known = await library.store.get_document(document.id)
        if known is None:
            await library.store.put_document(document)
        else:
            await library.store.put_names(document.id, join_names(known.names, document.names))
        await library.jobs.add(job.change(new=known is None, replaced=held))
    library.wake()


async def _refuse(library: Library, planned: Planned, job: Job, error: ReadError) -> None:
    async with library.changing:
        reason = str(error)
        if planned.replaced:
            reason += KEPT
        else:
            await library.ingester.fail(planned.document, reason)
        failed = job.change(state="failed", kind=error.kind, error=reason, replaced=planned.replaced)
        await library.jobs.add(failed)


class _Changed(Exception):
    """A file is another one by now: the next look finds out."""

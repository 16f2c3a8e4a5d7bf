"""Web pages on their way into the library: asked for by their address, fetched by the queue, then like any file."""

import asyncio
import contextlib
from pathlib import Path

from app.intake import check_queue, look, place
from app.jobs import Job
from app.library import Library
from app.replacing import supersede
from app.uploads import Received
from database.documents import WEB, name_address
from database.web.addresses import read_address
from database.web.fetch import Fetcher
from database.web.receiving import FOLDER, Fetched


async def accept_address(library: Library, address: str, collection: str = "", user: str = "") -> Job:
    """The job of a page asked for. Names of hosts are not resolved yet. Raises `WrongAddress`, `TooManyFiles`."""
    url = str(read_address(address, library.settings.url_allowed))
    async with library.changing:
        for job in await library.jobs.list():
            if (job.url, job.collection) == (url, collection) and not job.finished:
                return job
        await check_queue(library)
        job = Job("", name_address(url), 0, stage="fetching", url=url, root=WEB, path=url)
        job = await library.jobs.add(job.change(collection=collection, user=user))
    library.wake()
    return job


async def fetch_page(library: Library, job: Job) -> Job:
    """The job once its page is fetched and kept. Raises `ReadError`."""
    async with Fetcher(library.settings, library.settings.data_dir / FOLDER) as fetcher:
        fetched = await fetcher.fetch(job.url)
    try:
        return await _take(library, job, fetched)
    finally:
        await asyncio.to_thread(_drop, fetched.path)


async def _take(library: Library, job: Job, fetched: Fetched) -> Job:
    job = job.change(document=fetched.document_id, path=fetched.address, size=fetched.size)
    job = job.change(name=job.place.shown)
    known = await library.store.get_document(job.document)
    if known is None or not known.whole:
        await look(library, Received(fetched.path.name, fetched.path, job.document, job.size))
    async with library.changing:
        held = await supersede(library, (job.place,), job.document)
        return await place(library, job.change(replaced=held), fetched.path)


def _drop(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):  # it was kept
        path.unlink()

"""`GET /jobs` and `GET /jobs/{id}`: how uploaded files come along. Cancelling them, and trying again."""

import asyncio
import contextlib
import time

from aiohttp import web

from app.access.principal import get_principal
from app.access.visible import check_job, sees
from app.deletion import cancel
from app.intake import retry
from app.jobs import SHOWN_S, describe_job
from app.keys import LIBRARY, QUEUE, SETTINGS, STOPPING
from app.ndjson import encode_line
from app.stream import HEADERS
from database.unbroken import unbroken

LIVE_S, BOOKS_S = 0.1, 0.5
"""How often a job is looked at: at work here, or only known from the books."""


async def list_jobs(request: web.Request) -> web.Response:
    """Unfinished jobs and those finished in the last hour, oldest first; how large a file may be."""
    library, limits = request.app[LIBRARY], {"file_bytes": request.app[SETTINGS].max_file_mb << 20}
    await library.open()
    jobs = [j for j in await library.jobs.list() if not j.finished or j.updated_at > time.time() - SHOWN_S]
    jobs = [job for job in jobs if sees(get_principal(request), job.collection)]
    shown = [describe_job(job, request.app[QUEUE].waiting) for job in jobs]
    return web.json_response({"jobs": shown, "limits": limits})


async def follow_job(request: web.Request) -> web.StreamResponse:
    """The job now, then a line at each change, until it has ended or the server stops."""
    library, stopping, job_id = request.app[LIBRARY], request.app[STOPPING], request.match_info["id"]
    await library.open()
    job = check_job(await library.jobs.get(job_id), get_principal(request))
    response, shown = web.StreamResponse(headers=HEADERS), b""
    await response.prepare(request)
    while True:
        line = encode_line(describe_job(job, request.app[QUEUE].waiting))
        if line != shown:
            async with asyncio.timeout(request.app[SETTINGS].stall_timeout_s):
                await response.write(line)
            shown = line
        if job.finished or stopping.is_set():
            break
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LIVE_S if job_id in library.jobs.live else BOOKS_S):
                await stopping.wait()
        job = await library.jobs.get(job_id)
    await response.write_eof()
    return response


async def delete_job(request: web.Request) -> web.Response:
    """Cancel a job."""
    library = request.app[LIBRARY]
    await library.open()
    check_job(await library.jobs.get(request.match_info["id"]), get_principal(request))
    return web.json_response(describe_job(await unbroken(cancel(library, request.match_info["id"]))))


async def retry_job(request: web.Request) -> web.Response:
    """202 with the job, queued again."""
    library = request.app[LIBRARY]
    await library.open()
    check_job(await library.jobs.get(request.match_info["id"]), get_principal(request))
    job = await unbroken(retry(library, request.match_info["id"]))
    return web.json_response(describe_job(job, request.app[QUEUE].waiting), status=202)

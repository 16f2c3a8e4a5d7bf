"""`GET /metrics`: numbers for Prometheus, for whoever sends METRICS_TOKEN, and for admins."""

import asyncio
from dataclasses import replace

from aiohttp import hdrs, web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from app.access.principal import get_principal
from app.keys import ANSWERS, ENGINE, LIBRARY, METRICS, SETTINGS, SNAPSHOT, UPLOADS
from app.metrics import Snapshot, count_states
from database.errors import AcervoError

LIMIT_S = 3.0
"""A store that takes longer counts as away: whoever scrapes wants to know soon."""


async def get_metrics(request: web.Request) -> web.Response:
    """Every number, in the text format of Prometheus."""
    check_scraper(request)
    app = request.app
    learned = await app[SNAPSHOT]()
    app[METRICS].snapshot = replace(learned, answers=len(app[ANSWERS]), uploads=len(app[UPLOADS]))
    # In a thread: the numbers of the process are read from files.
    body = await asyncio.to_thread(generate_latest, app[METRICS].registry)
    return web.Response(body=body, headers={hdrs.CONTENT_TYPE: CONTENT_TYPE_LATEST})


def check_scraper(request: web.Request) -> None:
    """Refuse who may not read the numbers, where nobody logs in."""
    wanted = bool(request.app[SETTINGS].metrics_token.get_secret_value())
    if wanted and get_principal(request).via == "nobody":
        raise web.HTTPUnauthorized(text="Send METRICS_TOKEN as `Authorization: Bearer …`.")


async def take_snapshot(app: web.Application) -> Snapshot:
    """What store, books and models say now."""
    engine, kind = app[ENGINE], app[ENGINE].store.kind
    ollama = (await engine.models.states())[0]
    up = {} if ollama.state == "off" else {ollama.name: ollama.state == "ready"}
    try:
        async with asyncio.timeout(LIMIT_S):
            await engine.open_store()
            counts, jobs = await engine.store.count(), await app[LIBRARY].jobs.list()
    except (AcervoError, TimeoutError):
        return Snapshot(up={kind: False, **up})
    states = count_states(job.state for job in jobs)
    return Snapshot(up={kind: True, **up}, documents=counts.documents, windows=counts.windows, jobs=states)

"""`GET /health`: the process lives. `GET /ready`: each part, its state and what to do."""

import asyncio
from dataclasses import asdict

from aiohttp import web

from app.access.principal import get_principal
from app.keys import ENGINE, FOLLOWER


async def get_health(request: web.Request) -> web.Response:
    """Always 200 while the event loop turns."""
    return web.json_response({"status": "alive"})


async def get_ready(request: web.Request) -> web.Response:
    """200 when questions can be answered, else 503; the body says what is missing, to strangers not."""
    engine = request.app[ENGINE]
    # In this order: what the states are made of is kept for some seconds from here on.
    answers = await engine.models.can_answer()
    (store, embedder), models = await asyncio.gather(engine.states(), engine.models.states())
    ready = store.state != "failed" and embedder.state == "ready" and answers
    if not get_principal(request).scopes:
        return web.json_response({"ready": ready}, status=200 if ready else 503)
    body = {
        "ready": ready,
        "store": asdict(store),
        "embedder": asdict(embedder),
        "models": [asdict(model) for model in models],
    }
    if follower := request.app[FOLLOWER]:
        body |= {"watch": asdict(follower.state)}
    return web.json_response(body, status=200 if ready else 503)

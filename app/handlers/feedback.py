"""`POST /feedback`: a person rates an answer. `GET /feedback`: all of it, as NDJSON."""

import asyncio
from contextlib import aclosing

from aiohttp import web

from app.access.principal import get_principal
from app.feedback import Feedback, keep_feedback, read_feedback
from app.handlers.bodies import read_body
from app.keys import ENGINE, SETTINGS
from app.ndjson import encode_line
from app.stream import HEADERS
from app.wire import parse_body

EXAMPLE = '{"rating": "up", "question": "…", "answer": "…"}'


async def post_feedback(request: web.Request) -> web.Response:
    """201 with the id of the entry."""
    feedback = parse_body(Feedback, await read_body(request), EXAMPLE)
    engine = request.app[ENGINE]
    await engine.open_store()
    return web.json_response(
        {"id": await keep_feedback(engine.store, feedback, get_principal(request).name)}, status=201
    )


async def get_feedback(request: web.Request) -> web.StreamResponse:
    """One line for each entry, the oldest first: admins get all, others their own."""
    principal = get_principal(request)
    user = None if principal.may("admin") else principal.name
    engine, stall_s = request.app[ENGINE], request.app[SETTINGS].stall_timeout_s
    await engine.open_store()
    response = web.StreamResponse(headers=HEADERS)
    async with aclosing(read_feedback(engine.store, user)) as entries:
        await response.prepare(request)
        async for entry in entries:
            try:
                async with asyncio.timeout(stall_s):
                    await response.write(encode_line(dict(entry)))
            except TimeoutError:
                raise ConnectionResetError(f"A client read nothing for {stall_s:g} seconds") from None
    await response.write_eof()
    return response

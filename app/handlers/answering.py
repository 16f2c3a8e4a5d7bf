"""What every route that answers a question does: count it, keep MAX_ANSWERS, stop with its client."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import web

from app.asking import asking, check_length
from app.audit import audit
from app.chat import Question
from app.errors import Stopping, TooBusy
from app.events import Event
from app.keys import ANSWERS, ENGINE, METRICS, SETTINGS, STOPPING
from app.llms.factory import Route
from app.tally import Tally
from database.errors import AcervoError

Respond = Callable[[AsyncGenerator[Event], Tally], Coroutine[Any, Any, web.StreamResponse]]
"""Makes the response of the events, and counts them."""


async def answer_question(
    request: web.Request, question: Question, respond: Respond, wanted: str | None = None, route: Route = "default"
) -> web.StreamResponse:
    """The response to a question, by the model that is `wanted` if any is. Raises `AcervoError`."""
    settings = request.app[SETTINGS]
    check_length(question, settings)
    audit("ask", request, **({"question": question.text} if settings.audit_questions else {}))
    with _counted(request) as tally, taking_place(request):
        async with asking(request.app[ENGINE], question, wanted, route) as events:
            # In a task of its own, whose turns do not go through all the frames of the server and its middlewares.
            return await asyncio.create_task(respond(events, tally))


@contextmanager
def taking_place(request: web.Request) -> Iterator[None]:
    """Be one of MAX_ANSWERS in the block, which ends when the server stops. Raises `TooBusy`, `Stopping`."""
    running, limit, task = request.app[ANSWERS], request.app[SETTINGS].max_answers, asyncio.current_task()
    assert task is not None
    if len(running) >= limit:
        raise TooBusy(f"{limit} answers are being written already (MAX_ANSWERS). Ask again in a moment.")
    running.add(task)
    try:
        yield
    except asyncio.CancelledError:
        if not request.app[STOPPING].is_set():
            raise
        raise Stopping("The server is stopping. Ask again in a moment.") from None
    finally:
        running.discard(task)


@contextmanager
def _counted(request: web.Request) -> Iterator[Tally]:
    """Count the answer that is written in the block, however it ends."""
    tally = Tally()
    try:
        yield tally
    except TooBusy:
        tally.outcome = "refused"
        raise
    except Stopping:
        tally.outcome = "stopped"
        raise
    except AcervoError:
        tally.outcome = "failed"
        raise
    finally:
        request.app[METRICS].count_answer(tally)


async def stop_answers(app: web.Application) -> None:
    """Tell the clients of running answers that the server stops."""
    app[STOPPING].set()
    running = app[ANSWERS]
    for task in [*running]:
        task.cancel()

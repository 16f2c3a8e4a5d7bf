"""`POST /` and `POST /gemini`: parse, choose the model, stream the answer."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

from aiohttp import web

from app.access.origins import is_cross_origin
from app.access.principal import NOBODY, Principal, get_principal
from app.access.visible import restrict
from app.audit import audit
from app.chat import Question, answer
from app.errors import BadRequest, Stopping, TooBusy
from app.handlers.bodies import read_body
from app.keys import ANSWERS, ENGINE, METRICS, SETTINGS, STOPPING
from app.llms.factory import Route
from app.ndjson import gemini_line, ollama_line
from app.settings import ServerSettings
from app.stream import Encode, stream_events
from app.tally import Tally
from app.wire import AskRequest, parse_ask
from database.errors import AcervoError

T = TypeVar("T")


async def post_root(request: web.Request) -> web.StreamResponse:
    """The answer of the model that LLM chooses, in Ollama's shape."""
    return await _answer(request, "default", ollama_line)


async def post_gemini(request: web.Request) -> web.StreamResponse:
    """The answer of Gemini; 503 without GOOGLE_API_KEY."""
    return await _answer(request, "gemini", gemini_line)


async def _answer(request: web.Request, route: Route, encode: Encode) -> web.StreamResponse:
    settings = request.app[SETTINGS]
    asked = parse_ask(await read_body(request))
    if len(asked.prompt) > settings.max_prompt_chars:
        raise BadRequest(
            f"The question has {len(asked.prompt)} characters; at most {settings.max_prompt_chars} are taken "
            "(MAX_PROMPT_CHARS)."
        )
    audit("ask", request, **({"question": asked.prompt} if settings.audit_questions else {}))
    with _counted(request) as tally:
        if len(request.app[ANSWERS]) >= settings.max_answers:
            limit = settings.max_answers
            raise TooBusy(f"{limit} answers are being written already (MAX_ANSWERS). Ask again in a moment.")
        return await _stream(request, route, encode, asked, tally)


async def _stream(
    request: web.Request, route: Route, encode: Encode, asked: AskRequest, tally: Tally
) -> web.StreamResponse:
    engine, running, task = request.app[ENGINE], request.app[ANSWERS], asyncio.current_task()
    assert task is not None
    running.add(task)
    try:
        engine.models.require_key(route)
        question = make_question(asked, request.app[SETTINGS], get_principal(request))
        async with running_beside(engine.choose_llm(route, asked.model)) as choosing:
            events = answer(question, await engine.retriever(), choosing, engine.nothing_found, engine.services)
            return await stream_events(request, events, encode, is_cross_origin(request), tally)
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


@asynccontextmanager
async def running_beside(work: Coroutine[Any, Any, T]) -> AsyncIterator[asyncio.Task[T]]:
    """`work` as a task that does not outlive the block, whether anybody waited for it or not."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def make_question(asked: AskRequest, settings: ServerSettings, principal: Principal = NOBODY) -> Question:
    """The question of a request, put to what the asker may see; TOP_K where it names no number of passages."""
    filters = restrict(asked.filters.read(), principal)
    limit_s = settings.rewrite_timeout_s if asked.rewrite else 0
    top_k = asked.top_k or settings.top_k
    return Question(asked.prompt, top_k, asked.turns, filters, limit_s, settings.refuse_unrelated)


async def stop_answers(app: web.Application) -> None:
    """Tell the clients of running answers that the server stops."""
    app[STOPPING].set()
    running = app[ANSWERS]
    for task in [*running]:
        task.cancel()

"""From what was asked to a running answer: the same for every route, the command line and MCP."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import aclosing, asynccontextmanager
from typing import Any, TypeVar

from app.access.principal import NOBODY, Principal
from app.access.visible import restrict
from app.chat import Question, answer
from app.engine import Engine
from app.errors import BadRequest
from app.events import Event
from app.llms.factory import Route
from app.settings import ServerSettings
from app.wire import AskRequest

T = TypeVar("T")


def make_question(asked: AskRequest, settings: ServerSettings, principal: Principal = NOBODY) -> Question:
    """The question of a request, put to what the asker may see; TOP_K where it names no number of passages."""
    filters = restrict(asked.filters.read(), principal)
    limit_s = settings.rewrite_timeout_s if asked.rewrite else 0
    top_k = asked.top_k or settings.top_k
    return Question(asked.prompt, top_k, asked.turns, filters, limit_s, settings.refuse_unrelated)


def check_length(question: Question, settings: ServerSettings) -> None:
    """Raises `BadRequest` for a question of more than MAX_PROMPT_CHARS."""
    if len(question.text) > settings.max_prompt_chars:
        raise BadRequest(
            f"The question has {len(question.text)} characters; at most {settings.max_prompt_chars} are taken "
            "(MAX_PROMPT_CHARS)."
        )


@asynccontextmanager
async def asking(
    engine: Engine, question: Question, wanted: str | None = None, route: Route = "default"
) -> AsyncIterator[AsyncGenerator[Event]]:
    """The events of the answer, by the model that is `wanted` if any is; leaving the block stops it.
    Raises `AcervoError`, also between the events."""
    engine.models.require_key(route)
    async with running_beside(engine.choose_llm(route, wanted)) as choosing:
        events = answer(question, await engine.retriever(), choosing, engine.nothing_found, engine.services)
        async with aclosing(events):
            yield events


@asynccontextmanager
async def running_beside(work: Coroutine[Any, Any, T]) -> AsyncIterator[asyncio.Task[T]]:
    """`work` as a task that does not outlive the block, whether anybody waited for it or not."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

"""A question to an answer: search, prompt, model; as a stream of events."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from app.checks import Checker
from app.citations import find_citations
from app.events import Done, Event, Service, Sources, Timing, Token, Usage
from app.llms import LLM, ChatRequest, Message, Sampling
from app.prompt import build_prompt
from app.rewrite import Query, make_query
from database.documents import Filters
from database.retrieval import Retriever


@dataclass(frozen=True, slots=True)
class Question:
    """What a person asked and how."""

    text: str
    top_k: int
    history: Sequence[Message] = ()
    filters: Filters = field(default_factory=Filters)
    rewrite_limit_s: float = 0
    """Seconds that completing a follow-up question may take; 0: it is searched for as it is."""
    refusing: bool = True
    """Whether no model is asked when nothing relevant was found."""
    instructions: str = ""
    """What a client's own system message says: added to the rules, never in their place."""
    sampling: Sampling = field(default_factory=Sampling)
    asked_at: int = field(default_factory=time.perf_counter_ns)
    """When the request came."""


async def answer(
    question: Question,
    retriever: Retriever,
    choosing: asyncio.Future[LLM],
    nothing_found: LLM,
    services: Sequence[Service],
) -> AsyncGenerator[Event]:
    """Sources, tokens, then Done. Raises `AcervoError` at the point where something failed.

    The search goes on while the model is being chosen. `nothing_found` answers in place of that model
    when there is no relevant passage. `services` are those that took part besides the model.
    Closing the generator closes the model's connection.
    """
    started = time.perf_counter_ns()
    query = await _make_query(question, choosing)
    rewritten = time.perf_counter_ns()
    found = await retriever.find_passages(query.text, question.top_k, question.filters)
    searched = time.perf_counter_ns()
    llm, relevant = await choosing, bool(found.hits) and (found.relevant or not question.refusing)
    if not relevant:
        llm = nothing_found
    prompt = build_prompt(
        question.text,
        found.hits,
        question.history,
        found.language,
        llm.num_ctx,
        llm.count_tokens,
        question.instructions,
    )
    yield Sources(llm.model, query.text, prompt.hits, query.by, found.language, relevant)
    request = ChatRequest(
        query.text, prompt.messages, prompt.hits, found.language, llm.num_ctx, sampling=question.sampling
    )
    checker = Checker(prompt.hits, found.language, f"{question.text} {query.text}") if llm.generative else None
    text, usage, first_token = [], Usage(), 0
    async with aclosing(_check(llm.stream(request), checker)) as pieces:
        async for piece in pieces:
            if isinstance(piece, Token):
                first_token = first_token or time.perf_counter_ns() - question.asked_at
                text.append(piece.text)
                yield piece
            else:
                usage = piece
    cited = find_citations("".join(text), len(prompt.hits))
    tokens = prompt.tokens if llm.generative else 0
    timing = Timing(rewritten - started, searched - rewritten, first_token)
    involved = list(dict.fromkeys([*services, *query.services, llm.service]))
    yield Done(llm.model, usage, cited, prompt.left_out, llm.num_ctx, involved, tokens, timing)


async def _check(pieces: AsyncGenerator[Token | Usage], checker: Checker | None) -> AsyncGenerator[Token | Usage]:
    """The same pieces; sentences are held against their passages as soon as they are whole. What only
    quotes needs no check."""
    async with aclosing(pieces):
        async for piece in pieces:
            if checker and isinstance(piece, Token) and (checks := checker.feed(piece.text)):
                piece = replace(piece, checks=tuple(checks))
            yield piece
    if checker and (checks := checker.finish()):
        yield Token("", checks=tuple(checks))


async def _make_query(question: Question, choosing: asyncio.Future[LLM]) -> Query:
    if not question.rewrite_limit_s:
        return Query(question.text)
    return await make_query(question.text, question.history, choosing, question.rewrite_limit_s)

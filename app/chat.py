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
from app.llms.plan import Plan
from app.prompt import Prompt, build_prompt
from app.relay import Relay
from app.rewrite import Query, make_query
from database.documents import Filters
from database.retrieval import Found, Retriever


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
    choosing: asyncio.Future[Plan],
    nothing_found: LLM,
    services: Sequence[Service],
) -> AsyncGenerator[Event]:
    """Sources, tokens, then Done. Raises `AcervoError` at the point where something failed.

    The search goes on while the models are being chosen. `nothing_found` answers in their place
    when there is no relevant passage. `services` are those that took part besides the models.
    Closing the generator closes the model's connection.
    """
    started = time.perf_counter_ns()
    query = await _make_query(question, choosing)
    rewritten = time.perf_counter_ns()
    found = await retriever.find_passages(query.text, question.top_k, question.filters)
    searched = time.perf_counter_ns()
    plan, relevant = await choosing, bool(found.hits) and (found.relevant or not question.refusing)
    relay = _make_relay(question, query, found, plan if relevant else Plan(nothing_found))
    yield Sources(relay.llm.model, query.text, relay.prompt.hits, query.by, found.language, relevant)
    text, usage, first_token = [], Usage(), 0
    async with aclosing(relay.stream()) as pieces:
        async for piece in pieces:
            if isinstance(piece, Token):
                first_token = first_token or time.perf_counter_ns() - question.asked_at
                text.append(piece.text)
                yield piece
            else:
                usage = piece
    llm, prompt = relay.llm, relay.prompt
    cited = find_citations("".join(text), len(prompt.hits))
    tokens = prompt.tokens if llm.generative else 0
    timing = Timing(rewritten - started, searched - rewritten, first_token)
    involved = list(dict.fromkeys([*services, *query.services, *relay.asked]))
    left_out = found.hits[len(prompt.hits) :]
    yield Done(llm.model, usage, cited, left_out, llm.num_ctx, involved, tokens, timing, relay.passed)


def _make_relay(question: Question, query: Query, found: Found, plan: Plan) -> Relay:
    """The question, ready for the models of `plan`."""
    language, system = found.language, plan.system(found.language)

    def fit(llm: LLM, before: Prompt | None) -> Prompt:
        hits = before.hits if before else found.hits
        sizes = llm.num_ctx, llm.count_tokens
        return build_prompt(question.text, hits, question.history, system, *sizes, question.instructions)

    def ask(llm: LLM, prompt: Prompt) -> AsyncGenerator[Token | Usage]:
        request = ChatRequest(
            query.text, prompt.messages, prompt.hits, language, llm.num_ctx, sampling=question.sampling
        )
        checker = Checker(prompt.hits, language, f"{question.text} {query.text}") if llm.generative else None
        return _check(llm.stream(request), checker)

    return Relay(plan, fit, ask)


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


async def _make_query(question: Question, choosing: asyncio.Future[Plan]) -> Query:
    if not question.rewrite_limit_s:
        return Query(question.text)
    return await make_query(question.text, question.history, choosing, question.rewrite_limit_s)

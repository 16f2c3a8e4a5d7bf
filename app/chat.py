"""A question to an answer: search, prompt, model; as a stream of events."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from app.checks import Checker
from app.citations import find_citations
from app.events import Done, Event, Service, Sources, Timing, Token, Usage
from app.llms import LLM, ChatRequest, Message, Sampling
from app.llms.plan import Plan
from app.prompt import Prompt, build_prompt
from app.relay import Relay
from app.rewrite import Query, make_query
from app.written import Written
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
    written, usage, first_token = Written(lambda: _make_checker(question, query, found, relay)), Usage(), 0
    async with aclosing(relay):
        async for piece in relay:
            if isinstance(piece, Token):
                if not first_token:
                    first_token = time.perf_counter_ns() - question.asked_at
                yield written.add(piece)
            else:
                usage = piece
    if last := written.finish(relay.other):
        yield last
    llm, prompt = relay.llm, relay.prompt
    cited = find_citations(written.text, len(prompt.hits))
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
        return llm.stream(request)

    return Relay(plan, fit, ask)


def _make_checker(question: Question, query: Query, found: Found, relay: Relay) -> Checker | None:
    """Holds an answer against the passages that it is written from. What only quotes needs no check."""
    if not relay.llm.generative:
        return None
    return Checker(relay.prompt.hits, found.language, f"{question.text} {query.text}")


async def _make_query(question: Question, choosing: asyncio.Future[Plan]) -> Query:
    if not question.rewrite_limit_s:
        return Query(question.text)
    return await make_query(question.text, question.history, choosing, question.rewrite_limit_s)

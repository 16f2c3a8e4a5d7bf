"""What is really searched for: the question, or what a follow-up means after the questions before it.

A follow-up is completed by the model that answers, in one short request, and by the rule where there
is no such model or it gives nothing usable. A question that stands by itself asks no model.
"""

import asyncio
import re
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal

from app.errors import ModelError
from app.events import Service, Token
from app.joining import needs_history, rewrite_by_rule
from app.llms import LLM, ChatRequest, Message
from app.llms.plan import Plan
from app.prompt import TURN_TOKENS, defuse
from database.analysis import fold

TURNS = 6
"""Latest turns that the model is shown."""
MAX_ASKED, MAX_ANSWERED = 300, 600
"""Characters of each earlier question and answer that it is shown."""
MAX_WRITTEN = 300
"""Characters of a question that is worth searching for."""
STEM = 4
"""Letters by which two forms of a word are taken for one."""

SYSTEM = """You complete questions for a search. The user message holds a conversation and then its last question. \
Write that question so that it can be understood without the conversation: put in the names, subjects and years \
that it leaves out or points to. Keep its language and its meaning. Never answer it. Reply with the question alone, \
on one line."""

_QUOTES = "\"'“”«»` "


@dataclass(frozen=True, slots=True)
class Query:
    """What to search for, who wrote it when it is not the question itself, and the service asked for it."""

    text: str
    by: Literal["", "model", "rule"] = ""
    services: Sequence[Service] = ()


async def make_query(
    question: str, history: Sequence[Message], choosing: asyncio.Future[Plan], limit_s: float
) -> Query:
    """What to search for. `choosing` gives the model that is to answer; it is awaited for a follow-up
    only, and what keeps it from coming is raised. The model has `limit_s` seconds."""
    earlier = [turn["content"] for turn in history if turn["role"] == "user"]
    before = rewrite_by_rule(earlier[-1], earlier[:-1]) if earlier else ""
    if not before or not needs_history(question, before):
        return Query(question)
    llm = (await choosing).first
    written = await _ask(llm, question, history, limit_s) if llm.generative else ""
    services = [llm.service] if llm.generative else []
    if written:
        return Query(written, "model" if written != question else "", services)
    joined = rewrite_by_rule(question, earlier)
    return Query(joined, "rule" if joined != question else "", services)


async def _ask(llm: LLM, question: str, history: Sequence[Message], limit_s: float) -> str:
    """The model's wording; empty when it gave none that can be used."""
    # The window of the answer: another one would make Ollama load the model anew.
    request = ChatRequest(question, make_messages(question, history), (), "", llm.num_ctx, brief=True)
    if sum(llm.count_tokens(message["content"]) + TURN_TOKENS for message in request.messages) > llm.num_ctx // 2:
        return ""
    try:
        async with asyncio.timeout(limit_s):
            return check_written(await _read(llm, request), question, history)
    except (ModelError, TimeoutError):
        return ""  # a model that is really gone is told by the answer


async def _read(llm: LLM, request: ChatRequest) -> str:
    text = ""
    async with aclosing(llm.stream(request)) as pieces:
        async for piece in pieces:
            text += piece.text if isinstance(piece, Token) else ""
            if len(text) > MAX_WRITTEN + len(_QUOTES):
                break
    return text


def make_messages(question: str, history: Sequence[Message]) -> list[Message]:
    """What the model is asked, with the latest turns cut short."""
    limits = {"user": ("User", MAX_ASKED), "assistant": ("Assistant", MAX_ANSWERED)}
    turns = [(*limits[turn["role"]], turn["content"]) for turn in history[-TURNS:] if turn["role"] in limits]
    told = "\n".join(f"{who}: {' '.join(content[:limit].split())}" for who, limit, content in turns)
    return [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": defuse(f"Conversation:\n{told}\n\nLast question: {question}")},
    ]


def check_written(text: str, question: str, history: Sequence[Message]) -> str:
    """The question that a model wrote, or nothing when it wrote something else: several lines, too
    much, citations, or mostly words that nobody has said."""
    written = text.strip().strip(_QUOTES)
    if not written or len(written) > MAX_WRITTEN or "\n" in written or re.search(r"\[\d", written):
        return ""
    said = _stems(" ".join([question, *(turn["content"][:MAX_ANSWERED] for turn in history[-TURNS:])]))
    stems = _stems(written)
    return written if 2 * len(stems & said) >= len(stems) else ""


def _stems(text: str) -> set[str]:
    return {word[:STEM] for word in re.findall(r"[^\W_]+", fold(text))}

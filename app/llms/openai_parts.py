"""The chat stream of OpenAI-compatible servers, from events to parts, and questions as they take them. Pure.

Each event is a chunk with `choices[0].delta`; the last ones carry `finish_reason` and, where the server
knows `stream_options.include_usage`, `usage` with empty `choices`; then `[DONE]` comes.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.llms import ChatRequest, Sampling
from app.llms.parsing import parse_json

BRIEF = Sampling(temperature=0, max_tokens=96)
DONE = b"[DONE]"
DONE_REASONS = {"length": "length", "max_tokens": "length"}
STREAM_OPTIONS = "stream_options"
BLOCKED = "content_filter"
TOO_LONG = frozenset({"context_length_exceeded", "exceed_context_size_error"})
_TOO_LONG_WORDS = re.compile(r"context (?:length|size|window)", re.IGNORECASE)


@dataclass(slots=True)
class Chunk:
    """What one event says; nothing at all while a model thinks, which is no part of an answer. Not frozen, because
    one is made for each token."""

    text: str = ""
    finished: str = ""
    """Why the answer ended, empty while it goes on."""
    prompt_tokens: int = 0
    tokens: int = 0
    error: str = ""


def read_chunk(data: bytes) -> Chunk:
    """The chunk in an event's data. Raises `ValueError` for garbage."""
    if data.strip() == DONE:
        return Chunk(finished="stop")
    part = parse_json(data)
    if not isinstance(part, dict):
        raise ValueError("a chunk is no object")
    if part.get("error"):
        return Chunk(error=read_error(part).message or "no reason given")
    choices, usage = part.get("choices"), part.get("usage")
    if not isinstance(choices, list):
        raise ValueError("a chunk has no choices")
    choice = choices[0] if choices and isinstance(choices[0], dict) else {}
    delta = choice.get("delta")
    text = delta.get("content") if isinstance(delta, dict) else None
    counts = usage if isinstance(usage, dict) else {}
    return Chunk(
        text if isinstance(text, str) else "",
        str(choice.get("finish_reason") or ""),
        _count(counts, "prompt_tokens"),
        _count(counts, "completion_tokens"),
    )


def _count(usage: Mapping[str, Any], name: str) -> int:
    return count if isinstance(count := usage.get(name), int) else 0


@dataclass(frozen=True, slots=True)
class Refusal:
    """The error object of a server: its words, and what it says to programs."""

    message: str = ""
    code: str = ""
    param: str = ""
    prompt_tokens: int = 0

    @property
    def too_long(self) -> bool:
        """Whether the prompt does not fit. vLLM has no code for that, only words."""
        return self.code in TOO_LONG or bool(_TOO_LONG_WORDS.search(self.message))


def read_error(body: Any) -> Refusal:
    """The refusal in the JSON of an error, in whichever of the usual shapes."""
    error = body.get("error") or body if isinstance(body, dict) else body
    if not isinstance(error, dict):
        return Refusal(str(error)[:500])
    message = error.get("message") or error.get("detail") or ""
    codes = [code for name in ("code", "type") if isinstance(code := error.get(name), str)]
    known = [code for code in codes if code in TOO_LONG]
    param = error.get("param")
    text = message if isinstance(message, str) else json.dumps(message)
    tokens = _count(error, "n_prompt_tokens")
    return Refusal(text[:500], (known or codes or [""])[0], param if isinstance(param, str) else "", tokens)


def make_options(request: ChatRequest, default: Sampling, extra: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a request that a server may refuse to know; nothing for what is left to it."""
    sampling = BRIEF if request.brief else request.sampling.over(default)
    named = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_tokens,
        "stop": list(sampling.stop) or None,
        "seed": sampling.seed,
        STREAM_OPTIONS: {"include_usage": True},
    }
    return {**{name: value for name, value in named.items() if value is not None}, **extra}


def find_refused(options: Mapping[str, Any], refusal: Refusal) -> str:
    """The field among `options` that a server does not know, by its own word; empty when it is none of them."""
    if refusal.param in options and refusal.code.startswith("unsupported"):
        return refusal.param
    return STREAM_OPTIONS if STREAM_OPTIONS in f"{refusal.param} {refusal.message}" else ""

"""Events to the lines of the wire, in the shape of Ollama's chat parts. Pure but for the clock.

`ollama_line` speaks `POST /`, `gemini_line` speaks `POST /gemini`, each as the original client reads it.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, assert_never

from pydantic_core import PydanticSerializationError, to_json

from app.events import Check, Done, Event, Failed, Sources, Token
from database.documents import Hit
from database.formats import FORMATS

_SEPARATORS = [(c.encode(), json.dumps(c)[1:-1].encode()) for c in "\u2028\u2029\x85"]


def encode_line(data: dict[str, Any]) -> bytes:
    """One object on one line, UTF-8."""
    try:
        line = to_json(data)
    except PydanticSerializationError:  # half of a surrogate pair, for instance
        line = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
    # Line separators of Unicode are legal in JSON, but some readers split lines there.
    for character, escape in _SEPARATORS:
        line = line.replace(character, escape)
    return line + b"\n"


def ollama_line(event: Event, opening: Sources) -> bytes:
    """The line of `event` for `POST /`, in an answer that began with `opening`."""
    model = opening.model
    match event:
        case Token(line=bytes() as line, checks=checks):
            # Nothing of the line is made anew; an object that has fields takes another one at its end.
            return line.rstrip()[:-1] + b"," + encode_line(describe_checks(checks))[1:] if checks else line + b"\n"
        case Token(text=text, checks=checks, model=other):
            return encode_line(make_part(other or model, text) | describe_checks(checks))
        case Sources():
            return encode_line(make_part(model, "") | describe_sources(event))
        case Done():
            return encode_line(make_part(event.model, "", done=True) | describe_done(event))
        case Failed():
            return encode_line(_describe_failure(event))
        case _:
            assert_never(event)


def gemini_line(event: Event, opening: Sources) -> bytes:
    """The line of `event` for `POST /gemini`; every line has a `response`, the last one the sources, too."""
    match event:
        case Token(text=text, checks=checks):
            return encode_line({"response": text} | describe_checks(checks))
        case Sources():
            return encode_line({"response": ""})
        case Done():
            last = {"response": "", "model": event.model, "done": True}
            return encode_line(last | describe_sources(opening) | describe_done(event))
        case Failed(message=message):
            return encode_line({"response": message} | _describe_failure(event))
        case _:
            assert_never(event)


def make_part(model: str, content: str, done: bool = False) -> dict[str, Any]:
    """A chat part as Ollama has it."""
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    return {"model": model, "created_at": now, "message": {"role": "assistant", "content": content}, "done": done}


def _describe_failure(event: Failed) -> dict[str, str]:
    return {"error": event.message} | ({"kind": event.kind} if event.kind else {})


def describe_checks(checks: Sequence[Check]) -> dict[str, Any]:
    """The field of the sentences checked; nothing without any."""
    told = [{"start": c.start, "end": c.end, "supported": c.supported} for c in checks]
    return {"checks": told} if told else {}


def describe_sources(event: Sources) -> dict[str, Any]:
    """The fields that tell what was found."""
    return {
        "sources": [describe_hit(n, hit) for n, hit in enumerate(event.hits, 1)],
        "query": event.query,
        "rewritten_by": event.rewritten_by,
        "language": event.language,
        "relevant": event.relevant,
    }


def describe_hit(number: int, hit: Hit) -> dict[str, Any]:
    """A passage as the source of that number."""
    return {
        "n": number,
        "document": hit.document.id,
        "name": hit.document.name,
        "title": hit.document.title,
        "url": hit.document.url,
        "format": hit.document.format,
        "unit": FORMATS[hit.document.format].unit,
        "page": hit.chunk.page,
        "score": round(hit.score, 4),
        "text": hit.chunk.text,
        "chunk_id": hit.chunk.id,
        "joined": list(hit.joined),
        "boxes": [[round(side, 1) for side in box] for box in hit.chunk.boxes],
        "parts": {view: round(part, 4) for view, part in hit.parts.items()},
    }


def _describe_left_out(hit: Hit) -> dict[str, Any]:
    described = describe_hit(0, hit)
    return {name: described[name] for name in ("document", "name", "unit", "page", "score", "chunk_id")}


def describe_done(event: Done) -> dict[str, Any]:
    """The fields that tell how the answer ended."""
    usage = event.usage
    return {
        "done_reason": usage.done_reason,
        "total_duration": usage.total_duration,
        "load_duration": usage.load_duration,
        "prompt_eval_count": usage.prompt_eval_count,
        "prompt_eval_duration": usage.prompt_eval_duration,
        "eval_count": usage.eval_count,
        "eval_duration": usage.eval_duration,
        "citations": list(event.citations),
        "left_out": len(event.left_out),
        "passages_left_out": [_describe_left_out(hit) for hit in event.left_out],
        "num_ctx": event.num_ctx,
        "prompt_tokens": event.prompt_tokens,
        "rewrite_duration": event.timing.rewrite,
        "search_duration": event.timing.search,
        "first_token_duration": event.timing.first_token,
        "services": [{"name": s.name, "host": s.host, "local": s.local} for s in event.services],
        "fallback": [{"model": one.model, "reason": one.reason} for one in event.fallback],
    }

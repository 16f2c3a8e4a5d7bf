"""Events to what clients of OpenAI's interface read. Pure but for the clock and the id."""

import base64
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, assert_never

from app.compat.errors import describe_error
from app.compat.names import list_names, name_model
from app.events import Done, Event, Failed, Sources, Token
from app.footnotes import make_footnotes
from app.llms.states import Offer
from app.ndjson import describe_checks, describe_done, describe_sources, encode_line
from app.whole import Whole
from database.documents import Vector

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Completion:
    """How one answer is told. Its id and its time are the same in all chunks."""

    footnotes: bool = False
    with_usage: bool = False
    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))

    def encode(self, event: Event, opening: Sources) -> bytes:
        """The chunks of `event`, as server-sent events."""
        match event:
            case Sources():
                begun = self._chunk(opening.model, {"role": "assistant", "content": ""})
                return _send(begun | _describe_opening(event))
            case Token(text=text, checks=checks, model=other):
                return _send(self._chunk(other or opening.model, {"content": text}) | describe_checks(checks))
            case Done():
                return self._encode_done(event, opening)
            case Failed(message=message, kind=kind):
                return _send(describe_error(500, message, kind))
            case _:
                assert_never(event)

    def describe(self, whole: Whole) -> Json:
        """The whole answer in one object."""
        text = whole.text + (make_footnotes(whole.opening, whole.done.citations) if self.footnotes else "")
        opening, done = _describe_opening(whole.opening), _describe_ending(whole.done)
        return {
            "id": self.id,
            "object": "chat.completion",
            "created": self.created,
            "model": name_model(whole.done.model),
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": text, "refusal": None},
                    "logprobs": None,
                    "finish_reason": _name_reason(whole.done),
                }
            ],
            "usage": _count(whole.done),
            **opening,
            **done,
            "acervo": opening["acervo"] | done["acervo"],
            **describe_checks(whole.checks),
        }

    def _chunk(self, model: str, delta: Json, finish_reason: str | None = None) -> Json:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        chunk = {"id": self.id, "object": "chat.completion.chunk", "created": self.created}
        chunk |= {"model": name_model(model), "choices": [choice]}
        return chunk | ({"usage": None} if self.with_usage else {})

    def _encode_done(self, event: Done, opening: Sources) -> bytes:
        chunks, model = [], event.model
        # Apart from the citations: some clients read no text in a chunk that has a field which they know.
        if self.footnotes and (notes := make_footnotes(opening, event.citations)):
            chunks.append(self._chunk(model, {"content": notes}))
        chunks.append(self._chunk(model, {}, _name_reason(event)) | _describe_ending(event))
        if self.with_usage:
            chunks.append(self._chunk(model, {}) | {"choices": [], "usage": _count(event)})
        return b"".join(map(_send, chunks)) + b"data: [DONE]\n\n"


def describe_models(offers: Sequence[Offer]) -> Json:
    """The answer to `GET /v1/models`."""
    return {"object": "list", "data": [describe_model(name) for name in list_names(offer.name for offer in offers)]}


def describe_model(name: str) -> Json:
    """One of them; nobody knows when it was made."""
    return {"id": name, "object": "model", "created": 0, "owned_by": "acervo"}


def describe_vectors(vectors: Vector, tokens: int, model: str, as_text: bool) -> Json:
    """The answer to `POST /v1/embeddings`; `as_text`: each vector as little-endian float32 in base64."""
    told = [_encode_vector(vector) for vector in vectors] if as_text else vectors.tolist()
    data = [{"object": "embedding", "index": n, "embedding": vector} for n, vector in enumerate(told)]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": model, "usage": usage}


def _encode_vector(vector: Vector) -> str:
    return base64.b64encode(vector.astype("<f4").tobytes()).decode()


def _send(data: Json) -> bytes:
    return b"data: " + encode_line(data) + b"\n"


def _describe_opening(opening: Sources) -> Json:
    told = describe_sources(opening)
    return {"sources": told.pop("sources"), "acervo": told}


def _describe_ending(done: Done) -> Json:
    told = describe_done(done)
    return {"citations": told.pop("citations"), "acervo": told}


def _name_reason(done: Done) -> str:
    return "length" if done.usage.done_reason == "length" else "stop"


def _count(done: Done) -> Json:
    read, written = done.usage.prompt_eval_count or done.prompt_tokens, done.usage.eval_count
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}

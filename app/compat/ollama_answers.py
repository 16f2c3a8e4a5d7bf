"""Events to what clients of Ollama read. Pure but for the clock."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, assert_never

from app.compat.names import list_names, name_model
from app.events import Done, Event, Failed, Sources, Token
from app.footnotes import make_footnotes
from app.llms.states import Offer
from app.ndjson import describe_checks, describe_done, describe_sources, encode_line, make_part
from app.whole import Whole

Json = dict[str, Any]

API_VERSION = "0.12.0"
"""The Ollama whose interface this is; clients look at it before they use what is newer."""
LONG_AGO = "2025-01-01T00:00:00Z"
"""When the models were made, for clients that want to know."""


@dataclass(frozen=True, slots=True)
class Parts:
    """How one answer is told: as messages, or as `POST /api/generate` does."""

    generated: bool = False
    footnotes: bool = False

    def encode(self, event: Event, opening: Sources) -> bytes:
        """The lines of `event`."""
        match event:
            case Sources():
                return encode_line(self._part(opening.model, "") | describe_sources(event))
            case Token(text=text, checks=checks, model=other):
                return encode_line(self._part(other or opening.model, text) | describe_checks(checks))
            case Done():
                notes = make_footnotes(opening, event.citations) if self.footnotes else ""
                before = encode_line(self._part(event.model, notes)) if notes else b""
                return before + encode_line(self._part(event.model, "", done=True) | describe_done(event))
            case Failed(message=message):
                return encode_line({"error": message})
            case _:
                assert_never(event)

    def describe(self, whole: Whole) -> Json:
        """The whole answer in one object."""
        text = whole.text + (make_footnotes(whole.opening, whole.done.citations) if self.footnotes else "")
        told = self._part(whole.done.model, text, done=True) | describe_sources(whole.opening)
        return told | describe_done(whole.done) | describe_checks(whole.checks)

    def describe_loading(self, model: str, unloads: bool) -> Json:
        """What is answered where nothing was asked."""
        return self._part(model, "", done=True) | {"done_reason": "unload" if unloads else "load"}

    def _part(self, model: str, text: str, done: bool = False) -> Json:
        part = make_part(name_model(model), text, done)
        if self.generated:
            part["response"] = part.pop("message")["content"]
        return part


def describe_models(offers: Sequence[Offer]) -> Json:
    """The answer to `GET /api/tags`."""
    providers = [next((offer.provider for offer in offers if offer.default), "acervo"), *(o.provider for o in offers)]
    names = list_names(offer.name for offer in offers)
    return {"models": [_describe_model(name, family) for name, family in zip(names, providers, strict=True)]}


def describe_model(offer: Offer, num_ctx: int) -> Json:
    """The answer to `POST /api/show`."""
    return {
        "modelfile": "",
        "parameters": "",
        "template": "",
        "license": "",
        "details": _describe_details(offer.provider),
        "model_info": {"general.architecture": "acervo", "acervo.context_length": num_ctx},
        "capabilities": ["completion"],
        "modified_at": LONG_AGO,
        "acervo": {"name": offer.name, "local": offer.local, "state": offer.state, "what_to_do": offer.what_to_do},
    }


def _describe_model(name: str, family: str) -> Json:
    return {
        "name": name,
        "model": name,
        "modified_at": LONG_AGO,
        "size": 0,
        "digest": hashlib.sha256(name.encode(errors="replace")).hexdigest(),
        "details": _describe_details(family),
    }


def _describe_details(family: str) -> Json:
    return {
        "parent_model": "",
        "format": "",
        "family": family,
        "families": [family],
        "parameter_size": "",
        "quantization_level": "",
    }

"""What the routes for OpenAI's and for Ollama's clients share: answering, models, embeddings."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from aiohttp import web

from app.access.principal import get_principal
from app.asking import make_question
from app.compat.conversation import Asked
from app.compat.names import name_model, not_found, read_model
from app.errors import BadRequest, UnknownModel
from app.events import Event
from app.handlers.answering import answer_question, taking_place
from app.keys import EMBEDDING, ENGINE, SETTINGS
from app.llms.states import Offer
from app.stream import Form, stream_events
from app.tally import Tally
from app.whole import Whole, collect_events
from database.documents import Vector
from database.embedders import Embedder

Describe = Callable[[Whole], dict[str, Any]]
SPECIAL = 2
"""Tokens that embedders put around a text."""
BATCH = 32
"""Texts embedded between two looks at whether the client is still there; questions come in between, too."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """A vector for each text, and how many tokens they have."""

    vectors: Vector
    tokens: int


async def answer_asked(request: web.Request, asked: Asked, how: Form | Describe) -> web.StreamResponse:
    """The answer, streamed in a form or whole. Raises `ModelNotFound` and other `AcervoError`s."""
    question = replace(
        make_question(asked.ask, request.app[SETTINGS], get_principal(request)),
        instructions=asked.instructions,
        sampling=asked.sampling,
    )

    async def respond(events: AsyncGenerator[Event], tally: Tally) -> web.StreamResponse:
        if isinstance(how, Form):
            return await stream_events(request, events, how, tally)
        return web.json_response(how(await collect_events(events, tally)))

    try:
        return await answer_question(request, question, respond, asked.ask.model)
    except UnknownModel:
        raise not_found(name_model(asked.ask.model or "")) from None


def wants_footnotes(request: web.Request, asked: Asked) -> bool:
    """Whether the places cited are to be named in the text."""
    return request.app[SETTINGS].footnotes if asked.footnotes is None else asked.footnotes


async def find_offer(request: web.Request, name: str) -> Offer:
    """The model of this name. Raises `ModelNotFound`."""
    model, offers = read_model(name), await request.app[ENGINE].models.offers()
    for offer in offers:
        if offer.name == model or (model is None and offer.default):
            return offer
    raise not_found(name)


async def embed_texts(
    request: web.Request, model: str, texts: Sequence[str], cut: bool, dimensions: int | None = None
) -> Embedded:
    """Vectors as passages of documents get them. Texts that the embedder does not see whole are `cut` or
    refused. Raises `BadRequest`, `ModelNotFound`, `TooBusy`, `EmbedderError`."""
    engine = request.app[ENGINE]
    embedder = engine.embedder
    if read_model(model) not in (None, embedder.name):
        raise not_found(model)
    with taking_place(request):
        await engine.open_embedder()
        if dimensions not in (None, embedder.dimension):
            raise BadRequest(f"dimensions: vectors have {embedder.dimension} numbers here; leave it out.")
        done, tokens = [np.empty((0, embedder.dimension), np.float32)], 0
        for start in range(0, len(texts), BATCH):
            async with request.app[EMBEDDING]:
                batch, counts = await asyncio.to_thread(_fit, embedder, texts[start : start + BATCH], cut)
                done.append(await embedder.embed(batch))
            tokens += counts
    return Embedded(np.concatenate(done), tokens)


async def reply_in_thread(make: Callable[[], dict[str, Any]]) -> web.Response:
    """What `make` makes, as JSON, without holding others up: vectors are many numbers."""
    body = await asyncio.to_thread(lambda: json.dumps(make()))
    return web.Response(text=body, content_type="application/json")


def _fit(embedder: Embedder, texts: Sequence[str], cut: bool) -> tuple[list[str], int]:
    """The texts as the embedder can see them whole, and how many tokens they have."""
    room, fitted, tokens = embedder.max_tokens - SPECIAL, [], 0
    for text in texts:
        while (count := embedder.count_tokens(text)) > room:
            if not cut:
                raise BadRequest(
                    f"input: a text has {count} tokens; {embedder.name} sees {room}. Send it in shorter pieces."
                )
            text = text[: len(text) * room // count]
        fitted.append(text)
        tokens += count
    return fitted, tokens

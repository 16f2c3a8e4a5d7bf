"""`/api/…`: what clients of Ollama find here."""

import time

from aiohttp import web

from app.compat.names import OURS
from app.compat.ollama_answers import API_VERSION, Parts, describe_model, describe_models
from app.compat.ollama_requests import Chat, Embed, EmbedOne, Generate, Show
from app.handlers.bodies import read_body
from app.handlers.foreign import answer_asked, embed_texts, find_offer, reply_in_thread, wants_footnotes
from app.keys import ENGINE, SETTINGS
from app.stream import Form
from app.wire import parse_body

CHAT_EXAMPLE = '{"model": "acervo", "messages": [{"role": "user", "content": "a question"}]}'


async def get_version(request: web.Request) -> web.Response:
    """`GET /api/version`."""
    return web.json_response({"version": API_VERSION})


async def list_models(request: web.Request) -> web.Response:
    """`GET /api/tags`."""
    return web.json_response(describe_models(await request.app[ENGINE].models.offers()))


async def show_model(request: web.Request) -> web.Response:
    """`POST /api/show`."""
    given = parse_body(Show, await read_body(request), '{"model": "acervo"}')
    offer = await find_offer(request, given.model or given.name or OURS)
    return web.json_response(describe_model(offer, request.app[SETTINGS].num_ctx))


async def post_chat(request: web.Request) -> web.StreamResponse:
    """`POST /api/chat`: the answer, a line at a time unless `stream` is false."""
    return await _answer(request, parse_body(Chat, await read_body(request), CHAT_EXAMPLE))


async def post_generate(request: web.Request) -> web.StreamResponse:
    """`POST /api/generate`: the same for a question without a conversation."""
    example = '{"model": "acervo", "prompt": "a question"}'
    return await _answer(request, parse_body(Generate, await read_body(request), example))


async def _answer(request: web.Request, given: Chat | Generate) -> web.StreamResponse:
    generated, asked = isinstance(given, Generate), given.read()
    if asked is None:
        offer = await find_offer(request, given.model)
        return web.json_response(Parts(generated).describe_loading(offer.name, given.unloads))
    parts = Parts(generated, wants_footnotes(request, asked))
    return await answer_asked(request, asked, parts.describe if given.stream is False else Form(parts.encode))


async def post_embed(request: web.Request) -> web.Response:
    """`POST /api/embed`."""
    started = time.perf_counter_ns()
    given = parse_body(Embed, await read_body(request), '{"model": "acervo", "input": ["a text"]}')
    found = await embed_texts(request, given.model, given.texts, given.truncate is not False, given.dimensions)
    told = {"model": given.model, "prompt_eval_count": found.tokens, "load_duration": 0}
    told |= {"total_duration": time.perf_counter_ns() - started}
    return await reply_in_thread(lambda: told | {"embeddings": found.vectors.tolist()})


async def post_embeddings(request: web.Request) -> web.Response:
    """`POST /api/embeddings`, from before there was `/api/embed`."""
    given = parse_body(EmbedOne, await read_body(request), '{"model": "acervo", "prompt": "a text"}')
    found = await embed_texts(request, given.model, [given.prompt] if given.prompt else [], cut=True)
    return web.json_response({"embedding": found.vectors[0].tolist() if given.prompt else []})

"""`/v1/…`: what clients of OpenAI's interface find here."""

from aiohttp import web

from app.compat.v1_answers import Completion, describe_model, describe_models, describe_vectors
from app.compat.v1_requests import ChatCompletion, Embeddings
from app.handlers.bodies import read_body
from app.handlers.foreign import answer_asked, embed_texts, find_offer, reply_in_thread, wants_footnotes
from app.keys import ENGINE
from app.stream import EVENTS, Form
from app.wire import parse_body

EXAMPLE = '{"model": "acervo", "messages": [{"role": "user", "content": "a question"}]}'
EMBED_EXAMPLE = '{"model": "acervo", "input": ["a text"]}'


async def list_models(request: web.Request) -> web.Response:
    """`GET /v1/models`."""
    return web.json_response(describe_models(await request.app[ENGINE].models.offers()))


async def get_model(request: web.Request) -> web.Response:
    """`GET /v1/models/{name}`."""
    name = request.match_info["name"]
    await find_offer(request, name)
    return web.json_response(describe_model(name))


async def post_chat(request: web.Request) -> web.StreamResponse:
    """`POST /v1/chat/completions`: the answer, whole or as server-sent events."""
    given = parse_body(ChatCompletion, await read_body(request), EXAMPLE)
    asked = given.read()
    with_usage = bool(given.stream_options and given.stream_options.include_usage)
    completion = Completion(wants_footnotes(request, asked), with_usage)
    return await answer_asked(request, asked, Form(completion.encode, EVENTS) if given.stream else completion.describe)


async def post_embeddings(request: web.Request) -> web.Response:
    """`POST /v1/embeddings`."""
    given = parse_body(Embeddings, await read_body(request), EMBED_EXAMPLE)
    found = await embed_texts(request, given.model, given.texts, False, given.dimensions)
    as_text = given.encoding_format == "base64"
    return await reply_in_thread(lambda: describe_vectors(found.vectors, found.tokens, given.model, as_text))

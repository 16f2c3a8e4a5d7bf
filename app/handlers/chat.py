"""`POST /` and `POST /gemini`: parse, choose the model, stream the answer."""

from collections.abc import AsyncGenerator

from aiohttp import web

from app.access.origins import is_cross_origin
from app.access.principal import get_principal
from app.asking import make_question
from app.events import Event
from app.handlers.answering import answer_question
from app.handlers.bodies import read_body
from app.keys import SETTINGS
from app.llms.factory import Route
from app.ndjson import gemini_line, ollama_line
from app.stream import Encode, Form, stream_events
from app.tally import Tally
from app.wire import parse_ask


async def post_root(request: web.Request) -> web.StreamResponse:
    """The answer of the model that LLM chooses, in Ollama's shape."""
    return await _answer(request, "default", ollama_line)


async def post_gemini(request: web.Request) -> web.StreamResponse:
    """The answer of Gemini; 503 without GOOGLE_API_KEY."""
    return await _answer(request, "gemini", gemini_line)


async def _answer(request: web.Request, route: Route, encode: Encode) -> web.StreamResponse:
    asked = parse_ask(await read_body(request))
    question = make_question(asked, request.app[SETTINGS], get_principal(request))
    form = Form(encode, merged=is_cross_origin(request))

    async def respond(events: AsyncGenerator[Event], tally: Tally) -> web.StreamResponse:
        return await stream_events(request, events, form, tally)

    return await answer_question(request, question, respond, asked.model, route)

"""Answers from any server that speaks OpenAI's chat: vLLM, llama.cpp, LM Studio, OpenAI itself, gateways.

Read with aiohttp alone. There is a limit on connecting (CONNECT_TIMEOUT_S) and one on silence
(FIRST_TOKEN_TIMEOUT_S), which comments that keep a connection open do not end; none on the whole answer.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any

import aiohttp

from app.errors import ModelError, ModelMissing
from app.events import Service, Token, Usage
from app.llms import ChatRequest
from app.llms.models_file import Entry
from app.llms.openai_errors import Problems
from app.llms.openai_parts import (
    BLOCKED,
    DONE,
    DONE_REASONS,
    Chunk,
    Refusal,
    find_refused,
    make_options,
    read_chunk,
    read_error,
)
from app.llms.silence import Silence
from app.llms.sse import EventSplitter
from app.llms.tokens import Calibration
from app.settings import ServerSettings
from database.tokens import estimate_tokens

MAX_BODY = 1 << 20
LAST_S = 2.0
"""Seconds that the counts may take to come after the answer."""
NEW_NAMES = {"max_tokens": "max_completion_tokens"}
"""OpenAI's newer models refuse the old name, most other servers know no other."""


class OpenAILLM:
    """The model of one entry of MODELS_FILE."""

    generative = True

    def __init__(self, entry: Entry, settings: ServerSettings) -> None:
        self.model = entry.name
        self.service = Service(entry.name, entry.host, entry.is_local)
        self.num_ctx = entry.window or settings.num_ctx
        self._entry, self._settings = entry, settings
        self._key = settings.models_file.key_of(entry)
        self._problems = Problems(entry, settings, self._key)
        self._calibration = Calibration()
        self._refused: set[str] = set()
        """Fields of requests that the server turned out not to take."""
        self._session: aiohttp.ClientSession | None = None

    async def check(self) -> None:
        """Whether a key is there that is needed, and, of a server in reach, whether it has the model. Nothing is
        sent to a remote one: only a question may leave."""
        if self._entry.key_env and not self._key:
            raise self._problems.keyless()
        if not self._entry.is_local:
            return
        with self._problems.explained():
            wait_s = self._settings.connect_timeout_s
            limits = aiohttp.ClientTimeout(connect=wait_s, sock_read=wait_s)
            async with self._open_session().get(self._url("models"), timeout=limits, **self._sent()) as response:
                if response.status != 404:  # few servers lack the list
                    self._find_model(await self._read(response))

    def count_tokens(self, text: str) -> int:
        """An upper estimate, corrected by what the server reported of earlier prompts."""
        return self._calibration.estimate(text)

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Token | Usage]:
        """Tokens as they arrive, then one `Usage`; see `app.llms.LLM.stream`."""
        started, first, finished = time.perf_counter_ns(), 0, ""
        counts = Chunk()
        async with self._asked(request) as response, contextlib.aclosing(self._chunks(response)) as chunks:
            async for chunk in chunks:
                if not first:
                    first = time.perf_counter_ns()
                finished = finished or chunk.finished
                counts = chunk if chunk.tokens or chunk.prompt_tokens else counts
                if chunk.text:
                    yield Token(chunk.text)
        if finished == BLOCKED:
            raise self._problems.blocked()
        self._learn(request, counts.prompt_tokens)
        ended = time.perf_counter_ns()
        reason = DONE_REASONS.get(finished, "stop")
        yield Usage(reason, counts.prompt_tokens, counts.tokens, ended - started, 0, first - started, ended - first)

    async def aclose(self) -> None:
        """Close the connections; answers still being streamed break off."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _chunks(self, response: aiohttp.ClientResponse) -> AsyncGenerator[Chunk]:
        """What each event says. Once the answer is over, it matters little how the stream ends."""
        finished, limit_s = False, self._settings.first_token_timeout_s
        try:
            with self._problems.explained(), Silence(response.content) as silence:
                silence.wait(limit_s)
                async with contextlib.aclosing(_read_events(response)) as events:
                    async for event in events:
                        silence.rest()
                        chunk = read_chunk(event)
                        if chunk.error:
                            raise self._problems.broken_off(chunk.error)
                        yield chunk
                        finished = finished or bool(chunk.finished)
                        silence.wait(LAST_S if finished else limit_s)
        except ModelError:
            if not finished:
                raise
        if not finished:
            raise self._problems.broken_off("the stream ended before the answer")

    @contextlib.asynccontextmanager
    async def _asked(self, request: ChatRequest) -> AsyncIterator[aiohttp.ClientResponse]:
        """The open answer. Leaving closes its connection at once, which stops the generation. What the server does
        not know of the request is left out and the rest sent again."""
        if self._entry.key_env and not self._key:
            raise self._problems.keyless()
        options = make_options(request, self._entry.sampling.read(), self._entry.extra)
        while True:
            sent = self._leave_out(options)
            async with self._posted(request, sent) as response:
                if response.status == 200:
                    yield response
                    return
                refusal = await self._read_refusal(response)
                name = find_refused(sent, refusal) if response.status in (400, 422) else ""
                if not name or name in self._refused | set(self._entry.extra):
                    raise self._explain(request, response, refusal)
                self._refused.add(name)

    @contextlib.asynccontextmanager
    async def _posted(self, request: ChatRequest, options: Mapping[str, Any]) -> AsyncIterator[aiohttp.ClientResponse]:
        body = {"model": self._entry.model, "messages": list(request.messages), "stream": True, **options}
        with self._problems.explained():
            async with asyncio.timeout(self._settings.first_token_timeout_s):
                response = await self._open_session().post(self._url("chat/completions"), json=body, **self._sent())
        try:
            yield response
        finally:
            response.close()

    def _leave_out(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options without what the server refused, or by its newer name."""
        named = {NEW_NAMES.get(name, name) if name in self._refused else name: v for name, v in options.items()}
        return {name: value for name, value in named.items() if name not in self._refused}

    def _explain(self, request: ChatRequest, response: aiohttp.ClientResponse, refusal: Refusal) -> ModelError:
        if refusal.too_long and response.status < 500:
            self._learn(request, refusal.prompt_tokens)
            return self._problems.too_long(refusal.prompt_tokens)
        return self._problems.refused(response.status, refusal, response.headers)

    async def _read_refusal(self, response: aiohttp.ClientResponse) -> Refusal:
        with self._problems.explained():
            async with asyncio.timeout(self._settings.connect_timeout_s):
                text = await _read_body(response)
        try:
            return read_error(json.loads(text))
        except (ValueError, RecursionError):
            return Refusal(" ".join(text[:200].decode(errors="replace").split()))

    async def _read(self, response: aiohttp.ClientResponse) -> Any:
        if response.status != 200:
            raise self._problems.refused(response.status, await self._read_refusal(response), response.headers)
        return json.loads(await _read_body(response))

    def _find_model(self, body: Any) -> None:
        """Whether the list of models names ours, and how much it takes. Servers of a single model, such as
        llama.cpp's, take any name."""
        listed = body.get("data") if isinstance(body, dict) else None
        models = [model for model in listed or [] if isinstance(model, dict)]
        ours = [model for model in models if model.get("id") == self._entry.model]
        if not ours and len(models) > 1:
            names = ", ".join(str(model.get("id")) for model in models[:10])
            raise ModelMissing(
                f"{self.model} at {self._entry.base_url} has no model {self._entry.model}, but {names}. Correct "
                f"`model` of {self.model} in MODELS_FILE."
            )
        sizes = [size for model in ours or models if isinstance(size := model.get("max_model_len"), int)]
        self.num_ctx = min([self._entry.window or self._settings.num_ctx, *sizes])

    def _learn(self, request: ChatRequest, prompt_tokens: int) -> None:
        estimated = sum(estimate_tokens(message["content"]) for message in request.messages)
        self._calibration.observe(estimated, prompt_tokens)

    def _url(self, path: str) -> str:
        return f"{self._entry.base_url}/{path}"

    def _sent(self) -> dict[str, Any]:
        """No redirects: they would take the key and the question to an address that nobody chose."""
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        return {"headers": headers, "allow_redirects": False}

    def _open_session(self) -> aiohttp.ClientSession:
        """One session for all answers, each with a connection of its own, closed after it."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, force_close=True),
                timeout=aiohttp.ClientTimeout(total=None, connect=self._settings.connect_timeout_s),
                headers={"Accept-Encoding": "identity"},
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=self._entry.trust_env,
            )
        return self._session


async def _read_body(response: aiohttp.ClientResponse) -> bytes:
    """The whole body, however it is cut on its way, up to MAX_BODY."""
    body = bytearray()
    while len(body) < MAX_BODY and (part := await response.content.read(MAX_BODY - len(body))):
        body += part
    return bytes(body)


async def _read_events(response: aiohttp.ClientResponse) -> AsyncGenerator[bytes]:
    """The data of each event, `[DONE]` the last one. Raises `ValueError` for what is no stream of events."""
    splitter = EventSplitter()
    async for data in response.content.iter_any():
        for event in splitter.feed(data):
            yield event
            if event == DONE:
                return
    for event in splitter.finish():
        yield event

"""Answers from a model in Ollama: the stream is passed on line by line, as it arrives.

The `ollama` package asks which models there are; the chat itself goes through aiohttp, because
relaying raw lines costs a fifth of parsing and writing them anew. There is a limit on connecting
(CONNECT_TIMEOUT_S) and one on silence, before the first token and between two
(FIRST_TOKEN_TIMEOUT_S); none on the whole answer.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from app.errors import ModelError, ModelRefused
from app.events import Service, Token, Usage
from app.llms import ChatRequest, Sampling
from app.llms.ollama_client import OllamaClient
from app.llms.ollama_errors import broken_off, explain, refused
from app.llms.ollama_parts import LineSplitter, read_line, read_overflow
from app.llms.places import is_this_machine
from app.llms.silence import Silence
from app.llms.tokens import Calibration
from app.settings import ServerSettings
from database.tokens import estimate_tokens

MAX_ERROR_BODY = 64 * 1024
BRIEF_TOKENS = 96


class OllamaLLM:
    """One model in Ollama."""

    generative = True

    def __init__(self, settings: ServerSettings) -> None:
        self.model = settings.ollama_model
        self.service = describe_service(settings.ollama_host, settings.ollama_model)
        self.num_ctx = settings.num_ctx
        """The window that prompts must fit; less than NUM_CTX where the model was trained on less."""
        self._settings = settings
        self._host = settings.ollama_host
        self._calibration = Calibration()
        self._client = OllamaClient(settings)
        self._session: aiohttp.ClientSession | None = None

    async def check(self) -> None:
        """Ask the server for the model; raises `ModelUnavailable`, `ModelMissing` or `ModelError`."""
        client = await self._client.open()
        with explain(self._settings):
            shown = await client.show(self.model)
        if shown.capabilities and "completion" not in shown.capabilities:
            raise ModelError(f"{self.model} is no chat model. Set OLLAMA_MODEL to one, for example llama3.1:8b.")
        info = shown.modelinfo or {}
        trained = [n for key, n in info.items() if key.endswith(".context_length") and isinstance(n, int)]
        self.num_ctx = min([self._settings.num_ctx, *trained])

    def count_tokens(self, text: str) -> int:
        """An upper estimate, corrected by what Ollama reported of earlier prompts."""
        return self._calibration.estimate(text)

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Token | Usage]:
        """Tokens as they arrive, then one `Usage`; see `app.llms.LLM.stream`."""
        lines, limit_s = LineSplitter(), self._settings.first_token_timeout_s
        async with self._asked(request) as response:
            with Silence(response.content) as silence:
                silence.wait(limit_s)
                while data := await response.content.readany():
                    silence.rest()
                    for line in lines.feed(data):
                        for part in read_line(line):
                            if isinstance(part, Usage):
                                self._learn(request, part.prompt_eval_count)
                                yield part
                                return
                            yield part
                    silence.wait(limit_s)
        raise broken_off(self._settings, "the stream ended without its last line")

    async def aclose(self) -> None:
        """Close both clients; answers still being streamed break off."""
        if self._session is not None:
            await self._session.close()
            self._session = None
        await self._client.aclose()

    def _open_session(self) -> aiohttp.ClientSession:
        """One session for all answers. Each answer has a connection of its own, closed after it:
        a kept one could have died in between, and a chat is too long for the saving to matter."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, force_close=True),
                timeout=aiohttp.ClientTimeout(total=None, connect=self._settings.connect_timeout_s),
                headers={"Accept-Encoding": "identity"},
                trust_env=self._settings.ollama_trust_env,
            )
        return self._session

    @contextlib.asynccontextmanager
    async def _asked(self, request: ChatRequest) -> AsyncIterator[aiohttp.ClientResponse]:
        """The open answer. Leaving closes its connection at once, which stops the generation."""
        with explain(self._settings):
            async with asyncio.timeout(self._settings.first_token_timeout_s):
                response = await self._open_session().post(f"{self._host}/api/chat", json=self._body(request))
            try:
                if response.status != 200:
                    async with asyncio.timeout(self._settings.first_token_timeout_s):
                        error = await _read_error(response)
                    raise self._refused(request, response.status, error)
                yield response
            finally:
                response.close()

    def _body(self, request: ChatRequest) -> dict[str, Any]:
        """`truncate` and `shift` off: servers that know them refuse a prompt that does not fit, where
        they would else drop its beginning, the instructions and the best sources, without a word."""
        options: dict[str, Any] = {"num_ctx": request.num_ctx, **name_options(request.sampling)}
        brief: dict[str, Any] = {}
        if request.brief:
            options = {"num_ctx": request.num_ctx, "num_predict": BRIEF_TOKENS, "temperature": 0}
            brief = {"think": False}
        return {
            "model": self.model,
            "messages": list(request.messages),
            "stream": True,
            "options": options,
            "truncate": False,
            "shift": False,
            **({} if self._settings.keep_alive is None else {"keep_alive": self._settings.keep_alive}),
            **brief,
        }

    def _refused(self, request: ChatRequest, status: int, text: str) -> ModelError:
        prompt_tokens = read_overflow(text)
        if prompt_tokens is None:
            return refused(self._settings, status, text)
        self._learn(request, prompt_tokens)
        return ModelRefused(
            f"The prompt has {prompt_tokens} tokens and does not fit the window of {request.num_ctx}. "
            "Ask again, now that this is known; or raise NUM_CTX, or lower TOP_K."
        )

    def _learn(self, request: ChatRequest, prompt_tokens: int) -> None:
        estimated = sum(estimate_tokens(message["content"]) for message in request.messages)
        self._calibration.observe(estimated, prompt_tokens)


def name_options(sampling: Sampling) -> dict[str, Any]:
    """The sampling as Ollama's options name it; nothing for what is left to the model."""
    named = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "num_predict": sampling.max_tokens,
        "stop": list(sampling.stop) or None,
        "seed": sampling.seed,
    }
    return {name: value for name, value in named.items() if value is not None}


def describe_service(url: str, model: str) -> Service:
    """Who answers. Local means on this machine, and no cloud model, which Ollama passes on to
    ollama.com."""
    tag = model.partition(":")[2]
    if tag == "cloud" or tag.endswith("-cloud"):
        return Service(name="ollama", host="ollama.com", local=False)
    host = urlsplit(url).hostname or ""
    return Service(name="ollama", host=host, local=is_this_machine(host))


async def _read_error(response: aiohttp.ClientResponse) -> str:
    body = await response.content.read(MAX_ERROR_BODY)
    try:
        return str(json.loads(body)["error"])
    except (ValueError, TypeError, KeyError):
        return body[:200].decode(errors="replace")

"""A loopback server that speaks OpenAI's chat as vLLM, llama.cpp and OpenAI do, with their differences as switches.

`async with FakeOpenAI() as fake:` serves at `fake.url`, which ends in /v1 and goes into `base_url`.
"""

import asyncio
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

ANSWER = "O acervo responde com base nos documentos [1]. A página citada mostra o trecho [2]."


@dataclass
class Switches:
    """What can go wrong, or merely differ, from one answer to the next."""

    answer: str = ANSWER
    reasoning: str = ""
    """Thought aloud before the answer, in the field that `reasoning_field` names."""
    reasoning_field: str = "reasoning_content"
    token_delay_s: float = 0
    first_token_silence_s: float = 0
    """Before the headers."""
    comments_for_s: float = 0
    """Nothing but comments for so long, as gateways send them to keep a connection open."""
    key: str = ""
    """Any other is refused."""
    knows: frozenset[str] = frozenset({"stream_options", "temperature", "top_p", "max_tokens", "stop", "seed"})
    """The optional fields of a request; others are refused as OpenAI does."""
    usage: bool = True
    usage_in_last_choice: bool = False
    """With the finish reason, as servers do that have no chunk of its own for it."""
    done_line: bool = True
    finish_reason: str | None = "stop"
    line_end: str = "\n"
    status: int = 200
    """Any other is answered with `error` and `headers`."""
    error: Any = field(default_factory=lambda: {"message": "it failed", "type": "server_error", "code": None})
    headers: dict[str, str] = field(default_factory=dict)
    window: int = 131072
    silence_after: int | None = None
    """Falls silent for good after so many tokens."""
    error_after: int | None = None
    cut_after: int | None = None
    end_after: int | None = None
    """Ends in good form after so many tokens, without a finish reason and `[DONE]`."""
    garbage_after: int | None = None
    garbage: bytes = b"<html>Bad gateway</html>"
    hang_at_end: bool = False
    """Keeps the connection open after the last chunk."""
    listed: bool = True
    """Whether GET /v1/models is there."""
    list_pause_s: float = 0
    """In the middle of that list."""


class FakeOpenAI:
    """The server. `requests` are the bodies of chats, `keys` the Authorization headers, both in order."""

    def __init__(self, models: tuple[str, ...] = ("Qwen/Qwen3-8B",), **switches: Any) -> None:
        self.models = models
        self.switches = Switches(**switches)
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.listings = 0
        self.open_streams = self.finished_streams = self.cancelled_streams = 0
        self.url = ""

    async def start(self, port: int = 0) -> None:
        """Listen on 127.0.0.1; a port of 0 takes a free one."""
        app = web.Application(client_max_size=1 << 26)
        app.router.add_get("/v1/models", self._list)
        app.router.add_post("/v1/chat/completions", self._chat)
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.url = "http://{}:{}/v1".format(*self._runner.addresses[0][:2])

    async def stop(self) -> None:
        """Stop listening and break off open streams."""
        await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def wait_until(self, condition: Callable[[Self], bool], timeout_s: float = 20) -> None:
        """Return when `condition(fake)` holds; `TimeoutError` otherwise."""
        async with asyncio.timeout(timeout_s):
            while not condition(self):  # noqa: ASYNC110
                await asyncio.sleep(0.005)

    async def _list(self, request: web.Request) -> web.StreamResponse:
        self.listings += 1
        self._check_key(request)
        if not self.switches.listed:
            raise web.HTTPNotFound
        models = [{"id": name, "object": "model", "max_model_len": self.switches.window} for name in self.models]
        body = json.dumps({"object": "list", "data": models}).encode()
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(body[:20])
        await asyncio.sleep(self.switches.list_pause_s)
        await response.write(body[20:])
        return response

    def _check_key(self, request: web.Request) -> None:
        if self.switches.key and request.headers.get("Authorization") != f"Bearer {self.switches.key}":
            told = request.headers.get("Authorization", "")
            raise _refusal(401, {"message": f"Incorrect API key provided: {told}", "code": "invalid_api_key"})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.requests.append(body)
        self.keys.append(request.headers.get("Authorization", ""))
        self.open_streams += 1
        try:
            return await self._answer(request, body)
        except (asyncio.CancelledError, ConnectionError):
            self.cancelled_streams += 1
            raise
        finally:
            self.open_streams -= 1

    async def _answer(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        switches = self.switches
        await asyncio.sleep(switches.first_token_silence_s)
        self._check_key(request)
        if switches.status != 200:
            raise _refusal(switches.status, switches.error, switches.headers)
        self._refuse(body)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
        await response.prepare(request)
        for _ in range(math.ceil(switches.comments_for_s / 0.05)):
            await response.write(b": PROCESSING\n\n")
            await asyncio.sleep(0.05)
        await self._write(response, body, {"role": "assistant", "content": ""})
        for piece in _cut(switches.reasoning):
            await self._write(response, body, {switches.reasoning_field: piece, "content": None})
        pieces = _cut(switches.answer)[: body.get("max_tokens", body.get("max_completion_tokens"))]
        for n, piece in enumerate([*pieces, ""]):
            if await self._fault(n, request, response):
                return response
            if piece:
                await self._write(response, body, {"content": piece})
                await asyncio.sleep(switches.token_delay_s)
        self.finished_streams += 1
        await self._finish(response, body, len(pieces), len(pieces) < len(_cut(switches.answer)))
        return response

    def _refuse(self, body: dict[str, Any]) -> None:
        if body["model"] not in self.models:
            told = f"The model `{body['model']}` does not exist."
            raise _refusal(404, {"message": told, "type": "NotFoundError", "code": "model_not_found"})
        for name in set(body) - {"model", "messages", "stream"} - self.switches.knows:
            told = f"Unsupported parameter: '{name}' is not supported with this model."
            raise _refusal(400, {"message": told, "param": name, "code": "unsupported_parameter"})
        if (count := self._count(body)) > self.switches.window:
            told = f"This model's maximum context length is {self.switches.window} tokens. Reduce the messages."
            raise _refusal(400, {"message": told, "type": "BadRequestError", "n_prompt_tokens": count, "code": 400})

    def _count(self, body: dict[str, Any]) -> int:
        return sum(len(message["content"]) for message in body["messages"]) // 3

    async def _finish(self, response: web.StreamResponse, body: dict[str, Any], tokens: int, cut: bool) -> None:
        switches, prompt_tokens = self.switches, self._count(body)
        counts = {"prompt_tokens": prompt_tokens, "completion_tokens": tokens, "total_tokens": prompt_tokens + tokens}
        asked = body.get("stream_options", {}).get("include_usage", False)
        last = {"usage": counts} if switches.usage_in_last_choice else {}
        if switches.finish_reason:
            await self._write(response, body, {}, "length" if cut else switches.finish_reason, **last)
        if switches.usage and asked and not last:
            await self._write(response, body, None, usage=counts)
        if switches.done_line:
            await response.write(f"data: [DONE]{switches.line_end * 2}".encode())
        if switches.hang_at_end:
            await asyncio.sleep(3600)

    async def _write(
        self,
        response: web.StreamResponse,
        body: dict[str, Any],
        delta: dict[str, Any] | None,
        reason: str | None = None,
        **more: Any,
    ) -> None:
        choices = [] if delta is None else [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]
        head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1750000000, "model": body["model"]}
        chunk = json.dumps({**head, "choices": choices, **more}, ensure_ascii=False)
        await response.write(f"data: {chunk}{self.switches.line_end * 2}".encode())

    async def _fault(self, n: int, request: web.Request, response: web.StreamResponse) -> bool:
        """Do what is set to happen before token `n`; whether the stream ends with it."""
        match n:
            case self.switches.silence_after:
                await asyncio.sleep(3600)
            case self.switches.error_after:
                await response.write(b'data: {"error":{"message":"CUDA out of memory","code":500}}\n\n')
            case self.switches.garbage_after:
                await response.write(self.switches.garbage + b"\n\n")
            case self.switches.cut_after:
                assert request.transport
                request.transport.abort()
            case self.switches.end_after:
                pass
            case _:
                return False
        return True


def _refusal(status: int, error: Any, headers: dict[str, str] | None = None) -> web.HTTPException:
    body = error if isinstance(error, str) else json.dumps({"error": error})
    # aiohttp has a class for each status; which one it is does not matter.
    refusal = web.HTTPException(text=body, content_type="application/json", headers=headers)
    refusal.set_status(status, None)
    return refusal


def _cut(text: str) -> list[str]:
    return [word if n == 0 else f" {word}" for n, word in enumerate(text.split(" "))] if text else []

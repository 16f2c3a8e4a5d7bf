"""A loopback Ollama: a real HTTP server that speaks the part of its API that Acervo uses.

`async with FakeOllama() as fake:` serves at `fake.url`; its switches may be set at any time. In a
process of its own, for benches: `python -m tests.fakes.ollama --tokens 200 --rate 0` prints its URL.
"""

import argparse
import asyncio
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any, Self

from aiohttp import web

from tests.fakes.ollama_memory import Memory
from tests.fakes.ollama_wire import (
    BGE_M3,
    NOMIC,
    FakeModel,
    cut_tokens,
    details,
    hashed_vector,
    last_line,
    listing,
    overflow,
    refusal,
    token_line,
)
from tests.fakes.ports import hold_port

__all__ = ["ANSWER", "BGE_M3", "NOMIC", "FakeModel", "FakeOllama", "Switches"]

ANSWER = "O acervo responde com base nos documentos [1]. A página citada mostra o trecho [2]."
TOO_LONG = "the input length exceeds the context length"


@dataclass
class Switches:
    """What can go wrong, or merely differ, from one answer to the next."""

    answer: str = ANSWER
    brief_answer: str = ANSWER
    """The answer where `num_predict` limits it."""
    brief_silence_s: float = 0
    thinking: str = ""
    """Thought aloud, in lines of its own, before the answer."""
    token_delay_s: float = 0
    first_token_silence_s: float = 0
    """Before the headers, as while a model is loaded."""
    silence_after: int | None = None
    """Falls silent for good after so many tokens."""
    error_after: int | None = None
    cut_after: int | None = None
    """Cuts the TCP connection after so many tokens."""
    end_after: int | None = None
    """Ends in good form after so many tokens, without the `done` line."""
    garbage_after: int | None = None
    load_error: str = ""
    """500 with this text, such as "model requires more system memory (9.1 GiB) than is available"."""
    busy: bool = False
    silently_truncates: bool = True
    """Drops the front of an over-long prompt, as versions do that do not know `truncate: false`."""
    chars_per_token: float = 3.0
    cached_tokens: int = 0
    """Left out of `prompt_eval_count`, as by versions that count only what they evaluate anew."""
    normalised: bool = True


class FakeOllama:
    """The server. `requests` are (path, body) in order; `prompts` what the model saw of each chat; `memory` which
    models it holds. A `port` of 0 is a free one, which stays this server's while it is stopped."""

    def __init__(self, models: Sequence[str | FakeModel] = ("llama3.1:8b",), port: int = 0, **switches: Any) -> None:
        found = [FakeModel(model) if isinstance(model, str) else model for model in models]
        self.models = {model.name: model for model in found}
        self.switches = Switches(**switches)
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.prompts: list[str] = []
        self.memory = Memory()
        self.open_streams = self.finished_streams = self.cancelled_streams = 0
        self.url = ""
        self._port = port
        self._held = ExitStack()
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen on 127.0.0.1 (again, at the same port)."""
        self._port = self._port or self._held.enter_context(hold_port())
        app = web.Application()
        app.router.add_get("/api/version", self._version)
        app.router.add_get("/api/tags", self._tags)
        app.router.add_post("/api/show", self._show)
        app.router.add_post("/api/chat", self._chat)
        app.router.add_post("/api/embed", self._embed)
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self.url = "http://{}:{}".format(*self._runner.addresses[0][:2])

    async def stop(self) -> None:
        """Stop listening and break off open streams."""
        if self._runner:
            await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
        self._held.close()

    @contextmanager
    def as_new(self) -> Iterator[Self]:
        """With counters as new in the block, and after it with the switches of before."""
        before = dict(vars(self.switches))
        self.requests.clear()
        self.prompts.clear()
        self.finished_streams = self.cancelled_streams = 0
        yield self
        vars(self.switches).update(before)

    async def wait_until(self, condition: Callable[[Self], bool], timeout_s: float = 20) -> None:
        """Return when `condition(fake)` holds; `TimeoutError` otherwise."""
        async with asyncio.timeout(timeout_s):
            while not condition(self):  # noqa: ASYNC110
                await asyncio.sleep(0.005)

    async def _version(self, _: web.Request) -> web.Response:
        return web.json_response({"version": "0.12.6"})

    async def _tags(self, request: web.Request) -> web.Response:
        self.requests.append((request.path, {}))
        return web.json_response({"models": [listing(model) for model in self.models.values()]})

    async def _show(self, request: web.Request) -> web.Response:
        model, _ = await self._read(request)
        info = {
            "general.architecture": model.family,
            f"{model.family}.context_length": model.context_length,
            f"{model.family}.embedding_length": model.embedding_length,
        }
        shown = {"details": details(model), "model_info": info, "capabilities": list(model.capabilities)}
        return web.json_response({"license": "", "modelfile": "", "template": "{{ .Prompt }}", **shown})

    async def _read(self, request: web.Request) -> tuple[FakeModel, dict[str, Any]]:
        body = await request.json()
        self.requests.append((request.path, body))
        asked = body["model"]
        model = self.models.get(asked) or self.models.get(f"{asked}:latest")
        if model is None:
            raise refusal(web.HTTPNotFound, f'model "{asked}" not found')
        return model, body

    def _count(self, text: str) -> int:
        return math.ceil(len(text) / self.switches.chars_per_token)

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        model, body = await self._read(request)
        if "completion" not in model.capabilities:
            raise refusal(web.HTTPBadRequest, f'"{body["model"]}" does not support chat')
        self.memory.use(model.name, body)
        self.open_streams += 1
        try:
            return await self._stream(request, model, body)
        except (asyncio.CancelledError, ConnectionError):
            self.cancelled_streams += 1
            raise
        finally:
            self.open_streams -= 1

    async def _stream(self, request: web.Request, model: FakeModel, body: dict[str, Any]) -> web.StreamResponse:
        started, switches = time.perf_counter_ns(), self.switches
        limit = body.get("options", {}).get("num_predict")
        prompt_tokens = self._fit(model, body)
        await asyncio.sleep(switches.brief_silence_s if limit else switches.first_token_silence_s)
        if switches.busy:
            raise refusal(
                web.HTTPServiceUnavailable, "server busy, please try again.  maximum pending requests exceeded"
            )
        if switches.load_error:
            raise refusal(web.HTTPInternalServerError, switches.load_error)
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        thinking = switches.thinking if body.get("think", True) else ""
        for line in [token_line(body["model"], thinking=part) for part in cut_tokens(thinking)]:
            await response.write(line)
        tokens = cut_tokens(switches.brief_answer)[:limit] if limit else cut_tokens(switches.answer)
        for n, line in enumerate(chain((token_line(body["model"], token) for token in tokens), [b""])):
            if await self._fault(n, request, response):
                return response
            if line:
                await response.write(line)
                await asyncio.sleep(switches.token_delay_s)
        self.finished_streams += 1
        await response.write(last_line(body["model"], prompt_tokens, len(tokens), started))
        return response

    async def _fault(self, n: int, request: web.Request, response: web.StreamResponse) -> bool:
        """Do what is set to happen before token `n`; whether the stream ends with it."""
        match n:
            case self.switches.silence_after:
                await asyncio.sleep(3600)
            case self.switches.error_after:
                await response.write(b'{"error":"an error was encountered while running the model: CUDA error"}\n')
            case self.switches.garbage_after:
                await response.write(b"<html>Bad gateway</html>\n")
            case self.switches.cut_after:
                assert request.transport
                request.transport.abort()
            case self.switches.end_after:
                pass
            case _:
                return False
        return True

    def _fit(self, model: FakeModel, body: dict[str, Any]) -> int:
        """Fit the prompt to the window as Ollama does; what it reports as `prompt_eval_count`."""
        num_ctx = min(body.get("options", {}).get("num_ctx", 4096), model.context_length)
        prompt = "\n".join(message["content"] for message in body["messages"])
        count = self._count(prompt)
        if count > num_ctx and not body.get("truncate", True) and not self.switches.silently_truncates:
            raise refusal(web.HTTPBadRequest, overflow(count, num_ctx))
        if count > num_ctx:
            prompt = prompt[-int(num_ctx * self.switches.chars_per_token) :]
        self.prompts.append(prompt)
        return max(0, min(count, num_ctx) - self.switches.cached_tokens)

    async def _embed(self, request: web.Request) -> web.Response:
        model, body = await self._read(request)
        self.memory.use(model.name, body)
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        if self.switches.load_error:
            raise refusal(web.HTTPInternalServerError, self.switches.load_error)
        if not body.get("truncate", True) and any(self._count(t) > model.context_length for t in texts):
            raise refusal(web.HTTPBadRequest, TOO_LONG)
        limit = int(model.context_length * self.switches.chars_per_token)
        vectors = [hashed_vector(t[:limit], model.embedding_length, self.switches.normalised) for t in texts]
        count = sum(map(self._count, texts))
        return web.json_response({"model": body["model"], "embeddings": vectors, "prompt_eval_count": count})


async def _serve(options: argparse.Namespace) -> None:
    answer = " ".join(["palavra"] * options.tokens)
    fake = FakeOllama(port=options.port, token_delay_s=1 / options.rate if options.rate else 0, answer=answer)
    await fake.start()
    print(fake.url, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--tokens", type=int, default=200, help="tokens of each answer")
    parser.add_argument("--rate", type=float, default=0, help="tokens a second; 0: as fast as they are read")
    asyncio.run(_serve(parser.parse_args()))

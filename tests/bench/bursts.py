"""A model that can be ahead of who reads it: lines are written many at once, each in an HTTP chunk of its own."""

import asyncio
import time
from typing import Any

from aiohttp import web

from tests.fakes.ollama import FakeModel, FakeOllama
from tests.fakes.ollama_wire import as_chunk, cut_tokens, last_line, token_line


class BurstOllama(FakeOllama):
    """A fake Ollama that writes `burst` lines at once; with 1, as Ollama does, line by line."""

    burst = 1

    async def _stream(self, request: web.Request, model: FakeModel, body: dict[str, Any]) -> web.StreamResponse:
        if self.burst == 1:
            return await super()._stream(request, model, body)
        started, prompt_tokens = time.perf_counter_ns(), self._fit(model, body)
        tokens = cut_tokens(self.switches.answer)
        chunks = [as_chunk(token_line(body["model"], token)) for token in tokens]
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        assert isinstance(request.transport, asyncio.Transport)
        for at in range(0, len(chunks), self.burst):
            request.transport.write(b"".join(chunks[at : at + self.burst]))
            await asyncio.sleep(0)
        self.finished_streams += 1
        await response.write(last_line(body["model"], prompt_tokens, len(tokens), started))
        return response

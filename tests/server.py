"""The server on a free port with production's own runner, over a small library; and ways to read it.

A pytest plugin (`tests/conftest.py` names it). aiohttp's test server is not used: it cancels
handlers of clients that left, whatever the real one does.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, web, web_app
from blockbuster import BlockBuster
from multidict import CIMultiDictProxy
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource
from yarl import URL

from app.__main__ import make_runner
from app.application import make_app
from app.settings import ServerSettings
from tests.library import QUESTION, Library, make_library

SOURCE_FIELDS = {
    "n",
    "document",
    "name",
    "title",
    "format",
    "unit",
    "page",
    "score",
    "text",
    "chunk_id",
    "boxes",
    "parts",
    "joined",
    "url",
}
USAGE_FIELDS = {
    "total_duration",
    "load_duration",
    "prompt_eval_count",
    "prompt_eval_duration",
    "eval_count",
    "eval_duration",
}
NOBODY = "http://127.0.0.1:9"
"""Nothing listens there."""


class GivenSettings(ServerSettings):
    """Knows what it is given and the defaults; the environment may not touch servers that several tests share."""

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, **_: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


@dataclass(frozen=True)
class Served:
    """A running server and a client of it."""

    url: URL
    client: ClientSession
    app: web.Application


@dataclass(frozen=True)
class Answer:
    """A whole answer as it came."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def lines(self) -> list[Any]:
        """Every line as JSON; the last one must be complete."""
        *lines, rest = self.body.split(b"\n")
        assert rest == b""
        return [json.loads(line) for line in lines]

    @property
    def error(self) -> str:
        """The message of a failure before the first byte; asserts its one shape."""
        assert self.headers["Content-Type"] == "application/json; charset=utf-8"
        told = json.loads(self.body)
        assert set(told) - {"kind"} == {"error", "status"} | ({"request"} if self.status == 500 else set())
        assert told["status"] == self.status
        return str(told["error"])

    @property
    def text(self) -> str:
        """What the model said."""
        return "".join(line["message"]["content"] for line in self.lines if "message" in line)


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """Made once with the real chunker, embedder and store; tests only read it."""
    return asyncio.run(make_library(tmp_path_factory.mktemp("library")))


@pytest.fixture
def home(tmp_path: Path, library: Library) -> Path:
    """An empty DATA_DIR that has the embedder's model already."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home/models").symlink_to(library.data_dir / "models")
    return tmp_path / "home"


@pytest.fixture
def strict_loop() -> Any:
    """Fails a test that blocks the event loop, be it in our code or in a library."""
    guard = BlockBuster()
    guard.activate()
    yield
    guard.deactivate()


@asynccontextmanager
async def serve(data_dir: Path, *, gemini_channel: Any = None, **given: Any) -> AsyncIterator[Served]:
    """The server over the index in `data_dir`, without a language model unless `given` says so."""
    nothing = {"data_dir": data_dir, "llm": "extractive", "ollama_host": NOBODY}
    settings = await asyncio.to_thread(GivenSettings.load, **{**nothing, **given})
    app = make_app(settings, gemini_channel=gemini_channel)
    runner = make_runner(app, settings)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = URL(f"http://127.0.0.1:{runner.addresses[0][1]}")
        timeout = ClientTimeout(total=60)
        async with ClientSession(url, auto_decompress=False, cookie_jar=DummyCookieJar(), timeout=timeout) as client:
            yield Served(url, client, app)
    finally:
        await runner.cleanup()
        # It keeps every application of the process, some ten megabytes each.
        web_app._cached_build_middleware.cache_clear()


async def ask(served: Served, question: str = QUESTION, path: str = "/", origin: str = "", **fields: Any) -> Answer:
    """The whole answer to a question, with these further fields in the request."""
    headers = {"Origin": origin} if origin else {}
    async with served.client.post(path, json={"prompt": question, **fields}, headers=headers) as response:
        return Answer(response.status, response.headers, await response.read())


async def send(served: Served, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
    """The answer to any request; in the names of headers `_` stands for `-`."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with served.client.request(method, path, data=body or None, headers=sent) as response:
        return Answer(response.status, response.headers, await response.read())


async def read_chunks(served: Served, question: str = QUESTION, path: str = "/") -> tuple[str, list[bytes]]:
    """The head of an answer, and each chunk of the chunked transfer as it was written."""
    body = json.dumps({"prompt": question}).encode()
    reader, writer = await asyncio.open_connection(served.url.host, served.url.port)
    writer.write(
        f"POST {path} HTTP/1.1\r\nHost: localhost:{served.url.port}\r\nAccept-Encoding: gzip, br\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body
    )
    head, chunks = (await reader.readuntil(b"\r\n\r\n")).decode(), []
    while size := int(await reader.readuntil(b"\r\n"), 16):
        chunks.append(await reader.readexactly(size))
        await reader.readexactly(2)
    writer.close()
    return head, chunks


async def send_raw(served: Served, request: bytes) -> tuple[int, bytes]:
    """Status and body of the answer to these bytes; the server must close the connection."""
    reader, writer = await asyncio.open_connection(served.url.host, served.url.port)
    writer.write(request)
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return int(head.split(b" ", 2)[1]), body


def check_shape(answer: Answer) -> dict[str, Any]:
    """Assert what holds for every complete answer of `POST /`; its last line."""
    assert answer.status == 200
    first, *tokens, last = answer.lines
    for line in (first, *tokens):
        assert isinstance(line["message"]["content"], str) and line["done"] is False
        assert line["model"] and line["created_at"] and line["message"]["role"] == "assistant"
    assert first["message"]["content"] == ""
    assert [source["n"] for source in first["sources"]] == list(range(1, len(first["sources"]) + 1))
    assert last["done"] is True and last["done_reason"] == "stop" and last["message"]["content"] == ""
    assert all(isinstance(last[name], int) for name in USAGE_FIELDS)
    return dict(last)

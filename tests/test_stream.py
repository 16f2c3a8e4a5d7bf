"""Writing events as lines: one a write, failures as the last line, and slowly for pages of other origins."""

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from aiohttp import ClientError, ClientSession, web

from app.__main__ import make_runner
from app.errors import ModelError
from app.events import Done, Event, Service, Sources, Token, Usage
from app.keys import SETTINGS, STOPPING
from app.middlewares import errors_to_json
from app.ndjson import ollama_line
from app.stream import MERGE_S, STOPPED, UNFORESEEN, Form, stream_events
from app.tally import Tally
from database.errors import StoreUnavailable
from tests.server import GivenSettings

pytestmark = pytest.mark.usefixtures("strict_loop")

MakeEvents = Callable[[], AsyncGenerator[Event]]
SOURCES = Sources("m", "?", [])
DONE = Done("m", Usage(), [], [], 8192, [Service("ollama", "127.0.0.1", True)])
WORDS = [f"w{n} " for n in range(40)]


@dataclass
class Streaming:
    """A server that streams `events` to everybody."""

    events: MakeEvents
    merged: bool = False
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: list[asyncio.Task[Any]] = field(default_factory=list)
    closed: int = 0
    tally: Tally = field(default_factory=Tally)
    url: str = ""
    written: list[float] = field(default_factory=list)
    """When each line was written, in seconds. A client may read a line later, and so the next one sooner after it."""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        task, transport = asyncio.current_task(), request.transport
        assert task and isinstance(transport, asyncio.Transport)
        self.tasks.append(task)
        self._note_lines(transport)
        return await stream_events(request, self._watched(), Form(ollama_line, merged=self.merged), self.tally)

    def _note_lines(self, transport: asyncio.Transport) -> None:
        write = transport.write

        def noted(data: bytes) -> None:
            self.written.extend([time.monotonic()] * (b"{" in data))
            write(data)

        transport.write = noted  # type: ignore[assignment,method-assign]

    async def _watched(self) -> AsyncGenerator[Event]:
        try:
            async with contextlib.aclosing(self.events()) as events:
                async for event in events:
                    yield event
        finally:
            self.closed += 1


@contextlib.asynccontextmanager
async def streaming(events: MakeEvents, merged: bool = False) -> AsyncIterator[tuple[Streaming, ClientSession]]:
    server = Streaming(events, merged)
    settings = await asyncio.to_thread(GivenSettings.load, shutdown_timeout_s=0.2, stall_timeout_s=1)
    app = web.Application(middlewares=[errors_to_json])
    app[SETTINGS], app[STOPPING] = settings, server.stopping
    app.router.add_get("/", server.handle)
    runner = make_runner(app, settings)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = "http://{}:{}".format(*runner.addresses[0][:2])
    async with ClientSession() as client:
        yield server, client
    await runner.cleanup()


async def read_lines(server: Streaming, client: ClientSession) -> list[dict[str, Any]]:
    async with client.get(server.url) as response:
        assert response.status == 200
        return [json.loads(line) async for line in response.content]


def words_of(lines: Sequence[dict[str, Any]]) -> str:
    return "".join(line["message"]["content"] for line in lines if "message" in line)


def came_apart(server: Streaming, lines: Sequence[dict[str, Any]]) -> bool:
    assert len(server.written) == len(lines), "each line is one write"
    return all(after - before >= MERGE_S for before, after in pairwise(server.written))


async def tell(words: Sequence[str] = WORDS, pause_s: float = 0.0) -> AsyncGenerator[Event]:
    yield SOURCES
    for word in words:
        await asyncio.sleep(pause_s)
        yield Token(word)
    yield DONE


async def break_off(error: Exception, after: int) -> AsyncGenerator[Event]:
    """The sources if `after` is positive, tokens, then the error."""
    if after:
        yield SOURCES
    for word in WORDS[1:after]:
        yield Token(word)
    raise error


async def fall_silent() -> AsyncGenerator[Event]:
    yield SOURCES
    yield Token("one")
    await asyncio.sleep(3600)


async def test_every_token_at_once() -> None:
    async with streaming(tell) as (server, client):
        lines = await read_lines(server, client)
    assert [line["message"]["content"] for line in lines] == ["", *WORDS, ""]
    assert server.closed == 1


async def test_merged_tokens_come_apart_and_complete() -> None:
    async with streaming(lambda: tell(pause_s=0.02), merged=True) as (server, client):
        lines = await read_lines(server, client)
    first, *tokens, last = lines
    assert came_apart(server, lines)
    assert "sources" in first and first["message"]["content"] == ""
    assert last["done"] is True and last["message"]["content"] == ""
    assert words_of(lines) == "".join(WORDS)
    assert 2 <= len(tokens) < len(WORDS) // 2


async def test_merged_tokens_that_come_at_once_are_one_line() -> None:
    async with streaming(tell, merged=True) as (server, client):
        lines = await read_lines(server, client)
    assert words_of(lines) == "".join(WORDS) and len(lines) <= 4
    assert server.closed == 1


async def test_a_slow_model_is_not_held_back_when_merged() -> None:
    async with streaming(fall_silent, merged=True) as (server, client), client.get(server.url) as response:
        async with asyncio.timeout(20):
            assert "sources" in json.loads(await response.content.readline())
            assert json.loads(await response.content.readline())["message"]["content"] == "one"


@pytest.mark.parametrize("merged", [False, True])
async def test_a_failure_is_the_last_line(merged: bool) -> None:
    error = ModelError("The model broke off. Ask again.")
    async with streaming(lambda: break_off(error, 3), merged) as (server, client):
        *lines, last = await read_lines(server, client)
    assert not merged or came_apart(server, [*lines, last])
    assert last == {"error": "The model broke off. Ask again.", "kind": "model"}
    assert words_of(lines) == "w1 w2 " and not any(line["done"] for line in lines)


@pytest.mark.parametrize("merged", [False, True])
async def test_a_fault_of_ours_is_told_and_logged(merged: bool, caplog: pytest.LogCaptureFixture) -> None:
    async with streaming(lambda: break_off(KeyError("a bug"), 3), merged) as (server, client):
        *lines, last = await read_lines(server, client)
    assert last == {"error": UNFORESEEN} and words_of(lines) == "w1 w2 "
    assert [record.levelno for record in caplog.records] == [logging.ERROR] and "a bug" in caplog.text


async def test_a_failure_before_the_first_event_is_a_status() -> None:
    error = StoreUnavailable("No MongoDB answers. Start it.")
    async with streaming(lambda: break_off(error, 0)) as (server, client), client.get(server.url) as response:
        assert response.status == 503
        assert await response.json() == {"error": "No MongoDB answers. Start it.", "status": 503}


@pytest.mark.parametrize("merged", [False, True])
async def test_stopping_is_told_to_open_streams(merged: bool) -> None:
    async with streaming(fall_silent, merged) as (server, client), client.get(server.url) as response:
        for _ in range(2):
            await response.content.readline()
        server.stopping.set()
        server.tasks[0].cancel()
        assert json.loads(await response.read()) == {"error": STOPPED}
        assert server.closed == 1


@pytest.mark.parametrize("merged", [False, True])
async def test_a_client_that_leaves_closes_the_events(merged: bool) -> None:
    async with streaming(fall_silent, merged) as (server, client):
        response = await client.get(server.url)
        await response.content.readline()
        response.close()
        async with asyncio.timeout(20):
            while not server.closed:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def test_a_client_that_does_not_read_holds_the_model_back() -> None:
    made = 0

    async def flood() -> AsyncGenerator[Event]:
        nonlocal made
        yield SOURCES
        while True:
            made += 1
            yield Token("x" * 10_000)

    async with streaming(flood) as (server, _):
        reader, writer = await asyncio.open_connection(*server.url.removeprefix("http://").split(":"))
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        before = -1
        async with asyncio.timeout(20):
            while made != before or not made:
                before = made
                await asyncio.sleep(0.3)
        assert made < 5000
        writer.close()
        assert reader is not None


async def test_the_headers_forbid_keeping_and_buffering() -> None:
    async with streaming(tell) as (server, client), client.get(server.url) as response:
        headers = response.headers
        assert headers["Content-Type"] == "application/x-ndjson; charset=utf-8"
        assert (headers["Cache-Control"], headers["X-Accel-Buffering"]) == ("no-store", "no")
        assert headers["Transfer-Encoding"] == "chunked" and "Content-Encoding" not in headers


async def test_a_client_that_reads_nothing_is_given_up() -> None:
    def flood() -> AsyncGenerator[Event]:
        return tell(["x" * 100_000] * 1000)

    async with streaming(flood) as (server, client):
        response = await client.get(server.url)
        async with asyncio.timeout(20):
            while not server.closed:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        with pytest.raises(ClientError):
            await response.read()

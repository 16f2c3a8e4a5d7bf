"""The real process, told to stop while it writes answers."""

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientResponse, ClientSession, ClientTimeout

from app.stream import STOPPED
from tests.e2e.servers import Server, run_server
from tests.fakes.ollama import FakeOllama
from tests.library import QUESTION, Library

ANGULAR = {"Origin": "http://localhost:4200"}
EXIT_S = 5


@asynccontextmanager
async def running(library: Library, folder: Path, fake: FakeOllama) -> AsyncIterator[tuple[Server, ClientSession]]:
    """`python -m app` with the library and this model, and a client of it."""
    async with (
        run_server(library.data_dir, folder, OLLAMA_HOST=fake.url) as server,
        ClientSession(timeout=ClientTimeout(total=60)) as client,
    ):
        yield server, client


async def start_answer(server: Server, client: ClientSession, **headers: str) -> ClientResponse:
    """An answer of which the first line has been read."""
    response = await client.post(f"{server.url}/", json={"prompt": QUESTION}, headers=headers)
    assert "sources" in json.loads(await response.content.readline())
    return response


async def stop(server: Server, number: signal.Signals) -> float:
    """Send the signal; seconds until the process has ended."""
    started = time.monotonic()
    server.process.send_signal(number)
    assert await asyncio.wait_for(server.process.wait(), 30) == 0
    return time.monotonic() - started


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_open_streams_are_told(library: Library, tmp_path: Path, number: signal.Signals) -> None:
    async with FakeOllama(silence_after=2) as fake, running(library, tmp_path, fake) as (server, client):
        async with client.get(f"{server.url}/health") as idle:
            assert idle.status == 200  # its connection stays open and must not hold the exit up
        responses = [await start_answer(server, client, **headers) for headers in ({}, {}, ANGULAR)]
        for response in responses:
            await response.content.readline()
        assert fake.open_streams == 3
        ending = asyncio.create_task(stop(server, number))
        for response in responses:
            last = json.loads((await response.content.read()).splitlines()[-1])
            assert last == {"error": STOPPED}
        assert await ending < EXIT_S
        await fake.wait_until(lambda fake: fake.open_streams == 0)


async def test_an_answer_in_full_flow_is_told(library: Library, tmp_path: Path) -> None:
    flow = FakeOllama(answer="palavra " * 5000, token_delay_s=0.005)
    async with flow as fake, running(library, tmp_path, fake) as (server, client):
        response = await start_answer(server, client)
        ending = asyncio.create_task(stop(server, signal.SIGTERM))
        *tokens, last = [json.loads(line) async for line in response.content]
        assert last == {"error": STOPPED}
        assert not any(line["done"] for line in tokens)
        assert await ending < EXIT_S


async def test_a_client_that_does_not_read_holds_nothing_up(library: Library, tmp_path: Path) -> None:
    async with FakeOllama(answer="palavra " * 200_000) as fake, running(library, tmp_path, fake) as (server, _):
        host, port = server.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, port, limit=1024)
        body = json.dumps({"prompt": QUESTION}).encode()
        head = f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
        await asyncio.sleep(1)  # until every buffer on the way is full
        assert await stop(server, signal.SIGTERM) < EXIT_S
        writer.close()


async def test_stopping_while_it_starts(library: Library, tmp_path: Path) -> None:
    async with FakeOllama() as fake, running(library, tmp_path, fake) as (server, _):
        # Warming up goes on beside the first requests; it must not delay the end.
        assert await stop(server, signal.SIGTERM) < EXIT_S

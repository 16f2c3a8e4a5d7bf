"""Asking and streaming: the server and a loopback Ollama, each in a process of its own."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path

import aiohttp
import psutil

from database.settings import ROOT
from tests.bench.rows import Row, percentile
from tests.fakes.ollama import FakeOllama

QUESTION = "Como adiciono um PDF?"
MODEL = "llama3.1:8b"
TOKENS = 300
ASKED = 60
ROUNDS = 10
PACE = 50
"""Tokens a second of a model on a good graphics card."""
CLIENTS = 100


async def measure_streaming(data_dir: Path) -> list[Row]:
    """Time to the upstream request, cost of relaying, streaming beside the model itself, memory."""
    settings = {"DATA_DIR": str(data_dir / "whole"), "PORT": "0"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        rows = await _measure_delay(session, settings)
        for rate in (0, PACE):
            rows += await _compare(session, settings, rate)
    return rows


async def _measure_delay(session: aiohttp.ClientSession, settings: dict[str, str]) -> list[Row]:
    """Milliseconds from sending a question to the model being asked, by the clock of this process."""
    with ExitStack() as stack:
        async with FakeOllama() as fake:
            started = time.perf_counter()
            url, server = start_program(stack, [sys.executable, "-m", "app"], settings | {"OLLAMA_HOST": fake.url})
            up_s = time.perf_counter() - started
            await _ask_acervo(session, url)
            idle = _memory("the first question", server)
            delays = []
            for _ in range(ASKED):
                known, started = len(fake.prompts), time.perf_counter()
                asking = asyncio.create_task(_ask_acervo(session, url))
                while len(fake.prompts) == known:  # noqa: ASYNC110 (a pause would be measured, too)
                    await asyncio.sleep(0)
                delays.append((time.perf_counter() - started) * 1000)
                await asking
            relay = await _measure_relay(session, url, fake, server)
    median, late = percentile(delays, 0.5), percentile(delays, 0.95)
    return [
        Row("question to upstream request, ms", f"median {median:.1f}, 95th {late:.1f}", f"{ASKED} questions"),
        relay,
        Row("start of the server, s", f"{up_s:.2f}"),
        idle,
    ]


async def _compare(session: aiohttp.ClientSession, settings: dict[str, str], rate: int) -> list[Row]:
    """Answers through the server beside the same answers straight from the model, which writes
    `rate` tokens a second (0: as fast as they are read)."""
    with ExitStack() as stack:
        fake = [sys.executable, "-m", "tests.fakes.ollama", "--tokens", str(TOKENS), "--rate", str(rate)]
        model_url, _ = start_program(stack, fake, {})
        url, server = start_program(stack, [sys.executable, "-m", "app"], settings | {"OLLAMA_HOST": model_url})
        await _ask_acervo(session, url)
        rows = [await _compare_for(session, url, model_url, rate, clients) for clients in (1, CLIENTS)]
        return [*rows, _memory(f"{CLIENTS} clients", server)]


async def _compare_for(session: aiohttp.ClientSession, url: str, model_url: str, rate: int, clients: int) -> Row:
    # Alternating rounds, the best of each: other work on the machine disturbs both alike.
    pairs = [
        (
            await _time(clients, lambda: _ask_model(session, model_url)),
            await _time(clients, lambda: _ask_acervo(session, url)),
        )
        for _ in range(1 if rate else 3)
    ]
    direct_s, through_s = min(p[0] for p in pairs), min(p[1] for p in pairs)
    speed = f"{rate} tokens/s" if rate else "full speed"
    what = f"{TOKENS} tokens, {speed}, {clients} client{'s' * (clients > 1)}, s"
    return Row(what, f"{through_s:.3f}", f"model alone {direct_s:.3f}", f"{through_s / direct_s:.2f}")


def _memory(after: str, server: psutil.Process) -> Row:
    return Row(f"memory after {after}, MB", f"{server.memory_info().rss / 2**20:.0f}")


async def _measure_relay(session: aiohttp.ClientSession, url: str, fake: FakeOllama, server: psutil.Process) -> Row:
    """CPU of the server for one more token: long answers less short ones, searching cancels out."""
    spent = []
    for count in (10, 2010):
        fake.switches.answer = "palavra " * count
        before = _cpu_s(server)
        for _ in range(ROUNDS):
            await _ask_acervo(session, url)
        spent.append(_cpu_s(server) - before)
    return Row("CPU of a relayed token, µs", f"{(spent[1] - spent[0]) / (2000 * ROUNDS) * 1e6:.1f}")


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


async def _time(clients: int, ask: Callable[[], Awaitable[int]]) -> float:
    """Seconds until `clients` asking at once have whole answers."""
    started = time.perf_counter()
    lines = await asyncio.gather(*(ask() for _ in range(clients)))
    assert min(lines) >= TOKENS, "an answer came back short"
    return time.perf_counter() - started


async def _ask_acervo(session: aiohttp.ClientSession, url: str) -> int:
    return await _read(session, url, {"prompt": QUESTION})


async def _ask_model(session: aiohttp.ClientSession, url: str) -> int:
    body = {"model": MODEL, "messages": [{"role": "user", "content": QUESTION}], "stream": True}
    return await _read(session, f"{url}/api/chat", body)


async def _read(session: aiohttp.ClientSession, url: str, body: dict[str, object]) -> int:
    """The number of lines of a complete answer."""
    async with session.post(url, json=body) as response:
        response.raise_for_status()
        lines = [line async for line in response.content]
    assert json.loads(lines[-1])["done"], lines[-1]
    return len(lines)


def start_program(stack: ExitStack, command: list[str], settings: dict[str, str]) -> tuple[str, psutil.Process]:
    """Start a server that prints its address; it is ended with `stack`."""
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | settings, stdout=subprocess.PIPE, text=True)
    stack.callback(process.wait)
    stack.callback(process.terminate)
    assert process.stdout is not None
    line = process.stdout.readline()
    return line[line.index("http") :].strip(), psutil.Process(process.pid)

"""Whole answers at full speed to 1, 100 and 1,000 clients: Acervo beside the model itself and the relay of others."""

import asyncio
import json
import statistics
import time
from collections.abc import Sequence
from contextlib import ExitStack

import aiohttp

from tests.bench.measures import Measure, left_out
from tests.bench.servers import RELAY, Target, start_acervo, start_model, start_relay
from tests.bench.venv import find_venv
from tests.bench.work import Work

TOKENS = 300
QUICK, FULL = (1, 100), (1, 100, 1000)
TURNS = 5
"""Of one client; many clients take one or two turns."""
TIMEOUT_S = 900


async def measure_streaming(work: Work) -> list[Measure]:
    """Seconds until all clients have their whole answers, in turns."""
    python = find_venv(work.folder)
    with ExitStack() as stack:
        model = start_model(stack, "tests.fakes.ollama", "--tokens", str(TOKENS))
        model_url = model.url.removesuffix("/api/chat")
        targets = [start_acervo(stack, model_url, work.index), model]
        targets += [start_relay(stack, model_url, python)] if python else []
        timeout, connector = aiohttp.ClientTimeout(total=TIMEOUT_S), aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
            for target in targets:
                await time_clients(session, target, 1)
            clients = FULL if work.full else QUICK
            measures = [m for count in clients for m in await _compare(session, targets, count)]
    return [*measures, *([] if python else [left_out(RELAY, "its virtualenv is made by make bench-full")])]


async def _compare(session: aiohttp.ClientSession, targets: Sequence[Target], clients: int) -> list[Measure]:
    turns = TURNS if clients == 1 else 2 if clients <= 100 else 1
    rounds = [[await time_clients(session, target, clients) for target in targets] for _ in range(turns)]
    own_s, *others = (statistics.median(column) for column in zip(*rounds, strict=True))
    what = f"{TOKENS} tokens to {clients:,} client{'s' * (clients > 1)}"
    note = "with the search for passages, which the others do not do"
    return [
        Measure(what, own_s, "s", target.name, base_s, note=note, key=f"burst {target.name}:{clients}")
        for target, base_s in zip(targets[1:], others, strict=True)
    ]


async def time_clients(session: aiohttp.ClientSession, target: Target, clients: int) -> float:
    """Seconds until `clients` asking at once have whole answers."""
    started = time.perf_counter()
    lines = await asyncio.gather(*(read_answer(session, target) for _ in range(clients)))
    assert min(lines) >= TOKENS, "an answer came back short"
    return time.perf_counter() - started


async def read_answer(session: aiohttp.ClientSession, target: Target) -> int:
    """The number of lines of a complete answer."""
    async with session.post(target.url, json=target.body) as response:
        response.raise_for_status()
        lines = [line async for line in response.content]
    assert json.loads(lines[-1])["done"], lines[-1]
    return len(lines)

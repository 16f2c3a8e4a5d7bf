"""The server itself: its start, its memory, the time until the model is asked, and what relaying costs."""

import asyncio
import statistics
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import aiohttp

from tests.bench.growth import find_index
from tests.bench.measures import Measure, alternate
from tests.bench.rows import percentile
from tests.bench.runs import cpu_s, memory_mb
from tests.bench.servers import PASSING, RELAY, Target, start_acervo, start_passing, start_relay
from tests.bench.streaming import read_answer
from tests.bench.venv import find_venv
from tests.bench.work import Work
from tests.fakes.ollama import FakeOllama

ASKED, ROUNDS, STARTS = 40, 8, 5
TRIES = 3
"""Of a token's processor time; the least counts, of every program, since other work on the machine only adds."""
SHORT, LONG = 10, 2010
"""Tokens of answers whose difference is relaying alone."""
TEXTS = {
    "words": "palavra ",
    "sentences": "O farol fica na costa norte da ilha e guia os barcos [1]. Tem três andares e uma lâmpada nova [2]. ",
}
LARGE = 100_000
"""Windows of the large index, which the part on growth leaves."""

Start = Callable[[ExitStack, str], Target]


async def measure_asking(work: Work) -> list[Measure]:
    """Acervo in all of it, the relay where there is something to compare."""
    python = find_venv(work.folder)
    own: Start = lambda stack, url: start_acervo(stack, url, work.index)  # noqa: E731
    other: Start | None = (lambda stack, url: start_relay(stack, url, python)) if python else None
    async with FakeOllama() as fake:
        measures = await asyncio.to_thread(_measure_start, own, other, fake.url)
        told = await _Looked.at(own, fake)
        base = await _Looked.at(other, fake) if other else None
        measures += _compare(told, base)
        measures += _compare_tokens(told.token_us, PASSING, await _measure_alone(start_passing, fake))
        if (large := find_index(work.folder, LARGE)).joinpath("filled.json").exists():
            measures.append(await _measure_large(large, fake))
    return measures


def _measure_start(own: Start, other: Start | None, model_url: str) -> list[Measure]:
    starts = [start for start in (own, other) if start]
    times = alternate(STARTS, *(lambda start=start: _time_start(start, model_url) for start in starts))  # type: ignore[misc]
    return [Measure("start until the first answer to HTTP", times[0], "s", *_base(times), key="start")]


def _base(values: list[float]) -> tuple[str, float | None]:
    return (RELAY, values[1]) if len(values) > 1 else ("", None)


def _time_start(start: Start, model_url: str) -> float:
    with ExitStack() as stack:
        started = time.monotonic()
        target = start(stack, model_url)
        _wait_for(target.url)
        return time.monotonic() - started


def _wait_for(url: str) -> None:
    while not _answers(url):
        time.sleep(0.005)


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


class _Looked:
    """A server that was started, asked and asked again."""

    idle_mb: float
    used_mb: float
    delay_ms: float
    late_ms: float

    def __init__(self) -> None:
        self.token_us: dict[str, float] = {}

    @classmethod
    async def at(cls, start: Start, fake: FakeOllama) -> "_Looked":
        """Start it and look."""
        self = cls()
        async with aiohttp.ClientSession() as session:
            with ExitStack() as stack:
                target = start(stack, fake.url)
                await asyncio.to_thread(_wait_for, target.url)
                await asyncio.sleep(1)
                self.idle_mb = memory_mb(target.process)
                await read_answer(session, target)
                self.used_mb = memory_mb(target.process)
                delays = await _time_upstream(session, target, fake)
                self.delay_ms, self.late_ms = statistics.median(delays), percentile(delays, 0.95)
                self.token_us = await _measure_tokens(session, target, fake)
        return self


async def _measure_alone(start: Start, fake: FakeOllama) -> dict[str, float]:
    """What a token costs a server of which nothing else is asked."""
    async with aiohttp.ClientSession() as session:
        with ExitStack() as stack:
            target = start(stack, fake.url)
            await asyncio.to_thread(_wait_for, target.url)
            return await _measure_tokens(session, target, fake)


async def _time_upstream(session: aiohttp.ClientSession, target: Target, fake: FakeOllama) -> list[float]:
    """Milliseconds from sending a question to the model being asked."""
    delays = []
    for _ in range(ASKED):
        known, started = len(fake.prompts), time.perf_counter()
        asking = asyncio.create_task(read_answer(session, target))
        while len(fake.prompts) == known:  # noqa: ASYNC110 (a pause would be measured, too)
            await asyncio.sleep(0)
        delays.append((time.perf_counter() - started) * 1000)
        await asking
    return delays


async def _measure_tokens(session: aiohttp.ClientSession, target: Target, fake: FakeOllama) -> dict[str, float]:
    """Microseconds of a token, by what is written."""
    return {
        name: min([await _measure_token(session, target, fake, text) for _ in range(TRIES)])
        for name, text in TEXTS.items()
    }


async def _measure_token(session: aiohttp.ClientSession, target: Target, fake: FakeOllama, text: str) -> float:
    """Microseconds of a server's processor for one more token: long answers less short ones, the rest cancels out."""
    spent, words = [], text.split()
    for count in (SHORT, LONG):
        fake.switches.answer = " ".join(words[n % len(words)] for n in range(count))
        before = cpu_s(target.process)
        for _ in range(ROUNDS):
            await read_answer(session, target)
        spent.append(cpu_s(target.process) - before)
    return (spent[1] - spent[0]) / ((LONG - SHORT) * ROUNDS) * 1e6


def _compare(told: _Looked, base: _Looked | None) -> list[Measure]:
    against = RELAY if base else ""
    note = f"95th {told.late_ms:.1f} ms; with the search, which the other does not do"
    return [
        Measure("memory, idle", told.idle_mb, "MB", against, base and base.idle_mb, key="idle"),
        Measure("memory after an answer", told.used_mb, "MB", against, base and base.used_mb, key="used"),
        Measure("question to upstream request", told.delay_ms, "ms", against, base and base.delay_ms, note=note),
        *_compare_tokens(told.token_us, against, base.token_us if base else {}),
    ]


def _compare_tokens(own_us: dict[str, float], against: str, base_us: dict[str, float]) -> list[Measure]:
    return [
        Measure(f"CPU of a relayed token, {name}", us, "µs", against, base_us.get(name), key=f"token {against}:{name}")
        for name, us in own_us.items()
    ]


async def _measure_large(data_dir: Path, fake: FakeOllama) -> Measure:
    """The same from an index of LARGE windows; the question shares frequent words with it."""
    async with aiohttp.ClientSession() as session:
        with ExitStack() as stack:
            target = start_acervo(stack, fake.url, data_dir)
            await read_answer(session, target)
            delays = await _time_upstream(session, target, fake)
    note = f"95th {percentile(delays, 0.95):.1f} ms"
    return Measure(f"question to upstream request, {LARGE:,} windows", statistics.median(delays), "ms", note=note)

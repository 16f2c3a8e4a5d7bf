"""The server itself: its start, its memory, the time until the model is asked, and what relaying costs."""

import asyncio
import statistics
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import aiohttp

from tests.bench.bursts import BurstOllama
from tests.bench.growth import find_index
from tests.bench.measures import Measure, alternate
from tests.bench.relaying import Start, measure_relaying
from tests.bench.rows import percentile
from tests.bench.runs import memory_mb
from tests.bench.servers import (
    ACERVO,
    CALLS,
    PASSING,
    RELAY,
    Target,
    start_acervo,
    start_calls,
    start_passing,
    start_relay,
)
from tests.bench.streaming import read_answer
from tests.bench.venv import find_venv
from tests.bench.work import Work
from tests.fakes.ollama import FakeOllama

ASKED, STARTS = 40, 5
LARGE = 100_000
"""Windows of the large index, which the part on growth leaves."""


async def measure_asking(work: Work) -> list[Measure]:
    """Acervo in all of it, the relay where there is something to compare."""
    python = find_venv(work.folder)
    own: Start = lambda stack, url: start_acervo(stack, url, work.index)  # noqa: E731
    other: Start | None = (lambda stack, url: start_relay(stack, url, python)) if python else None
    async with BurstOllama() as fake:
        measures = await asyncio.to_thread(_measure_start, own, other, fake.url)
        told = await _Looked.at(own, fake)
        base = await _Looked.at(other, fake) if other else None
        measures += _compare(told, base)
        starts = {ACERVO: own, RELAY: other, PASSING: start_passing, CALLS: start_calls}
        measures += await measure_relaying({name: start for name, start in starts.items() if start}, fake)
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
        return self


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


def _compare(told: _Looked, base: _Looked | None) -> list[Measure]:
    against = RELAY if base else ""
    note = f"95th {told.late_ms:.1f} ms; with the search, which the other does not do"
    return [
        Measure("memory, idle", told.idle_mb, "MB", against, base and base.idle_mb, key="idle"),
        Measure("memory after an answer", told.used_mb, "MB", against, base and base.used_mb, key="used"),
        Measure("question to upstream request", told.delay_ms, "ms", against, base and base.delay_ms, note=note),
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

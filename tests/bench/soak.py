"""Many people at once, for a long time: does the server stay as it was? `python -m tests.bench.soak`.

SOAK_CLIENTS (500) ask over and over for SOAK_MINUTES (10): most read at once, some slowly, some vanish.
A few more than MAX_ANSWERS knock, so that some are refused all the time. The status is 1 when memory,
sockets or threads grew, when some clients got much less than others, when an answer broke off, or when a
refusal did not say when to come back.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import psutil
from rich.console import Console

from database.settings import ROOT
from tests.bench.rows import Row, percentile
from tests.bench.runs import start_program
from tests.bench.soak_clients import Client, Told
from tests.bench.table import print_rows
from tests.e2e.servers import load_documents

TOKENS, RATE = 100, 2
"""Of each answer, and a second: 500 of them leave two processors room for the clients and the model, too."""
KNOCKING = 20
SAMPLES = 30
SETTLE_S = 20
"""After the last client has gone."""
COLUMNS = ("memory_mb", "sockets", "threads")
MAX_GROWTH = 0.1
MIN_FAIRNESS = 0.9


@dataclass(frozen=True)
class Sample:
    """The server at one moment."""

    memory_mb: float
    sockets: int
    threads: int

    @classmethod
    def of(cls, server: psutil.Process) -> "Sample":
        return cls(server.memory_info().rss / 2**20, server.num_fds(), server.num_threads())


def fairness(shares: list[int]) -> float:
    """Jain's index: 1 when all got the same, 1/n when one got everything."""
    return sum(shares) ** 2 / (len(shares) * sum(share**2 for share in shares)) if any(shares) else 0.0


def find_faults(told: Told, samples: list[Sample], idle: Sample, rest: Sample) -> list[str]:
    """What is not as it should be."""
    third = len(samples) // 3
    first, last = samples[third : 2 * third], samples[-third:]
    faults = []
    for name in ("memory_mb", "threads"):
        before, after = (statistics.median(getattr(s, name) for s in part) for part in (first, last))
        if after > before * (1 + MAX_GROWTH):
            faults.append(f"{name} grew from {before:.0f} to {after:.0f}")
    if rest.sockets > idle.sockets + 5:
        faults.append(f"{rest.sockets} files and sockets are open after all clients left, {idle.sockets} before")
    if (index := fairness([*told.tokens.values()])) < MIN_FAIRNESS:
        faults.append(f"fairness {index:.2f}")
    if told.broken:
        faults.append(f"{told.broken} answers broke off")
    if told.without_retry_after:
        faults.append(f"{told.without_retry_after} refusals without Retry-After")
    if not told.statuses[503] or set(told.statuses) - {200, 503}:
        faults.append(f"statuses {dict(told.statuses)}: some 503 and nothing else was expected")
    return faults


async def soak(data: Path, clients: int, seconds: float) -> tuple[Told, list[Sample], Sample, Sample]:
    """Run; what the clients saw, the server meanwhile, and before and after."""
    with ExitStack() as stack:
        fake = [sys.executable, "-m", "tests.fakes.ollama", "--tokens", str(TOKENS), "--rate", str(RATE)]
        model_url, _ = start_program(stack, fake, {})
        settings = {"DATA_DIR": str(data), "PORT": "0", "OLLAMA_HOST": model_url, "MAX_ANSWERS": str(clients)}
        url, server = start_program(stack, [sys.executable, "-m", "app"], settings)
        await _ask_once(url)
        idle, told, stopping = Sample.of(server), Told(), asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for number in range(clients + KNOCKING):
                group.create_task(Client(number, url, told, stopping).run())
            samples = []
            for _ in range(SAMPLES):
                await asyncio.sleep(seconds / SAMPLES)
                samples.append(Sample.of(server))
            stopping.set()
        await asyncio.sleep(SETTLE_S)
        return told, samples, idle, Sample.of(server)


async def _ask_once(url: str) -> None:
    async with aiohttp.ClientSession() as session, session.post(url, json={"prompt": "farol"}) as response:
        await response.read()


def make_rows(told: Told, samples: list[Sample], idle: Sample, rest: Sample, seconds: float) -> list[Row]:
    """The report."""
    shown = {
        "before": idle,
        "start": samples[2],
        "middle": samples[len(samples) // 2],
        "end": samples[-1],
        "after": rest,
    }
    columns = [(name, [f"{when} {getattr(s, name):.0f}" for when, s in shown.items()]) for name in COLUMNS]
    shares = sorted(told.tokens.values())
    delays = [delay * 1000 for delay in told.delays_s] or [0.0]
    return [
        *(Row(name, ", ".join(values)) for name, values in columns),
        Row("lines to each normal client", f"{shares[0]} to {shares[-1]}", f"median {statistics.median(shares):.0f}"),
        Row("fairness (Jain)", f"{fairness(shares):.3f}"),
        Row("answers complete, broken off", f"{told.answers}, {told.broken}"),
        Row("requests by status", str(dict(told.statuses)), f"{sum(told.statuses.values()) / seconds:.1f} a second"),
        Row(
            "added delay of a line, ms", f"median {percentile(delays, 0.5):.1f}", f"95th {percentile(delays, 0.95):.1f}"
        ),
    ]


async def main() -> int:
    """Soak and report; the exit status."""
    clients, minutes = int(os.environ.get("SOAK_CLIENTS", "500")), float(os.environ.get("SOAK_MINUTES", "10"))
    os.environ["ACERVO_ENV_FILE"] = os.devnull  # a .env may name a store that is in use
    console, started = Console(width=130), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="acervo-soak-") as folder:
        await load_documents(Path(folder) / "data", ROOT / "pdf")
        told, samples, idle, rest = await soak(Path(folder) / "data", clients, minutes * 60)
    rows = make_rows(told, samples, idle, rest, minutes * 60)
    print_rows(console, f"{clients} clients for {minutes:g} minutes ({time.monotonic() - started:.0f} s in all)", rows)
    faults = find_faults(told, samples, idle, rest)
    for fault in faults:
        console.print(f"NOT WELL: {fault}")
    return bool(faults)


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))

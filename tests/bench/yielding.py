"""Questions while documents are loaded, and memory of loading as files grow."""

import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import aiohttp

from database.settings import ROOT
from tests.bench.documents import make_long_pdf
from tests.bench.measures import Measure, fit_exponent
from tests.bench.runs import Spent, run
from tests.bench.servers import Target, start_acervo
from tests.bench.streaming import read_answer
from tests.bench.work import Work
from tests.fakes.ollama import FakeOllama

ASKED, BUSY_PAGES, WARM_S = 100, 400, 10
QUICK, FULL = (8, 32), (50, 200, 800, 2000)


async def measure_yielding(work: Work) -> list[Measure]:
    """Medians of questions with and without a load beside them."""
    source = make_long_pdf(work.folder / "long" / f"{BUSY_PAGES}.pdf", BUSY_PAGES)
    data = work.folder / "beside"
    shutil.rmtree(data, ignore_errors=True)
    shutil.copytree(work.index, data)
    async with FakeOllama() as fake, aiohttp.ClientSession() as session:
        with ExitStack() as stack:
            target = start_acervo(stack, fake.url, data)
            alone = await _ask(session, target)
            loader = [sys.executable, str(ROOT / "database/main.py"), str(source)]
            process = _start(stack, loader, data)
            await asyncio.sleep(WARM_S)
            beside = await _ask(session, target)
            note = f"{BUSY_PAGES} pages being loaded by a process of its own"
            note += " (it ended early)" if process.poll() is not None else ""
    return [Measure("whole answer while loading", beside, "ms", "without a load", alone, note=note, key="yielding")]


def measure_long_files(work: Work) -> list[Measure]:
    """Time and memory of loading one file, by its pages."""
    sizes, measures = (FULL if work.full else QUICK), list[Measure]()
    spent = [_load_long(work, pages) for pages in sizes]
    for pages, each in zip(sizes, spent, strict=True):
        note = f"{pages / each.wall_s:.1f} pages/s, {1000 * each.cpu_s / pages:.0f} CPU ms/page"
        measures += [
            Measure(f"load one file of {pages:,} pages", each.wall_s, "s", note=note),
            Measure(f"CPU of that, {pages:,} pages", each.cpu_s, "s", key=f"long:{pages}"),
            Measure(f"memory of that, {pages:,} pages", each.peak_mb, "MB", key=f"long memory:{pages}"),
        ]
    over = f"{sizes[0]:,} to {sizes[-1]:,} pages, the program's start included"
    cpu, peak = ([getattr(each, name) for each in spent] for name in ("cpu_s", "peak_mb"))
    return [
        *measures,
        Measure("exponent: CPU of loading", fit_exponent(sizes, cpu), note=over),
        Measure("exponent: memory of loading", fit_exponent(sizes, peak), note=over),
    ]


def _load_long(work: Work, pages: int) -> Spent:
    source = make_long_pdf(work.folder / "long" / f"{pages}.pdf", pages)
    loader = [sys.executable, ROOT / "database/main.py", "--json", source]
    return run(loader, {"DATA_DIR": str(work.make_data("long-data"))})


def _start(stack: ExitStack, command: list[str], data: Path) -> subprocess.Popen[bytes]:
    environment = os.environ | {"DATA_DIR": str(data)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    stack.callback(process.wait)
    stack.callback(process.terminate)
    return process


async def _ask(session: aiohttp.ClientSession, target: Target) -> float:
    times = []
    for _ in range(ASKED):
        started = time.perf_counter()
        await read_answer(session, target)
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times[1:])

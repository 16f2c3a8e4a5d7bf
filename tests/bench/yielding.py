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
from tests.bench.runs import run
from tests.bench.servers import Target, start_acervo
from tests.bench.streaming import read_answer
from tests.bench.work import Work
from tests.fakes.ollama import FakeOllama

ASKED, BUSY_PAGES, WARM_S = 40, 400, 3
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
    sizes, walls, peaks, measures = (FULL if work.full else QUICK), [], [], []
    for pages in sizes:
        data = work.folder / "long-data"
        shutil.rmtree(data, ignore_errors=True)
        source = make_long_pdf(work.folder / "long" / f"{pages}.pdf", pages)
        spent = run([sys.executable, ROOT / "database/main.py", "--json", source], {"DATA_DIR": str(data)})
        walls.append(spent.wall_s)
        peaks.append(spent.peak_mb)
        note = f"{pages / spent.wall_s:.1f} pages/s, {1000 * spent.cpu_s / pages:.0f} CPU ms/page"
        measures += [Measure(f"load one file of {pages:,} pages", spent.wall_s, "s", note=note, key=f"long:{pages}")]
        measures += [Measure(f"memory of that, {pages:,} pages", spent.peak_mb, "MB", key=f"long memory:{pages}")]
    over = f"{sizes[0]:,} to {sizes[-1]:,} pages, the program's start included"
    fitted = {"time of loading": fit_exponent(sizes, walls), "memory of loading": fit_exponent(sizes, peaks)}
    return [*measures, *(Measure(f"exponent: {what}", value, note=over) for what, value in fitted.items())]


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

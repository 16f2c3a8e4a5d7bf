"""How searching grows: questions to embedded indexes of 1,000 to a million windows, beside vectors alone.

Each size has a process of its own (`python -m tests.bench.growth FOLDER WINDOWS`), so that its memory can be
told. What is beside it is the least that a search can do: embed the question and multiply it with every vector.
"""

import argparse
import asyncio
import json
import os
import shutil
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from database.analysis import FINGERPRINT, normalise
from database.documents import Vector
from database.embedders.minilm import MiniLMEmbedder
from database.index import SCHEMA, describe_index, make_record
from database.retrieval import Retriever
from database.settings import IndexSettings
from database.stores import Store, make_store
from tests.bench.measures import Measure, fit_exponent, round_off
from tests.bench.rows import percentile
from tests.bench.runs import memory_mb, run
from tests.bench.searching import PAGES, WINDOWS_A_PAGE, Text, make_document
from tests.bench.work import Work

QUICK, FULL = (1_000, 10_000), (1_000, 10_000, 100_000, 1_000_000)
ASKED, LIMIT_S, TOP = 60, 60, 10
"""Questions of each size, or as many as fit into LIMIT_S."""
BLAS_S = 0.1
"""After a multiplication, until its library's threads no longer wait busily for the next one."""
EXACT = "vectors alone (embed, multiply all)"


def measure_growth(work: Work) -> list[Measure]:
    """Every size, and what is fitted to them."""
    sizes = FULL if work.full else QUICK
    told = [_measure_size(work.folder, size) for size in sizes]
    measures = [measure for size, each in zip(sizes, told, strict=True) for measure in _describe(size, each)]
    return [*measures, *fit_growth(sizes, told)]


def find_index(folder: Path, windows: int) -> Path:
    """DATA_DIR of the index of so many windows; one that is analysed otherwise is another one."""
    return folder / f"index-{windows}-{SCHEMA}-{FINGERPRINT.replace('/', '-')}"


def fit_growth(sizes: Sequence[int], told: Sequence[dict[str, Any]]) -> list[Measure]:
    """The exponents: 1 is twice the time for twice the windows."""
    named = {
        "CPU of a question": "cpu_ms",
        "CPU of vectors alone": "exact_cpu_ms",
        "first question": "first_s",
        "memory": "held_mb",
        "file": "file_mb",
        "CPU of publishing": "fill_s",
    }
    over = f"{sizes[0]:,} to {sizes[-1]:,} windows"
    last = f"the last step, to {sizes[-1]:,}"
    measures = []
    for what, key in named.items():
        values = [max(0.01, each[key]) for each in told]
        step = round_off(fit_exponent(sizes[-2:], values[-2:]))
        note = f"{over}; {step} in {last}, where fixed costs weigh least"
        measures.append(Measure(f"exponent: {what}", fit_exponent(sizes, values), note=note, key=f"exponent:{what}"))
    return measures


def _measure_size(folder: Path, windows: int) -> dict[str, Any]:
    index = find_index(folder, windows)
    if not (index / "filled.json").exists():
        shutil.rmtree(index, ignore_errors=True)
        told = run([sys.executable, "-m", "tests.bench.growth", index, str(windows), "--fill"]).told
        (index / "filled.json").write_text(json.dumps(told))
    filled = json.loads((index / "filled.json").read_text())
    file_mb = sum(file.stat().st_size for file in index.glob("*.sqlite*")) / 2**20
    return filled | {"file_mb": file_mb} | run([sys.executable, "-m", "tests.bench.growth", index, str(windows)]).told


def _describe(windows: int, told: dict[str, Any]) -> list[Measure]:
    spread = f"95th {told['late_ms']:.0f} ms, {told['asked']} questions"
    name = f"{windows:,} windows"
    return [
        Measure(
            f"question, {name}", told["wall_ms"], "ms", EXACT, told["exact_ms"], note=spread, key=f"search:{windows}"
        ),
        Measure(
            f"question, {name}, CPU", told["cpu_ms"], "ms", EXACT, told["exact_cpu_ms"], key=f"search cpu:{windows}"
        ),
        Measure(f"first question, {name}", told["first_s"], "s", note="lists and vectors are read from the file"),
        Measure(f"memory, {name}", told["held_mb"], "MB", "its vectors", told["vectors_mb"], key=f"memory:{windows}"),
        Measure(f"file, {name}", told["file_mb"], "MB", "its vectors", told["vectors_mb"]),
        Measure(f"publish, {name}", windows / told["fill_s"], "windows per CPU s", more_is_better=True),
    ]


async def fill(data_dir: Path, windows: int) -> dict[str, float]:
    """Publish so many windows; the processor seconds that publishing took."""
    embedder, text, spent = MiniLMEmbedder(data_dir / "models"), Text(), 0.0
    await embedder.open()
    async with _opened(data_dir) as store:
        record = make_record(embedder)
        await store.write_index(record)
        size = WINDOWS_A_PAGE * PAGES
        for number, start in enumerate(range(0, windows, size)):
            made = make_document(text, number, min(size, windows - start), embedder.dimension)
            started = time.process_time()
            await store.publish(*made)
            spent += time.process_time() - started
        await describe_index(store, record)
    return {"fill_s": spent}


async def ask(data_dir: Path, windows: int) -> dict[str, float]:
    """Questions with all of their parts, and vectors alone in turns."""
    embedder, text = MiniLMEmbedder(data_dir / "models"), Text()
    await embedder.open()
    async with _opened(data_dir) as store:
        questions = [text.choose(window.words.split()) for window in await store.sample_windows(ASKED + 1)]
        retriever, before = Retriever(store, embedder), memory_mb(psutil.Process())
        started = time.monotonic()
        await retriever.search(questions[0], TOP)
        first_s = time.monotonic() - started
        held = memory_mb(psutil.Process()) - before
        vectors = text.draw_vectors(windows, embedder.dimension)
        whole, exact, started = _Times(), _Times(), time.monotonic()
        for question in questions[1:]:
            await asyncio.sleep(BLAS_S)
            with whole.measuring():
                await retriever.search(question, TOP)
            with exact.measuring():
                await _search_vectors(embedder, vectors, question)
            if time.monotonic() - started > LIMIT_S:
                break
    return {
        "asked": len(whole.wall),
        "first_s": first_s,
        "wall_ms": statistics.median(whole.wall),
        "late_ms": percentile(whole.wall, 0.95),
        "cpu_ms": statistics.median(whole.cpu),
        "exact_ms": statistics.median(exact.wall),
        "exact_cpu_ms": statistics.median(exact.cpu),
        "held_mb": held,
        "vectors_mb": vectors.nbytes / 2**20,
    }


async def _search_vectors(embedder: MiniLMEmbedder, vectors: Vector, question: str) -> list[int]:
    scores = vectors @ await embedder.embed_query(normalise(question))
    best = np.argpartition(-scores, TOP)[:TOP]
    found: list[int] = best[np.argsort(-scores[best])].tolist()
    return found


class _opened:
    """The embedded store in a folder, open for a while."""

    def __init__(self, data_dir: Path):
        self._store = make_store(IndexSettings.load(data_dir=data_dir, mongodb_uri=""))

    async def __aenter__(self) -> Store:
        await self._store.open()
        return self._store

    async def __aexit__(self, *_: object) -> None:
        await self._store.aclose()


class _Times:
    """Milliseconds by the clock and of processors."""

    def __init__(self) -> None:
        self.wall, self.cpu = list[float](), list[float]()

    @contextmanager
    def measuring(self) -> Iterator[None]:
        """Measure what is done within."""
        started, used = time.perf_counter(), time.process_time()
        yield
        self.wall.append((time.perf_counter() - started) * 1000)
        self.cpu.append((time.process_time() - used) * 1000)


def main() -> None:
    """Fill one index, or ask it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("windows", type=int)
    parser.add_argument("--fill", action="store_true")
    given = parser.parse_args()
    os.environ["ACERVO_ENV_FILE"] = os.devnull
    print(json.dumps(asyncio.run((fill if given.fill else ask)(given.folder, given.windows))))


if __name__ == "__main__":
    main()

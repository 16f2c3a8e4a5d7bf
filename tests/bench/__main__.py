"""Runs the parts, prints a table for each, and writes them all: `python -m tests.bench [--full] [--only NAME,…]`.

Works in .bench (ACERVO_BENCH_DIR), where results.json, results.md and the plots are left. A full run keeps
the results of finished parts, goes on with the others when it was stopped, and writes docs/performance.md
once it has all of them.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import aiohttp
from rich.console import Console

from database.settings import ROOT
from tests.bench.document import update_document, write_results
from tests.bench.kept import Kept, Result
from tests.bench.machine import describe_machine
from tests.bench.parts import PARTS, Part
from tests.bench.plots import draw_results
from tests.bench.runs import run
from tests.bench.table import print_rows
from tests.bench.work import SAMPLE, Work

DOCUMENT = ROOT / "docs" / "performance.md"
SETTINGS = {"ACERVO_ENV_FILE": os.devnull, "MONGODB_URI": "", "EMBEDDER": "minilm", "RERANKER": "", "LLM": "auto"}
"""A .env or the environment may name a store that is in use."""

FAILURES = (subprocess.CalledProcessError, OSError, TimeoutError, aiohttp.ClientError)
"""Of programs that were measured. What the benchmark itself does wrong is not caught."""


def main() -> int:
    """Measure, print and write; the exit status."""
    given = parse_arguments(sys.argv[1:])
    os.environ.update(SETTINGS)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that what was started is ended, too
    folder = Path(os.path.abspath(os.environ.get("ACERVO_BENCH_DIR") or ROOT / ".bench"))
    folder.mkdir(parents=True, exist_ok=True)
    work, console = Work(folder, given.full), Console(width=150)
    kept = Kept(folder / ("results" if given.full else "quick"))
    parts = choose(given.full, given.only)
    if given.fresh or not given.full:
        kept.forget(part.name for part in parts)
    prepare(work)
    measured = [measure(part, work, kept, console) for part in parts]
    results = [result for result in measured if result]
    publish(results, work, write_document=given.full and len(results) == len(PARTS))
    console.print(f"Written to {folder / 'results.md'}.")
    return len(results) < len(parts)


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "--full", action="store_true", help="all sizes, and the other pipelines; needs the network once"
    )
    parser.add_argument("--fresh", action="store_true", help="measure finished parts again")
    names = [part.name for part in PARTS]
    parser.add_argument(
        "--only", type=lambda text: text.split(","), default=[], metavar="NAME,…", help=", ".join(names)
    )
    given = parser.parse_args(arguments)
    if unknown := set(given.only) - set(names):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    return given


def choose(full: bool, only: Sequence[str]) -> list[Part]:
    """The parts to run."""
    return [part for part in PARTS if part.name in only or (not only and (full or not part.full_only))]


def prepare(work: Work) -> None:
    """Load the sample that questions are put to, anew: an older version may have made its index otherwise."""
    command = [sys.executable, ROOT / "database/main.py", "--json", "--reindex"]
    run(command, {"DATA_DIR": str(work.index), "PDF_DIR": str(SAMPLE)})


def measure(part: Part, work: Work, kept: Kept, console: Console) -> Result | None:
    """A part's result, from an earlier run if that is kept; printed. None when it failed: others may do."""
    result = kept.read(part.name)
    if result is None:
        machine, started = describe_machine(), time.monotonic()
        console.print(f"Measuring: {part.title} …", highlight=False)
        try:
            measures = part.run(work)
        except FAILURES as error:
            console.print(f"FAILED: {part.title}: {error!r} {getattr(error, 'stderr', '')}", markup=False)
            return None
        result = Result(part.name, part.title, measures, machine, time.monotonic() - started)
        kept.write(result)
    print_rows(console, result.title, [each.row() for each in result.measures])
    return result


def publish(results: Sequence[Result], work: Work, write_document: bool) -> None:
    """Write the files; the document only from a whole run."""
    plots = draw_results(results, DOCUMENT.parent if write_document else work.folder)
    section = write_results(results, plots)
    text = json.dumps([result.to_json() for result in results], ensure_ascii=False, indent=1)
    (work.folder / "results.json").write_text(text + "\n", "utf-8")
    (work.folder / "results.md").write_text(section, "utf-8")
    if write_document:
        update_document(DOCUMENT, section)


if __name__ == "__main__":
    raise SystemExit(main())

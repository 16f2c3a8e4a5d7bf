"""How good the search is: `python database/evaluate.py QUESTIONS` puts questions with known pages to it."""

import sys
from pathlib import Path

if __name__ == "__main__":
    # In place of this folder, so that no module in it can shadow the standard library.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import argparse
import asyncio
import contextlib
import os
import signal
import tempfile
from collections.abc import Iterator, Sequence

from database.errors import AcervoError, SettingsError
from database.evaluation.corpus import read_corpus
from database.evaluation.index import open_present, open_throwaway
from database.evaluation.progress import Progress
from database.evaluation.questions import read_questions
from database.evaluation.report import RECIPE, Report, print_json, print_report
from database.evaluation.run import Options, evaluate
from database.fusion import WEIGHTS
from database.report import Reporter
from database.settings import IndexSettings

PLOT = Path("evaluation.png")
"""Where a comparison is drawn unless another file is named."""
EPILOG = """QUESTIONS: JSON lines {"question": "…", "relevant": [{"doc": "report", "page": 7}]}, or CSV with the columns
question,document,page.
CORPUS: corpus.json (PDFs), passages.jsonl, or a folder of PDFs; without it the present index is asked.
docs/evaluation.md describes the files and how to read the figures.

exit status: 0 measured, 1 failed, 2 wrong usage, 3 measured but files were skipped or right pages are missing,
130 interrupted"""


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line; exits with status 2 when it is wrong."""
    parser = argparse.ArgumentParser(
        prog="python database/evaluate.py",
        description="Measure how often the right page or passage is found for questions where it is known.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("questions", type=Path, metavar="QUESTIONS", help="questions.jsonl or questions.csv")
    parser.add_argument("--corpus", type=Path, help="load this into a throw-away index and ask that")
    parser.add_argument("--k", type=parse_ks, default=[1, 5, 10], metavar="1,5,10", help="places that recall looks at")
    parser.add_argument("--compare", action="store_true", help="the usual pipelines beside, and a plot")
    parser.add_argument("--answers", action="store_true", help="how often quoted sentences hold the reference answer")
    parser.add_argument("--refusals", type=Path, metavar="OTHERS", help="questions about documents that are not there")
    parser.add_argument(
        "--without", type=parse_views, default=[], metavar="VIEW,…", help=f"leave out {', '.join(WEIGHTS)}"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help=f"draw the figures (--compare: {PLOT})")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep pages and index there for the next time")
    parsed = parser.parse_args(arguments)
    if parsed.plot and not parsed.plot.parent.is_dir():  # said now, and not after the minutes that measuring takes
        parser.error(f"--plot {parsed.plot}: there is no folder {parsed.plot.parent}")
    return parsed


def parse_ks(text: str) -> list[int]:
    """Numbers from 1, separated by commas, each once, in order."""
    try:
        ks = sorted({int(part) for part in text.split(",")})
    except ValueError:
        ks = []
    if not ks or ks[0] < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: write numbers from 1, separated by commas, for example 1,5,10")
    return ks


def parse_views(text: str) -> list[str]:
    """Names of views, separated by commas; one at least is left over."""
    views = text.split(",")
    if not set(views) < set(WEIGHTS):
        raise argparse.ArgumentTypeError(f"{text!r}: write some of {', '.join(WEIGHTS)}, separated by commas")
    return views


async def run(arguments: argparse.Namespace, settings: IndexSettings, folder: Path) -> int:
    """Measure and print; the exit status. A throw-away index lives in `folder`."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    questions = read_questions(arguments.questions)
    others = read_questions(arguments.refusals) if arguments.refusals else ()
    corpus = read_corpus(arguments.corpus) if arguments.corpus else None
    options = Options(arguments.k, arguments.compare, arguments.answers, others, arguments.without)
    if corpus is None:
        opened = open_present(settings)
    else:
        opened = open_throwaway(settings, corpus, folder, arguments.keep is not None, Reporter(arguments.json))
    async with opened as index:
        report = await evaluate(index, corpus, questions, options, Progress(arguments.json))
    if plot := find_plot(arguments):
        report.plot = str(await asyncio.to_thread(draw, report, plot))
    (print_json if arguments.json else print_report)(report)
    return report.exit_status


def find_plot(arguments: argparse.Namespace) -> Path | None:
    """Where to draw, if anywhere."""
    path: Path | None = arguments.plot or (PLOT if arguments.compare else None)
    return path


def draw(report: Report, path: Path) -> Path:
    """Draw the report into a PNG file. Raises `SettingsError` when it cannot be written."""
    from database.evaluation.plot import draw_figures

    try:
        draw_figures(report.pipelines or {RECIPE: report.figures}, len(report.questions), path)
    except OSError as error:
        raise SettingsError(f"--plot {path} cannot be written: {error.strerror}.") from error
    return path


@contextlib.contextmanager
def open_folder(keep: Path | None) -> Iterator[Path]:
    """The folder to work in: the one to keep, or one that is gone at the end."""
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="acervo-eval-") as folder:
            yield Path(folder)
        return
    try:
        keep.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"--keep {keep} is no folder: {error.strerror}. Choose another.") from error
    yield Path(os.path.abspath(keep))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run an evaluation; the exit status."""
    parsed = parse_arguments(sys.argv[1:] if arguments is None else arguments)
    try:
        settings = IndexSettings.load()
        # Around the event loop: its threads have ended, so nothing is written into the folder any more.
        with open_folder(parsed.keep) as folder:
            return asyncio.run(run(parsed, settings, folder))
    except AcervoError as error:
        print(f"Not measured: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("Stopped. Nothing was measured.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    raise SystemExit(main())

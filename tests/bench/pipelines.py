"""From PDFs to an index and to the right page: Acervo beside the usual pipelines, on the same files and questions.

Every program starts anew with nothing cached, in turns; the clock and the processors are read from its
start to the moment at which it could be asked.
"""

import hashlib
import json
import shutil
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from database.evaluation.corpus import PdfCorpus, read_corpus
from database.evaluation.metrics import Estimate, estimate, score_recall
from database.evaluation.questions import Question, RightPage, read_questions
from database.settings import ROOT
from tests.bench.documents import make_corpus
from tests.bench.measures import Measure, left_out
from tests.bench.runs import run
from tests.bench.venv import PEERS, QUIET, NotInstalled, find_model, make_venv
from tests.bench.work import Work

DEPTH = 5
MADE_DOCUMENTS, MADE_PAGES = 12, 20
OTHERS = {
    "tutorial: pymupdf4llm, MarkdownTextSplitter, sentence-transformers": ("tutorial.py",),
    "LangChain, PyMuPDFLoader, FAISS": ("with_langchain.py",),
    "LangChain, PyPDFLoader, FAISS": ("with_langchain.py", "--reader", "pypdf"),
    "LlamaIndex, SimpleDirectoryReader": ("with_llama_index.py",),
}
ACERVO = "Acervo"


@dataclass(frozen=True, slots=True)
class Task:
    """Files by the names that questions have for them, and the questions."""

    corpus: Path
    questions_file: Path
    files: dict[str, Path]
    questions: Sequence[Question]


@dataclass(frozen=True, slots=True)
class Loaded:
    """One run of one pipeline; `recall` only where questions were put."""

    pages: int
    chunks: int
    wall_s: float
    cpu_s: float
    peak_mb: float
    recall: Estimate | None = None

    @property
    def pages_a_second(self) -> float:
        return self.pages / self.wall_s


def measure_pipelines(work: Work) -> list[Measure]:
    """Every pipeline that installs, in turns. Keeps single runs, so that a run that is stopped goes on."""
    task = find_task(work)
    try:
        python = make_venv(work.folder)
    except NotInstalled as error:
        return [left_out("other pipelines", f"not installed: {error}")]
    runs = _Runs(work, task, python)
    loaded: dict[str, list[Loaded]] = {name: [] for name in (*OTHERS, ACERVO)}
    failed = list[Measure]()
    for turn in range(work.repetitions):
        for name in [*loaded]:
            try:
                loaded[name].append(runs.load(name, turn))
            except subprocess.CalledProcessError as error:
                if name == ACERVO:
                    raise
                del loaded[name]
                failed.append(left_out(name, f"failed: {error.stderr.strip().rpartition(chr(10))[2]}"))
    runs.forget()
    return [*make_measures(loaded, len(task.questions)), *failed]


def find_task(work: Work) -> Task:
    """The set of ACERVO_EVAL_DIR, or a made-up one."""
    found = work.find_set() or make_corpus(work.folder / "corpus", MADE_DOCUMENTS, MADE_PAGES)
    corpus = read_corpus(found[0])
    assert isinstance(corpus, PdfCorpus)
    return Task(*found, dict(corpus.files), read_questions(found[1]))


def make_measures(loaded: dict[str, list[Loaded]], questions: int) -> list[Measure]:
    """Medians, with Acervo beside each of the others."""
    own, measures = loaded[ACERVO], list[Measure]()
    for name, runs in loaded.items():
        if name != ACERVO:
            speed = (_median(each, "pages_a_second") for each in (own, runs))
            measures += [
                _beside("whole load, pages/s", speed, "pages/s", name, True),
                _beside("whole load, CPU", (_per_page(each) for each in (own, runs)), "CPU ms/page", name),
                _beside("memory while loading", (_median(each, "peak_mb") for each in (own, runs)), "MB", name),
                _compare_recall(name, own[0].recall, runs[0].recall, questions),
            ]
    return sorted(measures, key=lambda measure: measure.what)


def _beside(what: str, values: Sequence[float], unit: str, name: str, more_is_better: bool = False) -> Measure:
    own, other = values
    return Measure(what, own, unit, name, other, more_is_better, key=f"{what}:{name}")


def _compare_recall(name: str, own: Estimate | None, other: Estimate | None, questions: int) -> Measure:
    if own is None or other is None:
        return left_out(f"recall@{DEPTH} by page", "no questions were put")
    note = f"{questions} questions; 95 %: {_interval(own)} against {_interval(other)}"
    what = f"recall@{DEPTH} by page"
    return Measure(what, 100 * own.mean, "%", name, 100 * other.mean, True, note, f"{what}:{name}")


def _from_json(kept: dict[str, Any]) -> Loaded:
    recall = kept.pop("recall")
    return Loaded(**kept, recall=recall and Estimate(**recall))


def _interval(found: Estimate) -> str:
    return f"{100 * found.low:.0f} to {100 * found.high:.0f}"


def _per_page(runs: Sequence[Loaded]) -> float:
    return 1000 * _median(runs, "cpu_s") / runs[0].pages


def _median(runs: Sequence[Loaded], name: str) -> float:
    return statistics.median(getattr(run, name) for run in runs)


class _Runs:
    """Runs pipelines, and remembers the runs that ended."""

    def __init__(self, work: Work, task: Task, python: Path):
        self._work, self._task, self._python = work, task, python
        self._folder = work.folder / "runs" / hashlib.sha256(str(task.corpus).encode()).hexdigest()[:8]
        self._folder.mkdir(parents=True, exist_ok=True)
        self._model = find_model(python)
        self._asked = work.folder / "questions.json"
        self._asked.write_text(json.dumps([question.text for question in task.questions]), "utf-8")

    def load(self, name: str, turn: int) -> Loaded:
        """One run; questions are put in the first one only."""
        file = self._folder / f"{turn}-{name.replace(' ', '-').replace(':', '')}.json"
        if file.exists():
            return _from_json(json.loads(file.read_text("utf-8")))
        loaded = self._load_acervo(turn == 0) if name == ACERVO else self._load_other(OTHERS[name], turn == 0)
        file.write_text(json.dumps(asdict(loaded)), "utf-8")
        return loaded

    def forget(self) -> None:
        """Begin anew the next time."""
        shutil.rmtree(self._folder)

    def _load_other(self, arguments: Sequence[str], ask: bool) -> Loaded:
        script, *options = arguments
        asked = ["--questions", self._asked] if ask else []
        files = sorted(set(self._task.files.values()))
        command = [self._python, PEERS / script, *options, "--model", self._model, *asked, *files]
        spent = run(command, QUIET)
        told = spent.told
        recall = self._judge(told["ranked"]) if ask else None
        return Loaded(told["pages"], told["chunks"], told["loaded_s"], told["cpu_s"], spent.peak_mb, recall)

    def _judge(self, ranked: Sequence[Sequence[tuple[str, int]]]) -> Estimate:
        scores = [
            score_recall(self._find_places(question), [(str(file), page) for file, page in places], DEPTH)
            for question, places in zip(self._task.questions, ranked, strict=True)
        ]
        return estimate(np.array(scores))

    def _find_places(self, question: Question) -> set[tuple[str, int]]:
        right = [each for each in question.relevant if isinstance(each, RightPage)]
        return {(str(self._task.files[each.doc]), each.page) for each in right}

    def _load_acervo(self, ask: bool) -> Loaded:
        data = self._work.make_data("loaded")
        files = sorted(set(self._task.files.values()))
        spent = run([sys.executable, ROOT / "database/main.py", "--json", *files], {"DATA_DIR": str(data)})
        told = spent.told
        recall = self._evaluate() if ask else None
        return Loaded(told["pages"], told["windows"], spent.wall_s, spent.cpu_s, spent.peak_mb, recall)

    def _evaluate(self) -> Estimate:
        options = [
            "--corpus",
            self._task.corpus,
            "--k",
            str(DEPTH),
            "--json",
            "--keep",
            self._work.folder / "evaluation",
        ]
        told = run([sys.executable, ROOT / "database/evaluate.py", self._task.questions_file, *options]).told
        low, high = told["intervals"][f"recall@{DEPTH}"]
        return Estimate(told[f"recall@{DEPTH}"], low, high)

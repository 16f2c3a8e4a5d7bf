"""`database/evaluate.py` as people run it: on passages, on PDFs, on what is loaded, stopped half-way."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.font_manager  # makes the list of fonts that evaluations find below MPLCONFIGDIR
import pytest

from database.settings import ROOT
from tests.fakes.mongod import FakeMongod
from tests.library import LIGHTHOUSE, QUESTION, Library
from tests.pdfs import make_damaged, make_pdf

EVALUATE = ROOT / "database/evaluate.py"
FIGURES = {"recall@1", "recall@5", "recall@10", "mrr@10", "ndcg@10"}
SUBJECTS = ("lighthouse", "vineyard", "railway", "monastery", "shipyard", "observatory", "glassworks", "windmill")


def start(home: Path, *arguments: str | Path, **settings: str) -> subprocess.Popen[str]:
    """Start an evaluation whose temporary files come below `home`/tmp, in the working folder `home`."""
    (home / "tmp").mkdir(exist_ok=True)
    environment = {"PATH": os.environ["PATH"], "ACERVO_ENV_FILE": os.devnull, "HOME": str(home)}
    environment |= {
        "TMPDIR": str(home / "tmp"),
        "DATA_DIR": str(home / "data"),
        "MPLCONFIGDIR": matplotlib.get_cachedir(),
    }
    environment |= settings
    command = [sys.executable, EVALUATE, *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, text=True, cwd=home, env=environment, start_new_session=True, **pipes)


def evaluate(home: Path, *arguments: str | Path, status: int = 0, **settings: str) -> tuple[str, str]:
    """Run one to its end, which must be `status`; what it wrote to standard output and error."""
    process = start(home, *arguments, **settings)
    out, err = process.communicate(timeout=170)
    assert process.returncode == status, err
    assert not list((home / "tmp").glob("acervo-*")), "something was left behind"
    return out, err


def write_lines(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def write_passages(folder: Path, times: int = 1) -> Path:
    texts = [(n, s, f"The {s} was founded in {1800 + n} by {s.title()} Brothers.") for n, s in enumerate(SUBJECTS)]
    rows = [
        {"pid": f"{subject}-{turn}", "doc": f"history {turn}", "title": "History", "text": f"{text} Volume {turn}."}
        for turn in range(times)
        for _, subject, text in texts
    ]
    return write_lines(folder / "passages.jsonl", rows)


def write_questions(folder: Path) -> Path:
    rows = [
        {
            "id": subject,
            "question": f"When was the {subject} founded?",
            "relevant": [f"{subject}-0"],
            "answer": str(1800 + n),
        }
        for n, subject in enumerate(SUBJECTS)
    ]
    return write_lines(folder / "questions.jsonl", rows)


def test_passages_are_found_and_compared(tmp_path: Path) -> None:
    other = write_lines(tmp_path / "other.jsonl", [{"question": "Quanto custa o gado bovino?", "relevant": ["x"]}])
    files = (write_questions(tmp_path), "--corpus", write_passages(tmp_path))
    out, err = evaluate(tmp_path, *files, "--json", "--compare", "--answers", "--refusals", other)
    assert err == ""
    result = json.loads(out)
    assert result.keys() > FIGURES and result["intervals"].keys() == FIGURES
    assert (result["recall@1"], result["recall@5"], result["questions"]) == (1, 1, 8)
    assert result["intervals"]["recall@1"] == [1, 1] and set(result["ranks"].values()) == {1}
    assert result["index"]["documents"] == 1 and result["index"]["chunks"] == 8 and result["index"]["store"] == "sqlite"
    assert 0 < result["seconds_per_question"] < 60 and result["missing"] == [] and result["skipped"] == {}
    assert result["answers"]["top1"] == 1 and result["answers"]["questions"] == 8
    assert result["refusals"]["wrongly"] == 0 and result["refusals"]["other_questions"] == 1
    assert list(result["compare"]) == ["vectors 4000", "vectors 1000", "BM25", "RRF 1:1", "Acervo"]
    for name, row in result["compare"].items():
        assert row.keys() > FIGURES and (row["lead"] is None) == (name == "Acervo")
    assert result["compare"]["BM25"]["recall@1"] == 1 and result["compare"]["BM25"]["lead"]["recall@1"] == 0
    assert result["plot"] == "evaluation.png" and (tmp_path / "evaluation.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert not (tmp_path / "data").exists()


def test_people_read_tables(tmp_path: Path) -> None:
    files = (write_questions(tmp_path), "--corpus", write_passages(tmp_path))
    out, err = evaluate(tmp_path, *files, "--k", "3,1", "--answers", "--without", "vector,heads")
    assert "8 questions on 1 documents" in out and "100.0…100.0" in out
    assert "recall@1 " in out and "recall@3 " in out and "recall@5" not in out and "top3" in out
    assert "Asking 8 questions" in err


def test_pdfs_are_loaded_once_where_they_are_kept(tmp_path: Path) -> None:
    pdfs = tmp_path / "pdf"
    make_pdf(pdfs / "keeper.pdf", ["The keeper feeds three goats.", "The lantern was made in Lyon of heavy glass."])
    make_pdf(pdfs / "harvest.pdf", ["Apples are picked in autumn by hand."])
    make_damaged(pdfs / "broken.pdf").write_bytes(b"%PDF-1.7 nothing")
    docs = [{"doc": name, "file": f"{name}.pdf"} for name in ("keeper", "harvest", "broken")]
    corpus = write_lines(tmp_path / "corpus.json", [{"pdf_dir": "pdf", "docs": docs}])
    questions = tmp_path / "questions.csv"
    rows = ["Where was the lantern made?,keeper.pdf,2", "Who picks apples?,harvest,1", "What broke?,broken.pdf,1"]
    questions.write_text("\n".join(["question,document,page", *rows]))
    run = (questions, "--corpus", corpus, "--keep", "kept", "--json")
    first = json.loads(evaluate(tmp_path, *run, status=3)[0])
    assert first["recall@1"] == pytest.approx(2 / 3, abs=1e-4) and first["ranks"]["line 4"] is None
    assert list(first["skipped"]) == ["broken.pdf"]
    assert first["missing"] == [
        {"id": "line 4", "question": "What broke?", "why": ["there is no document 'broken.pdf'"]}
    ]
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "kept").glob("pages/**/*.gz")}
    again = json.loads(evaluate(tmp_path, *run, status=3)[0])
    assert kept and kept == {path: path.stat().st_mtime_ns for path in (tmp_path / "kept").glob("pages/**/*.gz")}
    assert {name: again[name] for name in FIGURES} == {name: first[name] for name in FIGURES}
    out, _ = evaluate(tmp_path, *run[:-1], status=3)
    assert "skipped  broken.pdf: " in out and "missing  line 4 (What broke?): there is no document" in out


def test_what_is_loaded_can_be_asked(tmp_path: Path, library: Library) -> None:
    rows = [{"question": QUESTION, "relevant": [{"doc": LIGHTHOUSE, "page": 1}]}]
    questions = write_lines(tmp_path / "q.jsonl", rows)
    result = json.loads(evaluate(tmp_path, questions, "--json", DATA_DIR=str(library.data_dir))[0])
    assert result["recall@1"] == 1 and result["index"]["documents"] == 2
    _, err = evaluate(tmp_path, questions, status=1)
    assert err.startswith("Not measured: Nothing is loaded.") and "--corpus" in err


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["none.jsonl"], 1, "none.jsonl cannot be read"),
        (["q.jsonl", "--corpus", "none.json"], 1, "none.json cannot be read"),
        (["q.jsonl", "--k", "0,5"], 2, "write numbers from 1"),
        (["q.jsonl", "--without", "words,colours"], 2, "write some of words, grams, vector, page_words"),
        (["q.jsonl", "--plot", "none/x.png"], 2, "there is no folder none"),
        (["q.jsonl", "--keep", "q.jsonl"], 1, "--keep q.jsonl is no folder"),
    ],
)
def test_wrong_commands_say_what_is_wrong(tmp_path: Path, arguments: list[str], status: int, told: str) -> None:
    write_questions(tmp_path).rename(tmp_path / "q.jsonl")
    _, err = evaluate(tmp_path, *arguments, status=status)
    assert told in err and "Traceback" not in err


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_evaluation_leaves_nothing(tmp_path: Path, how: signal.Signals) -> None:
    process = start(tmp_path, write_questions(tmp_path), "--corpus", write_passages(tmp_path, times=400))
    deadline = time.monotonic() + 120
    while not list((tmp_path / "tmp").glob("acervo-eval-*/index-*/index.sqlite")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(process.pid, how)
    _, err = process.communicate(timeout=100)
    assert process.returncode == 130 and err.endswith("Stopped. Nothing was measured.\n")
    assert not list((tmp_path / "tmp").glob("acervo-*"))


@pytest.mark.parametrize("keep", [False, True])
async def test_a_throw_away_database_is_dropped(tmp_path: Path, keep: bool) -> None:
    async with FakeMongod() as server:
        files = (write_questions(tmp_path), "--corpus", write_passages(tmp_path), "--json")
        given = (*files, "--keep", "kept") if keep else files
        out, _ = await asyncio.to_thread(evaluate, tmp_path, *given, MONGODB_URI=server.uri)
        assert json.loads(out)["index"]["store"] == "mongodb" and json.loads(out)["recall@5"] == 1
        names = [name for name in server.commands.databases if name.startswith("acervo")]
    assert len(names) == keep and all(name.startswith("acervo_eval_") for name in names)

"""A fresh machine: the sample is loaded, asked about, and nothing is left outside DATA_DIR."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from database.embedders import make_embedder
from database.retrieval import Retriever
from database.settings import ROOT, IndexSettings
from database.stores import make_store

QUESTIONS = [
    ("Como adiciono um PDF?", 1),
    ("como funciona a busca", 2),
    ("O que sai da minha máquina?", 3),
    ("Do I need Docker?", 4),
    ("What happens if there is no language model?", 5),
    ("What leaves my machine?", 6),
    ("How do I read scanned pages?", 6),
]


def load_sample(home: Path, *options: str) -> dict[str, Any]:
    """Load `pdf/` as somebody with an empty home folder would, from another folder; the loader's report."""
    command = [sys.executable, ROOT / "database/main.py", "--json", *options]
    environment = {
        "PATH": os.environ["PATH"],
        "ACERVO_ENV_FILE": os.devnull,
        "HOME": str(home / "home"),
        "DATA_DIR": str(home / "data"),
        "PDF_DIR": str(ROOT / "pdf"),
    }
    result = subprocess.run(command, env=environment, cwd=home, capture_output=True, text=True, timeout=170)
    assert result.returncode == 0, result.stderr
    return dict(json.loads(result.stdout))


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("machine")
    (folder / "home").mkdir()
    assert load_sample(folder)["added"] == ["guia-do-acervo.pdf"]
    return folder


def test_loading_leaves_nothing_outside_data_dir(machine: Path) -> None:
    """Neither caches nor the identifier that onnxruntime makes for its reports."""
    assert list((machine / "home").rglob("*")) == []


def test_what_is_kept_is_its_owners_alone(machine: Path) -> None:
    """Originals, texts and vectors: other accounts of the machine have no business with them."""
    modes = {path.stat().st_mode & 0o077 for path in (machine / "data").rglob("*")}
    assert modes == {0}


def test_loading_again_changes_nothing(machine: Path) -> None:
    report = load_sample(machine)
    assert report["unchanged"] == ["guia-do-acervo.pdf"]
    assert not report["added"] and not report["changed"] and not report["removed"]


def page_questions() -> list[tuple[str, int]]:
    """What the page proposes to ask the sample, with the page that answers; in English that is three pages later."""
    pages = {"add": 1, "leaves": 3, "cites": 2}
    found = [
        (question, pages[key])
        for words in sorted((ROOT / "web/js/i18n").glob("*.js"))
        for key, question in re.findall(r'"example\.sample\.(\w+)": "(.*)"', words.read_text("utf-8"))
    ]
    assert len(found) == 4 * len(pages)
    return found


@pytest.mark.parametrize(("question", "page"), page_questions())
async def test_the_page_proposes_questions_that_the_sample_answers(machine: Path, question: str, page: int) -> None:
    assert await find_page(machine, question) in (page, page + 3)


@pytest.mark.parametrize(("question", "page"), QUESTIONS)
async def test_first_questions_find_the_right_page(machine: Path, question: str, page: int) -> None:
    assert await find_page(machine, question) == page


async def find_page(machine: Path, question: str) -> int:
    """The page of the best passage."""
    settings = IndexSettings.load(data_dir=machine / "data")
    store, embedder = make_store(settings), make_embedder(settings)
    await store.open()
    try:
        await embedder.open()
        found = await Retriever(store, embedder).search(question, top_k=3)
    finally:
        await embedder.aclose()
        await store.aclose()
    return found.hits[0].chunk.page

"""The documents' commands and programs do what they say, typed as they stand there into a shell."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from database.settings import ROOT
from tests.e2e.servers import load_documents, make_environment, run_server
from tests.library import LIGHTHOUSE, QUESTION, Library
from tests.snippets import DOCUMENTS, ELSEWHERE, Block, find_blocks, need_elsewhere, parse

BLOCKS = [block for document in DOCUMENTS for block in find_blocks(document)]
PROGRAMS = {"python": (sys.executable, "-"), "javascript": ("node", "--input-type=module", "-")}
TYPED = {
    document: blocks
    for document in DOCUMENTS
    if (blocks := [b for b in BLOCKS if b.document == document and (b.kind == "sh" or b.kind in PROGRAMS)])
}
STANDS_FOR = {" [PATHS] [OPTIONS]": "", "/backup/": "{folder}/backup/", "/home/ana/": "{folder}/papers/"}
"""What people put their own in place of, and what is put there here."""
QUESTIONS = [{"id": "q1", "question": QUESTION, "relevant": [{"doc": "lights", "page": 1}], "answer": ["1887"]}]
PASSAGES = [{"pid": "p1", "doc": "lights", "title": "Lights", "text": "O farol da ilha foi construído em 1887."}]


@pytest.fixture(scope="module")
def stocked(library: Library, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data of somebody who has loaded the sample, too."""
    data = tmp_path_factory.mktemp("stocked") / "data"
    shutil.copytree(library.data_dir, data)
    asyncio.run(load_documents(data, ROOT / "pdf"))
    return data


@pytest.fixture
def workshop(stocked: Path, tmp_path: Path) -> Path:
    """A folder that looks like a clone in which people have worked, over a copy of that data."""
    for name in ("app", "database", "examples", "web", "pyproject.toml", ".env.example"):
        if (ROOT / name).exists():
            (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    for name in ("pdf", "papers", "backup", "home/papers"):
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "pdf/guia-do-acervo.pdf", tmp_path / name)
    shutil.copytree(stocked, tmp_path / "data", dirs_exist_ok=True)
    shutil.copy(stocked / LIGHTHOUSE, tmp_path / "home/papers")
    write_questions(tmp_path)
    return tmp_path


def write_questions(folder: Path) -> None:
    """The files that the commands of evaluation name."""
    for name, rows in {"questions": QUESTIONS, "others": QUESTIONS, "passages": PASSAGES}.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "questions.csv").write_text(f"question,document,page\n{QUESTION},{LIGHTHOUSE},1\n")
    shutil.copy(ROOT / "pdf/guia-do-acervo.pdf", folder / "papers/lights.pdf")
    (folder / "corpus.json").write_text(
        json.dumps({"pdf_dir": "papers", "docs": [{"doc": "lights", "file": "lights.pdf"}]})
    )


@pytest.mark.parametrize("document", TYPED, ids=lambda document: str(document.relative_to(ROOT)))
async def test_what_is_typed_works(document: Path, workshop: Path) -> None:
    pdf = workshop / "pdf"
    async with run_server(workshop / "data", pdf, LLM="extractive") as server:
        settings = {"DATA_DIR": str(workshop / "data"), "PDF_DIR": str(pdf), "LLM": "extractive"}
        home = {"HOME": str(workshop / "home"), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        environment = {**make_environment(**settings), **home, "ACERVO_ENV_FILE": os.devnull}
        for block in TYPED[document]:
            for command, typed in list_typed(block):
                await run(command, point_here(typed, server.url, workshop), workshop, environment, block.place)


def list_typed(block: Block) -> Iterator[tuple[tuple[str, ...], str]]:
    """What runs, and what it is given: each command that can run here, or a whole program."""
    if block.kind in PROGRAMS:
        if not need_elsewhere(block.text):
            yield PROGRAMS[block.kind], block.text
    else:
        yield from ((("bash", "-eu", "-o", "pipefail", "-s"), c) for c in block.commands if not need_elsewhere(c))


def point_here(typed: str, url: str, folder: Path) -> str:
    """The same for this server and these folders."""
    for theirs, ours in STANDS_FOR.items():
        typed = typed.replace(theirs, ours.format(folder=folder))
    return re.sub(r"http://(localhost|127\.0\.0\.1):8000", url, typed)


async def run(command: tuple[str, ...], typed: str, folder: Path, environment: dict[str, str], place: str) -> None:
    """Fails, with what was said, when it fails."""
    result = await asyncio.to_thread(
        lambda: subprocess.run(
            command, input=typed, cwd=folder, env=environment, capture_output=True, text=True, timeout=120
        )
    )
    assert result.returncode == 0, f"{place}: {typed}\n{result.stdout[-2000:]}{result.stderr[-2000:]}"
    if "curl" in typed:
        assert result.stdout, f"{place}: {typed} was answered nothing"


def test_every_block_says_what_it_is() -> None:
    assert {block.kind for block in BLOCKS} <= {"", "csv", "ini", "json", "nginx", "sh", "toml", "yaml", *PROGRAMS}


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.kind in ("json", "toml", "yaml")], ids=lambda b: b.place)
def test_what_is_shown_as_data_is_data(block: Block) -> None:
    parse(block)


def test_what_cannot_run_here_is_known() -> None:
    """And no more than that is left out."""
    commands = [command for block in BLOCKS if block.kind == "sh" for command in block.commands]
    programs = [block.text for block in BLOCKS if block.kind in PROGRAMS]
    left_out = {need for typed in [*commands, *programs] if (need := need_elsewhere(typed))}
    assert left_out == set(ELSEWHERE.values())
    assert len([c for c in commands if not need_elsewhere(c)]) >= 20

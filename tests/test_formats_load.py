"""Documents other than PDFs from a folder or an upload to an answer that cites a section of them."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests import office
from tests.library import Library
from tests.loads import list_tree, run_load
from tests.server import Answer, Served, ask, send, serve
from tests.uploading import finish, start

MAKERS = {
    "farol.html": office.make_html,
    "manual.md": office.make_markdown,
    "acta.txt": office.make_text,
    "contrato.docx": office.make_docx,
    "vendas.pptx": office.make_pptx,
    "colheita.xlsx": office.make_xlsx,
    "zonas.csv": office.make_csv,
    "imagem.png": office.make_scan,
}
QUESTIONS = [
    ("Quem construiu a torre do farol?", "farol.html", "section", 2, "Amélia Duarte"),
    ("Quantas colmeias foram contadas em maio?", "manual.md", "section", 2, "|maio|310|"),
    ("Por quantos votos a Câmara aprovou a ponte?", "acta.txt", "section", 1, "12 votos"),
    ("Quanto tempo dura o contrato?", "contrato.docx", "section", 2, "trinta meses"),
    ("Quantos barris tem a adega Norte?", "vendas.pptx", "slide", 2, "|Norte|77|"),
    ("Quantas maçãs teve a Região 350 no mês 3?", "zonas.csv", "sheet", 4, "|Região 350|3|350,5|"),
]


def make_id(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory, library: Library) -> Path:
    """A home whose folder was loaded by the command line."""
    home = tmp_path_factory.mktemp("formats")
    (home / "pdf").mkdir()
    (home / "data").mkdir()
    (home / "data/models").symlink_to(library.data_dir / "models")
    for name, make in MAKERS.items():
        make(home / "pdf" / name)
    (home / "pdf" / "notes.xyz").write_text("not looked at")
    ended = run_load(home, "--json")
    assert ended.returncode == 0, ended.stderr
    summary = json.loads(ended.stdout)
    assert sorted(summary["added"]) == sorted(MAKERS)
    assert summary["notes"]["imagem.png"] == ["page 1 has no text (an image: set OCR=on and load it again)"]
    return home


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(loaded: Path) -> AsyncIterator[Served]:
    async with serve(loaded / "data") as running:
        yield running


async def get(served: Served, path: str) -> Answer:
    return await send(served, "GET", path)


def find(home: Path, name: str) -> str:
    return f"/documents/{make_id(home / 'pdf' / name)}"


@pytest.mark.asyncio(loop_scope="module")
class TestServer:
    @pytest.mark.parametrize(("question", "name", "unit", "number", "passage"), QUESTIONS)
    async def test_answers_cite_the_section(
        self, served: Served, loaded: Path, question: str, name: str, unit: str, number: int, passage: str
    ) -> None:
        answer = await ask(served, question)
        source = answer.lines[0]["sources"][0]
        assert (source["name"], source["unit"], source["page"]) == (name, unit, number)
        assert passage in source["text"] and source["boxes"] == []
        highlight = "&".join(f"highlight={chunk}" for chunk in (source["chunk_id"], *source["joined"]))
        page = json.loads((await get(served, f"{find(loaded, name)}/pages/{number}?{highlight}")).body)
        units = page["text"].encode("utf-16-le")
        marked = [units[2 * first : 2 * last].decode("utf-16-le") for first, last in page.pop("marks")]
        assert any(passage in text for text in marked)
        assert page["text"].count("|---|") <= 2 and {k: page[k] for k in ("name", "unit", "page", "format")} == {
            k: source[k] for k in ("name", "unit", "page", "format")
        }

    async def test_lists_formats(self, served: Served) -> None:
        listed = json.loads((await get(served, "/documents")).body)["documents"]
        assert {d["name"]: (d["format"], d["unit"]) for d in listed} == {
            "farol.html": ("html", "section"),
            "manual.md": ("markdown", "section"),
            "acta.txt": ("text", "section"),
            "contrato.docx": ("docx", "section"),
            "vendas.pptx": ("pptx", "slide"),
            "colheita.xlsx": ("xlsx", "sheet"),
            "zonas.csv": ("csv", "sheet"),
            "imagem.png": ("image", "page"),
        }
        assert [d["name"] for d in listed if not d["language"]] == ["imagem.png"], "nothing is written in no language"

    @pytest.mark.parametrize(
        ("name", "kind", "shown"),
        [
            ("farol.html", "text/html", "attachment"),
            ("imagem.png", "image/png", "inline"),
            ("zonas.csv", "text/csv", "attachment"),
        ],
    )
    async def test_originals_run_nothing(self, served: Served, loaded: Path, name: str, kind: str, shown: str) -> None:
        answer = await get(served, f"{find(loaded, name)}/file")
        assert answer.body == await asyncio.to_thread((loaded / "pdf" / name).read_bytes)
        headers = answer.headers
        assert headers["Content-Type"] == kind and headers["Content-Disposition"].startswith(f"{shown}; filename")
        assert (
            headers["X-Content-Type-Options"] == "nosniff"
            and "default-src 'none'" in headers["Content-Security-Policy"]
        )

    async def test_pictures_and_texts_of_pages(self, served: Served, loaded: Path) -> None:
        picture = await get(served, f"{find(loaded, 'imagem.png')}/pages/1.png")
        assert (picture.status, picture.headers["Content-Type"]) == (200, "image/png")
        assert "no pictures" in (await get(served, f"{find(loaded, 'farol.html')}/pages/1.png")).error
        missing = await get(served, f"{find(loaded, 'vendas.pptx')}/pages/9")
        assert (missing.status, missing.error) == (404, "vendas.pptx has 3 slides; there is no slide 9.")


async def test_loading_again_changes_nothing_and_backups_travel(loaded: Path, tmp_path: Path) -> None:
    again = json.loads(run_load(loaded, "--json").stdout)
    assert sorted(again["unchanged"]) == sorted(MAKERS) and not again["reread"]
    assert run_load(loaded, "--backup", str(tmp_path / "a.acervo")).returncode == 0
    assert run_load(loaded, "--export", str(tmp_path / "b.acervo")).returncode == 0
    kept = {path for path in list_tree(loaded / "data") if path.startswith("files/")}
    assert {Path(path).suffix for path in kept} == {Path(name).suffix for name in MAKERS}
    for task, archive in (("--restore", "a.acervo"), ("--import", "b.acervo")):
        settings = {"DATA_DIR": str(tmp_path / task)}
        assert run_load(loaded, task, str(tmp_path / archive), settings=settings).returncode == 0
        assert {path for path in list_tree(tmp_path / task) if path.startswith("files/")} == kept


async def test_an_upload_goes_by_what_it_holds(home: Path, tmp_path: Path) -> None:
    word = office.make_docx(tmp_path / "contract.docx")
    async with serve(home) as served:
        job = await finish(served.client, await start(served.client, "contrato.docx", word.read_bytes()))
        assert (job["state"], job["stage"], job["pages"]) == ("done", "ready", {"done": 2, "total": 2})
        answer = await ask(served, "De quanto é a renda mensal?")
        assert "850 euros" in answer.lines[0]["sources"][0]["text"] and "850 euros" in answer.text
        # A text that is called like a picture is a text still.
        named = await finish(served.client, await start(served.client, "nota.png", "O poço tem nove metros.".encode()))
        listed: list[dict[str, Any]] = json.loads((await get(served, "/documents")).body)["documents"]
        assert named["state"] == "done" and {d["name"]: d["format"] for d in listed} == {
            "contrato.docx": "docx",
            "nota.png": "text",
        }
        assert (await get(served, f"/documents/{named['document']}/file")).headers["Content-Type"] == "text/plain"

"""`--collection`: what the loader puts where, what it remembers, and what it moves without reading."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from database.belonging import Rules, check_collection
from database.documents import Document, Name
from database.errors import WrongCollection
from database.main import main
from tests import pdfs
from tests.loads import read_index

Load = Callable[..., dict[str, Any]]
TEXTS = {"a.pdf": "Farol\n\nO farol da ilha.", "board/b.pdf": "Minutes\n\nThe board met in May."}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two PDFs, one in a folder of its own; nothing is loaded."""
    monkeypatch.setenv("PDF_DIR", str(tmp_path / "pdf"))
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "pdf/board").mkdir(parents=True)
    for path, text in TEXTS.items():
        pdfs.make_pdf(tmp_path / "pdf" / path, [text])
    return tmp_path


@pytest.fixture
def load(capsys: pytest.CaptureFixture[str]) -> Load:
    """Runs the loader; its report."""

    def run(*arguments: object) -> dict[str, Any]:
        capsys.readouterr()
        assert main(["--json", *map(str, arguments)]) == 0
        return dict(json.loads(capsys.readouterr().out))

    return run


def collections(home: Path) -> dict[str, str]:
    """Where each name of the index belongs, by its path below PDF_DIR."""
    names = [name for document in read_index(home / "data").documents.values() for name in document["names"]]
    return {str(Path(n["root"], n["path"]).relative_to(home / "pdf")): n["collection"] for n in names}


def test_a_folder_keeps_its_collection_and_moves_without_being_read_again(home: Path, load: Load) -> None:
    assert load(home / "pdf", "--collection", "team")["added"] == ["a.pdf", "board/b.pdf"]
    assert collections(home) == {"a.pdf": "team", "board/b.pdf": "team"}
    pdfs.make_pdf(home / "pdf/new.pdf", ["New\n\nA new one."])
    report = load()
    assert (report["added"], report["moved"], len(report["unchanged"])) == (["new.pdf"], [], 2)
    assert collections(home)["new.pdf"] == "team"
    before = read_index(home / "data")
    report = load("--collection", "Räte und Ämter")
    assert (report["moved"], report["pages"], report["reread"]) == (["a.pdf", "board/b.pdf", "new.pdf"], 0, [])
    assert set(collections(home).values()) == {"Räte und Ämter"}
    after = read_index(home / "data")
    assert (after.pages, after.chunks, after.windows) == (before.pages, before.chunks, before.windows)
    assert load("--collection", "")["moved"] == ["a.pdf", "board/b.pdf", "new.pdf"]
    assert set(collections(home).values()) == {""}


def test_the_nearest_folder_counts(home: Path, load: Load) -> None:
    load(home / "pdf/board", "--collection", "board")
    assert load()["added"] == ["a.pdf"]
    assert collections(home) == {"a.pdf": "", "board/b.pdf": "board"}
    load(home / "pdf", "--collection", "team")
    assert collections(home) == {"a.pdf": "team", "board/b.pdf": "board"}
    (home / "pdf/board/b.pdf").rename(home / "pdf/b.pdf")
    load()
    assert collections(home) == {"a.pdf": "team", "b.pdf": "team"}


def test_the_same_bytes_in_two_collections_are_one_document(home: Path, load: Load) -> None:
    load()
    (home / "pdf/board/a.pdf").write_bytes((home / "pdf/a.pdf").read_bytes())
    load(home / "pdf/board", "--collection", "board")
    assert len(read_index(home / "data").documents) == 2
    assert collections(home) == {"a.pdf": "", "board/a.pdf": "board", "board/b.pdf": "board"}
    (home / "pdf/a.pdf").unlink()
    assert load()["removed"] == ["a.pdf"]
    assert collections(home) == {"board/a.pdf": "board", "board/b.pdf": "board"}


def test_a_changed_file_stays_where_it_is(home: Path, load: Load) -> None:
    load(home / "pdf", "--collection", "team")
    pdfs.make_pdf(home / "pdf/a.pdf", ["Farol\n\nO farol apagou-se."])
    assert load()["changed"] == ["a.pdf"]
    assert collections(home) == {"a.pdf": "team", "board/b.pdf": "team"}


def test_a_dry_run_tells_moves_and_makes_none(home: Path, load: Load) -> None:
    load()
    assert load("--dry-run", "--collection", "team")["moved"] == ["a.pdf", "board/b.pdf"]
    assert load()["moved"] == []
    assert set(collections(home).values()) == {""}


def test_only_names_below_the_given_paths_move() -> None:
    home = Path("/home")
    rules = Rules().given([home / "pdf"], "team")
    document = Document("a" * 64, "", (Name(str(home / "pdf"), "a.pdf"), Name("uploads", "a.pdf")), 1)
    moves = rules.move([document], [home / "pdf"])
    assert [n.collection for n in moves.documents[document.id].names] == ["team", ""]
    assert moves.names == [Name(str(home / "pdf"), "a.pdf", collection="team")]
    assert rules.move([document], [home / "elsewhere"]).documents == {}


@pytest.mark.parametrize("name", ["", "a", "Recursos Humanos", "財務", "Рабочие", "team-2_b", "x" * 64, "हिन्दी"])
def test_names_of_any_script(name: str) -> None:
    assert check_collection(name) == name


def test_names_are_kept_in_one_form() -> None:
    assert check_collection("Ac\u0327a\u0303o") == "Ação"


@pytest.mark.parametrize(
    "name",
    [" ", " a", "a ", "x" * 65, "a/b", "..", "a\nb", "a\tb", "a\u00a0b", "a\u200bb", "-", "_", "a,b", "a\x00", "😀"],
)
def test_other_names_are_refused(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(WrongCollection, match="1 to 64 letters"):
        check_collection(name)
    with pytest.raises(SystemExit) as ended:
        main(["--collection", name])
    assert ended.value.code == 2
    assert "cannot be the name of a collection" in capsys.readouterr().err


@given(st.text(max_size=70))
def test_what_is_taken_is_short_printable_and_stays_as_it_is(name: str) -> None:
    try:
        kept = check_collection(name)
    except WrongCollection:
        return
    assert kept == check_collection(kept) and len(kept) <= 64
    assert kept == "" or (kept.isprintable() and kept.strip() == kept and not set(kept) & set("/\\.\"'<>&;,"))

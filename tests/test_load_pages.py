"""`python database/main.py https://…`: web pages beside files, as people load them."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from database.main import main, parse_arguments
from tests import pdfs
from tests.fakes.site import Page, Site, redirect, run_site
from tests.library import Library
from tests.loads import list_tree, read_index, run_load

FAROL = "O farol da ilha foi aceso em 1903. O faroleiro anota o vento e os navios que passam todas as noites."
MOINHO = "O moinho da aldeia parou em 1950. A farinha vem agora da cidade, de barco, uma vez por semana."

Load = Callable[..., dict[str, Any]]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with run_site() as site:
        site.pages["/farol.pdf"] = Page(pdfs.make_pdf(tmp_path / "farol.pdf", [FAROL]).read_bytes())
        site.pages["/moinho.pdf"] = Page(pdfs.make_pdf(tmp_path / "moinho.pdf", [MOINHO]).read_bytes())
        yield site


@pytest.fixture
def load(
    site: Site, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Load:
    """Runs the loader on these paths, those of the site by `/…`; its report."""
    monkeypatch.setenv("DATA_DIR", str(home))
    monkeypatch.setenv("URL_ALLOW", f"127.0.0.1:{site.port}")

    def run(*arguments: str | Path, status: int = 0) -> dict[str, Any]:
        capsys.readouterr()
        given = [site.url + a if isinstance(a, str) and a.startswith("/") else str(a) for a in arguments]
        assert main(["--json", *given]) == status, capsys.readouterr()
        return dict(json.loads(capsys.readouterr().out))

    return run


def names_of(home: Path) -> list[tuple[str, str, str]]:
    """Root, path and collection of every name."""
    documents = read_index(home).documents.values()
    return sorted((n["root"], n["path"], n["collection"]) for d in documents for n in d["names"])


def test_a_page_and_a_folder(site: Site, home: Path, tmp_path: Path, load: Load) -> None:
    pdfs.make_pdf(tmp_path / "pdf/keeper.pdf", [pdfs.PARAGRAPH])
    report = load(tmp_path / "pdf", "/farol.pdf")
    assert report["added"] == ["keeper.pdf", f"{site.url}/farol.pdf"] and not report["skipped"]
    assert ("web", f"{site.url}/farol.pdf", "") in names_of(home)
    assert "farol" in read_index(home).text

    tree, before = list_tree(home), read_index(home)
    report = load("/farol.pdf", tmp_path / "pdf")
    assert report["unchanged"] == ["keeper.pdf", f"{site.url}/farol.pdf"] and not report["pages"]
    assert list_tree(home) == tree and read_index(home).same_as(before)
    # Another folder, and the same without anything in it, leave pages alone.
    (tmp_path / "pdf/keeper.pdf").unlink()
    assert load()["removed"] == ["keeper.pdf"]
    assert [path for _, path, _ in names_of(home)] == [f"{site.url}/farol.pdf"]


def test_changed_bytes_replace(site: Site, home: Path, load: Load) -> None:
    load("/farol.pdf")
    (old,) = read_index(home).documents
    site.pages["/farol.pdf"] = site.pages["/moinho.pdf"]
    report = load("/farol.pdf")
    assert (report["changed"], report["added"], report["removed"]) == ([f"{site.url}/farol.pdf"], [], [])
    index = read_index(home)
    assert "moinho" in index.text and "farol" not in index.text and old not in index.documents
    site.pages["/farol.pdf"] = Page(b"%PDF-1.7 broken")
    report = load("/farol.pdf", status=3)
    assert "still answers" in report["skipped"][f"{site.url}/farol.pdf"] and "moinho" in read_index(home).text


def test_one_that_fails_does_not_stop_the_others(site: Site, home: Path, load: Load) -> None:
    site.pages["/in"] = redirect("http://127.0.0.2/")
    report = load("/none.pdf", "/in", "ftp://example.org/a.pdf", "/farol.pdf", status=3)
    assert report["added"] == [f"{site.url}/farol.pdf"]
    reasons = report["skipped"]
    assert "404" in reasons[f"{site.url}/none.pdf"] and "URL_ALLOW" in reasons[f"{site.url}/in"]
    assert "https://" in reasons["ftp://example.org/a.pdf"] and len(reasons) == 3
    assert [path for _, path, _ in names_of(home)] == [f"{site.url}/farol.pdf"]


def test_a_page_that_went_away_stays_loaded(site: Site, home: Path, load: Load) -> None:
    load("/farol.pdf")
    del site.pages["/farol.pdf"]
    load("/farol.pdf", status=3)
    assert "farol" in read_index(home).text


def test_a_dry_run_leaves_nothing(site: Site, home: Path, load: Load) -> None:
    load("/moinho.pdf")
    tree = list_tree(home)
    report = load("--dry-run", "/farol.pdf", "/moinho.pdf")
    assert report["added"] == [f"{site.url}/farol.pdf"] and report["unchanged"] == [f"{site.url}/moinho.pdf"]
    assert list_tree(home) == tree and len(names_of(home)) == 1


def test_the_address_in_the_end_counts(site: Site, home: Path, load: Load) -> None:
    site.pages |= {"/a": redirect("/farol.pdf"), "/b": redirect("/farol.pdf#x")}
    assert load("/a", "/b")["added"] == [f"{site.url}/farol.pdf"]
    assert load("/farol.pdf")["unchanged"] == [f"{site.url}/farol.pdf"]


def test_a_page_is_refreshed_in_each_of_its_collections(site: Site, home: Path, load: Load) -> None:
    load("--collection", "Mar", "/farol.pdf")
    load("--collection", "Terra", "/farol.pdf")
    address = f"{site.url}/farol.pdf"
    assert names_of(home) == [("web", address, "Mar"), ("web", address, "Terra")]
    site.pages["/farol.pdf"] = site.pages["/moinho.pdf"]
    load("/farol.pdf")
    assert names_of(home) == [("web", address, "Mar"), ("web", address, "Terra")]
    assert "farol" not in read_index(home).text


def test_a_page_of_the_web(site: Site, home: Path, load: Load) -> None:
    body = f"<html><head><title>Farol</title></head><body><main><h1>O farol</h1><p>{FAROL}</p></main></body></html>"
    site.pages["/ilha/?p=1"] = Page(body.encode(), "text/html; charset=utf-8")
    load("/ilha/?p=1")
    (document,) = read_index(home).documents.values()
    assert document["format"] == "html" and "1903" in read_index(home).text


def test_as_people_type_it(site: Site, home: Path, tmp_path: Path, library: Library) -> None:
    (tmp_path / "pdf").mkdir(exist_ok=True)
    (tmp_path / "data").symlink_to(home)
    allowed = {"URL_ALLOW": f"localhost:{site.port}", "http_proxy": "http://127.0.0.1:9"}
    result = run_load(tmp_path, f"http://localhost:{site.port}/farol.pdf", settings=allowed)
    assert result.returncode == 0 and "fetching http://localhost" in result.stderr, result.stderr
    result = run_load(tmp_path, f"http://127.0.0.1:{site.port}/farol.pdf", settings=allowed)
    assert result.returncode == 3 and "URL_ALLOW" in result.stdout + result.stderr


def test_watching_is_for_files() -> None:
    with pytest.raises(SystemExit) as raised:
        parse_arguments(["--watch", "https://example.org/"])
    assert raised.value.code == 2

"""Loading real files into the embedded store, as `python database/main.py` does it.

One folder is loaded once; each test gets it back as it was then. Most tests call the loader in this
process, where the process that converts stays warm; some start it as people do.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import pty
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from database.documents import IndexRecord, Name
from database.main import main
from database.readers.confine import describe_gaps
from database.report import Reporter
from database.stores.sqlite import SqliteStore
from tests import pdfs
from tests.loads import Index, list_tree, read_index, run_load, start_load

FAROL = "O farol da ilha foi aceso em 1903. O faroleiro anota o vento e os navios que passam todas as noites."
OTHER = "O moinho da aldeia parou em 1950. A farinha vem agora da cidade, de barco, uma vez por semana."

Load = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `pdf`, loaded into `data`, and `report`, what the loader said; `kept` is a copy."""
    home = tmp_path_factory.mktemp("home")
    (home / "pdf/in").mkdir(parents=True)
    pdfs.make_pdf(home / "pdf/farol.pdf", [f"A ilha\n\n{FAROL}", OTHER], title="O farol")
    pdfs.make_pdf(home / "pdf/in/keeper.pdf", [pdfs.PARAGRAPH])
    pdfs.make_table(home / "pdf/table.pdf")
    result = run_load(home, "--json")
    assert result.returncode == 0, result.stderr
    (home / "report").write_text(result.stdout)
    for name in ("pdf", "data"):
        shutil.copytree(home / name, home / "kept" / name, ignore=shutil.ignore_patterns("models"))
    return home


@pytest.fixture
def home(first: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder as it was after the first load; settings point to it."""
    for path in [first / "pdf", *(p for p in (first / "data").iterdir() if p.name != "models")]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.copytree(first / "kept", first, dirs_exist_ok=True)
    monkeypatch.setenv("PDF_DIR", str(first / "pdf"))
    monkeypatch.setenv("DATA_DIR", str(first / "data"))
    return first


@pytest.fixture
def load(capsys: pytest.CaptureFixture[str]) -> Load:
    """Runs the loader here; its report. The exit status must be the one expected."""

    def run(*arguments: str | Path, status: int = 0) -> dict[str, Any]:
        capsys.readouterr()
        assert main(["--json", *map(str, arguments)]) == status
        return dict(json.loads(capsys.readouterr().out))

    return run


@pytest.fixture
def before(home: Path) -> Index:
    return read_index(home / "data")


def get_report(home: Path) -> dict[str, Any]:
    return dict(json.loads((home / "report").read_text()))


def find_id(index: Index, path: str) -> str:
    (found,) = [i for i, names in index.names.items() if path in names]
    return found


def of_document(index: Index, document_id: str) -> Any:
    return [[r for r in rows if document_id in r] for rows in (index.pages, index.chunks, index.windows)]


def run_store(home: Path, work: Callable[[SqliteStore], Any]) -> Any:
    """Do something to the store itself."""

    async def run() -> Any:
        store = SqliteStore(home / "data/index.sqlite")
        await store.open()
        try:
            return await work(store)
        finally:
            await store.aclose()

    return asyncio.run(run())


# The first load and the next


def test_the_first_load(home: Path, before: Index) -> None:
    report = get_report(home)
    assert report["added"] == ["farol.pdf", "table.pdf", "in/keeper.pdf"]
    assert (report["pages"], report["skipped"], report["changed"], report["removed"]) == (4, {}, [], [])
    assert report["windows"] == len(before.windows) > 4
    by_name = {d["names"][0]["path"]: d for d in before.documents.values()}
    assert {n: (d["title"], d["language"], d["page_count"], d["state"]) for n, d in by_name.items()} == {
        "farol.pdf": ("O farol", "pt", 2, "ready"),
        "in/keeper.pdf": ("keeper", "en", 1, "ready"),
        "table.pdf": ("Harvest by village", "en", 1, "ready"),
    }
    assert by_name["in/keeper.pdf"]["names"] == [
        {"root": str(home / "pdf"), "path": "in/keeper.pdf", "excluded": False, "collection": ""}
    ]
    assert before.record["languages"] == ["en", "pt"] and before.record["settled"]
    assert before.record["embedder"] == "minilm" and before.record["dimension"] == 384
    for document_id in before.documents:
        assert (home / f"data/files/{document_id[:2]}/{document_id}.pdf").is_file()


def test_loading_again_changes_nothing(home: Path, before: Index, load: Load) -> None:
    tree = list_tree(home / "data")
    report = load()
    assert sorted(report["unchanged"]) == ["farol.pdf", "in/keeper.pdf", "table.pdf"]
    assert not any(report[k] for k in ("added", "changed", "removed", "reread", "skipped", "pages"))
    assert read_index(home / "data").same_as(before)
    assert list_tree(home / "data") == tree


def test_loading_again_imports_no_heavy_library(home: Path) -> None:
    result = run_load(home, env=os.environ | {"PYTHONPROFILEIMPORTTIME": "1"})
    assert result.returncode == 0
    modules = {line.rpartition("|")[2].strip().split(".")[0] for line in result.stderr.splitlines()}
    assert "asyncio" in modules and "numpy" in modules
    heavy = {"pymupdf", "pymupdf4llm", "onnxruntime", "onnx", "tokenizers", "langchain_text_splitters", "py3langid"}
    assert not modules & (heavy | {"langchain_core", "snowballstemmer", "watchfiles", "pymongo", "aiohttp"})


# Changes


def test_a_changed_file_replaces_its_chunks(home: Path, before: Index, load: Load) -> None:
    pdfs.make_pdf(home / "pdf/farol.pdf", [OTHER.replace("moinho", "castelo")])
    report = load()
    assert (report["changed"], report["added"], report["removed"]) == (["farol.pdf"], [], [])
    after, old = read_index(home / "data"), find_id(before, "farol.pdf")
    assert "castelo" in after.text and "farol" not in after.text and "moinho" not in after.text
    assert old not in after.documents and len(after.documents) == 3
    assert not list((home / "data").rglob(f"{old}*")), "neither original nor converted pages stay"
    kept = find_id(before, "in/keeper.pdf")
    assert of_document(after, kept) == of_document(before, kept)


def test_a_removed_file_vanishes(home: Path, before: Index, load: Load) -> None:
    (home / "pdf/farol.pdf").unlink()
    assert load()["removed"] == ["farol.pdf"]
    after, gone = read_index(home / "data"), find_id(before, "farol.pdf")
    assert sorted(n for names in after.names.values() for n in names) == ["in/keeper.pdf", "table.pdf"]
    assert of_document(after, gone) == [[], [], []] and "farol" not in after.text
    assert after.record["languages"] == ["en"]
    assert not list((home / "data").rglob(f"{gone}*"))


def test_a_renamed_file_is_not_read_again(home: Path, before: Index, load: Load) -> None:
    (home / "pdf/farol.pdf").rename(home / "pdf/in/luz.pdf")
    report = load()
    assert (report["added"], report["removed"], report["pages"]) == (["in/luz.pdf"], ["farol.pdf"], 0)
    after = read_index(home / "data")
    assert find_id(after, "in/luz.pdf") == find_id(before, "farol.pdf")
    assert (after.pages, after.chunks, after.windows) == (before.pages, before.chunks, before.windows)


def test_the_same_bytes_under_two_names(home: Path, before: Index, load: Load) -> None:
    shutil.copy(home / "pdf/farol.pdf", home / "pdf/copy.pdf")
    assert (load()["added"], len(read_index(home / "data").documents)) == (["copy.pdf"], 3)
    (home / "pdf/farol.pdf").unlink()
    assert load()["removed"] == ["farol.pdf"]
    after = read_index(home / "data")
    assert after.names[find_id(before, "farol.pdf")] == ["copy.pdf"]
    assert after.windows == before.windows


def test_files_that_swap_their_names(home: Path, before: Index, load: Load) -> None:
    (home / "pdf/farol.pdf").rename(home / "pdf/x")
    (home / "pdf/table.pdf").rename(home / "pdf/farol.pdf")
    (home / "pdf/x").rename(home / "pdf/table.pdf")
    assert load()["changed"] == ["farol.pdf", "table.pdf"]
    after = read_index(home / "data")
    assert find_id(after, "farol.pdf") == find_id(before, "table.pdf")
    assert find_id(after, "table.pdf") == find_id(before, "farol.pdf")
    assert (after.pages, after.windows) == (before.pages, before.windows)
    assert all(len(names) == 1 for names in after.names.values())


def test_loading_one_folder_leaves_the_others_alone(home: Path, before: Index, load: Load, tmp_path: Path) -> None:
    (home / "pdf/farol.pdf").unlink()
    (home / "pdf/in/keeper.pdf").unlink()
    pdfs.make_pdf(tmp_path / "loose.pdf", [OTHER])
    report = load(home / "pdf/in", tmp_path / "loose.pdf")
    assert (report["removed"], report["added"]) == (["in/keeper.pdf"], ["loose.pdf"])
    names = read_index(home / "data").names
    assert find_id(before, "farol.pdf") in names and find_id(before, "in/keeper.pdf") not in names
    assert [n for held in names.values() for n in held if "loose" in n] == ["loose.pdf"]
    assert load()["removed"] == ["farol.pdf"]


def test_a_load_killed_before_it_dropped_the_old_version(home: Path, before: Index, load: Load) -> None:
    """New bytes of farol.pdf are published already; the old ones still have its name."""
    for old, new in (("farol.pdf", "table.pdf"), ("table.pdf", "farol.pdf")):
        shutil.copytree(home / "kept", home, dirs_exist_ok=True)
        shutil.copy(home / "pdf" / new, home / "pdf" / old)
        stale = find_id(before, new)

        async def give_name(store: SqliteStore, stale: str = stale, old: str = old) -> None:
            document = await store.get_document(stale)
            assert document is not None
            names = (*document.names, Name(str(home / "pdf"), old))
            await store.put_document(replace(document, names=names))

        run_store(home, give_name)
        load()
        after = read_index(home / "data")
        assert sorted(after.names[stale]) == ["farol.pdf", "table.pdf"]
        assert find_id(before, old) not in after.documents


def test_what_a_killed_load_did_not_settle_is_settled(home: Path, before: Index, load: Load) -> None:
    async def unsettle(store: SqliteStore) -> None:
        record = await store.read_index()
        assert record is not None
        await store.write_index(replace(record, settled=False, languages=(), common_words=("x",)))

    run_store(home, unsettle)
    assert len(load()["unchanged"]) == 3
    assert read_index(home / "data").same_as(before)


# Files that cannot be read


def test_bad_files_are_told_and_the_others_load(home: Path, load: Load) -> None:
    (home / "pdf/empty.pdf").write_bytes(b"")
    (home / "pdf/page.pdf").write_bytes(b"\0no document")
    (home / "pdf/page too.pdf").write_bytes(b"\0no document")
    pdfs.make_encrypted(home / "pdf/locked.pdf", user="secret")
    pdfs.make_pdf(home / "pdf/good.pdf", [OTHER])
    report = load(status=3)
    assert report["added"] == ["good.pdf"]
    assert {path: why.split(".")[0] for path, why in report["skipped"].items()} == {
        "empty.pdf": "It is empty (0 bytes)",
        "page.pdf": report["skipped"]["page too.pdf"].split(".")[0],
        "page too.pdf": report["skipped"]["page.pdf"].split(".")[0],
        "locked.pdf": report["skipped"]["locked.pdf"].split(".")[0],
    }
    assert "can be loaded" in report["skipped"]["page.pdf"] and "password" in report["skipped"]["locked.pdf"]
    index = read_index(home / "data")
    assert sorted(d["state"] for d in index.documents.values()) == ["failed"] * 3 + ["ready"] * 4
    again = load(status=3)
    assert (again["skipped"], again["reread"]) == (report["skipped"], []), "told again, not read again"
    assert read_index(home / "data").same_as(index)


def test_retry_reads_failed_files_again(home: Path, load: Load) -> None:
    pdfs.make_pdf(home / "pdf/big.pdf", [OTHER])
    with (home / "pdf/big.pdf").open("ab") as file:
        file.write(b"\n" * (2 << 20))
    os.environ["MAX_FILE_MB"] = "1"
    try:
        assert "MAX_FILE_MB" in load(status=3)["skipped"]["big.pdf"]
    finally:
        del os.environ["MAX_FILE_MB"]
    assert list(load(status=3)["skipped"]) == ["big.pdf"]
    report = load("--retry")
    assert (report["reread"], report["skipped"]) == (["big.pdf"], {})
    assert "moinho" in read_index(home / "data").text


def test_a_changed_file_that_cannot_be_read_keeps_its_version(home: Path, before: Index, load: Load) -> None:
    (home / "pdf/farol.pdf").write_bytes(b"%PDF-1.7 but no more")
    for _ in range(2):
        report = load(status=3)
        assert report["changed"] == []
        assert report["skipped"]["farol.pdf"].endswith("(the version loaded before still answers)")
        after = read_index(home / "data")
        assert after.same_as(before)
        assert list_tree(home / "data") == list_tree(home / "kept/data"), "nothing is kept of the unreadable bytes"
    pdfs.make_pdf(home / "pdf/farol.pdf", [pdfs.PARAGRAPH * 2])
    assert load()["changed"] == ["farol.pdf"]


def test_a_file_that_becomes_unreadable_bytes_known_already(home: Path, before: Index, load: Load) -> None:
    (home / "pdf/bad.pdf").write_bytes(b"\0nonsense")
    load(status=3)
    (home / "pdf/farol.pdf").write_bytes(b"\0nonsense")
    report = load(status=3)
    assert set(report["skipped"]) == {"bad.pdf", "farol.pdf"} and "before" in report["skipped"]["farol.pdf"]
    assert find_id(read_index(home / "data"), "farol.pdf") == find_id(before, "farol.pdf")


def test_files_that_cannot_be_opened_are_not_taken_for_removed(home: Path, before: Index, load: Load) -> None:
    (home / "pdf/farol.pdf").unlink()
    (home / "pdf/farol.pdf").symlink_to("nowhere")
    report = load(status=3)
    assert report["removed"] == [] and "cannot be opened" in report["skipped"]["farol.pdf"]
    assert read_index(home / "data").same_as(before)


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS refuses such names")
def test_names_in_another_encoding_are_told(home: Path, before: Index, load: Load) -> None:
    Path(os.fsdecode(os.fsencode(home) + b"/pdf/relat\xf3rio.pdf")).write_bytes(b"x")
    assert load(status=3)["skipped"] == {"relat\ufffdrio.pdf": "has a name that is not UTF-8. Rename it."}
    assert main([]) == 3
    assert read_index(home / "data").same_as(before)


def test_pages_without_text_are_named(home: Path, load: Load) -> None:
    pdfs.make_pdf(home / "pdf/gap.pdf", [OTHER, ""])
    report = load()
    (note,) = report["notes"]["gap.pdf"]
    assert "page 2" in note and report["pages"] == 2
    assert (load()["unchanged"].count("gap.pdf"), load("--retry")["reread"]) == (1, ["gap.pdf"])


def test_an_incomplete_document_that_fails_later_is_kept(home: Path, load: Load) -> None:
    pdfs.make_pdf(home / "pdf/gap.pdf", [OTHER, ""])
    load()
    before = read_index(home / "data")
    shutil.rmtree(home / "data/pages")
    with (home / "pdf/gap.pdf").open("ab") as file:  # other bytes of the same name would be another document
        file.truncate(0)
    original = home / f"data/files/{find_id(before, 'gap.pdf')[:2]}/{find_id(before, 'gap.pdf')}.pdf"
    shutil.copy(original, home / "pdf/gap.pdf")
    original.write_bytes(bytes(original.stat().st_size))  # the disk lost it
    report = load("--retry", status=3)
    assert "before still answers" in report["skipped"]["gap.pdf"]
    assert read_index(home / "data").same_as(before)


# Options


def test_a_dry_run_touches_nothing(home: Path, before: Index, load: Load) -> None:
    (home / "pdf/farol.pdf").unlink()
    pdfs.make_pdf(home / "pdf/new.pdf", [OTHER])
    pdfs.make_pdf(home / "pdf/table.pdf", [OTHER * 2])
    tree = list_tree(home / "data")
    report = load("--dry-run")
    assert (report["added"], report["changed"], report["removed"]) == (["new.pdf"], ["table.pdf"], ["farol.pdf"])
    assert report["dry_run"] and report["pages"] == 0
    assert read_index(home / "data").same_as(before) and list_tree(home / "data") == tree


def make_foreign(home: Path, **other: Any) -> None:
    """Change the record as if another program version or setting had made the index."""

    async def change(store: SqliteStore) -> IndexRecord:
        record = await store.read_index()
        assert record is not None
        await store.write_index(replace(record, **other))
        return record

    run_store(home, change)


@pytest.mark.parametrize("field", ["schema", "embedder", "chunker", "analyser"])
def test_an_index_made_otherwise_is_refused(home: Path, field: str, capsys: pytest.CaptureFixture[str]) -> None:
    make_foreign(home, **{field: 99 if field == "schema" else "other/9"})
    before = read_index(home / "data")
    assert main(["--json"]) == 1
    out, err = capsys.readouterr()
    assert out == "" and f"{field} " in err and "`python database/main.py --reindex`" in err
    assert read_index(home / "data") == before


def test_reindex_rebuilds_what_was_made_otherwise(home: Path, before: Index, load: Load, tmp_path: Path) -> None:
    pdfs.make_pdf(tmp_path / "away.pdf", [OTHER])
    load(tmp_path)
    whole = read_index(home / "data")
    (tmp_path / "away.pdf").unlink()  # its original is kept, and loading another folder does not remove it
    make_foreign(home, chunker="old/1", embedder="ollama:other", dimension=3)
    planned = load("--reindex", "--dry-run")
    assert sorted(planned["reread"]) == ["away.pdf", "farol.pdf", "in/keeper.pdf", "table.pdf"]
    report = load("--reindex")
    assert sorted(report["reread"]) == ["away.pdf", "farol.pdf", "in/keeper.pdf", "table.pdf"]
    assert report["unchanged"] == [] and report["windows"] == len(whole.windows)
    assert read_index(home / "data").same_as(replace(whole, record=whole.record | {"generation": 2}))
    assert len(load()["unchanged"]) == 3


def test_a_load_finishes_an_unfinished_reindex(home: Path, before: Index, load: Load) -> None:
    async def begin(store: SqliteStore) -> None:
        record = await store.read_index()
        assert record is not None
        await store.open_next(replace(record, languages=(), common_words=(), common_grams=()))

    run_store(home, begin)
    make_foreign(home, chunker="old/1")
    assert len(load()["reread"]) == 3
    assert read_index(home / "data").same_as(replace(before, record=before.record | {"generation": 2}))


def test_a_file_deleted_in_the_page_stays_out(
    home: Path, before: Index, load: Load, capsys: pytest.CaptureFixture[str]
) -> None:
    async def exclude(store: SqliteStore) -> None:
        document = await store.get_document(find_id(before, "farol.pdf"))
        assert document is not None
        await store.put_document(replace(document, names=tuple(replace(n, excluded=True) for n in document.names)))

    run_store(home, exclude)
    excluded = read_index(home / "data")
    assert load()["excluded"] == ["farol.pdf"]
    pdfs.make_pdf(home / "pdf/farol.pdf", [OTHER])
    report = load()
    assert (report["excluded"], report["changed"], len(report["unchanged"])) == (["farol.pdf"], [], 2)
    assert read_index(home / "data") == excluded
    assert main([]) == 0
    assert "excluded farol.pdf: deleted in the page" in capsys.readouterr().out
    (home / "pdf/farol.pdf").unlink()
    assert load()["removed"] == ["farol.pdf"]


def test_json_is_one_object_and_nothing_else(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pdfs.make_pdf(home / "pdf/ação nova.pdf", [OTHER])
    assert main(["--json"]) == 0
    out, err = capsys.readouterr()
    assert err == "" and out.count("\n") == 1
    assert json.loads(out)["added"] == ["ação nova.pdf"]


def test_plain_lines_where_there_is_no_terminal(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pdfs.make_pdf(home / "pdf/[b]new[b] [red] 100%.pdf", [OTHER])
    (home / "pdf/bad.pdf").write_bytes(b"\0")
    assert main([]) == 3
    out, err = capsys.readouterr()
    assert "[b]new[b] [red] 100%.pdf: 1 pages, 1 chunks\n" in err
    assert "bad.pdf: skipped: " in err and "\nskipped  bad.pdf: " in out
    assert "\x1b" not in out + err and "\r" not in out + err
    counts = {line.split("│")[1].strip(): line.split("│")[2].strip() for line in out.splitlines() if "│" in line}
    assert counts == {"added": "1", "changed": "0", "removed": "0", "unchanged": "3", "skipped": "1"}
    assert "1 pages, 1 windows in" in out


def read_all(descriptor: int, shown: list[bytes]) -> None:
    with contextlib.suppress(OSError):  # how Linux tells that the other end of a terminal is closed
        while part := os.read(descriptor, 4096):
            shown.append(part)


def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    parts: list[bytes] = []
    reading = threading.Thread(target=read_all, args=(ours, parts))
    reading.start()
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("COLUMNS", "120")
        reporter = Reporter()
        with reporter.running():
            reporter.pages("a.pdf", 2, 8)
            reporter.finished("a.pdf", "not told, for the bar tells it")
            reporter.pages("b.pdf", 8, 8)
    reading.join()
    os.close(ours)
    shown = b"".join(parts).decode()
    assert "b.pdf" in shown and "10/16" in shown and "pages/s" in shown and "not told" not in shown


# What goes wrong as a whole


@pytest.mark.parametrize("arguments", [["--nonsense"], ["--json=1"]])
def test_wrong_usage(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2


def test_help_tells_the_exit_statuses(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    out = capsys.readouterr().out
    assert caught.value.code == 0
    assert all(word in out for word in ("--watch", "--dry-run", "--json", "--retry", "--reindex", "exit status", "130"))


def test_a_missing_path(home: Path, before: Index, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(home / "pdf"), str(home / "no/where")]) == 1
    out, err = capsys.readouterr()
    assert out == "" and f"There is no {home}/no/where." in err
    assert read_index(home / "data").same_as(before)


def test_wrong_settings(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("EMBEDDER", "bert")
    assert main([]) == 1
    assert "EMBEDDER='bert'" in capsys.readouterr().err


def test_a_damaged_index(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "data/index.sqlite").write_bytes(b"this is no database " * 400)
    assert main([]) == 1
    err = capsys.readouterr().err
    assert "index.sqlite failed: file is not a database" in err and "Traceback" not in err


def test_a_data_folder_that_cannot_be_made(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATA_DIR", str(home / "pdf/farol.pdf"))
    assert main([]) == 1
    assert "DATA_DIR" in capsys.readouterr().err


def test_an_empty_folder_is_made_and_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PDF_DIR", str(tmp_path / "new/pdf"))
    assert main(["--json"]) == 0
    assert json.loads(capsys.readouterr().out)["added"] == []
    assert (tmp_path / "new/pdf").is_dir() and read_index(tmp_path / "data").record == {}


# Several loads, watching


def test_a_load_waits_for_the_one_that_runs(home: Path) -> None:
    with (home / "data/load.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = start_load(home)
        assert process.stderr is not None
        assert process.stderr.readline() == "Another load is running on this data folder; waiting for it to end.\n"
        assert process.poll() is None
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "") and "unchanged" in out


def test_two_loads_at_once(home: Path) -> None:
    pdfs.make_pdf(home / "pdf/new.pdf", [OTHER] * 3)
    both = [start_load(home, "--json") for _ in range(2)]
    reports = [json.loads(process.communicate(timeout=170)[0]) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sorted(report["added"] for report in reports) == [[], ["new.pdf"]]
    assert len(read_index(home / "data").pages) == 7


def test_relative_paths_start_where_they_are_typed(home: Path, before: Index) -> None:
    result = run_load(home, "--json", "../pdf/in", cwd=home / "pdf")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["unchanged"] == ["keeper.pdf"]
    assert read_index(home / "data").same_as(before)


@pytest.fixture
def watching(home: Path) -> Iterator[Any]:
    process = start_load(home, "--watch", "--json")
    yield process
    process.kill()
    process.communicate()


@pytest.mark.skipif(bool(describe_gaps()), reason="the kernel lacks what confines readers, which is told there")
def test_watch(home: Path, watching: Any) -> None:
    """What changes is loaded; the loader's own writing brings on no further load; SIGTERM ends it."""
    assert len(json.loads(watching.stdout.readline())["unchanged"]) == 3
    pdfs.make_pdf(home / "pdf/new.pdf", [OTHER])
    assert json.loads(watching.stdout.readline())["added"] == ["new.pdf"]
    (home / "pdf/farol.pdf").unlink()
    report = json.loads(watching.stdout.readline())
    assert (report["removed"], len(report["unchanged"])) == (["farol.pdf"], 3)
    watching.send_signal(signal.SIGTERM)
    out, err = watching.communicate(timeout=60)
    assert (watching.returncode, out) == (130, "")
    assert err == "Stopped. What was finished is kept; load again for the rest.\n"


def test_watch_outlives_a_folder_that_goes_away_and_comes_back(home: Path, watching: Any) -> None:
    assert len(json.loads(watching.stdout.readline())["unchanged"]) == 3
    (home / "pdf/farol.pdf").unlink()
    assert json.loads(watching.stdout.readline())["removed"] == ["farol.pdf"]
    (home / "elsewhere").mkdir()
    (home / "pdf").rename(home / "elsewhere/pdf")
    pdfs.make_pdf(home / "elsewhere/pdf/new.pdf", [OTHER])
    (home / "elsewhere/pdf").rename(home / "pdf")
    while "new.pdf" not in (report := json.loads(watching.stdout.readline()))["added"]:
        assert report["removed"] == []
    assert watching.poll() is None


def test_files_of_one_name_below_two_folders_are_told_apart(home: Path, load: Load) -> None:
    for folder in ("a", "b"):
        (home / folder).mkdir()
    pdfs.make_pdf(home / "a/x.pdf", [OTHER])
    (home / "b/x.pdf").write_bytes(b"\0no document")
    report = load(home / "a", home / "b", status=3)
    assert report["added"] == [str(home / "a/x.pdf")]
    assert list(report["skipped"]) == [str(home / "b/x.pdf")]


def test_an_original_cut_short_is_copied_again(home: Path, before: Index, load: Load) -> None:
    original = home / f"data/files/{find_id(before, 'farol.pdf')[:2]}/{find_id(before, 'farol.pdf')}.pdf"
    original.write_bytes(b"")
    load("--reindex")
    assert original.read_bytes() == (home / "pdf/farol.pdf").read_bytes()


@pytest.mark.parametrize("place", ["data/pages", "data/models", "pdf"])
def test_a_folder_that_cannot_be_made_is_named(
    tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("PDF_DIR", "DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name[:-4].lower()))
    shutil.rmtree(tmp_path / "pdf", ignore_errors=True)
    (tmp_path / "data").mkdir(exist_ok=True)
    if place != "pdf":
        (tmp_path / "pdf").mkdir()
        pdfs.make_pdf(tmp_path / "pdf/x.pdf", [OTHER])
    (tmp_path / place).write_bytes(b"a file in its place")
    assert main([]) == 1
    assert f"{place.split('/')[0].upper()}_DIR" in capsys.readouterr().err


def test_watch_sees_what_changed_during_the_first_load(home: Path) -> None:
    """Files that come after the folder was looked through, while others are still being converted."""
    pdfs.make_pdf(home / "pdf/new.pdf", [OTHER] * 9)
    count = len([*home.glob("data/files/*/*.pdf")])
    process = start_load(home, "--watch")
    assert process.stderr is not None
    try:
        while len([*home.glob("data/files/*/*.pdf")]) == count:
            assert process.poll() is None
            time.sleep(0.001)
        pdfs.make_pdf(home / "pdf/late.pdf", [FAROL])
        lines = [process.stderr.readline() for _ in range(2)]
    finally:
        process.terminate()
        process.communicate(timeout=60)
    assert [line.split(":")[0] for line in lines] == ["new.pdf", "late.pdf"]
    assert process.returncode == 130


def test_watch_does_not_watch_its_own_data(tmp_path: Path) -> None:
    """A data folder among the documents: what a load writes there brings on no other load."""
    process = start_load(tmp_path, tmp_path, "--watch", "--json")
    assert process.stdout is not None
    try:
        assert json.loads(process.stdout.readline())["added"] == []
        (tmp_path / "notes.log").write_text("not a document, but something that changed")
        assert json.loads(process.stdout.readline())["added"] == []
        time.sleep(2.5)  # more than the time in which changes are gathered
    finally:
        process.terminate()
        out, _ = process.communicate(timeout=60)
    assert out == ""

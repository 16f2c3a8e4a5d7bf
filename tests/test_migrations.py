"""Index files of older and newer versions: brought up to date in place, whole or not at all; or refused."""

import gzip
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from database.documents import Counts, Filters, Name
from database.errors import StoreError
from database.settings import ROOT
from database.stores.sqlite import SqliteStore
from database.stores.sqlite_migrations import STEPS
from database.stores.sqlite_rows import RECORD as RECORD_JSON
from tests.store_documents import RECORD, ask, digest, make_document, publish, window_ids
from tests.views_contract import VIEWS, everything, with_pages

OLD = ROOT / "tests/files/index-before-collections.sqlite.gz"
"""As the last version without collections wrote it: "a" with two windows, "b" deleted in the page, one rating."""
STEPPING = """
import os, sqlite3, sys
from pathlib import Path
from database.stores.sqlite_migrations import STEPS, migrate
path, number, made = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
def step(db):
    STEPS[number](db)
    assert db.execute(f"SELECT count(*) FROM {made}").fetchone()[0] > 0
    os.kill(os.getpid(), 9)
db = sqlite3.connect(path, isolation_level=None)
migrate(db, path, [*STEPS[:number], step])
"""


CONTENTS = {
    "pages": "document_id, number, record",
    "chunks": "id, document_id, record",
    "windows": "rowid, id, chunk_id, document_id, page, language, text, vector",
    **dict.fromkeys(("words", "grams", "page_words", "page_grams", "heads"), "rowid, terms"),
}
"""The tables of contents that the old file has, and their columns."""


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "index.sqlite"
    path.write_bytes(gzip.decompress(OLD.read_bytes()))
    yield path


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("PRAGMA user_version").fetchone()[0])


def make_newer(path: Path) -> None:
    """Number a file as of a version to come."""
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {len(STEPS) + 1}")
        db.commit()


def read(path: Path) -> bytes:
    """The bytes of a file."""
    return path.read_bytes()


def step_and_die(path: Path, number: int, made: str) -> int:
    """Take a step, which fills a table, in a process that kills itself before it is through; how that ended."""
    command = [sys.executable, "-c", STEPPING, path, str(number), made]
    return subprocess.run(command, cwd=ROOT, timeout=60).returncode


def list_tables(path: Path) -> set[str]:
    """Names of tables and triggers."""
    with closing(sqlite3.connect(path)) as db:
        return {name for (name,) in db.execute("SELECT name FROM sqlite_master")}


async def check_contents(path: Path, generation: int = 1) -> None:
    """What the old file held is all there, in the common collection, and can be moved."""
    store = SqliteStore(path)
    await store.open()
    try:
        document, contents = with_pages(make_document("a", ["gato preto", "rato"]))
        assert await store.get_document(document.id) == document
        assert await store.read_index() == replace(RECORD, generation=generation)
        assert await store.count() == Counts(1, 2, 2)
        assert await store.get_chunks([c.id for c in contents.chunks]) == contents.chunks
        record = await store.get_record("feedback", "f1")
        assert record is not None and record.data == {"rating": "up"}
        for collections, expected in ((None, {document.id}), (("",), {document.id}), (("board",), set())):
            found = await store.search(everything(Filters(collections=collections)))
            assert all({c.document_id for c in getattr(found, view)} == expected for view in VIEWS)
        hidden = await store.get_document(digest("b"))
        assert hidden is not None and not hidden.visible
        await store.put_names(hidden.id, [replace(name, excluded=False, collection="board") for name in hidden.names])
        found = await store.search(everything(Filters(collections=("board",))))
        assert {c.window_id for c in found.vector} == window_ids(make_document("b", ["gato branco"])[1])
    finally:
        await store.aclose()


async def test_an_older_file_is_brought_up_to_date_in_place(path: Path) -> None:
    assert version(path) == 0
    await check_contents(path)
    assert version(path) == len(STEPS)


@pytest.mark.parametrize(("number", "made"), [(0, "places"), (1, "postings")])
async def test_a_step_that_is_killed_never_happened(path: Path, number: int, made: str) -> None:
    assert step_and_die(path, number, made) == -9
    tables = list_tables(path)
    assert made not in tables and {"words", "words_content", "windows_gone"} <= tables
    assert version(path) == number
    await check_contents(path)


async def test_terms_leave_the_full_text_tables_as_they_were(path: Path, tmp_path: Path) -> None:
    """What is read is what was published, and searches give it the scores that they would give it in a new file."""
    old, new = SqliteStore(path), SqliteStore(tmp_path / "new.sqlite")
    pairs = [with_pages(make_document("a", ["gato preto", "rato"])), with_pages(make_document("b", ["gato branco"]))]
    await old.open()
    await new.open()
    await publish(new, *pairs)
    for document, _ in pairs:
        record = await old.get_document(document.id)
        assert record is not None
        await new.put_document(record)
    document, contents = pairs[0]
    whole = await old.read_whole(document.id)
    assert whole is not None and whole[1] is not None
    assert (whole[1].windows, whole[1].page_terms) == (contents.windows, contents.page_terms)
    for asked in (everything(), ask("gato", "rato", grams=("gato", "pret"))):
        first, second = await old.search(asked), await new.search(asked)
        assert first == second and first.heads
    await old.remove_document(document.id)
    assert (await old.search(everything(Filters((document.id,))))).words == []
    assert await old.sweep() == 0
    await old.aclose()
    await new.aclose()
    assert not any(name.startswith(("words", "grams", "page_", "heads")) for name in list_tables(path))
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM terms").fetchone() == (1,), "the others went with their windows"


def make_generations(path: Path) -> None:
    """A file whose unfinished next generation and whose last one, not yet dropped, have full-text tables, too."""
    with closing(sqlite3.connect(path)) as db:
        for prefix in ("g2_", "old_"):
            for table, columns in CONTENTS.items():
                (made,) = db.execute("SELECT sql FROM sqlite_master WHERE name = ?", (table,)).fetchone()
                db.execute(made.replace(f"TABLE {table} ", f"TABLE {prefix}{table} ", 1))
                db.execute(f"INSERT INTO {prefix}{table} ({columns}) SELECT {columns} FROM {table}")
            gone = f"DELETE FROM {prefix}words WHERE rowid = old.rowid"
            db.execute(f"CREATE TRIGGER {prefix}windows_gone AFTER DELETE ON {prefix}windows BEGIN {gone}; END")
        db.execute("CREATE TABLE next_documents (id TEXT PRIMARY KEY, record TEXT NOT NULL)")
        db.execute("INSERT INTO next_documents SELECT id, record FROM documents")
        record = RECORD_JSON.dump_json(replace(RECORD, generation=2)).decode()
        db.execute("INSERT INTO meta VALUES ('next', ?)", (record,))
        db.commit()


async def test_every_generation_is_brought_up_to_date(path: Path) -> None:
    make_generations(path)
    store = SqliteStore(path)
    await store.open()
    assert not any(name.startswith(("old_words", "g2_heads")) for name in list_tables(path))
    generation = await store.open_next(replace(RECORD, generation=2))
    assert "old_windows" not in list_tables(path)
    assert len(await generation.sample_windows(9)) == 3
    await store.switch()
    await store.aclose()
    await check_contents(path, 2)


async def test_opening_again_takes_no_step_twice(path: Path) -> None:
    for _ in range(2):
        store = SqliteStore(path)
        await store.open()
        await store.put_names(digest("a"), [Name("pdf", "a.pdf", collection="board")])
        await store.aclose()
    store = SqliteStore(path)
    await store.open()
    found = await store.search(everything(Filters(collections=("board",))))
    assert {c.document_id for c in found.words} == {digest("a")}
    await store.aclose()


async def test_a_file_of_a_newer_version_is_refused_and_left_alone(path: Path) -> None:
    make_newer(path)
    before = read(path)
    store = SqliteStore(path)
    with pytest.raises(StoreError, match=r"newer version of Acervo .*Update Acervo, restore a backup") as caught:
        await store.open()
    await store.aclose()
    assert str(path) in str(caught.value)
    assert read(path) == before

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
from tests.store_documents import RECORD, digest, make_document, window_ids
from tests.views_contract import VIEWS, everything, with_pages

OLD = ROOT / "tests/files/index-before-collections.sqlite.gz"
"""As the last version without collections wrote it: "a" with two windows, "b" deleted in the page, one rating."""
STEPPING = """
import os, sqlite3, sys
from pathlib import Path
from database.stores import sqlite_migrations
def step(db):
    sqlite_migrations.STEPS[0](db)
    assert db.execute("SELECT count(*) FROM places").fetchone() == (1,)
    os.kill(os.getpid(), 9)
path = Path(sys.argv[1])
db = sqlite3.connect(path, isolation_level=None)
sqlite_migrations.migrate(db, path, [step])
"""


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


def step_and_die(path: Path) -> int:
    """Take a step in a process that kills itself before it is through; how that ended."""
    return subprocess.run([sys.executable, "-c", STEPPING, path], cwd=ROOT, timeout=60).returncode


async def check_contents(path: Path) -> None:
    """What the old file held is all there, in the common collection, and can be moved."""
    store = SqliteStore(path)
    await store.open()
    try:
        document, contents = with_pages(make_document("a", ["gato preto", "rato"]))
        assert await store.get_document(document.id) == document
        assert await store.read_index() == RECORD
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


async def test_a_step_that_is_killed_never_happened(path: Path) -> None:
    assert step_and_die(path) == -9
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM sqlite_master WHERE name LIKE 'places%'").fetchone() == (0,)
    assert version(path) == 0
    await check_contents(path)


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

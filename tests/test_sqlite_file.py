"""The embedded store under several processes, under load, and with a broken file."""

import asyncio
import contextlib
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from database.documents import Name
from database.errors import StoreError
from database.settings import ROOT
from database.stores.segments import SEGMENT_WINDOWS
from database.stores.sqlite import THREADS, SqliteStore
from tests.store_documents import (
    RECORD,
    ask,
    found_anywhere,
    ids,
    make_document,
    publish,
    unit_vectors,
    window_ids,
)

PUBLISH = """
import asyncio, sys
from pathlib import Path
from database.stores.sqlite import SqliteStore
from tests.store_documents import make_document

async def main(path, key, version, *texts):
    store = SqliteStore(Path(path))
    await store.open()
    if texts:
        await store.publish(*make_document(key, texts, version))
    else:
        await store.remove_document(make_document(key, [], version)[0].id)
    await store.aclose()

asyncio.run(main(*sys.argv[1:]))
"""


async def run_elsewhere(path: Path, *arguments: str) -> None:
    """Publish (or, without texts, remove) a document in a process of its own."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", PUBLISH, str(path), *arguments, cwd=ROOT)
    assert await process.wait() == 0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data/index.sqlite"


async def test_writes_of_another_process_are_noticed(path: Path) -> None:
    store = SqliteStore(path)
    await store.open()
    try:
        first, second = make_document("a", ["gato preto"]), make_document("b", ["rato", "pato"])
        await publish(store, first)
        assert await found_anywhere(store, *first) == window_ids(first[1])
        await run_elsewhere(path, "b", "v1", "rato", "pato")
        assert await found_anywhere(store, *second) == window_ids(second[1])
        await run_elsewhere(path, "a", "v2", "gato novo")
        assert await found_anywhere(store, *first) == set()
        changed = make_document("a", ["gato novo"], "v2")
        assert await found_anywhere(store, *changed) == window_ids(changed[1])
        await run_elsewhere(path, "b", "v1")
        assert await found_anywhere(store, *second) == set()
    finally:
        await store.aclose()


@pytest.mark.parametrize("others", [0, SEGMENT_WINDOWS])
async def test_many_searches_while_others_publish(path: Path, others: int) -> None:
    """Every answer is of one moment: all windows of one version of each document, in every view,
    also beside a segment that is full."""
    versions = {v: [make_document(k, [f"gato {v} {i}" for i in range(30)], v) for k in "abc"] for v in ("v1", "v2")}
    wholes = {k: [window_ids(versions[v][n][1]) for v in versions] for n, k in enumerate("abc")}
    store, writer = SqliteStore(path), SqliteStore(path)
    await store.open()
    await writer.open()
    unasked = make_document("others", ["pato"] * others)
    await publish(store, unasked, *versions["v1"])
    query = ask("gato", vector=unit_vectors("q", 1)[0], grams=("gato",), limit=500 + others)
    publishing = True

    async def write() -> None:
        nonlocal publishing
        for _ in range(4):
            for version in ("v2", "v1"):
                await publish(writer, *versions[version])
        publishing = False

    async def read() -> int:
        count = 0
        while publishing or not count:
            found = await store.search(query)
            vector, words, grams = set(ids(found.vector)), set(ids(found.words)), set(ids(found.grams))
            vector -= window_ids(unasked[1])
            assert vector == words == grams
            for whole in wholes.values():
                assert [vector & one for one in whole if vector & one] in ([whole[0]], [whole[1]])
            count += 1
        return count

    try:
        _, *counts = await asyncio.wait_for(asyncio.gather(write(), *(read() for _ in range(2 * THREADS))), 120)
        assert min(counts) > 0
    finally:
        await store.aclose()
        await writer.aclose()


async def make_store(path: Path) -> None:
    store = SqliteStore(path)
    await store.open()
    await store.write_index(RECORD)
    await publish(store, *(make_document(k, [f"gato {k} {i}" for i in range(200)]) for k in "abcdef"))
    await store.aclose()


def overwrite(path: Path) -> None:
    path.write_bytes(b"<!DOCTYPE html>" * 500)


def cut(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 3])


def scramble(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for at in range(4096, len(data), 512):
        data[at : at + 256] = b"\xa5" * len(data[at : at + 256])
    path.write_bytes(data)


def spoil_lists(path: Path) -> None:
    """As a disk that gives other bytes back than were written, where SQLite does not notice."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE postings SET lists = CAST(x'00' || lists AS BLOB)")
        db.commit()


@pytest.mark.parametrize("damage", [overwrite, cut, scramble, spoil_lists])
async def test_a_damaged_file_is_told(path: Path, damage: Callable[[Path], None]) -> None:
    await make_store(path)
    damage(path)
    store = SqliteStore(path)
    with pytest.raises(StoreError, match=r"index\.sqlite failed: .*Look whether") as caught:
        try:
            await store.open()
            await store.search(ask("gato", vector=unit_vectors("q", 1)[0], grams=("gato",)))
        finally:
            await store.aclose()
    assert str(path) in str(caught.value)


async def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    store = SqliteStore(tmp_path / "file/index.sqlite")
    with pytest.raises(StoreError, match="Look whether the disk is full, the folder"):
        await store.open()
    await store.aclose()


async def test_closing_waits_for_what_is_being_written(path: Path) -> None:
    store = SqliteStore(path)
    await store.open()
    document, contents = make_document("a", [f"gato {i}" for i in range(2000)])
    writing = asyncio.create_task(store.publish(document, contents))
    await asyncio.sleep(0.01)
    await store.aclose()
    await writing
    again = SqliteStore(path)
    await again.open()
    assert (await again.count()).windows == 2000
    await again.aclose()


def test_a_process_that_dies_while_it_writes_leaves_the_old_whole(path: Path) -> None:
    """The transaction of a killed writer never happened."""
    asyncio.run(make_store(path))
    script = f"""
import os, sqlite3, sys
from pathlib import Path
from database.stores.sqlite_file import IndexFile
from tests.store_documents import make_document
file = IndexFile(Path({str(path)!r}))
file.create()
with file._transaction() as db:
    db.execute("DELETE FROM documents")
    os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT).returncode == -9

    async def count() -> int:
        store = SqliteStore(path)
        await store.open()
        counts = await store.count()
        await store.aclose()
        return counts.windows

    assert asyncio.run(count()) == 1200


async def test_a_backup_put_in_place_under_a_running_store_is_believed(path: Path, tmp_path: Path) -> None:
    store, first, second = SqliteStore(path), make_document("a", ["gato"]), make_document("b", ["rato"])
    await store.open()
    await publish(store, first)
    backup = sqlite3.connect(tmp_path / "backup.sqlite")
    with contextlib.closing(sqlite3.connect(path)) as source:
        source.backup(backup)
    await publish(store, second)
    assert await found_anywhere(store, *second) == window_ids(second[1])
    with contextlib.closing(sqlite3.connect(path)) as target:
        backup.backup(target)
    backup.close()
    async with asyncio.timeout(20):
        assert await found_anywhere(store, *second) == set()
        assert await found_anywhere(store, *first) == window_ids(first[1])
    await store.aclose()


async def test_only_what_was_published_is_read_again(path: Path) -> None:
    """Renaming or hiding a document changes no lists; and what is swept counts nowhere any more."""
    store, first, second = (
        SqliteStore(path),
        make_document("a", ["gato", "rato", "pato"]),
        make_document("b", ["gato"] * 9),
    )
    await store.open()
    await publish(store, first, second)
    alone = (await store.search(ask("gato"))).words
    await store.put_document(replace(second[0], names=(Name("pdf", "b.pdf", excluded=True),)))
    await asyncio.to_thread(spoil_lists, path)  # so that reading any would fail
    hidden = (await store.search(ask("gato"))).words
    assert [c.score for c in hidden] == [alone[ids(alone).index(hidden[0].window_id)].score]
    await store.put_document(replace(second[0], version="v2"))
    assert (await store.search(ask("gato"))).words == hidden
    assert await store.sweep() == 9
    swept = (await store.search(ask("gato"))).words
    assert ids(swept) == ids(hidden) and swept[0].score > hidden[0].score
    await store.aclose()


async def test_a_new_file_is_its_owners_alone(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "index.sqlite")
    await store.open()
    await publish(store, make_document("d", ["one"]))
    assert await asyncio.to_thread(list_modes, tmp_path) == {0o600}
    await store.aclose()


def list_modes(folder: Path) -> set[int]:
    return {path.stat().st_mode & 0o777 for path in folder.glob("index.sqlite*")}

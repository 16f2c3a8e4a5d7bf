"""The disk under DATA_DIR is full: while files arrive, while they are read, while a folder is loaded. What was
there stays, the person is told, and it goes on by itself once there is room."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from database.documents import Record
from database.errors import StoreError
from database.stores.sqlite import SqliteStore
from tests import pdfs
from tests.library import Library
from tests.loads import read_index, run_load
from tests.server import send, serve
from tests.uploading import find_documents, finish, get_json, list_names, make_bytes, start, upload

SMALL, LARGE = "6m", "80m"


def mount(options: str, folder: Path) -> bool:
    """Whether this machine lets us."""
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    return os.geteuid() == 0 and subprocess.run(command, capture_output=True).returncode == 0


@pytest.fixture
def disk(tmp_path: Path, library: Library) -> Iterator[Path]:
    """A DATA_DIR on a small disk, with the embedder's model elsewhere."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if not mount(f"size={SMALL}", folder):
        pytest.skip("mounting a small disk takes root")
    (folder / "models").symlink_to(library.data_dir / "models")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk: Path) -> None:
    """Leave no room at all."""
    with (disk / "ballast").open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                pass


def make_room(disk: Path) -> None:
    (disk / "ballast").unlink()


async def test_the_store_tells_and_goes_on(disk: Path) -> None:
    store = SqliteStore(disk / "index.sqlite")
    await store.open()
    await store.put_record(Record("job", "before", {}))
    await asyncio.to_thread(fill, disk)
    for n in range(8):  # each of its threads
        with pytest.raises(StoreError, match="disk is full"):
            await store.put_record(Record("job", f"{n}", {"x": "y" * 3_000_000}))
    assert [record.id for record in await store.list_records("job")] == ["before"]
    await asyncio.to_thread(make_room, disk)
    for n in range(8):
        await store.put_record(Record("job", f"{n}", {}))
    await store.aclose()


def write_much(store: SqliteStore) -> None:
    """More than SQLite holds in memory, so that the disk is full in the middle of the transaction."""
    with store.file._transaction() as db:
        db.execute("CREATE TABLE IF NOT EXISTS much (x)")
        for _ in range(6000):
            db.execute("INSERT INTO much VALUES (?)", ("z" * 1500,))


async def test_full_in_the_middle_of_a_transaction(disk: Path) -> None:
    store = SqliteStore(disk / "index.sqlite")
    await store.open()
    for _ in range(5):
        with pytest.raises(StoreError, match="disk is full"):
            await store.run(write_much, store)
    await store.put_record(Record("job", "after", {}))
    assert await store.get_record("job", "after")
    await store.aclose()


async def test_an_upload(disk: Path, tmp_path: Path) -> None:
    kept, refused = [await asyncio.to_thread(make_bytes, tmp_path, 2, seed) for seed in (1, 2)]
    async with serve(disk) as served:
        job = await finish(served.client, await start(served.client, "kept.pdf", kept))
        await asyncio.to_thread(fill, disk)
        answer = await upload(served.client, ("refused.pdf", refused))
        assert answer.status >= 500 and ("No space left" in answer.error or "disk is full" in answer.error)
        assert not [path for path in (disk / "uploads").iterdir() if path.stat().st_size]
        assert await find_documents(served, "Registro 1001") == {job["document"]}
        assert (await send(served, "GET", "/ready")).status == 200
        await asyncio.to_thread(make_room, disk)
        again = await finish(served.client, await start(served.client, "refused.pdf", refused))
        assert again["state"] == "done" and await list_names(served.client) == ["kept.pdf", "refused.pdf"]


async def test_a_job_waits_for_room(disk: Path, tmp_path: Path) -> None:
    data = await asyncio.to_thread(make_bytes, tmp_path, 9, 3)
    async with serve(disk) as served:
        job = await start(served.client, "long.pdf", data)
        await asyncio.to_thread(fill, disk)
        await asyncio.sleep(4)
        status, shown = await get_json(served.client, "/jobs")
        assert (status, shown["jobs"][0]["state"] != "failed") == (200, True), shown
        await asyncio.to_thread(make_room, disk)
        assert (await finish(served.client, job))["state"] == "done"
        assert await find_documents(served, "Registro 3007") == {job["document"]}


def test_a_load(disk: Path, tmp_path: Path) -> None:
    settings = {"DATA_DIR": str(disk)}
    pdfs.make_pdf(tmp_path / "pdf/first.pdf", ["O farol da ilha."])
    assert run_load(tmp_path, settings=settings).returncode == 0
    pdfs.make_pdf(tmp_path / "pdf/second.pdf", ["O faroleiro escreve."])
    fill(disk)
    failed = run_load(tmp_path, settings=settings)
    assert failed.returncode not in (0, 3) and "Traceback" not in failed.stderr
    assert "No space left" in failed.stderr or "disk is full" in failed.stderr
    make_room(disk)
    done = run_load(tmp_path, settings=settings)
    assert done.returncode == 0, done.stderr
    assert len(read_index(disk).documents) == 2

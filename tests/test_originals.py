"""Originals in a store that several machines share: put, fetched, dropped and swept, on the loopback MongoDB."""

import asyncio
import hashlib
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId
from pymongo import MongoClient
from pymongo.database import Database

from database.errors import ReadError
from database.files import LEFTOVER_S
from database.originals import KeptOriginals
from database.readers.plain import look
from database.readers.worker import run_limited
from database.settings import ROOT, IndexSettings
from database.stores import Files, make_store
from tests.fakes.mongod import FakeMongod
from tests.loads import run_load

DATA = bytes(range(256)) * 2500
"""More than GridFS puts into one chunk."""
ID = hashlib.sha256(DATA).hexdigest()
OLD = datetime.now(UTC) - timedelta(seconds=2 * LEFTOVER_S)


@pytest.fixture
async def mongod() -> AsyncIterator[FakeMongod]:
    async with FakeMongod() as mongod:
        yield mongod


@asynccontextmanager
async def open_files(mongod: FakeMongod, **given: Any) -> AsyncIterator[Files]:
    store = make_store(IndexSettings.load(mongodb_uri=mongod.uri, **given))
    await store.open()
    assert store.files
    yield store.files
    await store.aclose()


@pytest.fixture
async def files(mongod: FakeMongod) -> AsyncIterator[Files]:
    async with open_files(mongod) as files:
        yield files


@pytest.fixture
def rows(mongod: FakeMongod) -> Any:
    client: MongoClient[dict[str, Any]] = MongoClient(mongod.uri)
    yield client["acervo"]
    client.close()


def machine(tmp_path: Path, name: str, files: Files | None) -> KeptOriginals:
    """A machine with a disk of its own."""
    return KeptOriginals(tmp_path / name, files)


async def send(originals: KeptOriginals, tmp_path: Path, ending: str = ".pdf") -> None:
    part = tmp_path / "sent.part"
    part.write_bytes(DATA)
    await originals.adopt(part, ID, ending)


async def test_what_one_machine_takes_another_finds(files: Files, tmp_path: Path, mongod: FakeMongod) -> None:
    one, other = machine(tmp_path, "one", files), machine(tmp_path, "other", files)
    assert not await other.has(ID) and not (await other.find(ID)).exists()
    await send(one, tmp_path, ".docx")
    assert await other.has(ID)
    before = len(mongod.seen)
    found = await asyncio.gather(*(other.find(ID) for _ in range(5)))
    assert {path.read_bytes() for path in found} == {DATA} and found[0].suffix == ".docx"
    assert found[0].is_relative_to(tmp_path / "other")
    looked = [body for body in mongod.seen[before:] if body.get("find") == "originals.files"]
    assert len(looked) == 1, "fetched once, however many want it"
    assert await one.find(ID) and await other.find(ID) and len(mongod.seen) == before + 2, "and from the disk later"

    await other.drop(ID)
    assert not found[0].exists() and not await machine(tmp_path, "third", files).has(ID)


async def test_what_is_sent_again_takes_no_file_from_its_reader(tmp_path: Path) -> None:
    originals, part = machine(tmp_path, "one", None), tmp_path / "sent.part"
    sent = (ROOT / "pdf" / "guia-do-acervo.pdf").read_bytes()
    document = hashlib.sha256(sent).hexdigest()

    async def send_again() -> Path:
        part.write_bytes(sent)
        await originals.adopt(part, document)
        assert not part.exists()
        return await originals.find(document)

    kept = await send_again()
    reading = [asyncio.create_task(run_limited(look, kept, 1, timeout_s=60, memory_mb=2000)) for _ in range(5)]
    while not all(task.done() for task in reading):
        await send_again()
    assert {task.result().page_count for task in reading} == {6}
    kept.write_bytes(sent[:-1] + b"?")
    assert (await send_again()).read_bytes() == sent, "damaged bytes are replaced"


async def test_what_is_borrowed_does_not_stay(files: Files, tmp_path: Path) -> None:
    one, other = machine(tmp_path, "one", files), machine(tmp_path, "other", files)
    await send(one, tmp_path)
    for originals, stays in ((other, False), (one, True)):
        async with originals.borrow(ID) as path:
            assert path.read_bytes() == DATA
        assert path.exists() is stays


async def test_damaged_bytes_are_not_taken_for_the_original(
    files: Files, tmp_path: Path, rows: "Database[dict[str, Any]]"
) -> None:
    one, other = machine(tmp_path, "one", files), machine(tmp_path, "other", files)
    for damage in ({"n": 1}, {"n": 2}):
        await one.keep(await make_file(tmp_path), ID)
        await one.put(ID)
        if damage["n"] == 1:
            rows["originals.chunks"].delete_one(damage)
        else:
            rows["originals.chunks"].update_one(damage, {"$set": {"data": bytes(len(DATA) % (255 * 1024))}})
        with pytest.raises(ReadError, match="Load it again"):
            await other.find(ID)
        assert not [*(tmp_path / "other").rglob("*.p*")]
        await one.put(ID)  # as the next load does
        assert (await other.find(ID)).read_bytes() == DATA
        await other.drop(ID)


async def make_file(tmp_path: Path) -> Path:
    path = tmp_path / "a.pdf"
    path.write_bytes(DATA)
    return path


async def test_the_same_file_at_two_servers_at_once(
    files: Files, tmp_path: Path, rows: "Database[dict[str, Any]]"
) -> None:
    path = await make_file(tmp_path)
    await asyncio.gather(*(files.put(ID, path, ".pdf") for _ in range(4)))
    assert await files.find() == {ID}
    assert (await machine(tmp_path, "one", files).find(ID)).read_bytes() == DATA
    await files.drop(ID)
    assert not [*rows["originals.files"].find(), *rows["originals.chunks"].find()]


async def test_what_older_versions_kept_goes_to_the_store(files: Files, tmp_path: Path) -> None:
    alone, shared = machine(tmp_path, "one", None), machine(tmp_path, "one", files)
    await send(alone, tmp_path)
    assert await alone.has(ID) and await files.find() == set()
    assert (await shared.find(ID)).read_bytes() == DATA
    await shared.put_missing([ID, "0" * 64])
    assert await files.find() == {ID}


async def test_leftovers_are_swept_once_they_are_old(
    files: Files, tmp_path: Path, rows: "Database[dict[str, Any]]"
) -> None:
    one, chunks = machine(tmp_path, "one", files), rows["originals.chunks"]
    await files.put("f" * 64, await make_file(tmp_path), ".pdf")
    await send(one, tmp_path)
    killed = {"files_id": ObjectId(), "n": 0, "data": b"half"}
    chunks.insert_many([killed | {"_id": ObjectId.from_datetime(OLD)}, {"files_id": ObjectId(), "n": 0, "data": b""}])
    assert await one.find_old() == set()
    assert chunks.count_documents({"data": b"half"}) == 0
    assert chunks.count_documents({"data": b""}) == 1, "somebody is writing it"
    rows["originals.files"].update_one({"filename": "f" * 64}, {"$set": {"uploadDate": OLD}})
    os.utime(await one.find(ID), (OLD.timestamp(), OLD.timestamp()))
    assert await one.find_old() == {"f" * 64, ID}
    assert await machine(tmp_path, "one", None).find_old() == set()


async def test_a_folder_alone(mongod: FakeMongod, files: Files, tmp_path: Path) -> None:
    """ORIGINALS=folder: nothing is put, what is there is still found and dropped."""
    async with open_files(mongod, originals="folder") as folder:
        one = machine(tmp_path, "one", folder)
        await send(one, tmp_path)
        assert await files.find() == set()
        await files.put(ID, await make_file(tmp_path), ".pdf")
        os.unlink(await one.find(ID))
        assert (await one.find(ID)).read_bytes() == DATA
        await one.drop(ID)
        assert await files.find() == set()


async def test_a_load_puts_what_lay_in_data_dir_alone(mongod: FakeMongod, files: Files, tmp_path: Path) -> None:
    (tmp_path / "pdf").mkdir(exist_ok=True)
    source = tmp_path / "pdf/a.txt"
    source.write_text("O farol fica na ilha.\n" * 20)
    settings = {"MONGODB_URI": mongod.uri}
    for originals, stored in (("folder", set[str]()), ("store", {hashlib.sha256(source.read_bytes()).hexdigest()})):
        told = await asyncio.to_thread(run_load, tmp_path, settings=settings | {"ORIGINALS": originals})
        assert told.returncode == 0, told.stderr
        assert await files.find() == stored
    shutil.rmtree(tmp_path / "data/files")
    told = await asyncio.to_thread(run_load, tmp_path, "--reindex", settings=settings)
    assert told.returncode == 0 and "1" in told.stdout, told.stderr
    (kept,) = (tmp_path / "data/files").rglob("*.txt")
    assert kept.read_bytes() == source.read_bytes()

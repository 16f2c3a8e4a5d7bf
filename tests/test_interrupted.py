"""Claims and originals when work is broken off, stands still and wakes up, or meets what others did meanwhile."""

import asyncio
import hashlib
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.keys import LIBRARY
from app.sweeping import sweep
from database.claims import Claim, Claims
from database.documents import Document, Name
from database.embedders import make_embedder
from database.errors import ClaimLost, ReadError, StoreError
from database.load import Loader, LoadOptions
from database.plan import Versions
from database.reindex import Rebuilder
from database.report import Reporter
from database.settings import IndexSettings
from database.stores import Store, make_store
from database.stores.mongo_generation import MongoGeneration
from database.stores.mongo_records import RecordRows
from database.stores.sqlite import SqliteStore
from database.turns import Turns
from tests.fakes.mongod import FakeMongod
from tests.loads import run_load
from tests.server import Library, serve
from tests.store_documents import RECORD, make_document, publish
from tests.test_claims import LEASE_S, mongod, stores, taken
from tests.test_originals import DATA, ID, OLD, files, machine, make_file, open_files, rows, send
from tests.uploading import finish, get_json, held, list_names, make_bytes, start, upload, wait_for

Stores = Callable[[], Awaitable[Store]]
READ = LoadOptions

__all__ = ["files", "mongod", "rows", "stores"]


@pytest.fixture
async def loaders(tmp_path: Path, library: Library, mongod: FakeMongod) -> AsyncIterator[Any]:
    """Loaders of several machines on one MongoDB."""
    async with AsyncExitStack() as stack:

        async def make(name: str) -> Loader:
            (tmp_path / name).mkdir()
            (tmp_path / name / "models").symlink_to(library.data_dir / "models")
            given = {"data_dir": tmp_path / name, "mongodb_uri": mongod.uri, "lease_s": 1}
            settings = await asyncio.to_thread(IndexSettings.load, **given)
            store, embedder = make_store(settings), make_embedder(settings)
            stack.push_async_callback(store.aclose)
            stack.push_async_callback(embedder.aclose)
            await store.open()
            return Loader(settings, store, embedder, Reporter(quiet=True))

        yield make


def write(folder: Path, name: str = "a.txt", text: str = "O farol fica na ilha. ") -> str:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text * 20)
    return hashlib.sha256((text * 20).encode()).hexdigest()


def stand_still(claims: Claims) -> None:
    """As a process does that was stopped, or whose machine slept."""
    assert claims._renewing is not None
    claims._renewing.cancel()


async def break_off(task: asyncio.Task[Any]) -> None:
    """Cancel it, and wait for its end."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


# A cancellation while a claim is given up


async def test_a_claim_whose_end_is_cancelled_is_free_again(stores: Stores, mongod: FakeMongod) -> None:
    async with Claims(await stores(), LEASE_S) as mine:
        entered = asyncio.Event()

        async def work() -> None:
            async with mine.hold("d"):
                entered.set()

        mongod.fail("update", delay_s=0.3)
        task = asyncio.create_task(work())
        await entered.wait()
        await asyncio.sleep(0.1)  # it is being given up
        await break_off(task)
        async with asyncio.timeout(5 * LEASE_S), mine.hold("d"):
            pass


async def test_nobody_waits_for_ever_for_a_claim_that_was_renewed_as_it_ended(
    stores: Stores, mongod: FakeMongod
) -> None:
    async with Claims(await stores(), LEASE_S) as mine, Claims(await stores(), LEASE_S) as yours:
        over = asyncio.Event()

        async def work() -> None:
            async with mine.hold("d"):
                await over.wait()

        task = asyncio.create_task(work())
        mongod.fail("update", delay_s=1)  # the first renewal
        await asyncio.sleep(LEASE_S / 3 + 0.2)
        over.set()
        await asyncio.sleep(0.1)
        await break_off(task)
        async with asyncio.timeout(5 * LEASE_S), yours.hold("d"):
            pass


async def test_a_job_that_was_cancelled_can_be_tried_again(
    home: Path, tmp_path: Path, mongod: FakeMongod, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = RecordRows.put

    async def slowly(self: RecordRows, record: Any) -> Any:
        if record.kind == "making" and not record.open:
            await asyncio.sleep(2)  # MongoDB is busy
        return await put(self, record)

    async with serve(home, mongodb_uri=mongod.uri, lease_s=2) as served:
        monkeypatch.setattr(RecordRows, "put", slowly)
        with held("layout"):
            job = await start(served.client, "a.pdf", make_bytes(tmp_path, 12))
            await wait_for(served.client, job, lambda job: bool(job["pages"]["total"] == 12))
            assert (await get_json(served.client, f"/jobs/{job['id']}", "DELETE"))[1]["state"] == "cancelled"
        assert (await get_json(served.client, f"/jobs/{job['id']}/retry", "POST"))[0] < 300
        async with asyncio.timeout(40):
            assert (await finish(served.client, job))["state"] == "done"


async def test_a_claim_taken_as_it_was_cancelled_is_free_at_once(stores: Stores, mongod: FakeMongod) -> None:
    async with Claims(await stores(), 30) as mine, Claims(await stores(), 30) as yours:
        mongod.fail("insert", delay_s=0.3)
        task = asyncio.create_task(mine.take("d"))
        await asyncio.sleep(0.15)
        await break_off(task)
        await asyncio.sleep(0.5)
        assert isinstance(await yours.take("d"), Claim)


# A job that is cancelled twice, as each one is within a second


async def test_a_job_cancelled_while_it_publishes_brings_nothing_back(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, begun, ended = SqliteStore.publish, asyncio.Event(), asyncio.Event()

    async def slowly(self: SqliteStore, document: Any, contents: Any) -> None:
        begun.set()
        await asyncio.sleep(6)
        await real(self, document, contents)
        ended.set()

    async with serve(home, undo_s=1) as served:
        monkeypatch.setattr(SqliteStore, "publish", slowly)
        job = await start(served.client, "a.pdf", make_bytes(tmp_path))
        await begun.wait()
        assert (await get_json(served.client, f"/jobs/{job['id']}", "DELETE"))[0] == 200
        await ended.wait()
        await asyncio.sleep(0.5)
        assert await list_names(served.client) == []


# Who stood still and wakes up


async def test_who_stood_still_does_not_fail_what_another_made(loaders: Any, tmp_path: Path) -> None:
    document = write(tmp_path / "pdf")
    mine, yours = await loaders("one"), await loaders("other")

    async def make(*_: Any) -> Any:
        stand_still(mine._claims)
        await yours.load(READ([tmp_path / "pdf"]))
        raise ReadError("could not be read within READ_TIMEOUT_S.")

    mine._ingester.make = make
    with suppress(ClaimLost):
        await mine.load(READ([tmp_path / "pdf"]))
    assert (await yours._store.get_document(document)).state == "ready"


async def test_a_rebuilding_that_stood_still_does_not_either(stores: Stores) -> None:
    one, other = await stores(), await stores()
    old, new = make_document("a", ["gato"], "r0"), make_document("a", ["gato"], "r1")
    await one.write_index(replace(RECORD, chunker="c0"))
    await one.prepare(RECORD)
    await publish(one, old)
    async with Claims(one, 0.3) as mine, Claims(other, 0.3) as yours:

        async def make(document: Document) -> Any:
            stand_still(mine)
            generation = await other.open_next(replace(RECORD, chunker="c1"))
            async with yours.hold(f"2:{document.id}") as claim:
                await generation.publish(*new)
                await claim.close()
            raise ReadError("took too long.")

        rebuilder = Rebuilder(one, make, Versions("r1", "reader"), {}, mine, Turns(one, mine, print))
        await rebuilder.rebuild(replace(RECORD, chunker="c1"))
    known = await other.get_document(old[0].id)
    assert known is not None and known.state == "ready"


async def test_who_stands_still_while_publishing_loses_no_contents(
    loaders: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document, put = write(tmp_path / "pdf"), MongoGeneration._put
    mine, yours, third = await loaders("one"), await loaders("other"), await loaders("third")

    async def late(self: MongoGeneration, given: Document) -> bool:
        if given.id == document and given.state == "ready":  # its contents are written, its record is not
            monkeypatch.setattr(MongoGeneration, "_put", put)
            stand_still(mine._claims)
            for name in "bc":  # the second load finds that nobody is here, and sweeps
                write(tmp_path / "others", f"{name}.txt", f"O moinho {name} parou. ")
                await yours.load(READ([tmp_path / "others"]))
                await asyncio.sleep(1.5)
        return await put(self, given)

    monkeypatch.setattr(MongoGeneration, "_put", late)
    with suppress(ClaimLost):
        await mine.load(READ([tmp_path / "pdf"]))
    await third.load(READ([tmp_path / "pdf"]))  # "load again to see to the rest"
    known, contents = await third._store.read_whole(document)
    assert known.state == "ready" and contents is not None


# Deleted while a load makes it


async def test_an_upload_deleted_while_a_load_makes_it_stays_deleted(loaders: Any, tmp_path: Path) -> None:
    document, name = write(tmp_path / "sent"), Name("uploads", "a.txt")
    mine, server = await loaders("one"), await loaders("other")
    await server._ingester.adopt(tmp_path / "sent/a.txt", document, "a.txt")
    await server._store.put_document(Document(document, "", (name,), 440))
    real = mine._ingester.make

    async def make(*given: Any) -> Any:
        made = await real(*given)
        # What DELETE and, UNDO_S later, the queue do at a server.
        await server._ingester.drop_name(await server._store.get_document(document), name)
        return made

    mine._ingester.make = make
    await mine.load(READ([tmp_path / "pdf"]))
    assert await server._store.get_document(document) is None
    assert await server._store.files.find() == set()


# Originals


async def test_trying_mongodb_leaves_the_embedded_index_its_originals(
    home: Path, tmp_path: Path, mongod: FakeMongod
) -> None:
    sent = make_bytes(tmp_path)
    async with serve(home) as served:
        job = await finish(served.client, await start(served.client, "a.pdf", sent))
    for path in await asyncio.to_thread(lambda: [*home.glob("files/*/*")]):
        os.utime(path, (OLD.timestamp(), OLD.timestamp()))
    async with serve(home, mongodb_uri=mongod.uri) as served:
        await sweep(served.app[LIBRARY])  # as each server does every hour
    async with serve(home) as served, served.client.get(f"/documents/{job['document']}/file") as response:
        assert (response.status, await response.read()) == (200, sent)


async def test_a_sweep_while_a_dump_is_restored_drops_nothing(
    home: Path, tmp_path: Path, mongod: FakeMongod, rows: Any
) -> None:
    async with serve(home, mongodb_uri=mongod.uri) as served:
        job = await finish(served.client, await start(served.client, "a.pdf", make_bytes(tmp_path)))
        rows["originals.files"].update_many({}, {"$set": {"uploadDate": OLD}})
        documents = [*rows["documents"].find()]
        rows["documents"].delete_many({})  # `mongorestore --drop` is at the originals first
        await sweep(served.app[LIBRARY])
        rows["documents"].insert_many(documents)
        async with served.client.get(f"/documents/{job['document']}/file") as response:
            assert response.status == 200


@pytest.mark.parametrize("name", ["..", "", "../kept", None])
async def test_a_sweep_takes_no_name_for_a_path(home: Path, mongod: FakeMongod, rows: Any, name: str | None) -> None:
    (home / "pages" / ID).mkdir(parents=True)
    write(home / "kept")
    async with serve(home, mongodb_uri=mongod.uri) as served:
        await served.app[LIBRARY].open()
        row = {"uploadDate": OLD, "length": 0, "chunkSize": 1}
        rows["originals.files"].insert_one(row if name is None else row | {"filename": name})
        await sweep(served.app[LIBRARY])
    assert (home / "kept/a.txt").exists() and (home / "pages").is_dir()


async def test_the_whole_one_of_two_copies_is_given(files: Any, tmp_path: Path, rows: Any) -> None:
    path = await make_file(tmp_path)
    await asyncio.gather(*(files.put(ID, path, ".pdf") for _ in range(4)))
    newest, *others = rows["originals.files"].find({"filename": ID}).sort("uploadDate", -1)
    assert others
    rows["originals.chunks"].delete_one({"files_id": newest["_id"], "n": 1})
    assert (await machine(tmp_path, "other", files).find(ID)).read_bytes() == DATA


async def test_what_is_borrowed_is_not_taken_from_others(files: Any, tmp_path: Path) -> None:
    one, other = machine(tmp_path, "one", files), machine(tmp_path, "other", files)
    await send(one, tmp_path)
    async with other.borrow(ID):  # an export
        path = await other.find(ID)  # meanwhile a job, which converts it
    assert path.is_file()


async def test_what_comes_while_it_is_borrowed_stays(mongod: FakeMongod, tmp_path: Path) -> None:
    """With ORIGINALS=folder there is no other copy."""
    async with open_files(mongod, originals="folder") as folder:
        one = machine(tmp_path, "one", folder)
        async with one.borrow(ID):
            await send(one, tmp_path)
        assert (await one.find(ID)).is_file()


async def test_a_lost_original_comes_back_with_an_upload(
    home: Path, tmp_path: Path, mongod: FakeMongod, rows: Any
) -> None:
    sent = make_bytes(tmp_path)
    async with serve(home, mongodb_uri=mongod.uri) as served:
        job = await finish(served.client, await start(served.client, "a.pdf", sent))
        rows["originals.chunks"].delete_many({})
        shutil.rmtree(home / "files")
        for status in (422, 200):
            async with served.client.get(f"/documents/{job['document']}/file") as response:
                assert response.status == status
            await upload(served.client, ("a.pdf", sent))


def test_a_lost_original_comes_back_with_a_load(tmp_path: Path) -> None:
    write(tmp_path / "pdf")
    assert run_load(tmp_path).returncode == 0
    shutil.rmtree(tmp_path / "data/files")
    assert run_load(tmp_path).returncode == 0  # as the server's 404 says
    assert [*(tmp_path / "data").glob("files/*/*.txt")]


# Claims that are not lost, and those of others


async def test_a_renewal_of_which_no_answer_came_loses_nothing(stores: Stores, mongod: FakeMongod) -> None:
    claim = await taken(Claims(await stores(), 30))
    mongod.fail("update", hang_up="after", times=6)
    with pytest.raises(StoreError):
        await claim.renew()
    mongod.faults.clear()
    await claim.renew()  # nobody else has it


async def test_who_finishes_late_leaves_others_their_claim(stores: Stores) -> None:
    mine, yours = Claims(await stores(), LEASE_S), Claims(await stores(), 0.1)
    claim = await taken(mine)
    async with asyncio.timeout(20), yours.hold("d") as theirs:
        await claim.finish()  # it stood still while it published
        await theirs.renew()


async def test_a_claim_is_not_taken_for_an_older_one(stores: Stores) -> None:
    mine, yours, third = [Claims(await stores(), 0.1) for _ in range(3)]
    claim = await taken(mine)
    async with asyncio.timeout(20), yours.hold("d") as theirs:
        await theirs.finish()
    newer = await taken(third)
    with pytest.raises(ClaimLost):
        await claim.renew()
    await newer.renew()

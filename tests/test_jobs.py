"""Jobs of uploaded files, and deleting documents, on the real server."""

import asyncio
import fcntl
import json
import shutil
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from app import queue
from app.deletion import erase
from app.holder import name_holder
from app.keys import LIBRARY
from database.errors import StoreError
from tests import pdfs
from tests.e2e.servers import run_server
from tests.fakes.mongod import FakeMongod
from tests.library import HARVEST, LIGHTHOUSE, QUESTION, Library
from tests.loads import read_index, watch_last
from tests.server import NOBODY, Served, serve
from tests.uploading import (
    Job,
    find_documents,
    finish,
    follow,
    get_json,
    held,
    list_names,
    make_bytes,
    start,
    until,
    upload,
    wait_for,
)

LONG = 36
"""Pages of a document that keeps a job busy for some seconds."""
EARLY = ("text", "layout")
"""Stages before the last. The second follows soon on the first."""
JOB_FIELDS = {"document", "name", "size", "id", "state", "stage", "pages", "windows", "searchable", "duplicate",
              "error", "kind", "notes", "created_at", "updated_at", "waiting", "collection", "user", "url"}  # fmt: skip

ALONE = {"LLM": "extractive", "OLLAMA_HOST": NOBODY}


@pytest.fixture
async def served(home: Path) -> AsyncIterator[Served]:
    async with serve(home, undo_s=60) as served:
        yield served


@asynccontextmanager
async def loading(data_dir: Path) -> AsyncIterator[None]:
    """As if a load were at work. The server may hold the lock for a moment, so the wait for it is no business of
    the event loop that both run in."""
    with (data_dir / "load.lock").open("w") as lock:
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        yield


@pytest.mark.usefixtures("strict_loop")
class TestWay:
    async def test_into_an_empty_index(self, served: Served, tmp_path: Path) -> None:
        data = await asyncio.to_thread(make_bytes, tmp_path, 9)
        job = await start(served.client, "farol.pdf", data)
        assert set(job) == JOB_FIELDS and (job["state"], job["searchable"]) == ("queued", False)
        lines = [line async for line in follow(served.client, job["id"])]
        stages = list(dict.fromkeys(line["stage"] for line in lines))
        assert stages == [s for s in ("received", "text", "layout", "ready") if s in stages] and stages[-1] == "ready"
        last = lines[-1]
        assert (last["state"], last["error"], last["pages"]) == ("done", "", {"done": 9, "total": 9})
        assert last["searchable"] and last["windows"]["done"] == last["windows"]["total"] > 9
        assert await find_documents(served, "O que o faroleiro vê no farol?") == {job["document"]}
        _, body = await get_json(served.client, "/jobs")
        assert body["jobs"] == [last]

    async def test_searchable_before_it_is_ready(self, served: Served, tmp_path: Path) -> None:
        job = await start(served.client, "farol.pdf", await asyncio.to_thread(make_bytes, tmp_path, LONG))
        await wait_for(served.client, job, lambda line: line["stage"] in EARLY)
        assert await find_documents(served, "Registro 7") == {job["document"]}
        _, body = await get_json(served.client, "/documents")
        assert body["documents"][0]["state"] in EARLY and body["documents"][0]["pages"] == LONG
        async with served.client.get(f"/documents/{job['document']}/pages/{LONG}.png") as response:
            assert response.status == 200

    async def test_files_that_wait_can_be_searched_meanwhile(self, served: Served, tmp_path: Path) -> None:
        long, short = [await asyncio.to_thread(make_bytes, tmp_path, pages) for pages in (LONG, 2)]
        first = await start(served.client, "first.pdf", long)
        with held("layout"):
            second = await start(served.client, "second.pdf", short)
            line = await wait_for(served.client, second, lambda job: bool(job["searchable"]))
            before = await wait_for(served.client, first, lambda job: True)
            assert line["stage"] in EARLY and before["state"] == "running"
            found = await find_documents(served, "O que o faroleiro vê no farol?", second["document"])
            assert found == {second["document"]}
        assert [(await finish(served.client, job))["stage"] for job in (first, second)] == ["ready", "ready"]

    async def test_the_same_bytes_again(self, served: Served, tmp_path: Path) -> None:
        data = await asyncio.to_thread(make_bytes, tmp_path)
        first = await start(served.client, "a.pdf", data)
        on_its_way = await start(served.client, "b.pdf", data)
        assert on_its_way["id"] == first["id"]
        await finish(served.client, first)
        again = await start(served.client, "c.pdf", data)
        assert (again["state"], again["duplicate"], again["searchable"]) == ("done", True, True)
        assert (again["document"], await finish(served.client, again)) == (first["document"], again)
        assert await list_names(served.client) == ["a.pdf"]

    async def test_a_file_that_cannot_be_read(self, served: Served, tmp_path: Path) -> None:
        path = await asyncio.to_thread(pdfs.make_damaged, tmp_path / "a.pdf")
        job = await start(served.client, "a.pdf", await asyncio.to_thread(path.read_bytes))
        failed = await finish(served.client, job)
        assert (failed["state"], failed["kind"], failed["searchable"]) == ("failed", "damaged", False)
        _, body = await get_json(served.client, "/documents")
        assert [(d["state"], d["reason"]) for d in body["documents"]] == [("failed", failed["error"])]
        status, again = await get_json(served.client, f"/jobs/{job['id']}/retry", "POST")
        assert (status, again["state"], again["error"], again["id"]) == (202, "queued", "", job["id"])
        assert (await finish(served.client, again))["kind"] == "damaged"
        assert (await get_json(served.client, f"/documents/{job['document']}", "DELETE"))[0] == 200
        assert await list_names(served.client) == []

    async def test_jobs_that_are_not_there_or_not_to_be_changed(self, served: Served, tmp_path: Path) -> None:
        job = await start(served.client, "a.pdf", await asyncio.to_thread(make_bytes, tmp_path))
        done = await finish(served.client, job)
        assert await get_json(served.client, f"/jobs/{job['id']}", "DELETE") == (200, done)
        assert (await get_json(served.client, f"/jobs/{job['id']}/retry", "POST"))[0] == 409
        for method, path in (("GET", "/jobs/0"), ("DELETE", "/jobs/0"), ("POST", "/jobs/0/retry")):
            status, body = await get_json(served.client, path, method)
            assert status == 404 and "GET /jobs" in body["error"]


class TestWaiting:
    async def test_while_a_load_is_at_work(self, served: Served, home: Path, tmp_path: Path) -> None:
        async with loading(home):
            job = await start(served.client, "a.pdf", make_bytes(tmp_path))
            told = await wait_for(served.client, job, lambda line: bool(line["waiting"]))
            assert told["state"] == "queued" and "load is running" in told["waiting"]
        done = await finish(served.client, job)
        assert (done["state"], done["waiting"]) == ("done", "")

    async def test_cancelled_and_tried_again(self, served: Served, home: Path, tmp_path: Path) -> None:
        async with loading(home):
            job = await start(served.client, "a.pdf", make_bytes(tmp_path))
            status, cancelled = await get_json(served.client, f"/jobs/{job['id']}", "DELETE")
            assert (status, cancelled["state"]) == (200, "cancelled")
            assert await list_names(served.client) == []
            status, again = await get_json(served.client, f"/jobs/{job['id']}/retry", "POST")
            assert (status, again["state"]) == (202, "queued")
        assert (await finish(served.client, job))["state"] == "done"
        assert await list_names(served.client) == ["a.pdf"]

    async def test_only_so_many_wait(self, home: Path, tmp_path: Path) -> None:
        async with serve(home, max_queue=1) as served, loading(home):
            await start(served.client, "a.pdf", make_bytes(tmp_path))
            answer = await upload(served.client, ("b.pdf", make_bytes(tmp_path, seed=1)))
            assert (answer.status, json.loads(answer.body)["kind"]) == (429, "too_many")
            assert await list_names(served.client) == ["a.pdf"]

    async def test_while_the_embedder_is_away(self, home: Path, tmp_path: Path) -> None:
        async with serve(home, embedder="ollama:nomic-embed-text") as served:
            job = await start(served.client, "a.pdf", make_bytes(tmp_path))
            told = await wait_for(served.client, job, lambda line: bool(line["waiting"]))
            assert told["state"] == "queued" and "127.0.0.1:9" in told["waiting"]
        async with serve(home) as served:  # with an embedder that is there
            assert (await finish(served.client, job))["state"] == "done"


async def test_in_mongodb(home: Path, tmp_path: Path) -> None:
    async with FakeMongod() as mongod, serve(home, mongodb_uri=mongod.uri, undo_s=0.3) as served:
        job = await start(served.client, "a.pdf", make_bytes(tmp_path, 9))
        stages = [line["stage"] async for line in follow(served.client, job["id"])]
        assert stages[-1] == "ready" and len(set(stages)) > 1
        assert await find_documents(served, "Registro 7") == {job["document"]}
        await get_json(served.client, f"/documents/{job['document']}", "DELETE")
        assert await find_documents(served, "Registro 7") == set()
        await until(lambda: not list((home / "files").rglob("*.pdf")))
        assert await list_names(served.client) == []


@pytest.mark.parametrize("stage", ["received", "text", "layout"])
async def test_cancelled_at_work(served: Served, home: Path, tmp_path: Path, stage: str) -> None:
    with held(stage):
        job = await start(served.client, "a.pdf", await asyncio.to_thread(make_bytes, tmp_path, LONG))
        await wait_for(served.client, job, lambda line: line["stage"] == stage)
        status, cancelled = await get_json(served.client, f"/jobs/{job['id']}", "DELETE")
        assert (status, cancelled["state"]) == (200, "cancelled")
        assert (await finish(served.client, job))["state"] == "cancelled"
    assert await list_names(served.client) == [] and await find_documents(served, "Registro 7") == set()
    assert (await get_json(served.client, f"/documents/{job['document']}/file"))[0] == 404
    index = read_index(home)
    assert (index.documents, index.pages, index.windows) == ({}, [], [])


class TestDeleting:
    @pytest.fixture
    def copied(self, library: Library, tmp_path: Path) -> Path:
        """The library with files of a folder, to be changed."""
        return Path(shutil.copytree(library.data_dir, tmp_path / "copied"))

    async def check_gone(self, served: Served, document: str, question: str) -> None:
        for tail in ("file", "pages/1.png"):
            assert (await get_json(served.client, f"/documents/{document}/{tail}"))[0] == 404
        assert document not in await find_documents(served, question)
        assert await find_documents(served, question, document) == set()
        _, body = await get_json(served.client, "/documents")
        assert document not in [d["id"] for d in body["documents"]]
        assert (await get_json(served.client, f"/documents/{document}", "DELETE"))[0] == 404

    async def test_and_undoing_it(self, copied: Path, library: Library) -> None:
        document = library.documents[LIGHTHOUSE].id
        async with serve(copied, undo_s=60) as served:
            before = await get_json(served.client, "/documents")
            status, told = await get_json(served.client, f"/documents/{document}", "DELETE")
            assert (status, told["id"]) == (200, document) and told["undo_until"] > 1.7e9
            await self.check_gone(served, document, QUESTION)
            status, restored = await get_json(served.client, f"/documents/{document}/restore", "POST")
            assert (status, restored["document"]["origin"]) == (200, "folder")
            assert document in await find_documents(served, QUESTION)
            assert await get_json(served.client, "/documents") == before

    async def test_a_file_of_a_folder_is_only_excluded(self, copied: Path, library: Library) -> None:
        document = library.documents[HARVEST].id
        async with serve(copied, undo_s=0) as served:
            await get_json(served.client, f"/documents/{document}", "DELETE")
            await until(lambda: count_erasures(copied) == 0)
            await self.check_gone(served, document, "How many tonnes of apples?")
            names = read_index(copied).documents[document]["names"]
            assert [name["excluded"] for name in names] == [True]
            assert (await get_json(served.client, f"/documents/{document}/restore", "POST"))[0] == 200
            assert document in await find_documents(served, "How many tonnes of apples?")

    async def test_an_upload_is_erased_for_good(self, home: Path, tmp_path: Path) -> None:
        async with serve(home, undo_s=1) as served:
            job = await start(served.client, "a.pdf", make_bytes(tmp_path))
            await finish(served.client, job)
            await until(lambda: read_index(home).record["settled"])
            watching = asyncio.create_task(asyncio.to_thread(watch_last, home, "books WHERE kind = 'erasure'"))
            await get_json(served.client, f"/documents/{job['document']}", "DELETE")
            await self.check_gone(served, job["document"], "Registro 7")
            at_once = await watching
            assert not at_once["settled"] or at_once["languages"] == [], "as a server that is stopped would leave it"
            status, told = await get_json(served.client, f"/documents/{job['document']}/restore", "POST")
            assert status == 404 and "upload it again" in told["error"]
            await until(lambda: read_index(home).record["settled"])
        index = read_index(home)
        assert (index.documents, index.pages, index.chunks, index.windows) == ({}, [], [], [])
        assert index.record["languages"] == []
        assert not [path for folder in ("files", "pages") for path in (home / folder).rglob(f"*{job['document']}*")]

    async def test_again_before_the_first_deletion_was_carried_out(self, served: Served, tmp_path: Path) -> None:
        job = await start(served.client, "a.pdf", make_bytes(tmp_path))
        await finish(served.client, job)
        path, library = f"/documents/{job['document']}", served.app[LIBRARY]
        assert (await get_json(served.client, path, "DELETE"))[0] == 200
        claimed = await library.store.get_record("erasure", job["document"])
        assert claimed is not None
        for method, tail in (("POST", "/restore"), ("DELETE", "")):
            assert (await get_json(served.client, path + tail, method))[0] == 200
        await erase(library, claimed)  # as a server that stood still in between
        assert (await get_json(served.client, f"{path}/restore", "POST"))[0] == 200
        assert await find_documents(served, "Registro 7") == {job["document"]}

    async def test_uploading_it_again_restores_it(self, served: Served, tmp_path: Path) -> None:
        data = make_bytes(tmp_path)
        job = await start(served.client, "a.pdf", data)
        await finish(served.client, job)
        await get_json(served.client, f"/documents/{job['document']}", "DELETE")
        again = await start(served.client, "b.pdf", data)
        assert (again["state"], again["duplicate"], again["searchable"]) == ("done", True, True)
        assert await find_documents(served, "Registro 7") == {job["document"]}

    async def test_while_it_is_being_read(self, served: Served, tmp_path: Path) -> None:
        with held("text"):
            job = await start(served.client, "a.pdf", await asyncio.to_thread(make_bytes, tmp_path, LONG))
            await wait_for(served.client, job, lambda line: line["stage"] == "text")
            assert (await get_json(served.client, f"/documents/{job['document']}", "DELETE"))[0] == 200
            assert (await finish(served.client, job))["state"] == "cancelled"
        await self.check_gone(served, job["document"], "Registro 7")
        status, told = await get_json(served.client, f"/documents/{job['document']}/restore", "POST")
        assert (status, told["document"]["state"]) == (200, "text")
        _, body = await get_json(served.client, "/jobs")
        assert (await finish(served.client, body["jobs"][-1]))["state"] == "done"


def count_erasures(data_dir: Path) -> int:
    """Deletions that can still be undone, or are not carried out yet."""
    db = sqlite3.connect(data_dir / "index.sqlite", timeout=30)
    try:
        return int(db.execute("SELECT count(*) FROM books WHERE kind = 'erasure'").fetchone()[0])
    finally:
        db.close()


async def test_a_killed_server_goes_on_when_it_is_started_again(home: Path, tmp_path: Path) -> None:
    data = [make_bytes(tmp_path, LONG), make_bytes(tmp_path, seed=1)]
    async with run_server(home, tmp_path, **ALONE) as server, ClientSession(server.url) as client:
        jobs = [await start(client, f"{n}.pdf", part) for n, part in enumerate(data)]
        await wait_for(client, jobs[0], lambda line: line["stage"] in EARLY)
        await server.kill()
    async with run_server(home, tmp_path, **ALONE) as server, ClientSession(server.url) as client:
        ended = [await finish(client, job) for job in jobs]
        assert [(job["id"], job["state"], job["stage"]) for job in ended] == [(j["id"], "done", "ready") for j in jobs]
        assert await list_names(client) == ["0.pdf", "1.pdf"]
        await until(lambda: read_index(home).record["settled"])  # which comes after the last job
    index = read_index(home)
    assert index.record["settled"] and len(index.pages) == LONG + 1


async def test_the_lease_of_a_killed_server_holds_nothing_up(home: Path, tmp_path: Path) -> None:
    async with serve(home) as served:
        async with loading(home):
            job = await start(served.client, "a.pdf", make_bytes(tmp_path))
            db = sqlite3.connect(home / "index.sqlite", timeout=30)
            lease = (name_holder(home), time.time() + 50)
            db.execute("UPDATE books SET holder = ?, lease_until = ? WHERE kind = 'job'", lease)
            db.commit()
            db.close()
        assert (await finish(served.client, job))["state"] == "done"


async def test_a_stopped_server_gives_its_job_back(home: Path, tmp_path: Path) -> None:
    with held("layout"):
        async with serve(home) as served:
            job = await start(served.client, "a.pdf", make_bytes(tmp_path, LONG))
            await wait_for(served.client, job, lambda line: line["state"] == "running")
    async with serve(home) as served:
        _, body = await get_json(served.client, "/jobs")
        assert [j["state"] in ("queued", "running") for j in body["jobs"]] == [True]
        assert (await finish(served.client, job))["state"] == "done"


async def test_a_store_that_fails_as_the_index_is_described_is_asked_again(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    describe, failed = queue.describe_index, asyncio.Event()

    async def fail_once(*args: Any, **options: Any) -> Any:
        if not failed.is_set():
            failed.set()
            raise StoreError("The store is away.")
        return await describe(*args, **options)

    monkeypatch.setattr(queue, "describe_index", fail_once)
    async with serve(home) as served:
        job = await start(served.client, "a.pdf", make_bytes(tmp_path))
        assert (await finish(served.client, job))["state"] == "done"
        await failed.wait()
        assert not read_index(home).record["settled"]
        await until(lambda: read_index(home).record["settled"])
        assert read_index(home).record["languages"] == ["pt"]


async def test_two_servers_do_no_job_twice(home: Path, tmp_path: Path) -> None:
    async with serve(home) as one, serve(home) as other:
        jobs: list[Job] = []
        for n in range(4):
            jobs.append(await start((one, other)[n % 2].client, f"{n}.pdf", make_bytes(tmp_path, seed=n)))
        ended = await asyncio.gather(*(finish((other, one)[n % 2].client, job) for n, job in enumerate(jobs)))
        assert [job["state"] for job in ended] == ["done"] * 4
        assert await list_names(one.client) == await list_names(other.client) == [f"{n}.pdf" for n in range(4)]
    db = sqlite3.connect(home / "index.sqlite")
    # Each document is written when it arrives, and once for each stage.
    assert int(db.execute("SELECT value FROM meta WHERE key = 'stamp'").fetchone()[0]) == 4 * 4
    db.close()

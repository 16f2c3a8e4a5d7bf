"""`WATCH=1`: the server follows PDF_DIR through its queue, on real files."""

import asyncio
import fcntl
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from app.keys import LIBRARY, QUEUE
from app.taking import remove
from database.watching import SettledFiles, Unsettled
from tests import pdfs
from tests.e2e.servers import run_server
from tests.fakes.mongod import FakeMongod
from tests.loads import read_index, watch_last
from tests.server import NOBODY, Served, serve
from tests.uploading import (
    find_documents,
    finish,
    get_json,
    held,
    list_names,
    make_bytes,
    start,
    until,
    upload,
    wait_for,
)

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder that is followed."""
    (tmp_path / "pdf").mkdir(exist_ok=True)
    return tmp_path / "pdf"


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., bytes]:
    """Makes a PDF of so many pages, another one for each seed."""
    return lambda seed, pages=1: make_bytes(tmp_path, pages, seed)


@pytest.fixture
async def served(home: Path, folder: Path) -> AsyncIterator[Served]:
    async with serve(home, pdf_dir=folder, watch=True, undo_s=0) as served:
        yield served


async def ready(client: ClientSession) -> dict[str, str]:
    """The documents that are ready, by name."""
    _, body = await get_json(client, "/documents")
    return {d["name"]: d["id"] for d in body["documents"] if d["state"] == "ready"}


async def has(client: ClientSession, *names: str) -> None:
    """Return once these documents, and no others, are listed, all of them ready."""

    async def they_are() -> bool:
        return sorted(await list_names(client)) == sorted(names) == sorted(await ready(client))

    await until(they_are)


async def list_jobs(client: ClientSession) -> list[dict[str, Any]]:
    _, body = await get_json(client, "/jobs")
    return list(body["jobs"])


async def settle() -> None:
    """As long as it takes to be sure that nothing more happens."""
    await asyncio.sleep(4)


async def test_new_changed_renamed_and_removed_files(served: Served, folder: Path, make: Any) -> None:
    client = served.client
    (folder / "in").mkdir()
    (folder / "a.pdf").write_bytes(make(1))
    (folder / "in/b.pdf").write_bytes(make(2))
    await has(client, "a.pdf", "b.pdf")
    first = await ready(client)
    assert await find_documents(served, "Registro 1000", first["a.pdf"]) == {first["a.pdf"]}

    (folder / "a.pdf").write_bytes(make(3))
    await until(lambda: replaced(client, first["a.pdf"]))
    second = await ready(client)
    assert set(second) == {"a.pdf", "b.pdf"} and second["b.pdf"] == first["b.pdf"]

    jobs = len(await list_jobs(client))
    (folder / "in/b.pdf").rename(folder / "c.pdf")
    await has(client, "a.pdf", "c.pdf")
    assert (await ready(client))["c.pdf"] == first["b.pdf"] and len(await list_jobs(client)) == jobs, "read again"

    (folder / "a.pdf").unlink()
    await has(client, "c.pdf")
    (folder / "c.pdf").unlink()
    await has(client)
    _, state = await get_json(client, "/ready")
    assert state["watch"] == {"name": str(folder), "state": "ready", "detail": ""}


async def test_a_server_that_stops_while_it_removes_a_file(served: Served, home: Path, folder: Path, make: Any) -> None:
    """The index is never left as one that calls itself settled and describes what is gone."""
    (folder / "a.pdf").write_bytes(make(1))
    await has(served.client, "a.pdf")
    await until(lambda: read_index(home).record["settled"])
    assert read_index(home).record["languages"] == ["pt"]
    watching = asyncio.create_task(asyncio.to_thread(watch_last, home, "documents"))
    (folder / "a.pdf").unlink()
    left = await watching
    assert not left["settled"] or left["languages"] == []
    await until(lambda: read_index(home).record["settled"])
    assert read_index(home).record["languages"] == []


async def test_jobs_that_end_during_a_change_do_not_settle_the_index(
    served: Served, home: Path, folder: Path, tmp_path: Path, make: Any
) -> None:
    (folder / "a.pdf").write_bytes(make(1))
    await has(served.client, "a.pdf")
    await until(lambda: read_index(home).record["settled"])
    (document,) = await served.app[LIBRARY].store.list_documents()
    english = "The village of Serra harvested nine tonnes of apples in this year, as the register of the parish says. "
    path = await asyncio.to_thread(pdfs.make_pdf, tmp_path / "b.pdf", [english * 5])
    with ExitStack() as stack:
        stack.enter_context(held("layout"))
        job = await start(served.client, "b.pdf", path.read_bytes())
        await wait_for(served.client, job, lambda line: line["stage"] == "layout")
        async with served.app[QUEUE].change():
            stack.close()
            assert (await finish(served.client, job))["state"] == "done"
            await asyncio.sleep(1)  # the queue has nothing to do any more
            left = read_index(home).record
            assert not left["settled"] and left["languages"] == ["en", "pt"]
            (folder / "a.pdf").unlink()
            await remove(served.app[LIBRARY], document, document.names[0])
    await until(lambda: read_index(home).record["settled"])
    assert read_index(home).record["languages"] == ["en"]


async def replaced(client: ClientSession, document: str) -> bool:
    """Whether other bytes than these are ready at a.pdf, which is never missing meanwhile."""
    names = await ready(client)
    assert "a.pdf" in names
    return names["a.pdf"] != document and document not in names.values()


async def test_a_file_is_read_once_it_is_whole(served: Served, folder: Path, make: Any) -> None:
    data = make(4, pages=3)
    with (folder / "slow.pdf").open("wb") as file:
        for start in range(0, len(data), len(data) // 4 + 1):
            file.write(data[start : start + len(data) // 4 + 1])
            file.flush()
            await asyncio.sleep(0.7)
    await has(served.client, "slow.pdf")

    async def done() -> bool:
        return [job["state"] for job in await list_jobs(served.client)] == ["done"]

    await until(done)


async def test_what_was_deleted_or_cancelled_stays_out(served: Served, folder: Path, make: Any) -> None:
    client = served.client
    (folder / "a.pdf").write_bytes(make(5))
    await has(client, "a.pdf")
    await get_json(client, f"/documents/{(await ready(client))['a.pdf']}", "DELETE")
    (folder / "a.pdf").write_bytes(make(6))
    (folder / "long.pdf").write_bytes(make(7, pages=24))

    async def running() -> bool:
        return any(job["name"] == "long.pdf" and job["state"] == "running" for job in await list_jobs(client))

    await until(running)
    (job,) = [job for job in await list_jobs(client) if job["name"] == "long.pdf"]
    await get_json(client, f"/jobs/{job['id']}", "DELETE")
    await settle()
    assert await list_names(client) == [] and (folder / "a.pdf").exists()


async def test_a_file_that_cannot_be_read_is_told_once(served: Served, folder: Path, make: Any) -> None:
    client = served.client
    (folder / "a.pdf").write_bytes(make(8))
    await has(client, "a.pdf")
    (folder / "a.pdf").write_bytes(b"%PDF-1.7 broken")
    (folder / "b.pdf").write_bytes(b"\x7fELF is none")
    await until(lambda: failed(client, 2))
    await settle()
    jobs = [job for job in await list_jobs(client) if job["state"] == "failed"]
    assert sorted(job["name"] for job in jobs) == ["a.pdf", "b.pdf"]
    assert "a.pdf" in await ready(client), "the old version answers"
    (folder / "a.pdf").write_bytes(make(9))
    await until(lambda: done(client, 2))


async def failed(client: ClientSession, number: int) -> bool:
    return sum(job["state"] == "failed" for job in await list_jobs(client)) == number


async def done(client: ClientSession, number: int) -> bool:
    return sum(job["state"] == "done" for job in await list_jobs(client)) == number


async def test_a_name_that_is_not_utf_8_does_not_end_it(served: Served, folder: Path, make: Any) -> None:
    (folder / "a.pdf").write_bytes(make(1))
    await has(served.client, "a.pdf")
    (folder / os.fsdecode(b"relat\xf3rio.pdf")).write_bytes(make(2))
    await settle()
    (folder / "b.pdf").write_bytes(make(3))
    await has(served.client, "a.pdf", "b.pdf")


async def test_a_folder_that_is_away_takes_nothing_with_it(served: Served, folder: Path, make: Any) -> None:
    client = served.client
    (folder / "a.pdf").write_bytes(make(10))
    await has(client, "a.pdf")
    away = folder.with_name("away")
    os.rename(folder, away)

    async def told() -> bool:
        return (await get_json(client, "/ready"))[1]["watch"]["state"] == "failed"

    await until(told)
    os.mkdir(folder)  # as the place is where a disk was mounted
    await settle()
    assert set(await ready(client)) == {"a.pdf"}
    os.rmdir(folder)
    (away / "b.pdf").write_bytes(make(11))
    os.rename(away, folder)
    await has(client, "a.pdf", "b.pdf")


async def test_a_load_goes_first(home: Path, folder: Path, make: Any) -> None:
    with (home / "load.lock").open("w") as lock:
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        (folder / "a.pdf").write_bytes(make(12))
        async with serve(home, pdf_dir=folder, watch=True) as served:
            await settle()
            assert await list_jobs(served.client) == []
            fcntl.flock(lock, fcntl.LOCK_UN)
            await has(served.client, "a.pdf")


async def test_many_files_wait_their_turn(home: Path, folder: Path, make: Any) -> None:
    async with serve(home, pdf_dir=folder, watch=True, max_queue=6) as served:
        for n in range(30):
            (folder / f"{n}.md").write_text(f"# Folha {n}\n\nO faroleiro {n} viu {n * 7} navios no porto da ilha.\n")
        most, names = 0, [f"{n}.md" for n in range(30)]
        while len(await ready(served.client)) < 30:
            most = max(most, sum(job["state"] in ("queued", "running") for job in await list_jobs(served.client)))
            await asyncio.sleep(0.05)
        assert 0 < most <= 3
        assert (await upload(served.client, ("u.pdf", make(13)))).status == 202
        await has(served.client, *names, "u.pdf")


async def test_in_mongodb(home: Path, folder: Path, make: Any) -> None:
    async with FakeMongod() as mongod, serve(home, mongodb_uri=mongod.uri, pdf_dir=folder, watch=True) as served:
        (folder / "a.pdf").write_bytes(make(14))
        await has(served.client, "a.pdf")
        old = (await ready(served.client))["a.pdf"]
        (folder / "a.pdf").write_bytes(make(15))
        await until(lambda: replaced(served.client, old))
        (folder / "a.pdf").unlink()
        await has(served.client)


@pytest.mark.timeout(300)
async def test_a_killed_server_goes_on(home: Path, folder: Path, make: Any) -> None:
    """The real program: files are copied, it is killed at work, files change while it is down."""
    settings = {"LLM": "extractive", "OLLAMA_HOST": NOBODY, "WATCH": "1"}
    names = [f"{n}.pdf" for n in range(4)]
    async with run_server(home, folder, **settings) as server, ClientSession(server.url) as client:
        for n, name in enumerate(names):
            (folder / name).write_bytes(make(20 + n, pages=4))
        await until(lambda: any_listed(client))
        await server.kill()
    (folder / "0.pdf").unlink()
    (folder / "1.pdf").write_bytes(make(30))
    async with run_server(home, folder, **settings) as server, ClientSession(server.url) as client:
        await has(client, *names[1:])


async def any_listed(client: ClientSession) -> bool:
    return bool(await list_names(client))


class TestSettledFiles:
    def test_a_file_settles_and_is_hashed_once(self, tmp_path: Path) -> None:
        now, path = 0.0, tmp_path / "a"
        files = SettledFiles(1, clock=lambda: now)

        def look() -> Any:
            files.begin()
            return files.hash(path)

        path.write_bytes(b"half")
        with pytest.raises(Unsettled):
            look()
        assert files.unsettled == 1
        now = 0.9
        path.write_bytes(b"whole")
        os.utime(path, (1, 1))
        with pytest.raises(Unsettled):
            look()
        now = 1.8
        with pytest.raises(Unsettled):
            look()
        now = 2.0
        digest = look()
        assert digest[1] == 5 and files.unsettled == 0
        # The same size and time, written anew: what the system notes of changes tells.
        time.sleep(0.05)
        path.write_bytes(b"other")
        os.utime(path, (1, 1))
        with pytest.raises(Unsettled):
            look()
        now = 4.0
        assert look() != digest

    def test_a_missing_file_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            SettledFiles(1).hash(tmp_path / "none")


async def test_one_of_several_servers_follows(home: Path, folder: Path, make: Any, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other/models").symlink_to(home / "models")
    settings = {"pdf_dir": folder, "watch": True, "lease_s": 1}
    async with FakeMongod() as mongod, AsyncExitStack() as first_open:
        first = await first_open.enter_async_context(serve(home, mongodb_uri=mongod.uri, **settings))
        (folder / "a.pdf").write_bytes(make(1))
        await has(first.client, "a.pdf")
        async with serve(tmp_path / "other", mongodb_uri=mongod.uri, **settings) as second:

            async def waits() -> bool:
                _, body = await get_json(second.client, "/ready")
                return "Another server" in str(body["watch"])

            await until(waits)
            _, body = await get_json(first.client, "/ready")
            assert "Another server" not in str(body["watch"])
            await first_open.aclose()
            (folder / "b.pdf").write_bytes(make(2))
            await has(second.client, "a.pdf", "b.pdf")

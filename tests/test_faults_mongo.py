"""MongoDB goes away, hangs, fails over, refuses logins or loses its search index under the running server:
what the person is told, what the log says, and that everything works again once it is back."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from pymongo import MongoClient

from app.engine import READY_S
from database.stores.mongo_definitions import TEXT_INDEX, VECTOR_INDEX
from tests.fakes.mongod import FakeMongod
from tests.library import Library
from tests.server import Answer, Served, ask, send, serve
from tests.uploading import finish, make_bytes, start

pytestmark = pytest.mark.asyncio(loop_scope="module")

TIMEOUT_S = 1.5
QUESTION = "O que o faroleiro vê no farol?"
PASSWORD = {"ana": "s3cret"}


def prepare(home: Path, library: Library) -> None:
    """An empty DATA_DIR that has the embedder's model already."""
    home.mkdir(exist_ok=True)
    (home / "models").symlink_to(library.data_dir / "models")


@asynccontextmanager
async def serving(home: Path, library: Library, mongod: FakeMongod) -> AsyncIterator[Served]:
    await asyncio.to_thread(prepare, home, library)
    uri = f"mongodb://ana:s3cret@127.0.0.1:{mongod.port}/"
    async with serve(home, mongodb_uri=uri, mongodb_timeout_s=TIMEOUT_S) as served:
        yield served


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def both(library: Library, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Served, FakeMongod]]:
    """A server and its MongoDB, which holds a document."""
    folder = tmp_path_factory.mktemp("mongo")
    async with FakeMongod(users=PASSWORD) as mongod, serving(folder / "home", library, mongod) as served:
        await finish(served.client, await start(served.client, "farol.pdf", make_bytes(folder, 3)))
        yield served, mongod


@pytest.fixture
def served(both: tuple[Served, FakeMongod]) -> Served:
    return both[0]


@pytest_asyncio.fixture(loop_scope="module")
async def mongod(both: tuple[Served, FakeMongod]) -> AsyncIterator[FakeMongod]:
    """In order again when the test has ended, and the server has noticed."""
    served, mongod = both
    yield mongod
    mongod.faults.clear()
    mongod.accept()
    await until_ready(served, True)


async def read_ready(served: Served) -> tuple[bool, str]:
    """Whether it is, and what is said about the store; told soon, whatever is wrong."""
    started = time.monotonic()
    answer = await send(served, "GET", "/ready")
    assert time.monotonic() - started < READY_S + 5
    body = json.loads(answer.body)
    assert body["ready"] is (answer.status == 200)
    return body["ready"], body["store"]["detail"]


async def until_ready(served: Served, wanted: bool) -> None:
    """Return when `/ready` says so, which takes seconds: drivers look every ten."""
    async with asyncio.timeout(30):
        while (await read_ready(served))[0] is not wanted:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def check_answers(served: Served) -> None:
    answer = await ask(served, QUESTION)
    assert answer.status == 200 and answer.lines[0]["sources"] and answer.lines[-1]["done"] is True


def check_refused(answer: Answer, what: str) -> None:
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5") and what in answer.error


async def test_away_at_the_start(library: Library, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with FakeMongod(users=PASSWORD) as mongod:
        mongod.refuse()
        async with serving(tmp_path / "home", library, mongod) as served:
            assert await read_ready(served) == (False, caplog.messages[0])
            check_refused(await ask(served, QUESTION), f"No MongoDB answers at 127.0.0.1:{mongod.port}")
            check_refused(await send(served, "GET", "/documents"), "docker compose up -d mongodb")
            mongod.accept()
            await until_ready(served, True)
            job = await start(served.client, "farol.pdf", await asyncio.to_thread(make_bytes, tmp_path))
            assert (await finish(served.client, job))["state"] == "done"
            await check_answers(served)


async def test_away_for_a_while(served: Served, mongod: FakeMongod, caplog: pytest.LogCaptureFixture) -> None:
    mongod.refuse()
    ready, detail = await read_ready(served)
    assert not ready and "MongoDB" in detail
    check_refused(answer := await ask(served, QUESTION), "MongoDB")
    assert f"POST /: {answer.error}" in caplog.messages
    mongod.accept()
    await until_ready(served, True)
    await check_answers(served)


async def test_a_job_waits_for_it(served: Served, mongod: FakeMongod, tmp_path: Path) -> None:
    job = await start(served.client, "meanwhile.pdf", await asyncio.to_thread(make_bytes, tmp_path, 9, 5))
    mongod.refuse()
    await asyncio.sleep(2 * TIMEOUT_S)
    mongod.accept()
    await until_ready(served, True)
    last = await finish(served.client, job)
    assert (last["state"], last["stage"]) == ("done", "ready")


async def test_broken_off_in_the_middle_of_a_question(served: Served, mongod: FakeMongod) -> None:
    mongod.fail("aggregate", times=999, hang_up="before")
    answer = await ask(served, QUESTION)
    assert answer.status == 503 and "MongoDB" in answer.error
    mongod.faults.clear()
    await until_ready(served, True)
    await check_answers(served)


@pytest.mark.parametrize("code", [10107, 189, 11600, 11602, 91, 13435])
async def test_another_primary_is_nobodys_business(served: Served, mongod: FakeMongod, code: int) -> None:
    """NotWritablePrimary, PrimarySteppedDown, InterruptedAtShutdown … : repeated where it is now."""
    for command in ("aggregate", "find"):
        mongod.fail(command, code=code)
        await check_answers(served)
    assert not mongod.faults.waiting


async def test_an_upload_during_a_failover(served: Served, mongod: FakeMongod, tmp_path: Path) -> None:
    for command in ("update", "insert", "findAndModify", "find"):
        mongod.fail(command, code=10107)
    job = await start(served.client, "failover.pdf", await asyncio.to_thread(make_bytes, tmp_path, 2, 7))
    assert (await finish(served.client, job))["state"] == "done"


async def test_a_search_that_takes_too_long(served: Served, mongod: FakeMongod) -> None:
    mongod.fail("aggregate", code=50, times=99)  # what mongod makes of maxTimeMS
    check_refused(await ask(served, QUESTION), f"longer than MONGODB_TIMEOUT_S={TIMEOUT_S:g}")
    mongod.faults.clear()
    await check_answers(served)


async def test_one_that_hangs_keeps_nobody_waiting(served: Served, mongod: FakeMongod) -> None:
    mongod.fail(times=999, delay_s=60)
    started = time.monotonic()
    check_refused(await ask(served, QUESTION), "does not answer in time")
    assert time.monotonic() - started < 6 * TIMEOUT_S + 5
    assert (await read_ready(served))[0] is False
    async with served.client.get("/metrics") as response:
        assert b'acervo_up{service="mongodb"} 0.0' in await response.read()
    mongod.faults.clear()
    await until_ready(served, True)
    await check_answers(served)


async def test_slow_all_the_time(served: Served, mongod: FakeMongod) -> None:
    """Each command just quick enough: their sum is what the person waits for."""
    mongod.fail(times=999, delay_s=TIMEOUT_S)
    started = time.monotonic()
    check_refused(await ask(served, QUESTION), "does not answer in time")
    assert time.monotonic() - started < 10 * TIMEOUT_S + 5


async def test_a_login_that_is_refused(served: Served, mongod: FakeMongod) -> None:
    PASSWORD["ana"] = "changed"
    mongod.refuse()
    mongod.accept()
    try:
        await until_ready(served, False)
        told = [await read_ready(served) for _ in range(3)]
        assert not any(ready for ready, _ in told)
        answer = await ask(served, QUESTION)
        assert answer.status == 503 and "s3cret" not in answer.error
    finally:
        PASSWORD["ana"] = "s3cret"
    await until_ready(served, True)
    await check_answers(served)


async def test_a_refused_login_at_the_start_is_told(library: Library, tmp_path: Path) -> None:
    async with FakeMongod(users={"ana": "other"}) as mongod, serving(tmp_path / "home", library, mongod) as served:
        ready, detail = await read_ready(served)
        assert not ready and "refused the login" in detail and "MONGODB_URI" in detail and "s3cret" not in detail
        assert "refused the login" in (await ask(served, QUESTION)).error


async def test_search_process_starting(served: Served, mongod: FakeMongod) -> None:
    mongod.mongot.starting = 10**6
    ready, detail = await read_ready(served)
    assert not ready and "search process" in detail
    check_refused(await ask(served, QUESTION), "search process")
    mongod.mongot.starting = 0
    assert (await read_ready(served))[0]
    await check_answers(served)


async def test_a_search_index_that_is_built_anew(served: Served, mongod: FakeMongod) -> None:
    mongod.mongot.syncing_polls = 10**6
    check_refused(await ask(served, QUESTION), "still being built")
    assert "still being built" in (await read_ready(served))[1]
    mongod.mongot.syncing_polls = 0
    await check_answers(served)


async def test_search_indexes_deleted_meanwhile(served: Served, mongod: FakeMongod, tmp_path: Path) -> None:
    """mongot finds nothing, without an error: nobody may take that for an answer."""
    uri = f"mongodb://ana:s3cret@127.0.0.1:{mongod.port}/"
    client: MongoClient[dict[str, Any]] = MongoClient(uri, directConnection=True)
    for name in (VECTOR_INDEX, TEXT_INDEX):
        await asyncio.to_thread(client["acervo"]["windows"].drop_search_index, name)
    client.close()
    check_refused(await ask(served, QUESTION), "database/main.py")
    ready, detail = await read_ready(served)
    assert not ready and "database/main.py" in detail
    # Whatever loads makes them again, be it the loader or an upload.
    job = await start(served.client, "again.pdf", await asyncio.to_thread(make_bytes, tmp_path, 1, 9))
    assert (await finish(served.client, job))["state"] == "done"
    assert (await read_ready(served))[0]
    await check_answers(served)

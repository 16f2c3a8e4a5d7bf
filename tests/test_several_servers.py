"""Two servers on one MongoDB, each with a disk of its own, behind one address: it makes no difference who is asked."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import ClientSession, ClientTimeout, DummyCookieJar

from tests.e2e.servers import Server, run_server
from tests.fakes.balancer import Balancer
from tests.fakes.mongod import FakeMongod
from tests.fakes.nginx import NGINX, run_nginx
from tests.fakes.ollama import FakeOllama
from tests.fakes.site import Page as SitePage
from tests.fakes.site import Site
from tests.library import Library
from tests.programs import run_command
from tests.uploading import Job, follow, get_json, list_names, make_bytes, start, until, wait_for

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(600)]

PASSWORD = "correct horse battery"
LONG = 24
"""Pages of a document that keeps a job busy for some seconds."""
LAG_S = 0.02
"""Of the search indexes behind what is written."""
QUESTION = "O que o faroleiro vê no farol?"


@dataclass
class Pair:
    """Two servers, and what they share."""

    servers: list[Server]
    folders: list[Path]
    mongod: FakeMongod
    ollama: FakeOllama
    headers: dict[str, str]
    """With which an admin asks."""

    def client(self, url: str) -> ClientSession:
        """Of an admin, as a page of this address asks."""
        timeout = ClientTimeout(total=300)
        return ClientSession(url, headers={**self.headers, "Origin": url}, cookie_jar=DummyCookieJar(), timeout=timeout)

    @property
    def urls(self) -> list[str]:
        return [server.url for server in self.servers]

    def find_holder(self, job: Job) -> int | None:
        """Which of the servers works on a job."""
        books = self.mongod.commands.databases["acervo"]["books"]
        (record,) = books.find({"_id": f"job:{job['id']}"})
        names = [(folder / "server.id").read_text() for folder in self.folders]
        return next((n for n, name in enumerate(names) if record["holder"].endswith(name)), None)


@asynccontextmanager
async def run_pair(folder: Path, library: Library, **given: str) -> AsyncIterator[Pair]:
    """Two servers at which `ada` is an admin."""
    async with AsyncExitStack() as stack:
        mongod = await stack.enter_async_context(FakeMongod(lag_s=LAG_S, text_lag_s=LAG_S))
        ollama = await stack.enter_async_context(FakeOllama())
        settings = {"MONGODB_URI": mongod.uri, "OLLAMA_HOST": ollama.url, "TRUSTED_PROXIES": "127.0.0.1"}
        settings |= {"LOGIN_LIMIT": "3", "ASK_LIMIT": "0", "URL_ALLOW": "127.0.0.1"} | given
        added = await run_command(folder, "users", "add", "ada", "--password-stdin", told=f"{PASSWORD}\n", **settings)
        assert added.status == 0, added.err
        folders = [folder / "one", folder / "other"]
        for data in folders:
            data.mkdir()
            (data / "models").symlink_to(library.data_dir / "models")
        running = [stack.enter_async_context(run_server(data, folder, **settings)) for data in folders]
        servers = [await each for each in running]
        cookie = await log_in(servers[0].url)
        yield Pair(servers, folders, mongod, ollama, {"Cookie": cookie})


@contextmanager
def slow_search(mongod: FakeMongod) -> Iterator[None]:
    """Each stage of a document takes a while to be searchable, however quick the machine is."""
    mongod.mongot.lag_s = mongod.mongot.text_lag_s = 3
    try:
        yield
    finally:
        mongod.mongot.lag_s = mongod.mongot.text_lag_s = LAG_S


async def log_in(url: str, name: str = "ada", password: str = PASSWORD, address: str = "203.0.113.1") -> str:
    """The cookie of somebody who comes from this address; the status when there is none."""
    given = {"name": name, "password": password}
    async with (
        ClientSession(url, headers={"X-Forwarded-For": address}) as client,
        client.post("/login", json=given) as response,
    ):
        return response.headers.get("Set-Cookie", str(response.status)).partition(";")[0]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pair(tmp_path_factory: pytest.TempPathFactory, library: Library) -> AsyncIterator[Pair]:
    async with run_pair(tmp_path_factory.mktemp("pair"), library) as pair:
        yield pair


@pytest_asyncio.fixture(params=["balancer", "nginx"], loop_scope="module")
async def address(request: pytest.FixtureRequest, pair: Pair, tmp_path: Path) -> AsyncIterator[str]:
    """What stands before the two: their requests alternate."""
    if request.param == "balancer":
        async with Balancer(pair.urls) as balancer:
            yield balancer.url
        assert {url for url, _ in balancer.passed} == set(pair.urls)
    elif NGINX is None:
        pytest.skip("nginx is not installed")
    else:
        async with run_nginx(tmp_path, pair.urls) as url:
            yield url


async def find(client: ClientSession) -> set[str]:
    """The documents that an answer is drawn from."""
    async with client.post("/", json={"prompt": QUESTION, "rewrite": False}) as response:
        assert response.status == 200, await response.read()
        lines = [json.loads(line) async for line in response.content]
    assert lines[-1]["done"] is True
    return {source["document"] for source in lines[0]["sources"]}


async def test_who_logs_in_at_one_is_known_at_the_other(pair: Pair) -> None:
    one, other = pair.urls
    async with pair.client(other) as there, pair.client(one) as here:
        status, me = await get_json(there, "/me")
        assert (status, me["name"], me["role"]) == (200, "ada", "admin")
        async with here.post("/me/keys", json={"scopes": ["read"], "label": "program"}) as response:
            key = await response.json()
        with_key = {"Authorization": f"Bearer {key['key']}", "Cookie": ""}
        async with there.get("/documents", headers=with_key) as response:
            assert response.status == 200
        async with there.delete(f"/me/keys/{key['id']}") as response:
            assert response.status == 204
        async with here.get("/documents", headers=with_key) as response:
            assert response.status == 401
        cookie = {"Cookie": await log_in(other, address="203.0.113.2")}
        async with here.post("/logout", headers=cookie) as response:
            assert response.status == 204
        async with there.get("/documents", headers=cookie) as response:
            assert response.status == 401


async def test_guesses_count_at_both_together(pair: Pair) -> None:
    statuses = [await log_in(pair.urls[n % 2], "guessed", "wrong", f"198.51.100.{n}") for n in range(4)]
    assert statuses == ["401", "401", "401", "429"]
    assert await log_in(pair.urls[1], "other", "wrong", "198.51.100.9") == "401"


async def test_a_document_behind_one_address(pair: Pair, address: str, tmp_path: Path) -> None:
    """Sent to one, read by either, shown by both, deleted at one and gone at the other."""
    data = await asyncio.to_thread(make_bytes, tmp_path, 3, len(str(tmp_path)))
    async with pair.client(address) as client, pair.client(pair.urls[0]) as one, pair.client(pair.urls[1]) as other:
        name = f"{tmp_path.name}.pdf"  # that of a deleted one stays taken while it can be restored
        job = await start(client, name, data)
        last = [line async for line in follow(client, job["id"])][-1]
        assert (last["state"], last["pages"]) == ("done", {"done": 3, "total": 3})
        document = f"/documents/{job['document']}"
        for each in (one, other):
            assert job["document"] in await find(each)
            async with each.get(f"{document}/pages/2.png") as response:
                assert response.status == 200 and (await response.read()).startswith(b"\x89PNG")
            async with each.get(f"{document}/file", headers={"Range": "bytes=5-9"}) as response:
                assert (response.status, await response.read()) == (206, data[5:10])
        assert (await get_json(one, document, "DELETE"))[0] == 200
        assert (await get_json(other, f"{document}/pages/1"))[0] == 404
        assert name not in await list_names(other) and job["document"] not in await find(other)
        assert (await get_json(other, f"{document}/restore", "POST"))[0] == 200
        assert name in await list_names(one) and job["document"] in await find(one)
        assert (await get_json(other, document, "DELETE"))[0] == 200


@pytest_asyncio.fixture(loop_scope="module")
async def slow_model(pair: Pair) -> AsyncIterator[FakeOllama]:
    """A model that writes for a minute."""
    switches = pair.ollama.switches
    before = switches.answer, switches.token_delay_s
    switches.answer, switches.token_delay_s = "palavra " * 600, 0.1
    yield pair.ollama
    switches.answer, switches.token_delay_s = before


async def test_tokens_come_while_others_are_written(pair: Pair, address: str, slow_model: FakeOllama) -> None:
    finished = slow_model.finished_streams
    async with pair.client(address) as client:
        job = await start(client, "stream.pdf", await asyncio.to_thread(make_bytes, pair.folders[0], 1, 77))
        await wait_for(client, job, lambda line: line["state"] == "done")
        for _ in range(2):
            async with client.post("/", json={"prompt": QUESTION, "rewrite": False}) as response:
                lines = response.content
                while not json.loads(await lines.readline())["message"]["content"]:
                    pass
                assert slow_model.finished_streams == finished, "the model is at its first tokens"
                response.close()  # and it stops when the reader leaves
            await until(lambda: not slow_model.open_streams)
        assert slow_model.finished_streams == finished
        await get_json(client, f"/documents/{job['document']}", "DELETE")


async def test_a_job_without_news_is_cancelled_from_the_other_server(pair: Pair) -> None:
    async with Site() as site, pair.client(pair.urls[0]) as one, pair.client(pair.urls[1]) as other:
        site.pages["/"] = SitePage(b"<html><body>never whole", then="hang")
        async with one.post("/documents", json={"url": f"{site.url}/"}) as response:
            (job,) = (await response.json())["jobs"]
        await until(lambda: bool(site.paths))
        client = one if pair.find_holder(job) == 1 else other
        status, ended = await get_json(client, f"/jobs/{job['id']}", "DELETE")
        assert (status, ended["state"]) == (200, "cancelled")


async def test_a_job_is_seen_and_cancelled_from_the_other_server(pair: Pair, tmp_path: Path) -> None:
    async with pair.client(pair.urls[0]) as one, pair.client(pair.urls[1]) as other:
        with slow_search(pair.mongod):
            job = await start(one, "long.pdf", await asyncio.to_thread(make_bytes, tmp_path, LONG, 5))
            await wait_for(one, job, lambda line: line["state"] == "running")
            clients = (one, other) if pair.find_holder(job) == 1 else (other, one)
            seen = await wait_for(clients[0], job, lambda line: line["pages"]["total"] == LONG)
            assert seen["state"] == "running"
            status, ended = await get_json(clients[0], f"/jobs/{job['id']}", "DELETE")
            assert (status, ended["state"]) == (200, "cancelled")
        assert "long.pdf" not in {*await list_names(one), *await list_names(other)}


async def test_a_server_that_dies_leaves_its_job_to_the_other(
    tmp_path_factory: pytest.TempPathFactory, library: Library, tmp_path: Path
) -> None:
    async with (
        run_pair(tmp_path_factory.mktemp("dying"), library, LEASE_S="2") as pair,
        Balancer(pair.urls) as balancer,
        pair.client(balancer.url) as client,
    ):
        data = await asyncio.to_thread(make_bytes, tmp_path, LONG, 6)
        with slow_search(pair.mongod):
            job = await start(client, "long.pdf", data)
            await wait_for(client, job, lambda line: line["state"] == "running")
            holder = pair.find_holder(job)
            assert holder is not None
            await pair.servers[holder].kill()
        last = [line async for line in follow(client, job["id"])][-1]
        assert (last["state"], last["pages"]["done"]) == ("done", LONG)
        assert await find(client) == {job["document"]}
        async with client.get(f"/documents/{job['document']}/file") as response:
            assert await response.read() == data
        assert pair.find_holder(job) != holder

"""`POST /documents` with an address: the queue fetches the page, and it becomes a document like any other."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from tests.e2e.servers import run_server
from tests.fakes.mongod import FakeMongod
from tests.fakes.site import Page, Site, redirect
from tests.library import Library
from tests.server import NOBODY, Served, ask, send, serve
from tests.uploading import Job, find_documents, finish, get_json, list_names, make_bytes, until, upload, wait_for

JSON = "application/json"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with Site() as site:
        data = await asyncio.to_thread(make_bytes, tmp_path)
        site.pages["/farol.pdf"] = Page(data)
        yield site


@pytest.fixture
async def served(home: Path, site: Site) -> AsyncIterator[Served]:
    async with serve(home, url_allow=f"127.0.0.1:{site.port}", url_timeout_s=20, undo_s=0) as served:
        yield served


async def post(client: ClientSession, url: str, **fields: str) -> tuple[int, Any]:
    """Status and body of the answer to an address."""
    async with client.post("/documents", json={"url": url, **fields}) as response:
        return response.status, await response.json()


async def begin(client: ClientSession, url: str, **fields: str) -> Job:
    """The job of an address, which must be taken."""
    status, body = await post(client, url, **fields)
    assert status == 202, body
    (job,) = body["jobs"]
    return dict(job)


async def list_urls(client: ClientSession) -> dict[str, str]:
    """The documents by the addresses that they have."""
    _, body = await get_json(client, "/documents")
    return {document["url"]: document["id"] for document in body["documents"]}


class TestTaken:
    async def test_a_page_becomes_a_document(self, served: Served, site: Site) -> None:
        site.gate = asyncio.Event()
        url = f"{site.url}/farol.pdf"
        job = await begin(served.client, f"{url}#page=2")
        assert (job["state"], job["stage"], job["document"]) == ("queued", "fetching", "")
        assert (job["url"], job["name"]) == (url, "farol.pdf")
        running = await wait_for(served.client, job, lambda line: line["state"] == "running")
        assert running["stage"] == "fetching" and await list_urls(served.client) == {}
        assert (await begin(served.client, url))["id"] == job["id"], "the same address is fetched once"
        site.gate.set()
        job = await finish(served.client, job)
        assert (job["state"], job["stage"], job["error"]) == ("done", "ready", "")
        _, body = await get_json(served.client, "/documents")
        (document,) = body["documents"]
        assert document["id"] == job["document"] and document["size"] == job["size"]
        assert (document["url"], document["name"], document["origin"]) == (url, "farol.pdf", "web")
        answer = await ask(served, "O que o faroleiro vê no farol?")
        assert {source["url"] for source in answer.lines[0]["sources"]} == {url}
        again = await finish(served.client, await begin(served.client, url))
        assert again["duplicate"] and again["state"] == "done"

    async def test_changed_bytes_replace(self, served: Served, site: Site, tmp_path: Path) -> None:
        url = f"{site.url}/farol.pdf"
        first = await finish(served.client, await begin(served.client, url))
        site.pages["/farol.pdf"] = Page(b"%PDF-1.7 broken")
        broken = await finish(served.client, await begin(served.client, url))
        assert broken["state"] == "failed" and await list_urls(served.client) == {url: first["document"]}
        site.pages["/farol.pdf"] = Page(await asyncio.to_thread(make_bytes, tmp_path, 2, 5))
        second = await finish(served.client, await begin(served.client, url))
        assert second["state"] == "done" and await list_urls(served.client) == {url: second["document"]}
        assert await find_documents(served, "O que o faroleiro vê?") == {second["document"]}

    async def test_a_page_in_two_collections(self, served: Served, site: Site) -> None:
        url = f"{site.url}/farol.pdf"
        for collection in ("Mar", "Terra"):
            job = await finish(served.client, await begin(served.client, url, collection=collection))
            assert (job["state"], job["collection"], job["duplicate"]) == ("done", collection, False)
        _, body = await get_json(served.client, "/collections")
        assert body["collections"] == [{"name": "Mar", "documents": 1}, {"name": "Terra", "documents": 1}]

    async def test_deleting_deletes_and_asking_again_brings_it_back(
        self, served: Served, site: Site, home: Path
    ) -> None:
        url = f"{site.url}/farol.pdf"
        job = await finish(served.client, await begin(served.client, url))
        status, _ = await get_json(served.client, f"/documents/{job['document']}", "DELETE")
        assert status == 200 and await list_urls(served.client) == {}

        await until(lambda: not list(home.glob("files/*/*")))
        again = await finish(served.client, await begin(served.client, url))
        assert again["state"] == "done" and await list_urls(served.client) == {url: job["document"]}

    async def test_in_mongodb(self, home: Path, site: Site) -> None:
        async with (
            FakeMongod() as mongod,
            serve(home, mongodb_uri=mongod.uri, url_allow="127.0.0.1") as served,
        ):
            url = f"{site.url}/farol.pdf"
            job = await finish(served.client, await begin(served.client, url))
            assert job["state"] == "done" and await list_urls(served.client) == {url: job["document"]}


class TestRefused:
    @pytest.mark.parametrize(
        "url",
        ["ftp://example.org/", "https://a:b@example.org/", "http://127.0.0.1/", "http://[::1]/", "/etc/passwd", ""],
    )
    async def test_at_once(self, served: Served, site: Site, url: str) -> None:
        status, body = await post(served.client, url)
        assert (status, body["status"], body["kind"]) == (422, 422, "address") and body["error"]
        assert (await get_json(served.client, "/jobs"))[1]["jobs"] == []

    @pytest.mark.parametrize("body", [b"{}", b"", b"[]", b'{"url": 1}', b'{"url": "http://a.org", "collection": "/"}'])
    async def test_bodies_that_ask_for_nothing(self, served: Served, body: bytes) -> None:
        answer = await send(served, "POST", "/documents", body, Content_Type=JSON)
        assert answer.status == 400 and answer.error

    async def test_pages_of_others_cannot_ask(self, served: Served, site: Site) -> None:
        body = json.dumps({"url": f"{site.url}/farol.pdf"}).encode()
        for origin in ("https://evil.example", "http://localhost:4200"):
            answer = await send(served, "POST", "/documents", body, Content_Type=JSON, Origin=origin)
            assert answer.status == 403
        answer = await send(served, "POST", "/documents", body, Content_Type="text/plain")
        assert answer.status == 400 and site.requests == []

    async def test_names_are_resolved_by_the_queue_alone(self, home: Path, site: Site) -> None:
        async with serve(home) as served:
            job = await finish(served.client, await begin(served.client, f"http://localhost:{site.port}/farol.pdf"))
        assert (job["state"], job["kind"], job["stage"]) == ("failed", "address", "fetching")
        assert "URL_ALLOW" in job["error"] and site.requests == []

    async def test_redirects_inside(self, served: Served, site: Site) -> None:
        site.pages["/in"] = redirect("http://127.0.0.2/")
        job = await finish(served.client, await begin(served.client, f"{site.url}/in"))
        assert (job["state"], job["kind"]) == ("failed", "address")

    async def test_beyond_the_queue(self, home: Path, site: Site) -> None:
        site.gate = asyncio.Event()
        async with serve(home, url_allow="127.0.0.1", max_queue=1) as served:
            await begin(served.client, f"{site.url}/1")
            status, body = await post(served.client, f"{site.url}/2")
            assert (status, body["kind"]) == (429, "too_many")
            site.gate.set()


class TestFailing:
    async def test_what_failed_can_be_tried_again(self, served: Served, site: Site) -> None:
        page = site.pages.pop("/farol.pdf")
        job = await finish(served.client, await begin(served.client, f"{site.url}/farol.pdf"))
        assert (job["state"], job["kind"], job["document"]) == ("failed", "unreachable", "") and "404" in job["error"]
        site.pages["/farol.pdf"] = page
        status, again = await get_json(served.client, f"/jobs/{job['id']}/retry", "POST")
        assert (status, again["state"], again["stage"], again["error"]) == (202, "queued", "fetching", "")
        assert (await finish(served.client, job))["state"] == "done"

    async def test_cancelling_leaves_nothing(self, served: Served, site: Site, home: Path) -> None:
        site.gate = asyncio.Event()
        job = await begin(served.client, f"{site.url}/farol.pdf")
        await until(lambda: "/farol.pdf" in site.paths)
        _, ended = await get_json(served.client, f"/jobs/{job['id']}", "DELETE")
        assert ended["state"] == "cancelled" and await list_names(served.client) == []
        assert not await asyncio.to_thread(lambda: [*home.glob("fetched/*"), *home.glob("files/*/*")])

    async def test_files_go_on_while_a_site_is_slow(self, served: Served, site: Site, tmp_path: Path) -> None:
        site.gate = asyncio.Event()
        slow = await begin(served.client, f"{site.url}/farol.pdf")
        await until(lambda: "/farol.pdf" in site.paths)
        data = await asyncio.to_thread(make_bytes, tmp_path, 1, 7)
        (job,) = json.loads((await upload(served.client, ("a.pdf", data))).body)["jobs"]
        assert (await wait_for(served.client, job, lambda line: line["searchable"]))["stage"] == "text"
        site.gate.set()
        assert (await finish(served.client, slow))["state"] == "done"

    @pytest.mark.timeout(300)
    async def test_a_server_killed_while_it_fetches_fetches_again(
        self, home: Path, tmp_path: Path, site: Site, library: Library
    ) -> None:
        site.gate = asyncio.Event()
        settings = {"LLM": "extractive", "OLLAMA_HOST": NOBODY, "URL_ALLOW": "127.0.0.1"}
        async with run_server(home, tmp_path, **settings) as server, ClientSession(server.url) as client:
            job = await begin(client, f"{site.url}/farol.pdf")
            await until(lambda: "/farol.pdf" in site.paths)
            await server.kill()
        site.gate.set()
        async with run_server(home, tmp_path, **settings) as server, ClientSession(server.url) as client:
            assert (await finish(client, job))["state"] == "done"
            assert list(await list_urls(client)) == [f"{site.url}/farol.pdf"]

"""The server is killed at random moments while people upload, delete, restore and ask, and started again each
time: what it acknowledged holds ever after."""

import asyncio
import contextlib
import json
import random
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import ClientError, ClientSession

from tests.e2e.servers import run_server
from tests.server import NOBODY
from tests.uploading import get_json, make_bytes, until, upload

ROUNDS = 4
DEEDS = ("upload",) * 6 + ("delete", "restore", "ask")
MOST_ACKNOWLEDGED, LONGEST_S = 4, 15
"""A server is killed after so many acknowledgements and a moment more, or after so many seconds."""


@dataclass
class Promised:
    """What the server said that it did. What was asked for and not acknowledged may be either way."""

    kept: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    seeds: int = 0
    acknowledged: int = 0

    def forget(self, document: str) -> None:
        """Something is asked for: from now on until it is acknowledged, nothing is promised."""
        self.kept.discard(document)
        self.deleted.discard(document)

    def keep(self, document: str) -> None:
        """It is there, and can be found soon."""
        self.kept.add(document)
        self.acknowledged += 1

    def delete(self, document: str) -> None:
        """It cannot be found."""
        self.deleted.add(document)
        self.acknowledged += 1


async def work(client: ClientSession, promised: Promised, folder: Path, chance: random.Random) -> None:
    """Upload, delete, restore and ask, until the connection breaks."""
    while True:
        match chance.choice(DEEDS):
            case "upload":
                promised.seeds += 1
                data = await asyncio.to_thread(make_bytes, folder, chance.choice([1, 2]), promised.seeds)
                answer = await upload(client, (f"{promised.seeds}.pdf", data))
                assert answer.status == 202, answer.body
                promised.keep(job_of(answer.body)["document"])
            case "delete" if promised.kept:
                document = chance.choice(sorted(promised.kept))
                promised.forget(document)
                status, body = await get_json(client, f"/documents/{document}", "DELETE")
                assert status == 200, body
                promised.delete(document)
            case "restore" if promised.deleted:
                document = chance.choice(sorted(promised.deleted))
                promised.forget(document)
                status, body = await get_json(client, f"/documents/{document}/restore", "POST")
                assert status == 200, body
                promised.keep(document)
            case "ask":
                await find(client)
            case _:
                await asyncio.sleep(0.01)


def job_of(body: bytes) -> dict[str, str]:
    (job,) = json.loads(body)["jobs"]
    return dict(job)


async def find(client: ClientSession, *documents: str) -> set[str]:
    """The documents that an answer is drawn from, out of these if any are given."""
    asked = {"prompt": "O que o faroleiro vê no farol?", "filters": {"documents": documents}, "top_k": 50}
    async with client.post("/", json=asked) as response:
        assert response.status == 200, await response.read()
        first = json.loads(await response.content.readline(max_line_length=2**24))
        return {source["document"] for source in first["sources"]}


async def list_documents(client: ClientSession) -> set[str]:
    _, body = await get_json(client, "/documents")
    return {document["id"] for document in body["documents"]}


async def check(client: ClientSession, promised: Promised) -> None:
    """What holds at any moment, also right after a start."""
    listed = await list_documents(client)
    assert promised.kept <= listed, "an acknowledged upload is lost"
    assert not promised.deleted & listed, "an acknowledged deletion is undone"
    assert not promised.deleted & await find(client)


async def wait_for_deeds(promised: Promised, number: int) -> None:
    """Return when so many more are acknowledged, or it has taken long enough."""
    enough, deadline = promised.acknowledged + number, time.monotonic() + LONGEST_S
    while promised.acknowledged < enough and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.01)


@pytest.mark.timeout(400)
async def test_nothing_acknowledged_is_ever_lost(home: Path, tmp_path: Path) -> None:
    promised, chance = Promised(), random.Random(5)
    settings = {"LLM": "extractive", "OLLAMA_HOST": NOBODY, "UNDO_S": "600"}
    for _ in range(ROUNDS):
        async with run_server(home, tmp_path, **settings) as server, ClientSession(server.url) as client:
            await check(client, promised)
            people = [asyncio.create_task(work(client, promised, tmp_path, chance)) for _ in range(2)]
            await wait_for_deeds(promised, chance.randint(1, MOST_ACKNOWLEDGED))
            await asyncio.wait(people, timeout=chance.uniform(0, 0.5), return_when=asyncio.FIRST_EXCEPTION)
            await server.kill()
            for person in people:
                with contextlib.suppress(ClientError, asyncio.IncompleteReadError, json.JSONDecodeError):
                    await person
    assert promised.acknowledged >= ROUNDS

    async with run_server(home, tmp_path, **settings) as server, ClientSession(server.url) as client:

        async def all_done() -> bool:
            _, body = await get_json(client, "/jobs")
            return all(job["state"] in ("done", "cancelled") for job in body["jobs"])

        await until(all_done)
        await check(client, promised)
        for document in promised.kept:
            assert await find(client, document) == {document}
        for document in promised.deleted:
            assert await find(client, document) == set()

"""Uploading files to a running server and following their jobs. For the tests of uploads and jobs."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, FormData

from database.ingest import Ingester
from database.readers import DocumentReader
from tests import pdfs
from tests.server import Answer, Served, ask

Job = dict[str, Any]
WORDS = ["farol", "ilha", "faroleiro", "vento", "ondas", "navios", "baleias", "chuva", "neve", "barco", "porto"]
NEXT = {"received": (DocumentReader, "read_plain"), "text": (Ingester, "_outline"), "layout": (Ingester, "_complete")}
"""What makes the contents of the stage after this one."""


def make_form(*files: tuple[str, bytes]) -> FormData:
    """A form as browsers send it: names in UTF-8, not percent-encoded."""
    form = FormData(quote_fields=False)
    for name, data in files:
        form.add_field("file", BytesIO(data), filename=name, content_type="application/pdf")
    return form


async def upload(client: ClientSession, *files: tuple[str, bytes]) -> Answer:
    """The answer to `POST /documents` with these names and bytes."""
    async with client.post("/documents", data=make_form(*files)) as response:
        return Answer(response.status, response.headers, await response.read())


async def start(client: ClientSession, name: str, data: bytes) -> Job:
    """The job of one file, which must be taken."""
    answer = await upload(client, (name, data))
    assert answer.status == 202, answer.body
    (job,) = json.loads(answer.body)["jobs"]
    return dict(job)


async def follow(client: ClientSession, job_id: str) -> AsyncIterator[Job]:
    """Each line about a job."""
    async with client.get(f"/jobs/{job_id}") as response:
        assert response.status == 200
        async for line in response.content:
            yield json.loads(line)


async def finish(client: ClientSession, job: Job) -> Job:
    """The last line about a job."""
    return [line async for line in follow(client, job["id"])][-1]


async def wait_for(client: ClientSession, job: Job, reached: Callable[[Job], bool]) -> Job:
    """The first line about a job that meets a condition."""
    async for line in follow(client, job["id"]):
        if reached(line):
            return line
    raise AssertionError("the job ended before")


@contextmanager
def held(stage: str) -> Iterator[None]:
    """Documents stay at this stage within, however quick the machine is: what the next one needs is made, and waits."""
    gate, (maker, name) = asyncio.Event(), NEXT[stage]
    make = getattr(maker, name)

    async def make_and_wait(*args: Any) -> Any:
        made = await make(*args)
        await gate.wait()
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(maker, name, make_and_wait)
        try:
            yield
        finally:
            gate.set()


async def until(condition: Callable[[], Awaitable[bool] | bool]) -> None:
    """Return once the condition holds; the test's own time limit ends the waiting."""
    while True:
        held = condition()
        if held if isinstance(held, bool) else await held:
            return
        await asyncio.sleep(0.05)


async def get_json(client: ClientSession, path: str, method: str = "GET") -> tuple[int, Any]:
    """Status and body of the answer."""
    async with client.request(method, path) as response:
        return response.status, await response.json()


async def list_names(client: ClientSession) -> list[str]:
    """The names that `GET /documents` lists."""
    _, body = await get_json(client, "/documents")
    return [document["name"] for document in body["documents"]]


async def find_documents(served: Served, question: str, *documents: str) -> set[str]:
    """The documents that an answer is drawn from, out of these if any are given."""
    answer = await ask(served, question, filters={"documents": documents}, rewrite=False)
    assert answer.status == 200, answer.body
    return {source["document"] for source in answer.lines[0]["sources"]}


def make_bytes(folder: Path, pages: int = 1, seed: int = 0) -> bytes:
    """A PDF of so many pages about a lighthouse; other bytes for each seed."""
    texts = [f"Folha {n}\n\n{_make_text(seed * 1000 + n)}" for n in range(pages)]
    return pdfs.make_pdf(folder / f"{seed}-{pages}.pdf", texts).read_bytes()


def _make_text(seed: int) -> str:
    words = [WORDS[(seed * 7 + i * i) % len(WORDS)] for i in range(160)]
    return f"Registro {seed}. " + ". ".join(" ".join(words[i : i + 8]).capitalize() for i in range(0, 160, 8)) + "."

"""What is deleted is found nowhere from that moment on: everything that could tell of it is asked, on both stores."""

import asyncio
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.keys import ENGINE, LIBRARY
from database.exporting import export
from database.importing import bring_in
from database.settings import ROOT, IndexSettings
from database.stores import make_store
from tests import pdfs
from tests.fakes.mongod import FakeMongod
from tests.library import HARVEST, QUESTION, Library
from tests.server import Served, ask, serve
from tests.uploading import finish, get_json, held, start, wait_for

SECRET = "Amélia Duarte"
SAME_QUESTIONS = (QUESTION, "relatório do farol", "farol", "Amélia Duarte 1887 faroleiro naufrágios")


@pytest.fixture(params=["sqlite", "mongodb"])
async def mongo_uri(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """Where MongoDB is; empty for the embedded store."""
    if request.param == "sqlite":
        yield ""
        return
    async with FakeMongod(lag_s=0.05) as server:
        yield server.uri


@pytest.fixture
async def served(library: Library, tmp_path: Path, mongo_uri: str) -> AsyncIterator[Served]:
    """A server over the same small library in each store."""
    await asyncio.to_thread(shutil.copytree, library.data_dir, tmp_path / "data", symlinks=True)
    if mongo_uri:
        await copy_to(tmp_path / "data", mongo_uri)
    async with serve(tmp_path / "data", undo_s=600, mongodb_uri=mongo_uri) as served:
        yield served


async def copy_to(data_dir: Path, uri: str) -> None:
    """Bring an embedded index into MongoDB."""
    first, second = (
        make_store(IndexSettings.load(data_dir=data_dir)),
        make_store(IndexSettings.load(data_dir=data_dir, mongodb_uri=uri)),
    )
    await first.open()
    await second.open()
    await export(first, data_dir, data_dir / "e.zip")
    await bring_in(second, data_dir, data_dir / "e.zip")
    await first.aclose()
    await second.aclose()


async def look(served: Served, document: str, chunks: list[str]) -> list[str]:
    """Every place that tells of a document: its id, its name, its words, or its picture."""
    told = []
    for number, question in enumerate(SAME_QUESTIONS):
        for filters in ({}, {"documents": [document]}):
            history = [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": "Em 1887 [1]."}]
            answer = await ask(served, question, filters=filters, history=history, rewrite=bool(number % 2))
            if document in answer.body.decode() or "1887 por" in answer.text:
                told.append(f"POST / {question} {filters}")
    for path in (f"/documents/{document}/file", f"/documents/{document}/pages/1.png"):
        async with served.client.get(path) as response:
            if response.status != 404:
                told.append(path)
    query = "&".join(f"highlight={chunk}" for chunk in chunks)
    async with served.client.get(f"/documents/{document}/pages/1.png?{query}") as response:
        told.extend([] if response.status == 404 else ["highlight"])
    for path in ("/documents", "/topics", "/jobs", "/collections"):
        _, body = await get_json(served.client, path)
        if document in json.dumps(body) or "farol" in json.dumps(body, ensure_ascii=False):
            told.append(path)
    store = served.app[ENGINE].store
    if await store.get_chunks(chunks) or await store.get_page(document, 1):
        told.append("store")
    return told


async def find_target(served: Served) -> tuple[str, list[str]]:
    """The lighthouse as an answer cites it."""
    answer = await ask(served)
    sources = answer.lines[0]["sources"]
    document = str(sources[0]["document"])
    return document, [source["chunk_id"] for source in sources if source["document"] == document]


@pytest.mark.timeout(120)
async def test_right_after_it_was_deleted(served: Served) -> None:
    document, chunks = await find_target(served)
    before = await look(served, document, chunks)
    assert len(before) >= 8 and {"/documents", "highlight", "store"} <= {*before}, "the places tell while it is there"
    assert (await get_json(served.client, f"/documents/{document}", "DELETE"))[0] == 200
    assert await look(served, document, chunks) == []
    assert [d["name"] for d in (await get_json(served.client, "/documents"))[1]["documents"]][-1] == HARVEST
    assert (await get_json(served.client, f"/documents/{document}/restore", "POST"))[0] == 200
    assert (await look(served, document, chunks)) == before


@pytest.mark.timeout(170)
async def test_while_the_index_is_rebuilt(served: Served, tmp_path: Path, mongo_uri: str) -> None:
    """Whether the rebuilding had made it already, was at it, or had yet to: it is never seen again."""
    document, chunks = await find_target(served)
    settings = {"PATH": os.environ["PATH"], "ACERVO_ENV_FILE": os.devnull, "MONGODB_URI": mongo_uri}
    settings |= {"DATA_DIR": str(tmp_path / "data"), "PDF_DIR": str(tmp_path / "pdf")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, ROOT / "database/main.py", "--reindex", env=settings, stdout=asyncio.subprocess.DEVNULL
    )
    await asyncio.sleep(1)
    assert (await get_json(served.client, f"/documents/{document}", "DELETE"))[0] == 200
    looked = 0
    while process.returncode is None or not looked:
        assert await look(served, document, chunks) == []
        looked += 1
    assert process.returncode == 0
    assert await look(served, document, chunks) == []


@pytest.mark.timeout(120)
@pytest.mark.parametrize("stage", ["text", "ready"])
async def test_while_it_is_being_made(served: Served, tmp_path: Path, stage: str) -> None:
    old, _ = await find_target(served)
    assert (await get_json(served.client, f"/documents/{old}", "DELETE"))[0] == 200
    text = "O farol\n\nO farol da ilha foi construído em 1887 por Amélia Duarte. Folha {}."
    data = await asyncio.to_thread(
        lambda: pdfs.make_pdf(tmp_path / "n.pdf", [text.format(n) for n in range(9)]).read_bytes()
    )
    job = await start(served.client, "farol novo.pdf", data)
    reached = await wait_for(served.client, job, lambda line: line["stage"] in (stage, "ready"))
    assert reached["state"] != "failed"
    document = job["document"]
    assert (await get_json(served.client, f"/documents/{document}", "DELETE"))[0] == 200
    for _ in range(3):
        told = await look(served, document, [])
        # A job that was stopped says so, until it is tried again or forgotten.
        assert told == [] or (told == ["/jobs"] and stage != "ready")
        await asyncio.sleep(0.3)
    async with served.client.get(f"/jobs/{job['id']}") as response:
        forgotten = response.status == 404
        # One that was at its last stage may have been done by the time that the deletion came.
        assert forgotten if reached["state"] == "done" else not forgotten or reached["stage"] == "ready"
    if not forgotten:
        assert (await finish(served.client, job))["state"] == "cancelled"


@pytest.mark.timeout(120)
async def test_what_is_published_as_its_job_is_stopped(served: Served, tmp_path: Path) -> None:
    """The deletion has been written down by then, so that it is left out at once: that is no unknown document."""
    pages = [f"O farol da ilha foi construído em 1887 por Amélia Duarte. Folha {n}." for n in range(60)]
    data = await asyncio.to_thread(lambda: pdfs.make_pdf(tmp_path / "n.pdf", pages).read_bytes())
    library = served.app[LIBRARY]
    stop_job = library.stop_job

    async def stop_late(job_id: str) -> bool:
        """Publishing ends when it has begun, whoever wants it stopped."""
        stopped = await stop_job(job_id)
        document, contents = await library.store.read_whole(job["document"]) or (None, None)
        assert document is not None and contents is not None
        assert not (await library.ingester.publish(document, contents)).visible
        return stopped

    library.stop_job = stop_late
    with held("layout"):
        job = await start(served.client, "farol novo.pdf", data)
        await wait_for(served.client, job, lambda line: line["stage"] in ("text", "layout"))
        status, deleted = await get_json(served.client, f"/documents/{job['document']}", "DELETE")
    assert status == 200 and deleted["undo_until"] > 0
    assert await served.app[ENGINE].store.get_page(job["document"], 1) is None
    assert (await get_json(served.client, f"/documents/{job['document']}/restore", "POST"))[0] == 200
    assert await served.app[ENGINE].store.get_page(job["document"], 1) is not None

"""`GET /health` and `GET /ready`: alive always, ready when questions can be answered, and what to do."""

import asyncio
import json
import shutil
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from database.documents import IndexRecord
from database.embedders.minilm import MiniLMEmbedder
from database.index import make_record
from database.stores.sqlite import SqliteStore
from tests.fakes.ollama import BGE_M3, FakeOllama
from tests.library import Library
from tests.server import Served, ask, serve

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("strict_loop")]

NO_MONGODB = "mongodb://127.0.0.1:9/?directConnection=true"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(library: Library) -> AsyncIterator[Served]:
    async with serve(library.data_dir, llm="auto") as served:
        yield served


async def read_ready(served: Served) -> tuple[int, dict[str, Any]]:
    """Status and body of `/ready`; its shape is checked."""
    async with served.client.get("/ready") as response:
        body = json.loads(await response.read())
        assert set(body) == {"ready", "store", "embedder", "models"}
        assert body["ready"] is (response.status == 200)
        for part in (body["store"], body["embedder"]):
            assert set(part) == {"name", "state", "detail"}
        assert [model["name"] for model in body["models"]] == ["ollama", "gemini", "extractive"]
        assert all(set(model) == {"name", "model", "state", "what_to_do"} for model in body["models"])
        return response.status, body


async def check_alive(served: Served) -> None:
    async with served.client.get("/health") as response:
        assert (response.status, await response.json()) == (200, {"status": "alive"})


async def write_record(data_dir: Path, record: IndexRecord) -> None:
    """An index without documents, made by `record`."""
    store = SqliteStore(data_dir / "index.sqlite")
    await store.open()
    await store.write_index(record)
    await store.aclose()


async def test_alive(served: Served) -> None:
    await check_alive(served)


async def test_ready_without_a_language_model(served: Served) -> None:
    status, body = await read_ready(served)
    assert status == 200
    assert body["store"] == {"name": "sqlite", "state": "ready", "detail": ""}
    assert body["embedder"] == {"name": "minilm", "state": "ready", "detail": ""}
    ollama, gemini, extractive = body["models"]
    assert (ollama["model"], ollama["state"]) == ("llama3.1:8b", "away") and "ollama serve" in ollama["what_to_do"]
    assert gemini["state"] == "off" and "GOOGLE_API_KEY" in gemini["what_to_do"]
    assert (extractive["state"], extractive["what_to_do"]) == ("ready", "")


async def test_says_which_model_to_pull(library: Library) -> None:
    async with FakeOllama(models=["other:1b"]) as fake:
        async with serve(library.data_dir, llm="auto", ollama_host=fake.url) as served:
            ollama = (await read_ready(served))[1]["models"][0]
        assert ollama["state"] == "missing" and "`ollama pull llama3.1:8b`" in ollama["what_to_do"]
    async with FakeOllama() as fake, serve(library.data_dir, llm="auto", ollama_host=fake.url) as served:
        ollama = (await read_ready(served))[1]["models"][0]
        assert (ollama["state"], ollama["what_to_do"]) == ("ready", "")


async def test_an_empty_index_says_how_to_load(tmp_path: Path) -> None:
    async with serve(tmp_path / "new", embedder="minilm") as served:
        status, body = await read_ready(served)
        assert (status, body["store"]["state"]) == (200, "empty")
        assert "make load" in body["store"]["detail"] and "PDF_DIR" in body["store"]["detail"]
        answer = await ask(served)
        assert answer.lines[0]["sources"] == [] and answer.lines[-1]["done"] is True
        async with served.client.get("/documents") as response:
            assert await response.json() == {"documents": []}


async def test_an_index_made_otherwise_says_how_to_rebuild(tmp_path: Path, library: Library) -> None:
    copy = await asyncio.to_thread(shutil.copytree, library.data_dir, tmp_path / "copy")
    await write_record(copy, replace(make_record(MiniLMEmbedder(tmp_path)), embedder="ollama:bge-m3", dimension=1024))
    async with serve(copy) as served:
        status, body = await read_ready(served)
        assert (status, body["store"]["state"]) == (503, "failed")
        assert "--reindex" in body["store"]["detail"] and "bge-m3" in body["store"]["detail"]
        answer = await ask(served)
        assert answer.status == 503 and "--reindex" in answer.error


async def test_a_store_that_is_away(tmp_path: Path) -> None:
    started = time.monotonic()
    async with serve(tmp_path, mongodb_uri=NO_MONGODB, mongodb_timeout_s=0.3) as served:
        await check_alive(served)
        status, body = await read_ready(served)
        assert (status, body["store"]["name"], body["store"]["state"]) == (503, "mongodb", "failed")
        assert "MONGODB_URI" in body["store"]["detail"] and body["embedder"]["state"] == "ready"
        answer = await ask(served)
        assert answer.status == 503 and "MONGODB_URI" in answer.error
        async with served.client.get("/documents") as response:
            assert response.status == 503 and "MONGODB_URI" in (await response.json())["error"]
    assert time.monotonic() - started < 30


async def test_an_embedder_that_is_away_and_comes_back(tmp_path: Path, unused_tcp_port: int) -> None:
    fake, host = FakeOllama([BGE_M3], unused_tcp_port), f"http://127.0.0.1:{unused_tcp_port}"
    async with serve(tmp_path, embedder="ollama:bge-m3", ollama_host=host) as served:
        status, body = await read_ready(served)
        assert (status, body["embedder"]["state"]) == (503, "failed")
        assert host in body["embedder"]["detail"] and body["store"]["state"] == "empty"
        await fake.start()
        try:
            async with asyncio.timeout(20):
                while (found := await read_ready(served))[0] != 200:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
            assert found[1]["embedder"] == {"name": "ollama:bge-m3", "state": "ready", "detail": ""}
        finally:
            await fake.stop()


@pytest.mark.parametrize(
    ("given", "ready"),
    [
        ({"llm": "ollama"}, False),
        ({"llm": "auto"}, True),
        ({"llm": "extractive"}, True),
        ({"llm": "gemini"}, False),
        ({"llm": "gemini", "google_api_key": "a-key"}, True),
    ],
)
async def test_ready_only_when_the_model_that_answers_can(library: Library, given: dict[str, str], ready: bool) -> None:
    async with serve(library.data_dir, **given) as served:
        status, _ = await read_ready(served)
        assert status == (200 if ready else 503)

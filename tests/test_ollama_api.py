"""`/api/…` with the `ollama` package as it is: any client of Ollama sees the documents as a model."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import ollama
import pytest
import pytest_asyncio

from app.keys import ENGINE
from tests.accounts import serve_people
from tests.fakes.ollama import ANSWER, FakeOllama
from tests.library import HARVEST, LIGHTHOUSE, QUESTION, Library
from tests.server import SOURCE_FIELDS, Served, send, serve

pytestmark = pytest.mark.asyncio(loop_scope="module")

ASKED: Any = [{"role": "user", "content": QUESTION}]
NOTES = f"\n\n---\n- [1] {LIGHTHOUSE}, p. 1\n- [2] {LIGHTHOUSE}, p. 2"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def relaying(library: Library) -> AsyncIterator[tuple[Served, FakeOllama]]:
    async with FakeOllama() as fake, serve(library.data_dir, llm="auto", ollama_host=fake.url) as served:
        yield served, fake


@pytest_asyncio.fixture(loop_scope="module")
async def model(relaying: tuple[Served, FakeOllama]) -> AsyncIterator[FakeOllama]:
    with relaying[1].as_new() as fake:
        yield fake


@pytest_asyncio.fixture(loop_scope="module")
async def client(relaying: tuple[Served, FakeOllama], model: FakeOllama) -> AsyncIterator[ollama.AsyncClient]:
    client = ollama.AsyncClient(str(relaying[0].url), timeout=60)
    yield client
    await client.close()  # type: ignore[no-untyped-call]


async def test_models_are_listed_and_shown(client: ollama.AsyncClient, relaying: tuple[Served, FakeOllama]) -> None:
    listed = (await client.list()).models
    assert [one.model for one in listed] == ["acervo", "acervo:llama3.1:8b", "acervo:extractive"]
    assert len({one.digest for one in listed}) == 3 and all(one.modified_at and one.details for one in listed)
    for name, family in (("acervo", "ollama"), ("acervo:latest", "ollama"), ("acervo:extractive", "extractive")):
        shown = await client.show(name)
        assert shown.capabilities == ["completion"] and shown.details and shown.details.family == family
        assert (shown.modelinfo or {})["acervo.context_length"] == 8192
    told = json.loads((await send(relaying[0], "GET", "/api/version")).body)
    assert set(told) == {"version"} and int(told["version"].split(".")[1]) >= 6


async def test_a_chat_streams_lines_like_the_servers_own(client: ollama.AsyncClient) -> None:
    first, *parts, last = [part async for part in await client.chat("acervo", ASKED, stream=True)]
    assert [part.message.content for part in parts] == ANSWER.replace(" ", "\0 ").split("\0")
    assert {part.model for part in (first, *parts, last)} == {"acervo:llama3.1:8b"}
    assert (last.done, last.done_reason, last.eval_count) == (True, "stop", len(parts)) and first.done is False
    assert last.total_duration and last.created_at


async def test_it_streams_unless_told_otherwise(relaying: tuple[Served, FakeOllama], model: FakeOllama) -> None:
    body = {"messages": ASKED}
    streamed = await send(relaying[0], "POST", "/api/chat", json.dumps(body).encode())
    assert streamed.headers["Content-Type"].startswith("application/x-ndjson") and len(streamed.lines) > 5
    assert set(streamed.lines[0]["sources"][0]) >= SOURCE_FIELDS and streamed.lines[-1]["citations"] == [1, 2]
    whole = await send(relaying[0], "POST", "/api/chat", json.dumps(body | {"stream": False}).encode())
    told = json.loads(whole.body)
    assert whole.headers["Content-Type"].startswith("application/json") and told["message"]["content"] == ANSWER
    assert (told["done"], told["citations"], told["sources"][0]["name"]) == (True, [1, 2], LIGHTHOUSE)


async def test_a_question_alone_is_answered_too(client: ollama.AsyncClient, model: FakeOllama) -> None:
    options = {"num_predict": 900, "seed": 5}
    told = await client.generate("acervo", QUESTION, system="Call it a beacon.", options=options)
    assert (told.response, told.done, told.done_reason) == (ANSWER, True, "stop")
    asked = next(body for path, body in model.requests if path == "/api/chat")
    assert (asked["options"]["num_predict"], asked["options"]["seed"]) == (900, 5)
    assert "Call it a beacon." in asked["messages"][0]["content"]
    parts = [part async for part in await client.generate("acervo:extractive", QUESTION, stream=True)]
    assert "1887" in "".join(part.response or "" for part in parts) and parts[-1].done


async def test_options_are_obeyed_and_others_ignored(client: ollama.AsyncClient, model: FakeOllama) -> None:
    ours = {"top_k": 1, "footnotes": True}
    options: Any = {"temperature": 0.5, "stop": ["X"], "top_k": 40, "num_ctx": 2048, "mirostat": 2, "acervo": ours}
    talk = [{"role": "system", "content": "Be kind."}, *ASKED]
    told = await client.chat("acervo", talk, options=options, keep_alive="5m", think=False, tools=[])
    assert told.message.content == ANSWER + NOTES.split("\n- [2]")[0]
    asked = next(body for path, body in model.requests if path == "/api/chat")["options"]
    assert (asked["temperature"], asked["stop"], asked["num_ctx"]) == (0.5, ["X"], 8192)


async def test_asking_nothing_loads_or_unloads(client: ollama.AsyncClient, model: FakeOllama) -> None:
    loaded, gone = await client.chat("acervo", []), await client.generate("acervo", keep_alive=0)
    assert [(told.done, told.done_reason) for told in (loaded, gone)] == [(True, "load"), (True, "unload")]
    assert model.prompts == []
    with pytest.raises(ollama.ResponseError, match="not found"):
        await client.generate("acervo:gone")


@pytest.mark.parametrize(
    ("fields", "status", "said"),
    [
        ({"model": "llama3.1:8b"}, 404, "'llama3.1:8b' not found"),
        ({"model": "acervo:gone"}, 404, "'acervo:gone' not found"),
        ({"messages": [{"role": "user", "content": "x", "images": ["aGk="]}]}, 400, "images"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, 400, "last message"),
        ({"format": "json"}, 400, "format"),
    ],
)
async def test_what_cannot_be_is_refused(client: ollama.AsyncClient, fields: Any, status: int, said: str) -> None:
    for stream in (False, True):
        with pytest.raises(ollama.ResponseError) as caught:
            answer: Any = await client.chat(**{"model": "acervo", "messages": ASKED, **fields}, stream=stream)
            [part async for part in answer]
        assert caught.value.status_code == status and said in caught.value.error


async def test_a_model_that_fails_is_told(client: ollama.AsyncClient, model: FakeOllama) -> None:
    model.switches.error_after = 2
    with pytest.raises(ollama.ResponseError, match="CUDA"):
        [part async for part in await client.chat("acervo", ASKED, stream=True)]
    with pytest.raises(ollama.ResponseError, match="CUDA") as caught:
        await client.chat("acervo", ASKED)
    assert caught.value.status_code == 502


@pytest.mark.parametrize("stream", [True, False])
async def test_stop_means_stop(client: ollama.AsyncClient, model: FakeOllama, stream: bool) -> None:
    model.switches.silence_after = 3

    async def read() -> None:
        answer: Any = await client.chat("acervo", ASKED, stream=stream)
        async for _ in answer:
            pass

    reading = asyncio.create_task(read())
    await model.wait_until(lambda fake: fake.open_streams == 1)
    await asyncio.sleep(0.2)
    reading.cancel()
    await model.wait_until(lambda fake: fake.open_streams == 0)
    assert model.cancelled_streams == 1 and (await asyncio.gather(reading, return_exceptions=True))[0]


async def test_vectors_are_those_of_the_documents(
    client: ollama.AsyncClient, relaying: tuple[Served, FakeOllama]
) -> None:
    embedder = relaying[0].app[ENGINE].embedder
    texts = ["um farol", "palavra " * 400]
    found = await client.embed("acervo", texts)
    assert np.allclose(np.asarray(found.embeddings), await embedder.embed(texts), atol=0.05) and found.prompt_eval_count
    one = await client.embeddings("acervo", texts[0])
    assert np.allclose(np.asarray(one.embedding), found.embeddings[0], atol=1e-6)
    assert list((await client.embed("acervo", "")).embeddings) == []
    with pytest.raises(ollama.ResponseError, match="tokens"):
        await client.embed("acervo", texts, truncate=False)


async def test_the_blocking_client_reads_it_too(relaying: tuple[Served, FakeOllama], model: FakeOllama) -> None:
    def ask() -> str:
        with ollama.Client(str(relaying[0].url), timeout=60) as client:
            return "".join(part.message.content or "" for part in client.chat("acervo", ASKED, stream=True))

    assert await asyncio.to_thread(ask) == ANSWER


async def test_keys_open_what_their_owner_sees(tmp_path: Path) -> None:
    async with serve_people(tmp_path / "data") as (served, people):
        rita = ollama.AsyncClient(str(served.url), headers=dict(people["rita ask"].headers), timeout=60)
        told = await rita.chat("acervo", ASKED)
        assert "1887" in (told.message.content or "")
        told = await rita.generate("acervo", "apples of Serra")
        assert HARVEST not in told.model_dump_json() and "95 tonnes" not in told.model_dump_json()
        await rita.close()  # type: ignore[no-untyped-call]
        stranger = ollama.AsyncClient(str(served.url), timeout=60)
        with pytest.raises(ollama.ResponseError, match="Log in first") as caught:
            await stranger.chat("acervo", ASKED)
        assert caught.value.status_code == 401
        await stranger.close()  # type: ignore[no-untyped-call]

"""`/v1/…` with the official `openai` package as it is: what it asks is obeyed, what it reads is whole."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy as np
import openai
import pytest
import pytest_asyncio

from app.access.limits import Limit
from app.compat.replies import V1Completion
from app.keys import ENGINE, GATE
from tests.accounts import serve_people
from tests.fakes.ollama import ANSWER, FakeOllama
from tests.library import HARVEST, LIGHTHOUSE, QUESTION, Library
from tests.server import SOURCE_FIELDS, Served, send, serve

pytestmark = pytest.mark.asyncio(loop_scope="module")

UNRELATED = "Quantos gols marcou Pelé na Copa do Mundo realizada no México?"
PICTURE = {"type": "image_url", "image_url": {"url": "data:,"}}
NOTES = f"\n\n---\n- [1] {LIGHTHOUSE}, p. 1\n- [2] {LIGHTHOUSE}, p. 2"


def say(text: Any = QUESTION, role: str = "user") -> Any:
    return {"role": role, "content": text}


def make_client(served: Served, key: str = "none") -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=str(served.url / "v1"), api_key=key, max_retries=0, timeout=60)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def relaying(library: Library) -> AsyncIterator[tuple[Served, FakeOllama]]:
    async with FakeOllama() as fake, serve(library.data_dir, llm="auto", ollama_host=fake.url) as served:
        yield served, fake


@pytest_asyncio.fixture(loop_scope="module")
async def model(relaying: tuple[Served, FakeOllama]) -> AsyncIterator[FakeOllama]:
    with relaying[1].as_new() as fake:
        yield fake


@pytest_asyncio.fixture(loop_scope="module")
async def client(relaying: tuple[Served, FakeOllama], model: FakeOllama) -> AsyncIterator[openai.AsyncOpenAI]:
    async with make_client(relaying[0]) as client:
        yield client


async def test_models_are_ours_and_those_behind_us(client: openai.AsyncOpenAI) -> None:
    listed = [one.id async for one in client.models.list()]
    assert listed == ["acervo", "acervo:llama3.1:8b", "acervo:extractive"]
    assert (await client.models.retrieve("acervo:llama3.1:8b")).owned_by == "acervo"
    with pytest.raises(openai.NotFoundError):
        await client.models.retrieve("acervo:gone")


async def test_a_whole_answer_has_text_usage_and_places(client: openai.AsyncOpenAI, model: FakeOllama) -> None:
    done = await client.chat.completions.create(model="acervo", messages=[say()])
    (choice,) = done.choices
    assert (choice.message.content, choice.message.role, choice.finish_reason) == (ANSWER, "assistant", "stop")
    assert (done.object, done.model) == ("chat.completion", "acervo:llama3.1:8b")
    assert done.usage and done.usage.completion_tokens == len(ANSWER.split(" "))
    assert done.usage.total_tokens == done.usage.prompt_tokens + done.usage.completion_tokens > 100
    extra = done.model_extra or {}
    assert set(extra["sources"][0]) >= SOURCE_FIELDS and extra["sources"][0]["name"] == LIGHTHOUSE
    assert extra["citations"] == [1, 2] and extra["acervo"]["query"] == QUESTION
    assert extra["acervo"]["services"][0]["local"] is True and model.finished_streams == 1


async def test_it_is_as_described(relaying: tuple[Served, FakeOllama], model: FakeOllama) -> None:
    body = json.dumps({"messages": [say()]}).encode()
    answer = await send(relaying[0], "POST", "/v1/chat/completions", body)
    assert V1Completion.model_validate_json(answer.body).citations == [1, 2]


async def test_a_stream_is_the_same_in_pieces(client: openai.AsyncOpenAI) -> None:
    options: Any = {"include_usage": True}
    stream = await client.chat.completions.create(
        model="acervo:llama3.1:8b", messages=[say()], stream=True, stream_options=options
    )
    first, *chunks, last, counted = [chunk async for chunk in stream]
    assert len({chunk.id for chunk in (first, *chunks, last, counted)}) == 1
    assert first.choices[0].delta.role == "assistant" and (first.model_extra or {})["sources"][0]["name"] == LIGHTHOUSE
    assert [chunk.choices[0].delta.content for chunk in chunks] == ANSWER.replace(" ", "\0 ").split("\0")
    assert last.choices[0].finish_reason == "stop" and (last.model_extra or {})["citations"] == [1, 2]
    assert counted.choices == [] and counted.usage and counted.usage.completion_tokens == len(chunks)


async def test_what_is_asked_is_obeyed(client: openai.AsyncOpenAI, model: FakeOllama) -> None:
    talk = [
        say("Call it a beacon.", "system"),
        say("O que há na ilha?"),
        say("Um farol.", "assistant"),
        say([{"type": "text", "text": QUESTION}]),
        say("Be brief.", "developer"),
    ]
    wishes: Any = {"filters": {"documents": []}, "top_k": 1, "rewrite": False}
    done = await client.chat.completions.create(
        model="acervo",
        messages=talk,
        temperature=0.25,
        top_p=0.5,
        max_tokens=7,
        max_completion_tokens=9,
        stop=["STOP"],
        seed=11,
        tools=[{"type": "function", "function": {"name": "f"}}],
        extra_body={"acervo": wishes, "unheard_of": 1},
    )
    assert len((done.model_extra or {})["sources"]) == 1
    asked = next(body for path, body in model.requests if path == "/api/chat")
    wanted = {"temperature": 0.25, "top_p": 0.5, "num_predict": 9, "stop": ["STOP"], "seed": 11}
    assert {name: asked["options"][name] for name in wanted} == wanted
    system, before, answered, question = [message["content"] for message in asked["messages"]]
    assert "Call it a beacon.\n\nBe brief." in system and system.index("source") < system.index("beacon")
    assert (before, answered) == ("O que há na ilha?", "Um farol.") and QUESTION in question


async def test_places_are_named_in_the_text_on_request(client: openai.AsyncOpenAI, library: Library) -> None:
    wish = {"acervo": {"footnotes": True}}
    done = await client.chat.completions.create(model="acervo", messages=[say()], extra_body=wish)
    assert done.choices[0].message.content == ANSWER + NOTES
    stream = await client.chat.completions.create(model="acervo", messages=[say()], stream=True, extra_body=wish)
    assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream]) == ANSWER + NOTES
    async with serve(library.data_dir, footnotes=True) as served, make_client(served) as telling:
        done = await telling.chat.completions.create(model="acervo", messages=[say(UNRELATED)])
        text = done.choices[0].message.content or ""
        assert text.startswith("Não encontrei nada relevante") and f", p. {2}" in text and "[1] " in text
        done = await telling.chat.completions.create(
            model="acervo", messages=[say()], extra_body={"acervo": {"footnotes": False}}
        )
        assert "---" not in (done.choices[0].message.content or "")


async def test_nothing_relevant_is_an_ordinary_answer(client: openai.AsyncOpenAI, model: FakeOllama) -> None:
    done = await client.chat.completions.create(model="acervo", messages=[say(UNRELATED)])
    assert (done.choices[0].message.content or "").startswith("Não encontrei nada relevante")
    assert (done.choices[0].finish_reason, done.model) == ("stop", "acervo:extractive")
    assert (done.model_extra or {})["acervo"]["relevant"] is False and model.finished_streams == 0


@pytest.mark.parametrize(
    ("fields", "error", "code", "said"),
    [
        ({"model": "gpt-4o"}, openai.NotFoundError, "model_not_found", "'gpt-4o'"),
        ({"model": "acervo:gone"}, openai.NotFoundError, "model_not_found", "'acervo:gone'"),
        ({"messages": [say([PICTURE])]}, openai.BadRequestError, None, "image"),
        ({"messages": [say(), say("…", "assistant")]}, openai.BadRequestError, None, "last message"),
        ({"messages": [say(" ")]}, openai.BadRequestError, None, "empty"),
        ({"n": 2}, openai.BadRequestError, None, "n: "),
        ({"temperature": 3}, openai.BadRequestError, None, "temperature"),
        ({"response_format": {"type": "json_object"}}, openai.BadRequestError, None, "response_format"),
        ({"tool_choice": "required"}, openai.BadRequestError, None, "tool_choice"),
        ({"messages": [say("x" * 9000)]}, openai.BadRequestError, None, "MAX_PROMPT_CHARS"),
    ],
)
async def test_what_cannot_be_is_refused_in_their_shape(
    client: openai.AsyncOpenAI, fields: Any, error: type[openai.APIStatusError], code: str | None, said: str
) -> None:
    asked: Any = {"model": "acervo", "messages": [say()], **fields}
    for stream in (False, True):
        with pytest.raises(error) as caught:
            await client.chat.completions.create(**asked, stream=stream)
        body: Any = caught.value.body
        assert (caught.value.code, caught.value.type, body["param"]) == (code, "invalid_request_error", None)
        assert said in body["message"]


async def test_a_model_that_fails_is_told(client: openai.AsyncOpenAI, model: FakeOllama) -> None:
    model.switches.error_after = 3
    with pytest.raises(openai.InternalServerError, match="CUDA") as caught:
        await client.chat.completions.create(model="acervo", messages=[say()])
    assert (caught.value.status_code, caught.value.code) == (502, "model_failed")
    texts = []
    with pytest.raises(openai.APIError, match="CUDA"):
        async for chunk in await client.chat.completions.create(model="acervo", messages=[say()], stream=True):
            texts.append(chunk.choices[0].delta.content)
    assert "".join(filter(None, texts)) == " ".join(ANSWER.split(" ")[:3])


@pytest.mark.parametrize("stream", [True, False])
async def test_stop_means_stop(client: openai.AsyncOpenAI, model: FakeOllama, stream: bool) -> None:
    model.switches.silence_after = 3

    async def read() -> None:
        answer: Any = await client.chat.completions.create(model="acervo", messages=[say()], stream=stream)
        async for _ in answer:
            pass

    reading = asyncio.create_task(read())
    await model.wait_until(lambda fake: fake.open_streams == 1)
    await asyncio.sleep(0.2)
    reading.cancel()
    await model.wait_until(lambda fake: fake.open_streams == 0)
    assert model.cancelled_streams == 1 and (await asyncio.gather(reading, return_exceptions=True))[0]


async def test_the_blocking_client_reads_it_too(relaying: tuple[Served, FakeOllama], model: FakeOllama) -> None:
    def ask() -> str:
        base = str(relaying[0].url / "v1")
        with openai.OpenAI(base_url=base, api_key="none", max_retries=0, timeout=60) as client:
            stream = client.chat.completions.create(model="acervo", messages=[say()], stream=True)
            return "".join(chunk.choices[0].delta.content or "" for chunk in stream)

    assert await asyncio.to_thread(ask) == ANSWER


async def test_vectors_are_those_of_the_documents(
    client: openai.AsyncOpenAI, relaying: tuple[Served, FakeOllama]
) -> None:
    texts = [f"Texto número {n}." for n in range(70)]
    found = await client.embeddings.create(model="acervo", input=texts)
    expected = await relaying[0].app[ENGINE].embedder.embed(texts)
    assert [one.index for one in found.data] == [*range(70)] and found.usage.total_tokens > 70
    assert np.allclose([one.embedding for one in found.data], expected, atol=1e-6)
    one = await client.embeddings.create(model="acervo:minilm", input=texts[0], encoding_format="float")
    assert np.allclose(one.data[0].embedding, expected[0], atol=1e-6)
    refused: list[tuple[Any, str]] = [
        ({"input": ["palavra " * 300]}, "tokens"),
        ({"input": []}, "input"),
        ({"input": [[1, 2]]}, "check_embedding_ctx_length"),
        ({"input": ["x"] * 2049}, "input"),
        ({"input": "x", "dimensions": 5}, "dimensions"),
    ]
    for fields, said in refused:
        with pytest.raises(openai.BadRequestError, match=said):
            await client.embeddings.create(**{"model": "acervo", **fields})
    with pytest.raises(openai.NotFoundError):
        await client.embeddings.create(model="text-embedding-3-small", input="x")


async def test_as_many_answers_as_there_may_be(library: Library) -> None:
    async with (
        FakeOllama(silence_after=1) as fake,
        serve(library.data_dir, llm="ollama", ollama_host=fake.url, max_answers=1) as served,
        make_client(served) as client,
    ):
        stream = await client.chat.completions.create(model="acervo", messages=[say()], stream=True)
        await anext(stream)
        busy: list[Callable[[], Any]] = [
            lambda: client.chat.completions.create(model="acervo", messages=[say()]),
            lambda: client.embeddings.create(model="acervo", input="x"),
        ]
        for ask in busy:
            with pytest.raises(openai.InternalServerError, match="MAX_ANSWERS") as caught:
                await ask()
            assert caught.value.status_code == 503 and caught.value.response.headers["Retry-After"] == "2"
        await stream.close()


async def test_keys_open_what_their_owner_sees(tmp_path: Path) -> None:
    async with serve_people(tmp_path / "data", audit_questions=True) as (served, people):
        keys = {name: people[name].headers["Authorization"].split(" ")[1] for name in ("rita ask", "rita read")}
        async with make_client(served, keys["rita ask"]) as rita:
            wish = {"acervo": {"filters": {"collections": ["", "board"]}}}
            done = await rita.chat.completions.create(model="acervo", messages=[say()], extra_body=wish)
            assert {source["name"] for source in (done.model_extra or {})["sources"]} == {LIGHTHOUSE}
            done = await rita.chat.completions.create(model="acervo", messages=[say("apples of Serra")])
            assert HARVEST not in done.model_dump_json()
        async with make_client(served, keys["rita read"]) as client:
            with pytest.raises(openai.PermissionDeniedError) as forbidden:
                await client.models.list()
        assert forbidden.value.code == "insufficient_permissions"
        async with make_client(served, "sk-wrong") as client:
            with pytest.raises(openai.AuthenticationError) as stranger:
                await client.chat.completions.create(model="acervo", messages=[say()])
        assert stranger.value.code == "invalid_api_key"


async def test_questions_count_wherever_they_are_put(tmp_path: Path) -> None:
    async with serve_people(tmp_path / "data") as (served, people):
        served.app[GATE].questions = Limit(2, "questions")
        async with make_client(served, people["rita ask"].headers["Authorization"].split(" ")[1]) as client:
            await client.embeddings.create(model="acervo", input="x")
            await client.chat.completions.create(model="acervo", messages=[say()])
            with pytest.raises(openai.RateLimitError) as caught:
                await client.chat.completions.create(model="acervo", messages=[say()])
        assert (caught.value.code, caught.value.type) == ("rate_limit_exceeded", "requests")
        assert caught.value.response.headers["Retry-After"] == "30"


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/embeddings", "/api/chat", "/api/generate", "/api/embed"])
async def test_pages_of_others_get_no_more_than_before(
    relaying: tuple[Served, FakeOllama], model: FakeOllama, path: str
) -> None:
    body = json.dumps({"model": "acervo", "messages": [say()], "prompt": QUESTION, "input": "x"}).encode()
    for origin in ("http://localhost:4200", "http://elsewhere.example", "null"):
        answer = await send(relaying[0], "POST", path, body, Origin=origin, Content_Type="text/plain")
        assert answer.status == 403 and "Access-Control-Allow-Origin" not in answer.headers
        told = json.loads(answer.body)["error"]
        assert origin in (told["message"] if path.startswith("/v1/") else told)
    listed = await send(relaying[0], "GET", "/v1/models", Origin="http://localhost:4200")
    assert "Access-Control-Allow-Origin" not in listed.headers and model.prompts == []

"""`GET /models`, and questions that name one of them. Real loopback servers on the other side."""

import json
from collections.abc import Sequence
from typing import Any

import grpc
import pytest

from tests.fakes.gemini import FakeGemini
from tests.fakes.ollama import BGE_M3, NOMIC, FakeModel, FakeOllama
from tests.library import QUESTION, Library
from tests.server import NOBODY, Served, ask, check_shape, serve

pytestmark = pytest.mark.usefixtures("strict_loop")

MODELS: Sequence[FakeModel] = (
    FakeModel("llama3.1:8b"),
    FakeModel("mistral:latest", 4096, family="mistral"),
    FakeModel("gpt-oss:120b-cloud"),
    FakeModel("mxbai-embed-large:latest", 512, 1024, (), "bert"),  # as old versions list it: no capabilities
    BGE_M3,
    NOMIC,
)


async def read_models(served: Served) -> dict[str, dict[str, Any]]:
    """The models by name; the shape is checked."""
    async with served.client.get("/models") as response:
        assert response.status == 200
        body = json.loads(await response.read())
    fields = {"name", "provider", "host", "local", "state", "default", "what_to_do"}
    assert set(body) == {"models"} and all(set(model) == fields for model in body["models"])
    assert all(bool(m["what_to_do"]) == (m["state"] not in ("ready", "untested")) for m in body["models"])
    return {model["name"]: model for model in body["models"]}


async def test_lists_what_can_answer_and_where_it_runs(library: Library) -> None:
    async with FakeOllama(MODELS) as fake, serve(library.data_dir, llm="auto", ollama_host=fake.url) as served:
        models = await read_models(served)
        asked = len(fake.requests)
        assert await read_models(served) == models and len(fake.requests) == asked
    assert list(models) == ["llama3.1:8b", "gpt-oss:120b-cloud", "mistral:latest", "extractive"]
    assert [m["local"] for m in models.values()] == [True, False, True, True]
    assert models["gpt-oss:120b-cloud"]["host"] == "ollama.com"
    assert [name for name, model in models.items() if model["default"]] == ["llama3.1:8b"]
    assert {m["state"] for m in models.values()} == {"ready"}


async def test_the_configured_model_is_listed_with_its_tag_left_out(library: Library) -> None:
    given = {"llm": "auto", "ollama_model": "mistral"}
    async with FakeOllama(MODELS[:2]) as fake, serve(library.data_dir, ollama_host=fake.url, **given) as served:
        models = await read_models(served)
        assert list(models) == ["mistral", "llama3.1:8b", "extractive"] and models["mistral"]["default"]
        for name in ("mistral", "mistral:latest"):
            assert check_shape(await ask(served, model=name))["num_ctx"] == 4096


@pytest.mark.parametrize(
    ("installed", "given", "state", "told"),
    [
        (["other:1b"], {}, "missing", "`ollama pull llama3.1:8b`"),
        ([BGE_M3], {"ollama_model": "bge-m3"}, "failed", "no chat model"),
        (None, {}, "away", "`ollama serve`"),
    ],
)
async def test_a_configured_model_that_cannot_answer_is_listed_with_what_to_do(
    library: Library, installed: Sequence[str | FakeModel] | None, given: dict[str, Any], state: str, told: str
) -> None:
    async with FakeOllama(installed or ()) as fake:
        host = NOBODY if installed is None else fake.url
        async with serve(library.data_dir, llm="auto", ollama_host=host, **given) as served:
            models = await read_models(served)
    configured = next(iter(models.values()))
    assert configured["state"] == state and told in configured["what_to_do"]
    assert [name for name, model in models.items() if model["default"]] == ["extractive"]


async def test_an_ollama_elsewhere_is_remote(library: Library) -> None:
    given = {"llm": "ollama", "ollama_host": "http://192.0.2.7:11434", "connect_timeout_s": 0.1}
    async with serve(library.data_dir, **given) as served:
        model = (await read_models(served))["llama3.1:8b"]
    assert (model["host"], model["local"], model["state"], model["default"]) == ("192.0.2.7", False, "away", True)


async def test_gemini_is_listed_with_a_key_and_asked_only_by_name(library: Library) -> None:
    async with serve(library.data_dir) as served:
        assert "gemini-2.5-flash" not in await read_models(served)
        refused = await ask(served, model="gemini-2.5-flash")
        assert refused.status == 503 and "GOOGLE_API_KEY" in refused.error
    async with (
        FakeGemini() as fake,
        grpc.aio.insecure_channel(fake.address) as channel,
        serve(library.data_dir, gemini_channel=channel, google_api_key="a-key") as served,
    ):
        gemini = (await read_models(served))["gemini-2.5-flash"]
        assert (gemini["provider"], gemini["local"], gemini["state"]) == ("gemini", False, "untested")
        await ask(served)
        assert fake.requests == []
        last = check_shape(await ask(served, model="gemini-2.5-flash"))
        assert last["services"][-1]["local"] is False and len(fake.requests) == 1


async def test_a_question_names_its_model(library: Library) -> None:
    async with FakeOllama(MODELS) as fake, serve(library.data_dir, llm="auto", ollama_host=fake.url) as served:
        answer = await ask(served, model="mistral:latest")
        assert check_shape(answer)["num_ctx"] == 4096 and answer.lines[0]["model"] == "mistral:latest"
        path, body = fake.requests[-1]
        assert (path, body["model"], body["options"]["num_ctx"]) == ("/api/chat", "mistral:latest", 4096)
        assert check_shape(await ask(served))["num_ctx"] == 8192
        assert (await ask(served, model="extractive")).lines[0]["model"] == "extractive"
        fake.models["new:1b"] = FakeModel("new:1b")
        for name in ("bge-m3:latest", "new:1b", "x" * 200):
            refused = await ask(served, model=name)
            assert refused.status == 400 and "llama3.1:8b or mistral:latest" in refused.error


async def test_a_named_model_that_cannot_be_reached_is_a_status(library: Library) -> None:
    async with serve(library.data_dir, llm="auto") as served:
        refused = await ask(served, QUESTION, model="mistral:latest")
        assert refused.status == 503 and "`ollama serve`" in refused.error
        assert (await ask(served, model="x" * 201)).status == 400

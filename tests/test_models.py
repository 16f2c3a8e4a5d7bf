"""Which model answers, and what /ready tells of each. Real loopback servers on the other side."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import pytest
from pydantic import SecretStr

from app.errors import BadRequest, ModelUnavailable
from app.events import Service, Token, Usage
from app.llms import ChatRequest
from app.llms.factory import Models
from app.llms.installed import Probe
from app.settings import ServerSettings
from tests.fakes.ollama import FakeOllama
from tests.llm_contract import read_answer


class Quoter:
    """A model without an upstream, in the place of the extractive one."""

    model = "extractive"
    generative = False
    service = Service("extractive", "", local=True)
    num_ctx = 8192
    closed = hanging = False
    error: ModelUnavailable | None = None
    checks = 0

    async def check(self) -> None:
        self.checks += 1
        await asyncio.sleep(3600 if self.hanging else 0.02)
        if self.error:
            raise self.error

    def count_tokens(self, text: str) -> int:
        return len(text)

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Token | Usage]:
        yield Token(request.hits[0].chunk.text)
        yield Usage()

    async def aclose(self) -> None:
        self.closed = True


@pytest.fixture
async def fake() -> AsyncIterator[FakeOllama]:
    async with FakeOllama() as fake:
        yield fake


def make_models(url: str, keep_s: float = 60, key: str = "", **settings: Any) -> Models:
    loaded = ServerSettings.load(ollama_host=url, google_api_key=SecretStr(key), **settings)
    return Models(loaded, Quoter(), keep_s=keep_s)


async def test_auto_is_ollama_when_it_has_the_model(fake: FakeOllama) -> None:
    models = make_models(fake.url)
    llm = await models.choose("default")
    assert llm.service.name == "ollama" and models.reason == ""
    assert (await read_answer(llm))[0]
    await models.aclose()


async def test_auto_is_extracts_when_ollama_lacks_the_model(fake: FakeOllama) -> None:
    models = make_models(fake.url, ollama_model="qwen3:4b")
    assert (await models.choose("default")).service.name == "extractive"
    assert "`ollama pull qwen3:4b`" in models.reason
    await models.aclose()


async def test_auto_is_extracts_when_ollama_is_away(unused_tcp_port: int) -> None:
    models = make_models(f"http://127.0.0.1:{unused_tcp_port}")
    assert (await models.choose("default")).service.name == "extractive"
    assert "`ollama serve`" in models.reason
    await models.aclose()


async def test_auto_never_is_gemini_even_with_a_key(unused_tcp_port: int) -> None:
    models = make_models(f"http://127.0.0.1:{unused_tcp_port}", key="a-key")
    assert (await models.choose("default")).service.name == "extractive"
    assert (await models.choose("gemini")).service.name == "gemini"
    await models.aclose()


async def test_ollama_set_is_ollama_whatever_happens(unused_tcp_port: int) -> None:
    models = make_models(f"http://127.0.0.1:{unused_tcp_port}", llm="ollama")
    llm = await models.choose("default")
    assert llm.service.name == "ollama" and models.reason == ""
    with pytest.raises(ModelUnavailable, match="`ollama serve`"):
        await read_answer(llm)
    await models.aclose()


async def test_extractive_set_asks_nobody(fake: FakeOllama) -> None:
    models = make_models(fake.url, llm="extractive")
    assert (await models.choose("default")).service.name == "extractive"
    assert models.reason == "" and fake.requests == []
    await models.aclose()


async def test_gemini_needs_a_key_on_its_route_and_as_setting(fake: FakeOllama) -> None:
    models = make_models(fake.url)
    with pytest.raises(ModelUnavailable, match="GOOGLE_API_KEY"):
        await models.choose("gemini")
    await models.aclose()
    models = make_models(fake.url, llm="gemini")
    with pytest.raises(ModelUnavailable, match="GOOGLE_API_KEY"):
        await models.choose("default")
    await models.aclose()


async def test_many_questions_at_once_check_once(fake: FakeOllama) -> None:
    models = make_models(fake.url)
    await asyncio.gather(*(models.choose("default") for _ in range(50)))
    await models.choose("default")
    assert [path for path, _ in fake.requests] == ["/api/show"]
    await models.aclose()


async def test_a_model_that_was_pulled_meanwhile_is_found(fake: FakeOllama) -> None:
    [(name, model)] = fake.models.items()
    fake.models.clear()
    models = make_models(fake.url, keep_s=0)
    assert (await models.choose("default")).service.name == "extractive"
    fake.models[name] = model
    deadline = time.monotonic() + 20
    while (await models.choose("default")).service.name != "ollama":
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    assert models.reason == ""
    await models.aclose()


async def test_one_who_leaves_while_a_check_runs_does_not_end_it_for_the_others() -> None:
    quoter = Quoter()
    probe = Probe(quoter)
    first, second = asyncio.create_task(probe.ask()), asyncio.create_task(probe.ask())
    await asyncio.sleep(0)
    first.cancel()
    assert await second is None
    assert first.cancelled() and quoter.checks <= 2


async def test_nobody_waits_for_better_news_of_a_service_that_was_away() -> None:
    quoter = Quoter()
    quoter.error = ModelUnavailable("away")
    probe = Probe(quoter, keep_s=0)
    assert await probe.ask() is quoter.error
    quoter.hanging = True
    async with asyncio.timeout(20):
        while quoter.checks == 1:  # the first answer counts for a while
            assert await probe.ask() is quoter.error
            await asyncio.sleep(0.02)
        assert await probe.ask() is quoter.error
    assert quoter.checks == 2
    await probe.aclose()


async def test_a_question_may_name_its_model(fake: FakeOllama) -> None:
    models = make_models(fake.url, key="a-key")
    assert (await models.choose("default", "llama3.1:8b")).service.name == "ollama"
    assert isinstance(await models.choose("default", Quoter.model), Quoter)
    for route in ("default", "gemini"):
        assert (await models.choose(route, "gemini-2.5-flash")).service.name == "gemini"  # type: ignore[arg-type]
    for route, name in (("gemini", "llama3.1:8b"), ("default", "gpt")):
        with pytest.raises(BadRequest, match=name):
            await models.choose(route, name)  # type: ignore[arg-type]
    await models.aclose()


async def test_states_tell_what_to_do(fake: FakeOllama, unused_tcp_port: int) -> None:
    wanted = {
        ("auto", fake.url, "llama3.1:8b", ""): ["ready", "off", "ready"],
        ("auto", fake.url, "qwen3:4b", "a-key"): ["missing", "untested", "ready"],
        ("ollama", f"http://127.0.0.1:{unused_tcp_port}", "llama3.1:8b", ""): ["away", "off", "ready"],
        ("extractive", fake.url, "llama3.1:8b", ""): ["off", "off", "ready"],
        ("gemini", fake.url, "llama3.1:8b", ""): ["off", "missing", "ready"],
    }
    for (llm, url, model, key), expected in wanted.items():
        models = make_models(url, llm=llm, ollama_model=model, key=key)
        states = await models.states()
        assert [state.name for state in states] == ["ollama", "gemini", "extractive"]
        assert [state.state for state in states] == expected
        assert all(bool(state.what_to_do) == (state.state not in ("ready", "untested")) for state in states)
        await models.aclose()


async def test_closing_closes_all() -> None:
    quoter = Quoter()
    await Models(ServerSettings.load(), quoter).aclose()
    assert quoter.closed

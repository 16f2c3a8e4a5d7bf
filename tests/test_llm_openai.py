"""The model behind an OpenAI-compatible server: contract, dialects, refusals, limits, and keys that stay secret."""

import asyncio
import contextlib
import itertools
import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from email.utils import formatdate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from app.errors import ModelError, ModelMissing, ModelRefused, ModelTimeout, ModelUnavailable
from app.events import Token
from app.llms import Sampling
from app.llms.models_file import Entry, ModelsFile
from app.llms.openai import OpenAILLM
from app.llms.sse import EventSplitter
from app.settings import ServerSettings
from tests.fakes.openai import ANSWER, FakeOpenAI
from tests.llm_contract import LLMContract, make_request, read_answer, read_until_error

KEY = "sk-very-secret-0123456789"


@pytest.fixture
async def fake() -> AsyncIterator[FakeOpenAI]:
    async with FakeOpenAI() as fake:
        yield fake


@pytest.fixture
async def llm(fake: FakeOpenAI) -> AsyncIterator[OpenAILLM]:
    async with opened(fake.url) as llm:
        yield llm


@contextlib.asynccontextmanager
async def opened(url: str, key: str = "", fields: Any = None, **settings: Any) -> AsyncIterator[OpenAILLM]:
    told = {"key_env": "THE_KEY"} if key else {}
    entry = Entry.model_validate(
        {"name": "qwen", "provider": "openai", "model": "Qwen/Qwen3-8B", "base_url": url, **told, **(fields or {})}
    )
    file = ModelsFile("models.toml", (entry,), {"THE_KEY": SecretStr(key)} if key else {})
    llm = OpenAILLM(entry, ServerSettings.load(models_file=file, **settings))
    try:
        yield llm
    finally:
        await llm.aclose()


class TestContract(LLMContract):
    @pytest.fixture
    async def llm(self, fake: FakeOpenAI) -> AsyncIterator[OpenAILLM]:
        self.fake = fake
        fake.switches.token_delay_s = 0.02
        async with opened(fake.url) as llm:
            yield llm

    async def wait_idle(self) -> None:
        await self.fake.wait_until(lambda fake: fake.open_streams == 0, timeout_s=1)
        assert (self.fake.cancelled_streams, self.fake.finished_streams) == (1, 0)


async def test_sends_what_is_asked_and_nothing_that_was_left_out(fake: FakeOpenAI) -> None:
    fields = {"sampling": {"temperature": 0.7, "seed": 3}, "extra": {"top_k": 20}}
    fake.switches.knows |= {"top_k"}
    async with opened(fake.url, KEY, fields) as llm:
        await read_answer(llm)
        await read_answer(llm, replace(make_request(), sampling=Sampling(0.1, 0.9, 500, ("END",))))
        await read_answer(llm, replace(make_request(), sampling=Sampling(1), brief=True))
    plain, sampled, brief = fake.requests
    always = {"model": "Qwen/Qwen3-8B", "messages": make_request().messages, "stream": True, "top_k": 20}
    always["stream_options"] = {"include_usage": True}
    assert plain == {**always, "temperature": 0.7, "seed": 3}
    assert sampled == {**always, "temperature": 0.1, "top_p": 0.9, "max_tokens": 500, "stop": ["END"], "seed": 3}
    assert brief == {**always, "temperature": 0, "max_tokens": 96}
    assert set(fake.keys) == {f"Bearer {KEY}"}


async def test_tells_the_counts_and_learns_from_them(fake: FakeOpenAI, llm: OpenAILLM) -> None:
    long = replace(make_request(), messages=[{"role": "user", "content": "palavra comprida " * 300}])
    estimated = llm.count_tokens("palavra " * 100)
    for _ in range(3):
        _, usage = await read_answer(llm, long)
    assert usage.prompt_eval_count == 1700 and usage.eval_count == len(ANSWER.split())
    assert usage.total_duration >= usage.eval_duration > 0
    assert llm.count_tokens("palavra " * 100) != estimated


@pytest.mark.parametrize(
    ("dialect", "counted"),
    [
        ({"usage": False}, False),
        ({"usage_in_last_choice": True}, True),
        ({"done_line": False}, True),
        ({"finish_reason": None}, True),
        ({"line_end": "\r\n"}, True),
        ({"reasoning": "hmm let me think", "reasoning_field": "reasoning_content"}, True),
        ({"reasoning": "hmm let me think", "reasoning_field": "reasoning"}, True),
        ({"knows": frozenset()}, False),
    ],
    ids=str,
)
async def test_understands_the_dialects(
    fake: FakeOpenAI, llm: OpenAILLM, dialect: dict[str, Any], counted: bool
) -> None:
    vars(fake.switches).update(dialect)
    text, usage = await read_answer(llm)
    assert (text, usage.done_reason) == (ANSWER, "stop")
    assert (usage.prompt_eval_count > 0, usage.eval_count > 0) == (counted, counted)


async def test_what_a_server_does_not_know_is_left_out_from_then_on(fake: FakeOpenAI, llm: OpenAILLM) -> None:
    fake.switches.knows = frozenset({"max_completion_tokens"})
    request = replace(make_request(), sampling=Sampling(temperature=0, max_tokens=3))
    assert (await read_answer(llm, request))[1].done_reason == "length"
    asked = len(fake.requests)
    await read_answer(llm, request)
    assert len(fake.requests) == asked + 1
    assert set(fake.requests[-1]) == {"model", "messages", "stream", "max_completion_tokens"}


async def test_a_wrong_value_is_no_unknown_field(fake: FakeOpenAI, llm: OpenAILLM) -> None:
    fake.switches.status = 400
    fake.switches.error = {"message": "Invalid 'temperature': 9", "param": "temperature", "code": "above_max_value"}
    for _ in range(2):
        with pytest.raises(ModelRefused, match="Invalid 'temperature'"):
            await read_answer(llm, replace(make_request(), sampling=Sampling(temperature=9)))
    assert [request["temperature"] for request in fake.requests] == [9, 9]


@pytest.mark.parametrize(
    ("switches", "kind", "said"),
    [
        ({"status": 401, "error": {"message": f"Incorrect: {KEY}"}}, ModelUnavailable, "the key in THE_KEY"),
        ({"status": 403, "error": "forbidden"}, ModelUnavailable, "THE_KEY"),
        ({"status": 404, "error": {"message": "no such model"}}, ModelMissing, "no model Qwen/Qwen3-8B"),
        ({"status": 429, "headers": {"Retry-After": "7"}}, ModelUnavailable, "Ask again in 7 s"),
        ({"status": 429, "headers": {"Retry-After": "soon"}}, ModelUnavailable, "in a moment"),
        ({"status": 503, "error": f"loading {KEY}"}, ModelUnavailable, "is busy: loading …"),
        ({"status": 500}, ModelError, "status 500: it failed"),
        ({"status": 502, "error": "<html>Bad gateway</html>"}, ModelError, "status 502"),
        ({"status": 400, "error": {"message": "no", "code": "context_length_exceeded"}}, ModelRefused, "window"),
        ({"window": 10}, ModelRefused, "does not fit the window"),
        ({"status": 307, "headers": {"Location": "http://127.0.0.1:9/"}}, ModelError, "final address"),
        ({"finish_reason": "content_filter"}, ModelRefused, "will not answer"),
        ({"garbage_after": 0}, ModelError, "no OpenAI-compatible chat"),
        ({"garbage_after": 0, "garbage": b"data: " + b"[" * 100_000}, ModelError, "no OpenAI-compatible chat"),
        ({"status": 400, "error": "[" * 100_000}, ModelRefused, "status 400: [["),
        ({"error_after": 2}, ModelError, "CUDA out of memory"),
        ({"garbage_after": 2}, ModelError, "no OpenAI-compatible chat"),
        ({"cut_after": 2}, ModelError, "broke off"),
        ({"end_after": 2}, ModelError, "ended before the answer"),
        ({"silence_after": 2}, ModelTimeout, "sent nothing for 0.4 s"),
        ({"first_token_silence_s": 60}, ModelTimeout, "sent nothing for 0.4 s"),
        ({"comments_for_s": 60}, ModelTimeout, "sent nothing for 0.4 s"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_faults_are_told_and_the_key_is_not(
    fake: FakeOpenAI, switches: dict[str, Any], kind: type[ModelError], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    vars(fake.switches).update(switches)
    async with opened(fake.url, KEY, first_token_timeout_s=0.4) as llm:
        text, error = await read_until_error(llm)
    expected = 2 if 2 in switches.values() else 0
    assert text == (ANSWER if "finish_reason" in switches else " ".join(ANSWER.split()[:expected]))
    assert type(error) is kind and said in str(error)
    assert KEY not in f"{error!r}{error.__cause__!r}{caplog.text}"
    await fake.wait_until(lambda fake: fake.open_streams == 0)


async def test_retry_after_may_be_a_date(fake: FakeOpenAI, llm: OpenAILLM) -> None:
    fake.switches.status = 429
    fake.switches.headers = {"Retry-After": formatdate(time.time() + 90, usegmt=True)}
    _, error = await read_until_error(llm)
    assert 60 < error.retry_after_s <= 91


async def test_an_answer_is_whole_though_the_server_never_closes(fake: FakeOpenAI, llm: OpenAILLM) -> None:
    fake.switches.done_line, fake.switches.hang_at_end = False, True
    assert (await read_answer(llm))[0] == ANSWER
    await fake.wait_until(lambda fake: fake.open_streams == 0)


async def test_passes_each_token_on_before_the_next_has_come(fake: FakeOpenAI, llm: OpenAILLM) -> None:
    fake.switches.silence_after = 1
    async with contextlib.aclosing(llm.stream(make_request())) as stream, asyncio.timeout(20):
        assert await anext(stream) == Token("O")


async def test_nobody_there(unused_tcp_port: int) -> None:
    async with opened(f"http://127.0.0.1:{unused_tcp_port}/v1") as llm:
        _, error = await read_until_error(llm)
        assert isinstance(error, ModelUnavailable) and "Start that server" in str(error)
        with pytest.raises(ModelUnavailable, match="Start that server"):
            await llm.check()


async def test_checks_a_near_server_and_leaves_a_remote_one_alone(fake: FakeOpenAI) -> None:
    fake.switches.window = 2048
    async with opened(fake.url) as llm:
        await llm.check()
        assert llm.num_ctx == 2048
    fake.models, fake.switches.list_pause_s = ("a", "b"), 0.1  # longer lists come in pieces
    async with opened(fake.url) as llm:
        with pytest.raises(ModelMissing, match="but a, b"):
            await llm.check()
    fake.switches.listed = False
    async with opened(fake.url) as llm:
        await llm.check()
    asked = fake.listings
    async with opened(fake.url, fields={"local": False}) as llm:
        await llm.check()
        assert not llm.service.local
    async with opened(fake.url, fields={"local": False, "key_env": "NO_KEY"}) as llm:
        with pytest.raises(ModelUnavailable, match="set NO_KEY"):
            await llm.check()
        assert "set NO_KEY" in str((await read_until_error(llm))[1])
    assert fake.listings == asked and fake.requests == []


EVENTS = [b'{"a": "\xe2\x80\xa8"}', b"[DONE]", b"two\nlines", b"x" * 2000]
WIRE = b": hello\n\ndata: " + EVENTS[0] + b"\r\n\r\nevent: x\nid:1\ndata:[DONE]\n\ndata: two\ndata: lines\n\ndata: "


@given(cuts=st.lists(st.integers(0, len(WIRE) + 2002), max_size=8))
def test_events_survive_any_split_of_their_bytes(cuts: list[int]) -> None:
    wire, splitter, found = WIRE + EVENTS[3] + b"\n", EventSplitter(), []
    places = [0, *sorted(cuts), len(wire)]
    for start, end in itertools.pairwise(places):
        found += splitter.feed(wire[start:end])
    assert [*found, *splitter.finish()] == EVENTS


def test_what_is_no_stream_of_events_is_refused() -> None:
    for garbage in (b"<html>\n", json.dumps({"error": "x"}).encode() + b"\n", b"data: " + b"x" * (2 << 20)):
        with pytest.raises(ValueError, match="event"):
            EventSplitter().feed(garbage)

"""The Gemini model against a loopback gRPC server: contract, refusals, limits; and its late import."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import grpc
import pytest
from pydantic import SecretStr

from app.errors import ModelError, ModelMissing, ModelTimeout, ModelUnavailable
from app.events import Token, Usage
from app.llms import Sampling
from app.llms.gemini import GeminiLLM
from app.settings import ServerSettings
from tests.fakes.gemini import ANSWER, FakeGemini
from tests.llm_contract import LLMContract, make_request, read_answer, read_until_error


@pytest.fixture
async def fake() -> AsyncIterator[FakeGemini]:
    async with FakeGemini() as fake:
        yield fake


@pytest.fixture
async def llm(fake: FakeGemini) -> AsyncIterator[GeminiLLM]:
    async with opened(fake.address) as llm:
        yield llm


@contextlib.asynccontextmanager
async def opened(address: str, key: str = "a-key", **settings: Any) -> AsyncIterator[GeminiLLM]:
    async with grpc.aio.insecure_channel(address) as channel:
        llm = GeminiLLM(ServerSettings.load(google_api_key=SecretStr(key), **settings), channel)
        try:
            yield llm
        finally:
            await llm.aclose()


class TestContract(LLMContract):
    @pytest.fixture
    async def llm(self, fake: FakeGemini) -> AsyncIterator[GeminiLLM]:
        self.fake = fake
        fake.switches.token_delay_s = 0.02
        async with opened(fake.address) as llm:
            yield llm

    async def wait_idle(self) -> None:
        await self.fake.wait_idle()
        assert (self.fake.cancelled_streams, self.fake.finished_streams) == (1, 0)


async def test_sends_the_turns_and_the_instructions_apart(fake: FakeGemini, llm: GeminiLLM) -> None:
    text, usage = await read_answer(llm)
    [request] = fake.requests
    assert text == ANSWER
    assert request.model == "models/gemini-2.5-flash"
    assert [content.role for content in request.contents] == ["user", "model", "user"]
    assert "[1] O Acervo responde" in request.system_instruction.parts[0].text
    assert usage.eval_count == len(ANSWER.split()) and usage.prompt_eval_count > 50 and usage.total_duration > 0


async def test_obeys_sampling(fake: FakeGemini, llm: GeminiLLM) -> None:
    await read_answer(llm, replace(make_request(), sampling=Sampling(0, 0.5, 500, ("END",), seed=7)))
    config = fake.requests[0].generation_config
    assert "temperature" in config and (config.temperature, config.top_p) == (0, 0.5)
    assert (config.max_output_tokens, list(config.stop_sequences)) == (500, ["END"])


async def test_passes_each_piece_on_before_the_next_has_come(fake: FakeGemini, llm: GeminiLLM) -> None:
    fake.switches.silence_after = 1
    async with contextlib.aclosing(llm.stream(make_request())) as stream:
        async with asyncio.timeout(20):
            assert await anext(stream) == Token("O")


async def test_without_a_key_nothing_is_sent(fake: FakeGemini) -> None:
    async with opened(fake.address, key="") as llm:
        _, error = await read_until_error(llm)
        assert isinstance(error, ModelUnavailable) and "GOOGLE_API_KEY" in str(error)
        with pytest.raises(ModelUnavailable, match="GOOGLE_API_KEY"):
            await llm.check()
    assert fake.requests == []


async def test_a_key_that_google_refuses(fake: FakeGemini) -> None:
    async with opened(fake.address, key="another-key") as llm:
        _, error = await read_until_error(llm)
    assert isinstance(error, ModelUnavailable) and "GOOGLE_API_KEY" in str(error)
    assert "another-key" not in str(error)


async def test_an_unknown_model(fake: FakeGemini) -> None:
    async with opened(fake.address, gemini_model="gemini-0") as llm:
        _, error = await read_until_error(llm)
    assert isinstance(error, ModelMissing) and "GEMINI_MODEL" in str(error)


async def test_nobody_there(unused_tcp_port: int) -> None:
    async with opened(f"127.0.0.1:{unused_tcp_port}") as llm:
        _, error = await read_until_error(llm)
    assert isinstance(error, ModelUnavailable) and "cannot be reached" in str(error)


@pytest.mark.parametrize(
    ("code", "kind", "said"),
    [
        (grpc.StatusCode.RESOURCE_EXHAUSTED, ModelUnavailable, "quota"),
        (grpc.StatusCode.PERMISSION_DENIED, ModelUnavailable, "GOOGLE_API_KEY"),
        (grpc.StatusCode.UNAVAILABLE, ModelUnavailable, "overloaded"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, ModelTimeout, "FIRST_TOKEN_TIMEOUT_S"),
        (grpc.StatusCode.INVALID_ARGUMENT, ModelError, "InvalidArgument"),
        (grpc.StatusCode.INTERNAL, ModelError, "InternalServerError"),
        (grpc.StatusCode.CANCELLED, ModelError, "Cancelled"),
    ],
)
@pytest.mark.parametrize("after", [0, 3])
async def test_refusals(
    fake: FakeGemini, llm: GeminiLLM, code: grpc.StatusCode, kind: type[ModelError], said: str, after: int
) -> None:
    fake.switches.code, fake.switches.fail_after = code, after
    text, error = await read_until_error(llm)
    assert text == " ".join(ANSWER.split()[:after])
    assert type(error) is kind and said in str(error)


async def test_a_blocked_prompt(fake: FakeGemini, llm: GeminiLLM) -> None:
    fake.switches.block_reason = 1
    text, error = await read_until_error(llm)
    assert text == "" and "will not answer" in str(error) and "SAFETY" in str(error)


@pytest.mark.filterwarnings("ignore:Unrecognized FinishReason")  # Google's library remarks on 99
@pytest.mark.parametrize(
    ("finish_reason", "said"), [(3, "SAFETY"), (4, "RECITATION"), (99, "99"), (0, "before it was complete")]
)
async def test_a_stopped_answer_is_an_error_after_its_text(
    fake: FakeGemini, llm: GeminiLLM, finish_reason: int, said: str
) -> None:
    fake.switches.finish_reason = finish_reason
    text, error = await read_until_error(llm)
    assert text == ANSWER and said in str(error)


async def test_a_long_answer_ends_with_length(fake: FakeGemini, llm: GeminiLLM) -> None:
    fake.switches.finish_reason = 2
    _, usage = await read_answer(llm)
    assert isinstance(usage, Usage) and usage.done_reason == "length"


@pytest.mark.parametrize("after", [0, 2])
async def test_silence_has_a_limit(fake: FakeGemini, after: int) -> None:
    fake.switches.silence_after = after
    async with opened(fake.address, first_token_timeout_s=0.3) as llm:
        text, error = await read_until_error(llm)
    assert text == " ".join(ANSWER.split()[:after]) and isinstance(error, ModelTimeout)
    await fake.wait_idle()
    assert fake.cancelled_streams == 1


async def test_leaving_before_the_first_piece_cancels_the_call(fake: FakeGemini, llm: GeminiLLM) -> None:
    fake.switches.silence_after = 0
    task = asyncio.create_task(read_answer(llm))
    while not fake.open_streams:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()
    await fake.wait_idle()
    assert fake.cancelled_streams == 1


async def test_a_channel_closed_midway_is_an_error_not_a_cancellation(fake: FakeGemini) -> None:
    fake.switches.silence_after = 2
    async with grpc.aio.insecure_channel(fake.address) as channel:
        llm = GeminiLLM(ServerSettings.load(google_api_key=SecretStr("a-key")), channel)
        reading = asyncio.create_task(read_until_error(llm))
        while not fake.open_streams:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        await channel.close()
        assert "closed" in str((await reading)[1])


def test_google_is_imported_only_when_a_question_comes() -> None:
    code = "import sys, app.llms.factory; sys.exit(any(n in sys.modules for n in ('google.api_core', 'grpc')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

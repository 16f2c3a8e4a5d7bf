"""The Ollama model against a loopback Ollama: contract, faults, limits, proxies, tokens."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.errors import ModelError, ModelMissing, ModelTimeout, ModelUnavailable
from app.events import Token, Usage
from app.llms import Sampling
from app.llms.ollama import BRIEF_TOKENS, OllamaLLM, describe_service
from app.llms.ollama_parts import LineSplitter, read_line
from app.llms.tokens import Calibration
from app.settings import ServerSettings
from database.tokens import estimate_tokens
from tests.fakes.ollama import ANSWER, BGE_M3, FakeModel, FakeOllama
from tests.fakes.ollama_wire import token_line
from tests.llm_contract import LLMContract, make_request, read_answer, read_until_error

PLAIN = token_line("llama3.1:8b", "@").rstrip(b"\n")
BROKEN = [
    b"[]",
    b"3",
    b"{}",
    b'{"message":{"content":1},"done":false}',
    b"\xff\xfe",
    b"[" * 100_000,
    PLAIN.replace(b"@", b"\xff"),
    PLAIN.replace(b"@", b"\t"),
    PLAIN.replace(b"llama", b"\xff"),
    PLAIN.replace(b"llama", b'"'),
    PLAIN[:-1],
    PLAIN + b"}",
]


@pytest.fixture
async def fake() -> AsyncIterator[FakeOllama]:
    async with FakeOllama() as fake:
        yield fake


@pytest.fixture
async def llm(fake: FakeOllama) -> AsyncIterator[OllamaLLM]:
    async with opened(fake) as llm:
        yield llm


@contextlib.asynccontextmanager
async def opened(fake: FakeOllama | str, **settings: Any) -> AsyncIterator[OllamaLLM]:
    url = fake if isinstance(fake, str) else fake.url
    llm = OllamaLLM(ServerSettings.load(ollama_host=url, **settings))
    try:
        yield llm
    finally:
        await llm.aclose()


class TestContract(LLMContract):
    @pytest.fixture
    async def llm(self, fake: FakeOllama) -> AsyncIterator[OllamaLLM]:
        self.fake = fake
        fake.switches.token_delay_s = 0.02
        async with opened(fake) as llm:
            yield llm

    async def wait_idle(self) -> None:
        await self.fake.wait_until(lambda fake: fake.open_streams == 0)
        assert self.fake.cancelled_streams == 1
        assert self.fake.finished_streams == 0


async def test_passes_lines_on_untouched(llm: OllamaLLM) -> None:
    async with contextlib.aclosing(llm.stream(make_request())) as stream:
        tokens = [part async for part in stream if isinstance(part, Token)]
    lines = [json.loads(token.line) for token in tokens if token.line]
    assert [line["message"]["content"] for line in lines] == [token.text for token in tokens]
    assert "".join(token.text for token in tokens) == ANSWER
    assert all(
        line["done"] is False and line["created_at"] and b"\n" not in (t.line or b"")
        for line, t in zip(lines, tokens, strict=True)
    )


async def test_tells_the_counts_and_durations(llm: OllamaLLM) -> None:
    _, usage = await read_answer(llm)
    assert usage.eval_count == len(ANSWER.split())
    assert 0 < usage.prompt_eval_count < 200
    assert usage.total_duration > usage.eval_duration > 0


async def test_obeys_sampling_and_sends_nothing_of_what_is_left_out(fake: FakeOllama, llm: OllamaLLM) -> None:
    sampling = Sampling(0.2, None, 500, ("END",)).over(Sampling(temperature=1, top_p=0.5, seed=7, stop=("x",)))
    await read_answer(llm, replace(make_request(), sampling=sampling))
    await read_answer(llm, replace(make_request(), sampling=sampling, brief=True))
    asked, brief = (body["options"] for path, body in fake.requests)
    given = {"temperature": 0.2, "top_p": 0.5, "num_predict": 500, "stop": ["END"], "seed": 7}
    assert asked == {"num_ctx": 4096, **given}
    assert brief == {"num_ctx": 4096, "num_predict": BRIEF_TOKENS, "temperature": 0}


async def test_always_sends_the_window_and_never_layers(fake: FakeOllama, llm: OllamaLLM) -> None:
    await read_answer(llm, make_request(num_ctx=3000))
    [(path, body)] = fake.requests
    assert path == "/api/chat"
    assert body["options"] == {"num_ctx": 3000}
    assert body["stream"] is True and body["truncate"] is False
    assert "keep_alive" not in body


async def test_u2028_does_not_break_a_line(fake: FakeOllama, llm: OllamaLLM) -> None:
    fake.switches.answer = "um\u2028dois \u0085três fim"
    assert (await read_answer(llm))[0] == "um\u2028dois \u0085três fim"


async def test_thinking_is_no_answer(fake: FakeOllama, llm: OllamaLLM) -> None:
    fake.switches.thinking = "deixe-me pensar nisto"
    async with contextlib.aclosing(llm.stream(make_request())) as stream:
        tokens = [part async for part in stream if isinstance(part, Token)]
    assert "".join(token.text for token in tokens) == ANSWER
    assert not any(b"pensar" in (token.line or b"") for token in tokens)


@pytest.mark.parametrize(
    ("switch", "said"),
    [("error_after", "CUDA"), ("cut_after", "broke off"), ("end_after", "broke off"), ("garbage_after", "OLLAMA_HOST")],
)
async def test_a_stream_that_breaks_is_an_error_after_its_tokens(
    fake: FakeOllama, llm: OllamaLLM, switch: str, said: str
) -> None:
    setattr(fake.switches, switch, 3)
    text, error = await read_until_error(llm)
    assert text == " ".join(ANSWER.split()[:3])
    assert said in str(error)
    assert error.status == 502


async def test_an_unknown_model_comes_with_the_line_that_fetches_it(fake: FakeOllama) -> None:
    async with opened(fake, ollama_model="qwen3:4b") as llm:
        _, error = await read_until_error(llm)
        assert isinstance(error, ModelMissing) and "`ollama pull qwen3:4b`" in str(error)
        with pytest.raises(ModelMissing, match="`ollama pull qwen3:4b`"):
            await llm.check()


async def test_nobody_there(unused_tcp_port: int) -> None:
    async with opened(f"http://127.0.0.1:{unused_tcp_port}") as llm:
        _, error = await read_until_error(llm)
        assert isinstance(error, ModelUnavailable) and "`ollama serve`" in str(error)
        with pytest.raises(ModelUnavailable, match=f"{unused_tcp_port}.*`ollama serve`"):
            await llm.check()


@pytest.fixture
def full_backlog() -> Iterator[str]:
    """An address that leaves connections waiting: its queue is full and nobody accepts."""
    with contextlib.ExitStack() as sockets:
        listener = sockets.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            waiting = sockets.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield "http://127.0.0.1:{}".format(listener.getsockname()[1])


async def test_connecting_has_a_limit(full_backlog: str) -> None:
    async with opened(full_backlog, connect_timeout_s=0.2) as llm:
        _, error = await read_until_error(llm)
        assert isinstance(error, ModelUnavailable) and "CONNECT_TIMEOUT_S" in str(error)
        with pytest.raises(ModelUnavailable, match="CONNECT_TIMEOUT_S"):
            await llm.check()


async def test_the_first_token_has_a_limit(fake: FakeOllama) -> None:
    fake.switches.first_token_silence_s = 60
    async with opened(fake, first_token_timeout_s=0.3) as llm:
        text, error = await read_until_error(llm)
    assert text == "" and isinstance(error, ModelTimeout) and "FIRST_TOKEN_TIMEOUT_S" in str(error)
    await fake.wait_until(lambda fake: fake.cancelled_streams == 1)


async def test_silence_between_tokens_has_the_same_limit(fake: FakeOllama) -> None:
    fake.switches.silence_after = 2
    async with opened(fake, first_token_timeout_s=0.3) as llm:
        text, error = await read_until_error(llm)
    assert text == " ".join(ANSWER.split()[:2]) and isinstance(error, ModelTimeout)


async def test_a_slow_reader_is_no_silent_model(fake: FakeOllama) -> None:
    fake.switches.token_delay_s, fake.switches.answer = 0.01, "a " * 6
    async with opened(fake, first_token_timeout_s=0.3) as llm:
        read = []
        async for part in llm.stream(make_request()):
            read.append(part)
            await asyncio.sleep(0.5 if len(read) in (1, 3) else 0)
    assert isinstance(read[-1], Usage) and len(read) > 6


async def test_the_whole_answer_has_no_limit(fake: FakeOllama) -> None:
    fake.switches.token_delay_s, fake.switches.answer = 0.05, "a " * 25
    async with opened(fake, first_token_timeout_s=1) as llm:
        text, usage = await read_answer(llm)
    assert text == "a " * 25 and usage.total_duration > 1e9


async def test_leaving_while_the_model_loads_closes_the_upstream(fake: FakeOllama, llm: OllamaLLM) -> None:
    fake.switches.first_token_silence_s = 60
    task = asyncio.create_task(read_answer(llm))
    await fake.wait_until(lambda fake: fake.open_streams == 1)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await fake.wait_until(lambda fake: fake.open_streams == 0)
    assert fake.cancelled_streams == 1


async def test_no_memory_for_the_model(fake: FakeOllama, llm: OllamaLLM) -> None:
    fake.switches.load_error = "model requires more system memory (9.1 GiB) than is available (3.2 GiB)"
    _, error = await read_until_error(llm)
    assert "9.1 GiB" in str(error) and "OLLAMA_MODEL" in str(error) and "NUM_CTX" in str(error)


async def test_too_many_at_once(fake: FakeOllama, llm: OllamaLLM) -> None:
    fake.switches.busy = True
    _, error = await read_until_error(llm)
    assert isinstance(error, ModelUnavailable) and "busy" in str(error)


async def test_more_than_100_answers_at_once(fake: FakeOllama, llm: OllamaLLM) -> None:
    fake.switches.silence_after = 1
    streams = [llm.stream(make_request()) for _ in range(120)]
    await asyncio.gather(*(anext(stream) for stream in streams))
    assert fake.open_streams == 120
    await asyncio.gather(*(stream.aclose() for stream in streams))
    await fake.wait_until(lambda fake: fake.open_streams == 0)


async def test_a_proxy_in_the_environment_is_not_asked(
    fake: FakeOllama, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{unused_tcp_port}")
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    async with opened(fake) as llm:
        await llm.check()
        assert (await read_answer(llm))[0] == ANSWER
    async with opened(fake, ollama_trust_env=True) as llm:
        with pytest.raises(ModelUnavailable):
            await llm.check()
        assert isinstance((await read_until_error(llm))[1], ModelUnavailable)


async def test_an_embedding_model_cannot_chat() -> None:
    async with FakeOllama([BGE_M3]) as fake, opened(fake, ollama_model="bge-m3") as llm:
        with pytest.raises(ModelError, match="no chat model"):
            await llm.check()
        assert "does not support chat" in str((await read_until_error(llm))[1])


async def test_the_window_is_no_larger_than_the_model_knows() -> None:
    async with FakeOllama([FakeModel("tiny", 2048)]) as fake, opened(fake, ollama_model="tiny") as llm:
        assert llm.num_ctx == 8192
        await llm.check()
        assert llm.num_ctx == 2048


async def test_what_answers_is_no_ollama() -> None:
    async with FakeOllama() as fake, opened(f"{fake.url}/elsewhere") as llm:
        assert isinstance((await read_until_error(llm))[1], ModelMissing | ModelError)
        with pytest.raises(ModelError):
            await llm.check()


LONG = "A companhia registou lucro em todos os segmentos e pagou dividendos. " * 30


async def test_estimates_learn_from_reported_counts(fake: FakeOllama, llm: OllamaLLM) -> None:
    before = llm.count_tokens(LONG)
    fake.switches.chars_per_token = 2.0
    await read_answer(llm, make_request(LONG))
    assert llm.count_tokens(LONG) >= len(LONG) / 2 > before


async def test_a_prompt_refused_as_too_long_teaches_the_estimate(fake: FakeOllama, llm: OllamaLLM) -> None:
    fake.switches.silently_truncates, fake.switches.chars_per_token = False, 2.0
    before = llm.count_tokens(LONG)
    with pytest.raises(ModelError, match="does not fit the window of 900"):
        await read_answer(llm, make_request(LONG, num_ctx=900))
    assert llm.count_tokens(LONG) >= len(LONG) / 2 > before
    assert fake.prompts == []


def test_calibration_learns_nothing_from_short_prompts() -> None:
    calibration = Calibration()
    calibration.observe(100, 180)
    assert calibration.ratio == 1


def test_calibration_falls_only_after_several_reports() -> None:
    calibration = Calibration()
    calibration.observe(1000, 700)
    assert calibration.ratio == 1
    calibration.observe(1000, 600)
    calibration.observe(1000, 650)
    assert calibration.ratio == pytest.approx(0.735)


@pytest.mark.parametrize("reported", [0, 3, 400])
def test_calibration_ignores_counts_of_cached_prompts(reported: int) -> None:
    calibration = Calibration()
    for _ in range(100):
        calibration.observe(1000, reported)
    assert calibration.ratio == 1


def test_calibration_is_bounded() -> None:
    calibration = Calibration()
    calibration.observe(1000, 100_000)
    calibration.observe(0, 100)
    assert calibration.ratio < 3


@pytest.mark.parametrize(
    ("text", "fewest"),
    [
        ("", 0),
        ("Ask your documents.", 4),
        ("A administração pública é obrigada à observância dos princípios constitucionais.", 18),
        ("12345678", 8),
        ("東京は日本の首都です", 10),
        ("| 1.234,56 | (7,8)% |", 14),
        ("Москва столица России", 9),
    ],
)
def test_the_general_estimate_is_an_upper_one(text: str, fewest: int) -> None:
    assert fewest <= estimate_tokens(text) <= 2.5 * fewest


@pytest.mark.parametrize(
    ("url", "model", "host", "local"),
    [
        ("http://127.0.0.1:11434", "llama3.1:8b", "127.0.0.1", True),
        ("http://[::1]:11434", "llama3.1:8b", "::1", True),
        ("http://localhost:11434", "llama3.1:8b", "localhost", True),
        ("http://ollama:11434", "llama3.1:8b", "ollama", True),
        ("http://host.docker.internal:11434", "llama3.1:8b", "host.docker.internal", True),
        ("http://192.168.1.20:11434", "llama3.1:8b", "192.168.1.20", False),
        ("https://ollama.example.org", "llama3.1:8b", "ollama.example.org", False),
        ("http://localhost:11434", "gpt-oss:120b-cloud", "ollama.com", False),
        ("http://localhost:11434", "glm-4.6:cloud", "ollama.com", False),
    ],
)
def test_local_means_on_this_machine(url: str, model: str, host: str, local: bool) -> None:
    service = describe_service(url, model)
    assert (service.name, service.host, service.local) == ("ollama", host, local)


@given(st.lists(st.text(st.characters(exclude_characters="\n"), min_size=1).filter(str.strip)), st.data())
def test_lines_survive_any_cut(texts: list[str], data: st.DataObject) -> None:
    stream = b"".join(text.encode(errors="replace") + b"\n" for text in texts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    splitter = LineSplitter()
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    lines = [line for piece in pieces for line in splitter.feed(piece)]
    assert lines == [text.encode(errors="replace") for text in texts if text.encode(errors="replace").strip()]


def test_a_line_without_end_is_refused() -> None:
    splitter = LineSplitter()
    with pytest.raises(ModelError):
        for _ in range(100):
            splitter.feed(b"x" * 65536)


@given(st.text(), st.text())
@example("llama3.1:8b", " farol")
def test_a_token_is_read_however_its_line_is_spelt(model: str, text: str) -> None:
    line = token_line(model, text).rstrip(b"\n")
    for spelt in (line, json.dumps(json.loads(line)).encode()):
        assert read_line(spelt) == (Token(text, spelt),)


def test_half_of_a_pair_is_read_as_a_json_parser_does() -> None:
    line = PLAIN.replace(b"@", b"\xed\xa0\x80")
    assert read_line(line) == (Token("\ud800", line),)


@pytest.mark.parametrize("line", BROKEN)
def test_garbage_is_an_error_not_a_crash(line: bytes) -> None:
    with pytest.raises(ModelError):
        read_line(line)


def test_a_last_line_may_carry_text() -> None:
    token, usage = read_line(
        b'{"message":{"role":"assistant","content":"!"},"done":true,"done_reason":"length","eval_count":7}'
    )
    assert token == Token("!")
    assert usage == Usage(done_reason="length", eval_count=7)

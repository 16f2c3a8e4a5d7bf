"""Ollama goes away, has no memory, breaks off, falls silent or talks nonsense under the running server: what the
person is told, what the log says, what `/ready` says, and that the next answer is whole once it is well again."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from tests.fakes.ollama import ANSWER, FakeOllama
from tests.library import Library
from tests.server import Served, ask, check_shape, send, serve

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("strict_loop")]

SILENCE_S = 1


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def both(library: Library) -> AsyncIterator[tuple[Served, FakeOllama]]:
    """A server that answers with Ollama or not at all, and its Ollama."""
    async with (
        FakeOllama() as fake,
        serve(library.data_dir, llm="ollama", ollama_host=fake.url, first_token_timeout_s=SILENCE_S) as served,
    ):
        yield served, fake


@pytest.fixture
def served(both: tuple[Served, FakeOllama]) -> Served:
    return both[0]


@pytest.fixture
def fake(both: tuple[Served, FakeOllama]) -> Iterator[FakeOllama]:
    """In order again when the test has ended."""
    before = dict(vars(both[1].switches))
    yield both[1]
    vars(both[1].switches).update(before)


async def read_ready(served: Served) -> tuple[bool, dict[str, str]]:
    """Whether it is, and what is said about Ollama."""
    body = json.loads((await send(served, "GET", "/ready")).body)
    return body["ready"], body["models"][0]


async def until_ready(served: Served, wanted: bool) -> dict[str, str]:
    """Return when `/ready` says so; what it says of Ollama then."""
    async with asyncio.timeout(30):
        while (told := await read_ready(served))[0] is not wanted:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    return told[1]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({"load_error": "model requires more system memory (9.1 GiB) than is available"}, "smaller model"),
        ({"busy": True}, "is busy"),
        ({"cut_after": 2}, "broke off"),
        ({"end_after": 2}, "broke off"),
        ({"error_after": 2}, "CUDA error"),
        ({"garbage_after": 2}, "Ollama"),
        ({"garbage_after": 0}, "Ollama"),
        ({"silence_after": 2}, f"sent nothing for {SILENCE_S} s"),
        ({"first_token_silence_s": 60}, f"sent nothing for {SILENCE_S} s"),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_is_told_logged_and_over_when_it_is_over(
    served: Served, fake: FakeOllama, fault: dict[str, Any], told: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = dict(vars(fake.switches))
    vars(fake.switches).update(fault)
    answer = await ask(served)
    first, *_, last = answer.lines
    assert answer.status == 200 and first["sources"], "what was found stays"
    assert told in last["error"] and last["kind"] == "model" and "done" not in last
    assert f"An answer broke off: {last['error']}" in caplog.messages
    assert not [record for record in caplog.records if record.exc_info], "foreseen: no traceback"
    vars(fake.switches).update(before)
    again = await ask(served)
    check_shape(again)
    assert again.text == ANSWER
    await fake.wait_until(lambda fake: fake.open_streams == 0)


async def test_away_and_back(served: Served, fake: FakeOllama) -> None:
    assert (await until_ready(served, True))["state"] == "ready"
    await fake.stop()
    try:
        assert "ollama serve" in (await ask(served)).lines[-1]["error"]
        told = await until_ready(served, False)
        assert told["state"] == "away" and "ollama serve" in told["what_to_do"]
    finally:
        await fake.start()
    assert (await ask(served)).text == ANSWER
    await until_ready(served, True)


async def test_quotations_stand_in_while_it_is_away(library: Library) -> None:
    async with FakeOllama() as fake, serve(library.data_dir, llm="auto", ollama_host=fake.url) as served:
        assert (await ask(served)).text == ANSWER
        await fake.stop()
        async with asyncio.timeout(30):
            while (answer := await ask(served)).lines[-1].get("model") != "extractive":
                # Within the seconds for which what was known of it counts.
                assert "ollama serve" in answer.lines[-1]["error"]
        check_shape(answer)
        assert "ollama serve" in answer.text or "llama3.1:8b" in answer.text
        assert (await read_ready(served))[0], "quotations are answers"
        await fake.start()
        async with asyncio.timeout(30):
            while (await ask(served)).text != ANSWER:  # noqa: ASYNC110
                await asyncio.sleep(0.1)

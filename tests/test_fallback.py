"""FALLBACK: another model answers in place of one that does not begin to, the answer says so, and a dead one is
left alone. Real loopback servers on the other side."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.llms.breaker import FAILURES
from app.llms.models_file import Entry, ModelsFile
from tests.fakes.ollama import ANSWER as OLLAMA_ANSWER
from tests.fakes.ollama import FakeOllama
from tests.fakes.openai import ANSWER, FakeOpenAI
from tests.library import Library
from tests.server import NOBODY, QUESTION, Answer, Served, ask, check_shape, serve
from tests.test_models_file import openai

pytestmark = pytest.mark.usefixtures("strict_loop")

SILENCE_S = 1
NEAR = {"name": "near", "host": "127.0.0.1", "local": True}
OLLAMA = {"name": "ollama", "host": "127.0.0.1", "local": True}


@pytest.fixture
async def first() -> AsyncIterator[FakeOllama]:
    async with FakeOllama() as fake:
        yield fake


@pytest.fixture
async def near() -> AsyncIterator[FakeOpenAI]:
    async with FakeOpenAI() as fake:
        yield fake


def settings(near: FakeOpenAI, first: FakeOllama | None = None, **given: Any) -> dict[str, Any]:
    """Ollama, and `near` in its place."""
    entry = Entry.model_validate(openai("near", near.url, **given.pop("entry", {})))
    own: dict[str, Any] = {"llm": "ollama", "fallback": "near", "models_file": ModelsFile("models.toml", (entry,))}
    own |= {"ollama_host": first.url if first else NOBODY, "first_token_timeout_s": SILENCE_S}
    return own | given


def read_models(answer: Answer) -> tuple[str, set[str], str]:
    """Whom the first line, the tokens and the last line name."""
    opening, *tokens, last = answer.lines
    return opening["model"], {line["model"] for line in tokens}, last["model"]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"load_error": "model requires more system memory"}, "more system memory"),
        ({"busy": True}, "busy"),
        ({"first_token_silence_s": 60}, f"sent nothing for {SILENCE_S} s"),
        ({"silence_after": 0}, f"sent nothing for {SILENCE_S} s"),
        ({"cut_after": 0}, "broke off"),
        ({"garbage_after": 0}, "Ollama"),
        ({"answer": ""}, "empty answer"),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_the_next_one_answers_and_the_answer_says_so(
    library: Library, first: FakeOllama, near: FakeOpenAI, fault: dict[str, Any], reason: str
) -> None:
    vars(first.switches).update(fault)
    async with serve(library.data_dir, **settings(near, first)) as served:
        answer = await ask(served)
    last = check_shape(answer)
    assert answer.text == ANSWER and read_models(answer) == ("llama3.1:8b", {"near"}, "near")
    [passed] = last["fallback"]
    assert passed["model"] == "llama3.1:8b" and reason in passed["reason"]
    assert last["services"] == [OLLAMA, NEAR] and last["citations"] == [1, 2]
    await first.wait_until(lambda fake: fake.open_streams == 0)


async def test_one_that_is_known_to_be_away_is_not_asked(library: Library, near: FakeOpenAI) -> None:
    async with serve(library.data_dir, **settings(near)) as served:
        answer = await ask(served)
    last = check_shape(answer)
    assert read_models(answer) == ("near", {"near"}, "near") and last["services"] == [NEAR]
    assert "ollama serve" in last["fallback"][0]["reason"]


async def test_after_the_first_token_an_error_is_an_error(
    library: Library, first: FakeOllama, near: FakeOpenAI
) -> None:
    first.switches.error_after = 1
    async with serve(library.data_dir, **settings(near, first)) as served:
        answer = await ask(served)
    assert answer.text == "O" and "CUDA" in answer.lines[-1]["error"] and near.requests == []


async def test_after_the_first_token_of_another_model_there_is_no_third(
    library: Library, first: FakeOllama, near: FakeOpenAI
) -> None:
    first.switches.load_error, near.switches.error_after = "no memory", 1
    async with serve(library.data_dir, **settings(near, first, fallback="near, extractive")) as served:
        answer = await ask(served)
    assert answer.text and ANSWER.startswith(answer.text)
    assert "error" in answer.lines[-1] and not any(line.get("done") for line in answer.lines)


async def test_the_prompt_fits_the_window_of_the_one_that_answers(
    library: Library, first: FakeOllama, near: FakeOpenAI
) -> None:
    """With fewer passages under the same numbers in a smaller window, with no further ones in a larger."""
    first.switches.load_error = "no memory"
    for window, num_ctx, fewer in ((512, 8192, True), (8192, 512, False)):
        given = settings(near, first, entry={"window": window}, num_ctx=num_ctx, refuse_unrelated=False)
        async with serve(library.data_dir, **given) as served:
            answer = await ask(served, "farol apples bees", top_k=6)
        last, sources = check_shape(answer), answer.lines[0]["sources"]
        sent = [text for message in near.requests[-1]["messages"] for text in message["content"].split("<source ")[1:]]
        numbers = sorted(int(text.split('"')[1]) for text in sent)
        assert numbers == list(range(1, len(numbers) + 1)) and last["num_ctx"] == window
        assert (0 < len(numbers) < len(sources)) if fewer else (len(numbers) == len(sources))
        assert all(sources[int(text.split('"')[1]) - 1]["text"].split("\n")[0] in text for text in sent)
        assert last["left_out"] == 4 - len(numbers) and last["left_out"] > 0


async def test_a_remote_one_is_asked_only_if_the_setting_allows_it(library: Library, near: FakeOpenAI) -> None:
    given = settings(near, entry={"local": False}, fallback="near, extractive")
    async with serve(library.data_dir, **given) as served:
        answer = await ask(served)
    assert near.requests == [] and near.listings == 0 and read_models(answer)[2] == "extractive"
    assert ["near", "FALLBACK_REMOTE" in answer.lines[-1]["fallback"][1]["reason"]] == ["near", True]
    async with serve(library.data_dir, **given, fallback_remote=True) as served:
        answer = await ask(served)
    assert answer.text == ANSWER and check_shape(answer)["services"] == [{**NEAR, "local": False}]


async def test_a_dead_model_keeps_no_question_waiting_and_is_found_again(
    library: Library, first: FakeOllama, near: FakeOpenAI
) -> None:
    first.switches.first_token_silence_s = 60
    async with serve(library.data_dir, **settings(near, first)) as served:
        for _ in range(FAILURES):
            assert read_models(await ask(served))[0] == "llama3.1:8b"
        asked = sum(path == "/api/chat" for path, _ in first.requests)
        answers = await asyncio.gather(*(ask(served) for _ in range(5)))
        assert {read_models(answer)[0] for answer in answers} == {"near"}
        assert "in a row" in answers[0].lines[-1]["fallback"][0]["reason"]
        assert check_shape(answers[0])["services"] == [NEAR]
        assert sum(path == "/api/chat" for path, _ in first.requests) == asked == FAILURES
        first.switches.first_token_silence_s = 0
        async with asyncio.timeout(60):
            while (answer := await ask(served)).text != OLLAMA_ANSWER or answer.lines[-1]["fallback"]:  # noqa: ASYNC110
                await asyncio.sleep(0.2)


async def test_when_none_answers_each_is_told(library: Library, first: FakeOllama, near: FakeOpenAI) -> None:
    first.switches.load_error, near.switches.status = "no memory", 500
    async with serve(library.data_dir, **settings(near, first, fallback="nobody, near")) as served:
        last = (await ask(served)).lines[-1]
        named = (await ask(served, model="near")).lines[-1]
        unknown = await ask(served, model="gone")
    assert all(told in last["error"] for told in ("llama3.1:8b: ", "no memory", "nobody: ", "near: ", "status 500"))
    assert last["kind"] == "model" and "done" not in last and "near: " in named["error"]
    assert unknown.status == 400, "a name that nothing has is a mistake, not a failure"


async def test_auto_ends_with_quotations_and_stays_as_it_was_without_fallback(
    library: Library, near: FakeOpenAI
) -> None:
    near.switches.status = 500
    async with serve(library.data_dir, **settings(near, llm="auto")) as served:
        answer = await ask(served)
    assert read_models(answer)[2] == "extractive" and "1887" in answer.text
    assert [one["model"] for one in check_shape(answer)["fallback"]] == ["llama3.1:8b", "near"]
    async with serve(library.data_dir, **settings(near, llm="auto", fallback="")) as served:
        answer = await ask(served)
    assert check_shape(answer)["fallback"] == [] and "ollama serve" in answer.text and len(near.requests) == 1


async def leave_after_a_token(served: Served) -> None:
    async with served.client.post("/", json={"prompt": QUESTION}) as response:
        while b"near" not in await response.content.readline():
            pass


async def test_who_leaves_stops_the_one_that_answers(library: Library, first: FakeOllama, near: FakeOpenAI) -> None:
    first.switches.load_error, near.switches.token_delay_s = "no memory", 3
    async with serve(library.data_dir, **settings(near, first, first_token_timeout_s=60)) as served:
        await leave_after_a_token(served)
        await near.wait_until(lambda fake: fake.cancelled_streams == 1, timeout_s=2)

"""`POST /` over the embedded store, without a model and with a loopback Ollama."""

import asyncio
import gc
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from aiohttp import ClientSession

from database.analysis import _identifier
from tests.fakes.ollama import ANSWER, FakeOllama
from tests.library import BOX, HARVEST, HIDDEN, LIGHTHOUSE, QUESTION, Library
from tests.server import SOURCE_FIELDS, Answer, Served, ask, check_shape, read_chunks, serve

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("strict_loop")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(library: Library) -> AsyncIterator[Served]:
    """The server without a language model."""
    async with serve(library.data_dir) as served:
        yield served


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def relaying(library: Library) -> AsyncIterator[tuple[Served, FakeOllama]]:
    """The server and the Ollama that it asks."""
    async with FakeOllama() as fake, serve(library.data_dir, llm="auto", ollama_host=fake.url) as served:
        yield served, fake


@pytest_asyncio.fixture(loop_scope="module")
async def model(relaying: tuple[Served, FakeOllama]) -> AsyncIterator[FakeOllama]:
    """That Ollama, its switches and counters as new."""
    with relaying[1].as_new() as fake:
        yield fake


@pytest.fixture
def chatting(relaying: tuple[Served, FakeOllama], model: FakeOllama) -> Served:
    """The server that asks `model`."""
    return relaying[0]


async def test_quotes_the_documents_without_a_model(served: Served, library: Library) -> None:
    answer = await ask(served)
    last = check_shape(answer)
    first = answer.lines[0]
    best = first["sources"][0]
    document = library.documents[LIGHTHOUSE]
    assert set(best) == SOURCE_FIELDS
    assert (best["document"], best["name"], best["title"]) == (document.id, LIGHTHOUSE, f"About {LIGHTHOUSE}")
    assert best["page"] == 1 and "1887" in best["text"] and 0 < best["score"] <= 1
    assert best["chunk_id"] == library.chunks[LIGHTHOUSE, 1].id and best["boxes"] == [list(BOX)]
    assert (first["query"], first["model"]) == (QUESTION, "extractive")
    assert (first["rewritten_by"], first["language"]) == ("", "pt")
    assert (
        set(best["parts"]) <= {"words", "grams", "vector", "page_words", "page_grams", "heads", "title"}
        and 0 < max(best["parts"].values()) <= 1
    )
    assert "construído em 1887 por Amélia Duarte. [1]" in answer.text
    assert answer.text.startswith("*Nenhum modelo de linguagem respondeu")
    assert 1 in last["citations"] and set(last["citations"]) <= {source["n"] for source in first["sources"]}
    assert last["left_out"] == 0 and last["num_ctx"] == 8192 and last["prompt_tokens"] == 0
    assert last["first_token_duration"] > last["search_duration"] > last["rewrite_duration"] >= 0
    assert last["services"] == [{"name": "extractive", "host": "this machine", "local": True}]


async def test_answers_in_the_language_of_the_question(served: Served) -> None:
    answer = await ask(served, "How many tonnes of apples did the village of Serra harvest?")
    assert answer.text.startswith("*No language model answered")
    assert "95 tonnes" in answer.text


async def test_writes_each_line_alone_and_nothing_compresses(served: Served) -> None:
    head, chunks = await read_chunks(served)
    assert head.startswith("HTTP/1.1 200")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head.split("\r\n")[1:])}
    assert headers["content-type"] == "application/x-ndjson; charset=utf-8"
    assert headers["cache-control"] == "no-store" and headers["x-accel-buffering"] == "no"
    assert "content-encoding" not in headers
    assert len(chunks) > 3
    for chunk in chunks:
        assert chunk.endswith(b"\n") and chunk.count(b"\n") == 1
        assert isinstance(json.loads(chunk), dict)


async def test_what_is_excluded_is_not_found(served: Served) -> None:
    answer = await ask(served, "Where does the treasure lie?", top_k=50)
    assert HIDDEN not in {source["name"] for source in answer.lines[0]["sources"]}
    assert "third oak" not in answer.text


async def test_filters_and_top_k_choose_the_sources(served: Served, library: Library) -> None:
    harvest = library.documents[HARVEST].id
    filtered = await ask(served, filters={"documents": [harvest]})
    assert {source["document"] for source in filtered.lines[0]["sources"]} == {harvest}
    assert len((await ask(served, top_k=1)).lines[0]["sources"]) == 1
    nothing = await ask(served, filters={"documents": ["no such document"]})
    assert check_shape(nothing)["citations"] == [] and nothing.lines[0]["sources"] == []
    assert nothing.text == "Não encontrei nada relevante sobre isso nos documentos."


async def test_numbers_quoted_from_a_document_are_no_citations(served: Served, library: Library) -> None:
    only = {"documents": [library.documents[HARVEST].id]}
    answer = await ask(served, "Where is the honey stored, in barrels of oak?", filters=only)
    bees = next(source for source in answer.lines[0]["sources"] if source["page"] == 2)
    assert bees["n"] == 1 and "see \\[2\\] there. [1]" in answer.text
    cited = {n for n in (1, 2) if f" [{n}]" in answer.text}
    assert set(answer.lines[-1]["citations"]) == cited


async def test_the_original_request_is_answered(served: Served) -> None:
    body = b'{"prompt": "Em que ano o farol foi constru\\u00eddo?", "parametro": 0, "unknown": {"a": [1]}}'
    async with served.client.post("/", data=body) as response:  # without a content type, as scripts send it
        assert check_shape(Answer(response.status, response.headers, await response.read()))


async def test_relays_the_models_lines_untouched(chatting: Served, model: FakeOllama) -> None:
    answer = await ask(chatting)
    last = check_shape(answer)
    assert answer.text == ANSWER
    tokens = answer.body.split(b"\n")[1:-2]
    assert len(tokens) == len(ANSWER.split(" "))
    # Ollama's own key order and its second of the day: the very bytes, not the same made anew.
    assert all(line.startswith(b'{"model":"llama3.1:8b","created_at":"20') and b"Z" in line for line in tokens)
    assert last["citations"] == [1, 2] and last["eval_count"] == len(tokens) and last["prompt_eval_count"] > 100
    assert last["services"] == [{"name": "ollama", "host": "127.0.0.1", "local": True}]


async def test_the_model_sees_numbered_sources_and_the_history(chatting: Served, model: FakeOllama) -> None:
    history = [{"role": "user", "content": "Olá"}, {"role": "assistant", "content": "Bom dia."}]
    answer = await ask(chatting, history=[*history, {"role": "assistant", "content": " "}])
    [body] = [body for path, body in model.requests if path == "/api/chat"]
    assert body["options"]["num_ctx"] == 8192 and body["stream"] is True
    system, *turns, asked = body["messages"]
    assert system["role"] == "system" and "em português" in system["content"]
    assert turns == history
    for source in answer.lines[0]["sources"]:
        assert f'<source n="{source["n"]}" document="{source["name"]}" page="{source["page"]}"' in asked["content"]
        assert source["text"] in asked["content"]
    assert asked["content"].endswith(f"Question: {QUESTION}")


async def test_tokens_arrive_while_the_model_still_writes(chatting: Served, model: FakeOllama) -> None:
    model.switches.silence_after = 2
    async with chatting.client.post("/", json={"prompt": QUESTION}) as response:
        lines = [json.loads(await response.content.readline()) for _ in range(3)]
        assert [line["message"]["content"] for line in lines] == [
            "",
            *(" " + ANSWER).lstrip().split(" ")[:1],
            " acervo",
        ]
        assert model.open_streams == 1
    await model.wait_until(lambda fake: fake.open_streams == 0)


@pytest.mark.parametrize("silent", [False, True])
async def test_a_client_that_leaves_stops_the_model(chatting: Served, model: FakeOllama, silent: bool) -> None:
    if silent:
        model.switches.first_token_silence_s = 3600
    else:
        model.switches.token_delay_s, model.switches.answer = 0.02, "palavra " * 5000
    response = await chatting.client.post("/", json={"prompt": QUESTION})
    await response.content.readline()
    await model.wait_until(lambda fake: fake.open_streams == 1)
    left = time.monotonic()
    response.close()
    await model.wait_until(lambda fake: fake.open_streams == 0)
    assert time.monotonic() - left < 3  # a second, and room for a busy machine
    assert (model.cancelled_streams, model.finished_streams) == (1, 0)


async def test_fifty_clients_each_get_their_own_answer(chatting: Served, model: FakeOllama) -> None:
    model.switches.token_delay_s = 0.01
    questions = [f"{QUESTION} {n}" for n in range(50)]
    answers = await asyncio.gather(*(ask(chatting, question) for question in questions))
    for question, answer in zip(questions, answers, strict=True):
        assert check_shape(answer)["citations"] == [1, 2]
        assert answer.text == ANSWER and answer.lines[0]["query"] == question
    assert model.finished_streams == 50


@pytest.mark.parametrize(
    ("switches", "told"),
    [
        ({"error_after": 3}, "CUDA error"),
        ({"cut_after": 3}, "broke off"),
        ({"end_after": 3}, "ended without its last line"),
        ({"garbage_after": 3}, "OLLAMA_HOST"),
        ({"load_error": "model requires more system memory"}, "more system memory"),
        ({"busy": True}, "Ask again"),
    ],
)
async def test_a_model_that_fails_ends_the_stream_with_an_error(
    chatting: Served, model: FakeOllama, switches: dict[str, Any], told: str
) -> None:
    vars(model.switches).update(switches)
    answer = await ask(chatting)
    first, *tokens, last = answer.lines
    assert answer.status == 200 and first["sources"]
    assert set(last) == {"error", "kind"} and told in last["error"]
    whole = [] if "load_error" in switches or "busy" in switches else (" " + ANSWER).split(" ")[1:4]
    assert answer.text == " ".join(whole) and len(tokens) == len(whole)
    assert not any(line.get("done") for line in answer.lines)


async def test_a_silent_model_is_given_up(library: Library) -> None:
    async with FakeOllama(silence_after=1) as fake:
        async with serve(library.data_dir, llm="auto", ollama_host=fake.url, first_token_timeout_s=0.3) as served:
            last = (await ask(served)).lines[-1]
        assert "FIRST_TOKEN_TIMEOUT_S" in last["error"]
        await fake.wait_until(lambda fake: fake.open_streams == 0)


async def test_a_model_is_not_asked_when_nothing_was_found(chatting: Served, model: FakeOllama) -> None:
    lines = (await ask(chatting, filters={"documents": ["0" * 64]})).lines
    assert [line["model"] for line in lines] == ["extractive"] * len(lines)
    assert lines[0]["sources"] == [] and lines[-1]["citations"] == []
    assert not [path for path, _ in model.requests if path == "/api/chat"]


async def test_a_model_is_not_asked_about_what_the_documents_do_not_hold(
    chatting: Served, model: FakeOllama, library: Library
) -> None:
    unrelated = "Quantos gols marcou Pelé na Copa do Mundo realizada no México?"
    answer = await ask(chatting, unrelated)
    assert answer.lines[0]["relevant"] is False and answer.lines[0]["sources"]
    assert answer.text.startswith("Não encontrei nada relevante") and "mais próximas" in answer.text
    assert check_shape(answer)["citations"] == [] and not model.prompts
    assert (await ask(chatting)).lines[0]["relevant"] is True
    async with serve(library.data_dir, llm="auto", ollama_host=model.url, refuse_unrelated=False) as served:
        assert (await ask(served, unrelated)).text == ANSWER


async def test_sentences_are_checked_while_the_model_writes(chatting: Served, model: FakeOllama) -> None:
    model.switches.answer = "O farol é de 1887 [1]. Foi Pedro Paiva em 1888 [1]. Gira"
    answer = await ask(chatting)
    told = [(n, check) for n, line in enumerate(answer.lines) for check in line.get("checks", [])]
    assert [check for _, check in told] == [
        {"start": 0, "end": 22, "supported": True},
        {"start": 23, "end": 51, "supported": False},
    ]
    assert told[0][0] < told[1][0] < len(answer.lines) - 1
    assert answer.text == model.switches.answer


async def test_the_last_checks_come_before_the_end(chatting: Served, model: FakeOllama) -> None:
    model.switches.answer = "O farol é de 1888 [1]"
    *_, last, done = (await ask(chatting)).lines
    assert last["message"]["content"] == "" and last["checks"] == [{"start": 0, "end": 21, "supported": False}]
    assert done["done"] is True


async def test_a_model_that_is_not_pulled(library: Library) -> None:
    async with FakeOllama(models=["other:1b"]) as fake:
        async with serve(library.data_dir, llm="auto", ollama_host=fake.url) as served:
            answer = await ask(served)
            assert check_shape(answer)["services"][0]["name"] == "extractive"
            assert "ollama pull llama3.1:8b" in answer.text and "1887" in answer.text
        async with serve(library.data_dir, llm="ollama", ollama_host=fake.url) as served:
            first, last = (await ask(served)).lines
            assert first["model"] == "llama3.1:8b" and first["sources"]
            assert set(last) == {"error", "kind"} and "ollama pull llama3.1:8b" in last["error"]


async def test_ollama_away_and_wanted_by_name_is_an_error(library: Library) -> None:
    async with serve(library.data_dir, llm="ollama") as served:
        last = (await ask(served)).lines[-1]
        assert set(last) == {"error", "kind"} and "ollama serve" in last["error"]


async def test_what_does_not_fit_the_window_is_counted(library: Library) -> None:
    async with FakeOllama() as fake, serve(library.data_dir, llm="auto", ollama_host=fake.url, num_ctx=512) as served:
        answer = await ask(served, top_k=50)
        last, sources = check_shape(answer), answer.lines[0]["sources"]
        assert last["num_ctx"] == 512 and last["left_out"] == 4 - len(sources) > 0
        assert 0 < last["prompt_tokens"] <= 512 * 3 // 4
        left_out = last["passages_left_out"]
        assert len(left_out) == last["left_out"] and left_out[0]["score"] <= sources[-1]["score"]
        assert not {passage["chunk_id"] for passage in left_out} & {source["chunk_id"] for source in sources}
        assert fake.requests[-1][1]["options"]["num_ctx"] == 512
        refused = await ask(served, "farol " * 200)
        assert refused.status == 400 and "NUM_CTX" in refused.error


async def test_more_answers_than_allowed_are_refused(library: Library) -> None:
    async with (
        FakeOllama(silence_after=0) as fake,
        serve(library.data_dir, llm="auto", ollama_host=fake.url, max_answers=1) as served,
    ):
        first = await served.client.post("/", json={"prompt": QUESTION})
        refused = await ask(served)
        assert refused.status == 503 and "MAX_ANSWERS" in refused.error
        first.close()
        await fake.wait_until(lambda fake: fake.open_streams == 0)
        fake.switches.silence_after = None
        check_shape(await ask(served))


async def test_a_question_during_the_warm_up_blocks_nothing(library: Library) -> None:
    _identifier.cache_clear()  # as in a fresh process
    async with serve(library.data_dir) as served:
        check_shape(await ask(served))


async def test_stopping_closes_what_was_opened(library: Library) -> None:
    before = find_open_clients()
    async with FakeOllama() as fake, serve(library.data_dir, llm="auto", ollama_host=fake.url) as served:
        check_shape(await ask(served))
        assert len(find_open_clients() - before) == 3  # the test's own, and two of the model
    assert find_open_clients() - before == set()


def find_open_clients() -> set[object]:
    """Every HTTP client in this process that nobody has closed."""
    found: set[object] = {o for o in gc.get_objects() if type(o) is ClientSession and not o.closed}
    return found | {o for o in gc.get_objects() if issubclass(type(o), httpx.AsyncClient) and not o.is_closed}

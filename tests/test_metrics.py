"""`GET /metrics`: what is counted, what is asked, and who may read it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families

from tests.fakes.ollama import ANSWER, FakeOllama
from tests.fakes.ollama_wire import cut_tokens
from tests.library import QUESTION, Library
from tests.server import Served, ask, send, serve
from tests.uploading import upload

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("strict_loop")]

MODEL = "llama3.1:8b"


@pytest_asyncio.fixture(loop_scope="module")
async def fake() -> AsyncIterator[FakeOllama]:
    async with FakeOllama() as fake:
        yield fake


@pytest_asyncio.fixture(loop_scope="module")
async def served(library: Library, fake: FakeOllama) -> AsyncIterator[Served]:
    async with serve(library.data_dir, llm="auto", ollama_host=fake.url, max_answers=1) as served:
        yield served


async def read(served: Served) -> dict[tuple[str, ...], float]:
    """Each number by its name and the values of its labels, in the order of the labels' names."""
    answer = await send(served, "GET", "/metrics")
    assert answer.status == 200 and answer.headers["Content-Type"].startswith("text/plain; version=")
    families = text_string_to_metric_families(answer.body.decode())
    return {(s.name, *(s.labels[label] for label in sorted(s.labels))): s.value for f in families for s in f.samples}


async def test_what_became_of_answers(served: Served, fake: FakeOllama) -> None:
    await ask(served)
    fake.switches.error_after = 2
    await ask(served)
    fake.switches.error_after, fake.switches.silence_after = None, 1
    async with served.client.post("/", json={"prompt": QUESTION}) as response:
        await response.content.readline()
        await response.content.readline()
        assert (await read(served))["acervo_answers_running",] == 1
        refused = await ask(served)
        assert (refused.status, refused.headers["Retry-After"]) == (503, "2") and "MAX_ANSWERS" in refused.error
    await fake.wait_until(lambda fake: fake.cancelled_streams == 1)
    numbers = await read(served)
    outcomes = {name[1:]: value for name, value in numbers.items() if name[0] == "acervo_questions_total"}
    assert outcomes == {(MODEL, "complete"): 1, (MODEL, "failed"): 1, (MODEL, "left"): 1, ("", "refused"): 1}
    assert numbers["acervo_tokens_total", MODEL] == len(cut_tokens(ANSWER)) + 2 + 1
    assert numbers["acervo_first_token_seconds_count", MODEL] == 3
    assert 0 < numbers["acervo_first_token_seconds_sum", MODEL] < 60
    assert numbers["acervo_requests_total", "POST", "/", "200"] == 2
    assert numbers["acervo_requests_total", "POST", "/", "499"] == 1
    assert numbers["acervo_requests_total", "POST", "/", "503"] == 1
    assert numbers["acervo_answers_running",] == 0


async def test_requests_are_counted_by_route_never_by_address(served: Served) -> None:
    for path in (f"/documents/{'a' * 64}/file", f"/documents/{'b' * 64}/file", "/nothing/1", "/nothing/2"):
        assert (await send(served, "GET", path)).status == 404
    numbers = await read(served)
    assert numbers["acervo_requests_total", "GET", "/documents/{id}/file", "404"] == 2
    assert numbers["acervo_requests_total", "", "", "404"] == 2
    assert not [name for name in numbers if "aaaa" in str(name) or "nothing" in str(name)]
    assert numbers["acervo_request_seconds_count", "/documents/{id}/file"] == 2


async def test_the_state_of_things(served: Served) -> None:
    numbers = await read(served)
    assert (numbers["acervo_up", "sqlite"], numbers["acervo_up", "ollama"]) == (1, 1)
    assert (numbers["acervo_documents",], numbers["acervo_uploads_running",]) == (2, 0)
    assert numbers["acervo_windows",] > 3 and numbers["acervo_jobs", "queued"] == 0
    assert 1e7 < numbers["process_resident_memory_bytes",] < 1e10


async def test_files_and_jobs(home: Path) -> None:
    async with serve(home) as served:
        pdf = b"%PDF-1.4\n" + b"x" * 2000
        await upload(served.client, ("a.bin", b"\0no document"), ("b.bin", b"\0neither is this"))
        await upload(served.client, ("a.bin", b"\0no document"), ("damaged.pdf", pdf))
        numbers = await read(served)
        taken, jobs = numbers["acervo_files_total", "taken"], sum(v for k, v in numbers.items() if "acervo_jobs" in k)
        assert taken == jobs and taken + numbers["acervo_files_total", "refused"] == 4


async def test_a_store_that_is_away_is_told_and_its_numbers_are_not_made_up(tmp_path: Path) -> None:
    gone = "mongodb://127.0.0.1:9/?directConnection=true"
    async with serve(tmp_path, llm="auto", mongodb_uri=gone, mongodb_timeout_s=60) as served:
        async with asyncio.timeout(30):
            numbers = await read(served)
        assert (numbers["acervo_up", "mongodb"], numbers["acervo_up", "ollama"]) == (0, 0)
        assert ("acervo_documents",) not in numbers and ("acervo_jobs", "queued") not in numbers


async def test_a_token_is_asked_for_once_there_is_one(library: Library) -> None:
    async with serve(library.data_dir, metrics_token="a long secret") as served:
        for sent in ({}, {"Authorization": "Bearer a long secre"}, {"Authorization": "Bearer \xe9"}):
            answer = await send(served, "GET", "/metrics", **sent)
            assert answer.status == 401 and "METRICS_TOKEN" in answer.error and b"long" not in answer.body
        answer = await send(served, "GET", "/metrics", Authorization="Bearer a long secret")
        assert answer.status == 200

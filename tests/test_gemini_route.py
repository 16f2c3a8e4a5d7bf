"""`POST /gemini`, and Gemini as the model of `POST /`, over a loopback gRPC server."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from tests.fakes.gemini import ANSWER, FakeGemini
from tests.library import QUESTION, Library
from tests.server import SOURCE_FIELDS, Served, ask, check_shape, serve

pytestmark = pytest.mark.usefixtures("strict_loop")


@contextlib.asynccontextmanager
async def serving(
    library: Library, llm: str = "extractive", **switches: Any
) -> AsyncIterator[tuple[Served, FakeGemini]]:
    """The server with a key, and the Gemini that it asks."""
    async with FakeGemini(**switches) as fake, grpc.aio.insecure_channel(fake.address) as channel:
        given = {"google_api_key": "a-key", "llm": llm}
        async with serve(library.data_dir, gemini_channel=channel, **given) as served:
            yield served, fake


async def test_without_a_key_it_names_the_setting(library: Library) -> None:
    async with serve(library.data_dir, embedder="ollama:none") as served:
        answer = await ask(served, path="/gemini")
    assert answer.status == 503 and "GOOGLE_API_KEY" in answer.error


async def test_streams_in_the_shape_of_the_original(library: Library) -> None:
    async with serving(library) as (served, fake):
        answer = await ask(served, path="/gemini")
        first, *tokens, last = answer.lines
        assert answer.status == 200 and len(fake.requests) == 1
        assert first == {"response": ""}
        assert all(set(line) == {"response"} for line in tokens)
        assert "".join(line["response"] for line in tokens) == ANSWER
        assert last["response"] == "" and last["done"] is True and last["citations"] == [1, 2]
        assert set(last["sources"][0]) == SOURCE_FIELDS and last["query"] == QUESTION
        assert last["services"][-1]["local"] is False


async def test_an_error_is_told_in_the_response_too(library: Library) -> None:
    async with serving(library, code=grpc.StatusCode.RESOURCE_EXHAUSTED, fail_after=2) as (served, _):
        *_, last = (await ask(served, path="/gemini")).lines
        assert set(last) == {"response", "error", "kind"} and last["response"] == last["error"]
        assert "GOOGLE_API_KEY" in last["error"]


async def test_a_client_that_leaves_stops_gemini(library: Library) -> None:
    async with serving(library, silence_after=1) as (served, fake):
        response = await served.client.post("/gemini", json={"prompt": QUESTION})
        await response.content.readline()
        await response.content.readline()
        assert fake.open_streams == 1
        response.close()
        await fake.wait_idle()
        assert fake.cancelled_streams == 1


async def test_the_default_route_asks_gemini_only_when_told(library: Library) -> None:
    async with serving(library) as (served, fake):
        await ask(served)
        assert fake.requests == []
    async with serving(library, llm="gemini") as (served, fake):
        assert check_shape(await ask(served))["services"][-1]["name"] == "gemini"
        assert len(fake.requests) == 1

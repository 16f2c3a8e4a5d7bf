"""`POST /feedback` and `GET /feedback` over the embedded store."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from app.feedback import AT_ONCE, MAX_NOTE
from tests.server import Answer, Served, send, serve

pytestmark = pytest.mark.usefixtures("strict_loop")

RATED = {
    "rating": "down",
    "note": "A página é outra 😕\u2028",
    "question": "E em 2022?",
    "query": "Qual foi a receita em 2022?",
    "answer": "Foi de 5 [1].",
    "model": "llama3.1:8b",
    "sources": [{"document": "d" * 64, "page": 3, "chunk_id": "c1", "n": 1}],
    "citations": [1],
}


@pytest_asyncio.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with serve(tmp_path / "fresh") as served:
        yield served


async def rate(served: Served, **fields: Any) -> Answer:
    body = json.dumps({**RATED, **fields}).encode()
    return await send(served, "POST", "/feedback", body, Content_Type="application/json")


async def give(served: Served, **fields: Any) -> str:
    """The id of an entry that was taken."""
    answer = await rate(served, **fields)
    assert answer.status == 201
    told = json.loads(answer.body)
    assert set(told) == {"id"}
    return str(told["id"])


async def read(served: Served) -> list[dict[str, Any]]:
    answer = await send(served, "GET", "/feedback")
    assert answer.status == 200 and answer.headers["Content-Type"].startswith("application/x-ndjson")
    return list(answer.lines)


async def test_a_rating_is_kept_as_it_was_given(served: Served) -> None:
    assert await read(served) == []
    entry_id = await give(served, unknown=[1])
    [entry] = await read(served)
    assert entry.pop("created_at") > 1_700_000_000
    assert entry == {"id": entry_id, **RATED}


async def test_a_rating_is_replaced_and_taken_back(served: Served) -> None:
    first, second = await give(served), await give(served, rating="up")
    before = (await read(served))[0]["created_at"]
    assert await give(served, id=first, rating="up", note="") == first
    assert [(e["id"], e["rating"], e["note"]) for e in await read(served)] == [
        (first, "up", ""),
        (second, "up", RATED["note"]),
    ]
    assert (await read(served))[0]["created_at"] == before
    assert await give(served, id=first, rating="") == first
    assert [entry["id"] for entry in await read(served)] == [second]
    assert await give(served, id=first, rating="") == first
    assert await give(served, id=first) not in (first, second)


async def test_ratings_outlive_the_server_and_come_in_order(tmp_path: Path) -> None:
    async with serve(tmp_path / "fresh") as served:
        ids = [await give(served, note=str(n)) for n in range(AT_ONCE + 1)]
    async with serve(tmp_path / "fresh") as served:
        entries = await read(served)
    assert [entry["id"] for entry in entries] == ids == sorted(ids)
    assert [entry["note"] for entry in entries] == [str(n) for n in range(AT_ONCE + 1)]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"rating": "good"}, "rating: Input should be 'up', 'down' or ''"),
        ({"rating": ""}, "name the id"),
        ({"note": "x" * (MAX_NOTE + 1)}, "note: String should have at most"),
        ({"id": "x" * 201}, "id: String should have at most"),
        ({"answer": 1}, "answer: Input should be a valid string"),
        ({"sources": [RATED["sources"][0]] * 51}, "sources: List should have at most 50"),  # type: ignore[index]
        ({"sources": [{"document": "d"}]}, "sources.0.page: Field required"),
        ({"citations": [0]}, "citations.0: Input should be greater"),
    ],
)
async def test_what_is_wrong_is_named(served: Served, fields: dict[str, Any], told: str) -> None:
    refused = await rate(served, **fields)
    assert refused.status == 400 and told in refused.error and '"rating"' in refused.error
    assert await read(served) == []


async def test_a_body_is_bounded_and_pages_of_others_are_refused(tmp_path: Path) -> None:
    async with serve(tmp_path / "fresh", max_body_kb=1) as served:
        assert (await rate(served, note="x" * 1024)).status == 413
        body = json.dumps(RATED).encode()
        assert (await send(served, "POST", "/feedback", body, Origin="http://evil.example")).status == 403
        assert await read(served) == []


async def test_a_store_that_is_away_is_told(tmp_path: Path) -> None:
    away = {"mongodb_uri": "mongodb://127.0.0.1:9/?directConnection=true", "mongodb_timeout_s": 0.3}
    async with serve(tmp_path, **away) as served:
        for answer in (await rate(served), await send(served, "GET", "/feedback")):
            assert answer.status == 503 and "MONGODB_URI" in answer.error

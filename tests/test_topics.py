"""`GET /topics`: headings that can be asked about, and none that cannot."""

from dataclasses import replace
from pathlib import Path

import pytest

from app.topics import pick_headings
from database.documents import Chunk, Document, Hit, Name
from tests.library import make_library
from tests.server import serve


def hit(heading: str, title: str = "A title of its own") -> Hit:
    document = Document("d", title, (Name("/r", "d.pdf"),), 1)
    return Hit(Chunk("c", "d", 1, 0, heading, "text", 0, 4), document, 1.0)


@pytest.mark.parametrize(
    ("heading", "asked"),
    [
        ("Report › 3.2 Management of risks", "Management of risks"),
        ("IV. Obligations of the parties:", "Obligations of the parties"),
        ("Why does the lamp turn?", "Why does the lamp turn?"),
        ("SEGMENT SALES RESULTS", "Segment sales results"),
    ],
)
def test_headings_become_topics(heading: str, asked: str) -> None:
    assert list(pick_headings([hit(heading)])) == [asked]


@pytest.mark.parametrize(
    "heading", ["", "Results", "A title of its own", "12.4 % 13.5 %", "x y", "Table 3 (", f"So {'very ' * 20}long"]
)
def test_headings_that_make_no_question(heading: str) -> None:
    assert not pick_headings([hit(heading)])


def test_each_topic_is_named_once_with_its_first_passage() -> None:
    second = replace(hit("1. The old lamp"), score=0.5)
    assert pick_headings([hit("The old lamp"), second])["The old lamp"].score == 1.0


async def test_only_what_a_search_finds_again_is_proposed(tmp_path: Path) -> None:
    apples = (
        "The price of apples\n\nThe price of apples in Serra is three coins, and the price of apples never changes."
    )
    pages = {
        "fruit.pdf": ("en", [apples, "The gathering of pears\n\nPears are gathered in October, with ladders."]),
        "ships.pdf": ("en", ["The price of apples\n\nSailors tell of storms.", "Repair of sails\n\nA needle and wax."]),
    }
    await make_library(tmp_path, pages)
    async with serve(tmp_path) as served, served.client.get("/topics") as response:
        assert response.status == 200
        topics = (await response.json())["topics"]
    found = {(topic["name"], topic["heading"], topic["page"]) for topic in topics}
    assert len(topics) == len(found) == 3
    assert found == {
        ("fruit.pdf", "The price of apples", 1),
        ("fruit.pdf", "The gathering of pears", 2),
        ("ships.pdf", "Repair of sails", 2),
    }


async def test_headings_in_the_asked_language_come_first(tmp_path: Path) -> None:
    pages = [
        "The keeper of the lamp\n\nThe keeper lives beside the lamp and climbs the stairs every evening.",
        "O guarda do farol\n\nO guarda mora ao lado do farol e sobe as escadas todas as noites.",
    ]
    await make_library(tmp_path, {"a.pdf": ("en", pages)})
    async with serve(tmp_path) as served:
        for language, first in (("pt", "O guarda do farol"), ("en", "The keeper of the lamp")):
            async with served.client.get("/topics", params={"language": language}) as response:
                assert (await response.json())["topics"][0]["heading"] == first
        async with served.client.get("/topics", params={"language": "xx"}) as response:
            assert response.status == 400 and "pt" in (await response.json())["error"]


async def test_deleted_documents_are_proposed_no_longer(tmp_path: Path) -> None:
    library = await make_library(tmp_path, {"a.pdf": ("en", ["The old lamp\n\nThe lamp turns slowly at night."])})
    async with serve(tmp_path) as served:
        for expected in (1, 0):
            async with served.client.get("/topics") as response:
                assert len((await response.json())["topics"]) == expected
            async with served.client.delete(f"/documents/{library.documents['a.pdf'].id}"):
                pass

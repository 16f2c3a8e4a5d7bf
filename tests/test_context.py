"""What is found to what a model reads."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from database.context import CONTEXT_CHARS, assemble, drop_repetitions, join_neighbours, widen
from database.documents import Chunk, Contents, Document, Hit, Name, Page
from database.stores.sqlite import SqliteStore

TABLE = "| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |"
PAGE = f"# Férias\n\nPrimeiro parágrafo.\n\nO prazo é de 30 dias.\n\nQuarto parágrafo.\n\n{TABLE}"
DOCUMENT = Document("d" * 64, "Guia", (Name("r", "guia.pdf"),), 1, state="ready", version="v")


def chunk(text: str, start: int | None = None, page: int = 1, name: str = "") -> Chunk:
    start = PAGE.index(text) if start is None else start
    return Chunk(
        name or f"c{start}", DOCUMENT.id, page, 0, "", text, start, start + len(text), ((0, start, 9, start + 1),)
    )


def hits(*chunks: Chunk) -> list[Hit]:
    return [Hit(c, DOCUMENT, 1 - n / 10) for n, c in enumerate(chunks)]


def test_a_passage_that_repeats_a_better_one_is_dropped() -> None:
    text = "O contrato pode ser renovado por acordo escrito entre as partes antes do fim do prazo de 30 dias."
    same, other = text.replace("escrito", "escrito,"), text.replace("30", "60")
    found = drop_repetitions(hits(chunk(text, 0), chunk(same, 500), chunk(other, 900)))
    assert [hit.chunk.text for hit in found] == [text, other]


def test_neighbours_become_one_passage_in_the_place_of_the_better() -> None:
    first, second, third = chunk("Primeiro parágrafo."), chunk("O prazo é de 30 dias."), chunk("Elsewhere", 0, page=2)
    joined = join_neighbours(iter(hits(third, second, first)))
    assert [hit.chunk.id for hit in joined] == [third.id, second.id]
    whole = joined[1]
    assert whole.chunk.text == "Primeiro parágrafo.\n\nO prazo é de 30 dias."
    assert (whole.chunk.start, whole.chunk.end) == (first.start, second.end)
    assert whole.chunk.boxes == first.boxes + second.boxes and whole.joined == (first.id,)
    assert whole.score == 0.9


def test_passages_apart_or_on_other_pages_stay_apart() -> None:
    far = chunk("Longe", 5000)
    assert len(join_neighbours(iter(hits(chunk("# Férias"), far, replace(far, page=2, id="x"))))) == 3


def test_a_passage_does_not_grow_to_a_page_nor_by_what_fits_worse() -> None:
    first, second = chunk("a" * 700, 0), chunk("b" * 700, 702)
    assert len(join_neighbours(iter(hits(first, second)))) == 2
    good, poor = hits(chunk("# Férias"), chunk("Primeiro parágrafo."))
    assert len(join_neighbours(iter([good, poor]))) == 1
    assert len(join_neighbours(iter([good, replace(poor, score=0.4)]))) == 2


@pytest.fixture
async def store(tmp_path: Path) -> SqliteStore:
    store = SqliteStore(tmp_path / "index.sqlite")
    await store.open()
    await store.publish(DOCUMENT, Contents([Page(1, PAGE, "layout")], [], [], np.zeros((0, 4), np.float32)))
    yield store
    await store.aclose()


async def test_a_passage_is_read_with_what_surrounds_it(store: SqliteStore) -> None:
    (hit,) = await assemble(store, hits(chunk("O prazo é de 30 dias.")), 6)
    assert hit.context == PAGE
    assert hit.chunk.text == "O prazo é de 30 dias."


async def test_two_passages_of_a_page_share_no_surroundings(store: SqliteStore) -> None:
    found = await assemble(store, hits(chunk("| 3 | 4 |"), chunk("# Férias")), 6)
    assert [hit.context for hit in found] == [PAGE[PAGE.index("Primeiro") :], "# Férias"]


async def test_a_table_piece_with_its_header_stays_as_it_is(store: SqliteStore) -> None:
    start = PAGE.index("| 3 |")
    piece = replace(chunk("| 3 | 4 |"), text="| a | b |\n|---|---|\n| 3 | 4 |", start=start, end=len(PAGE))
    (hit,) = await assemble(store, hits(piece), 6)
    assert hit.context == piece.text


async def test_a_page_that_is_gone_costs_only_the_surroundings(store: SqliteStore) -> None:
    (hit,) = await assemble(store, hits(chunk("Outra", 0, page=9)), 6)
    assert hit.context == "Outra"


async def test_no_more_passages_than_wanted(store: SqliteStore) -> None:
    many = [chunk(f"Texto número {n}", 100 * n, page=n) for n in range(5)]
    assert [hit.chunk for hit in await assemble(store, hits(*many), 3)] == many[:3]


@given(
    st.lists(st.text("ab \n|#", max_size=400), max_size=12).map("\n\n".join),
    st.integers(0, 3000),
    st.integers(0, 300),
    st.integers(0, 200),
    st.integers(0, 200),
)
def test_a_widened_passage_holds_itself_and_stays_in_its_bounds(
    text: str, start: int, length: int, before: int, after: int
) -> None:
    start = min(start, len(text))
    end = min(start + length, len(text))
    low, high = max(start - before, 0), min(end + after, len(text))
    first, last = widen(text, (start, end), low, high)
    assert low <= first <= start <= end <= last <= high
    assert last - first <= max(CONTEXT_CHARS, end - start)

"""Blocks become pages: cleaned, with heading levels and positions that fit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from database.readers.pieces import Piece, RawPage, assemble_pages, clean_block, rank_sizes, replace_unstorable

BOX = (0.0, 0.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("kind", "text", "clean"),
    [
        ("text", "The **wind** and _the\u00a0sea_ . \n\n", "The wind and the\u00a0sea ."),
        ("text", "snake_case_name and 2 * 3 * 4", "snake_case_name and 2 * 3 * 4"),
        ("text", "<u>Underlined</u>", "Underlined"),
        ("section-header", "## **_Wind_ and  sea** \n\n", "Wind and sea"),
        (
            "table",
            "|**Year**|_Total_<br>**2022**|\n|---|---|\n|Wind|<br>12|\n\n",
            "|Year|Total 2022|\n|---|---|\n|Wind|12|",
        ),
        ("picture", "\n\n", ""),
        (
            "picture",
            "<!-- Start of picture text -->\nNorth<br>South<br><!-- End of picture text -->\n\n",
            "North\nSouth",
        ),
        ("picture", "**==> picture [98 x 30] intentionally omitted <==**\n\n", ""),
        ("list-item", "- one \n\n", "- one"),
        ("text", "far" + " " * 5000 + "apart", "far  apart"),
    ],
)
def test_clean_block(kind: str, text: str, clean: str) -> None:
    assert clean_block(text, kind) == clean


def test_heading_levels_follow_type_size_over_all_pages() -> None:
    first = RawPage(1, 10, 10, "layout", (Piece("title", BOX, "Book", 30), Piece("section-header", BOX, "Part", 20)))
    second = RawPage(2, 10, 10, "layout", (Piece("section-header", BOX, "Chapter", 14), Piece("text", BOX, "Words")))
    pages = assemble_pages([first, second])
    assert [page.text for page in pages] == ["# Book\n\n## Part\n\n", "### Chapter\n\nWords\n\n"]


def test_no_more_than_six_levels() -> None:
    assert rank_sizes([8, 9, 10, 11, 12, 13, 14, 15]) == {15: 1, 14: 2, 13: 3, 12: 4, 11: 5, 10: 6, 9: 6, 8: 6}


KINDS = st.sampled_from(["text", "title", "section-header", "table"])
PIECES = st.builds(Piece, KINDS, st.just(BOX), st.text(st.characters(), min_size=1, max_size=40), st.integers(1, 40))


@given(st.lists(PIECES, max_size=20))
def test_blocks_cover_the_text_exactly(pieces: list[Piece]) -> None:
    (page,) = assemble_pages([RawPage(1, 10, 10, "layout", tuple(pieces))])
    stretches = [page.text[block.start : block.end] for block in page.blocks]
    assert "".join(stretches) == page.text
    assert all(replace_unstorable(p.text) in stretch for p, stretch in zip(pieces, stretches, strict=True))
    assert "\0" not in page.text and page.text.encode().decode() == page.text

"""Chunks lose nothing of a page and change nothing; windows are short enough for the embedder."""

import re
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from database.analysis import normalise, words
from database.chunking import CHUNK_TOKENS, PREFIX_TOKENS, WINDOW_TOKENS, Chunker, find_boxes, make_windows
from database.documents import Block, Chunk, Page
from database.embedders.minilm import MiniLMEmbedder

EMBEDDER = MiniLMEmbedder(Path("unused"))
CHUNKER = Chunker(EMBEDDER.count_tokens)
DOCUMENT = "d" * 64
PARAGRAPH = (
    "O faroleiro escreve o tempo num livro todas as noites. Ele anota o vento, a altura das ondas "
    "e os navios que passam; às vezes, também as baleias. "
)

WORD = st.one_of(
    st.sampled_from(
        ["o", "vento", "ação", "ﬁm", "The", "revenue", "1.234,56", "e", "não", "日本語", "🙂", "naïve", "**x**"]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8),
    st.text("abcdefghijkl", min_size=200, max_size=900),
)
SENTENCE = st.lists(WORD, min_size=1, max_size=60).map(" ".join)
HEADING = st.builds(lambda level, text: f"{'#' * level} {text}", st.integers(1, 6), SENTENCE)


@st.composite
def tables(draw: st.DrawFn) -> str:
    """A table whose cells may be empty, long, or full of bars and rulers."""
    columns = draw(st.integers(1, 5))
    cell = st.one_of(st.just(""), st.just("-"), WORD.map(lambda w: w.replace("\n", " ")), SENTENCE.map(_one_line))
    row = st.lists(cell, min_size=columns, max_size=columns).map(lambda cells: f"|{'|'.join(cells)}|")
    rows = draw(st.lists(row, max_size=12))
    return "\n".join([draw(row), "|" + "---|" * columns, *(rows * draw(st.sampled_from([1, 1, 5])))])


def _one_line(text: str) -> str:
    return " ".join(text.split())


BLOCK = st.one_of(SENTENCE, HEADING, tables(), SENTENCE.map(lambda s: f"- {s}"), st.text(max_size=200))
TEXT = st.lists(BLOCK, max_size=6).flatmap(
    lambda blocks: st.sampled_from(["\n\n", "\n"]).map(lambda joint: joint.join(blocks))
)
PAGES = st.lists(TEXT, min_size=1, max_size=3).map(
    lambda texts: [Page(n, text, "layout") for n, text in enumerate(texts, 1)]
)
generous = settings(max_examples=60)


def chunk(*texts: str) -> list[Chunk]:
    """The chunks of pages with these texts."""
    return CHUNKER.chunk_pages(DOCUMENT, [Page(n, text, "layout") for n, text in enumerate(texts, 1)])


def make_table(rows: Sequence[str], header: str = "| Mês | Navios |") -> str:
    return "\n".join([header, "|---|---|", *rows])


@generous
@given(PAGES)
@example([Page(1, "word " * 20 + "x" * 5000, "layout")])
@example([Page(1, make_table([f"| {'muito ' * 300} | {n} |\n| b | {n} |" for n in range(3)]), "layout")])
@example([Page(1, "| a | b |\n| | c | d\n| | e |\n", "layout")])
@example([Page(1, f"{'a' * 1900} \x1b {'a' * 900}", "layout")])
def test_chunks_keep_every_character_as_it_is(pages: list[Page]) -> None:
    chunks = CHUNKER.chunk_pages(DOCUMENT, pages)
    assert [c.ordinal for c in chunks] == list(range(len(chunks)))
    assert len({c.id for c in chunks}) == len(chunks)
    for page in pages:
        at = 0
        for piece in (c for c in chunks if c.page == page.number):
            assert page.text[at : piece.start].isspace() or at == piece.start, "in order, only blanks between them"
            assert piece.start < piece.end
            lead = piece.text.removesuffix(page.text[piece.start : piece.end])
            assert f"{lead}{page.text[piece.start : piece.end]}" == piece.text
            assert not lead or re.fullmatch(r"\|.*\|[ \t]*\n\|[ \t:|-]+\|[ \t]*\n", lead)
            assert lead in page.text[: piece.start]
            at = piece.end
        assert not page.text[at:].strip()


@generous
@given(PAGES)
@example([Page(1, "# " + "title " * 400, "layout")])
@example([Page(1, make_table(["| x | y |"], header=f"| {'col ' * 230}| b |"), "layout")])
def test_chunks_fit(pages: list[Page]) -> None:
    for piece in CHUNKER.chunk_pages(DOCUMENT, pages):
        assert EMBEDDER.count_tokens(piece.text) <= CHUNK_TOKENS


@generous
@given(PAGES, st.one_of(st.just(""), SENTENCE.map(_one_line)))
@example([Page(1, "# " + "a" * 90 + "\n\ntext", "layout")], "b" * 90)
@example([Page(1, "## ****\n\ntext", "layout")], "__")
def test_windows_fit_and_are_normalised(pages: list[Page], title: str) -> None:
    chunks = CHUNKER.chunk_pages(DOCUMENT, pages)
    windows = make_windows(CHUNKER, chunks, title, "pt")
    assert {w.chunk_id for w in windows} == {c.id for c in chunks}, "every chunk can be found"
    assert len({w.id for w in windows}) == len(windows)
    for window in windows:
        assert EMBEDDER.count_tokens(window.text) <= PREFIX_TOKENS + WINDOW_TOKENS
        assert normalise(window.text) == window.text


@generous
@given(PAGES)
def test_chunking_again_gives_the_same(pages: list[Page]) -> None:
    chunks = CHUNKER.chunk_pages(DOCUMENT, pages)
    other = Chunker(EMBEDDER.count_tokens)
    assert other.chunk_pages(DOCUMENT, pages) == chunks
    assert make_windows(other, chunks, "T", "en") == make_windows(CHUNKER, chunks, "T", "en")


@generous
@given(st.lists(st.sampled_from(PARAGRAPH.split()), min_size=1, max_size=500).map(" ".join))
def test_no_word_is_lost_to_windows(text: str) -> None:
    for piece in chunk(text):
        held = {w for window in CHUNKER.make_windows(piece, "", "") for w in window.words.split()}
        assert held == set(words(piece.text, ""))


def test_ids_tell_documents_and_contents_apart() -> None:
    (one,) = chunk("text")
    (other,) = chunk("text!")
    (elsewhere,) = CHUNKER.chunk_pages("e" * 64, [Page(1, "text", "layout")])
    (behind,) = CHUNKER.chunk_pages(DOCUMENT, [Page(2, "text", "layout")])
    assert len({one.id, other.id, elsewhere.id, behind.id}) == 4
    assert all(re.fullmatch("[0-9a-f]{32}", c.id) for c in (one, other, elsewhere, behind))


def test_long_text_fills_its_chunks() -> None:
    chunks = chunk(PARAGRAPH * 40)
    sizes = [EMBEDDER.count_tokens(c.text) for c in chunks]
    assert all(size > CHUNK_TOKENS // 2 for size in sizes[:-1]) and len(sizes) > 4


def test_blank_pages_have_no_chunks() -> None:
    assert chunk("", " \n\n\t", "\u00a0\n") == []


def test_headings_make_a_path() -> None:
    text = "lead\n\n# Book\n\nb\n\n## One\n\no\n\n### Deep\n\nd\n\n## Two\n\nt\n\n# Other\n\nx"
    found = [(c.text.splitlines()[-1], c.heading) for c in chunk(text)]
    assert found == [
        ("lead", ""),
        ("b", "Book"),
        ("o", "Book › One"),
        ("d", "Book › One › Deep"),
        ("t", "Book › Two"),
        ("x", "Other"),
    ]


def test_headings_carry_over_to_the_next_page() -> None:
    chunks = chunk("# Book\n\nb\n\n## One", "goes on", "## Two\n\nt")
    assert [c.heading for c in chunks] == ["Book", "Book › One", "Book › One", "Book › Two"]


@pytest.mark.parametrize(
    ("line", "heading"),
    [
        ("## **Bold `code`**", "Bold code"),
        ("# Closed ##", "Closed"),
        ("# Written in C#", "Written in C#"),
        ("#no space", ""),
        ("####### seven", ""),
    ],
)
def test_what_is_a_heading(line: str, heading: str) -> None:
    (piece,) = chunk(f"{line}\n\ntext")
    assert piece.heading == heading


def test_a_chunk_begins_with_its_heading() -> None:
    _, second = chunk("# A\n\nalpha\n\n# B\n\nbeta")
    assert second.text == "# B\n\nbeta"


def test_pieces_of_a_table_repeat_its_header() -> None:
    rows = [f"| mês número {n} do ano | {n * 37} navios |" for n in range(60)]
    text = f"Antes.\n\n{make_table(rows)}\n\nDepois."
    before, *pieces, after = chunk(text)
    assert (before.text, after.text) == ("Antes.", "Depois.")
    assert len(pieces) > 3
    head = "| Mês | Navios |\n|---|---|\n"
    assert all(piece.text.startswith(head) for piece in pieces)
    assert [row for piece in pieces for row in piece.text.removeprefix(head).splitlines()] == rows, "whole rows, once"
    assert all(text[piece.start] == "|" for piece in pieces)


def test_rows_after_one_too_long_stand_under_the_header() -> None:
    rows = ["| a | 1 |", f"| {'muito ' * 300} | 2 |", "| b | 3 |", "| c | 4 |"]
    *_, last = chunk(make_table(rows))
    assert last.text == "| Mês | Navios |\n|---|---|\n| b | 3 |\n| c | 4 |"


def test_a_header_longer_than_rows_is_not_repeated() -> None:
    header = f"| {'coluna ' * 80} | b |"
    pieces = chunk(make_table([f"| {n} {'x ' * 20} | y |" for n in range(30)], header))
    assert sum("coluna" in piece.text for piece in pieces) < len(pieces) / 2
    assert pieces[-1].text.startswith("|")


def test_rows_with_empty_cells_are_no_ruler() -> None:
    """Only a line of nothing but bars, colons and dashes parts a header from its rows."""
    (piece,) = chunk("| a | b |\n| - | c |\n| d | e |")
    assert piece.text == "| a | b |\n| - | c |\n| d | e |"


def test_boxes_are_those_of_the_blocks_touched() -> None:
    text = "alpha beta gamma"
    blocks = (Block(0, 6, (0, 0, 1, 1)), Block(6, 11, (0, 1, 1, 2)), Block(11, 16, (0, 2, 1, 3)))
    page = replace(Page(1, text, "layout"), blocks=blocks)
    assert find_boxes(page, 0, 16) == tuple(b.box for b in blocks)
    assert find_boxes(page, 6, 10) == (blocks[1].box,)
    assert find_boxes(page, 5, 7) == (blocks[0].box, blocks[1].box)
    assert find_boxes(page, 6, 6) == ()
    (piece,) = CHUNKER.chunk_pages(DOCUMENT, [page])
    assert piece.boxes == tuple(b.box for b in blocks)


def test_chunks_show_the_original_and_windows_search_plain_letters() -> None:
    (piece,) = chunk("# Oﬃce\n\nthe **ﬁnancial**<br>ﬂow | Ａ")
    assert piece.text == "# Oﬃce\n\nthe **ﬁnancial**<br>ﬂow | Ａ"
    (window,) = CHUNKER.make_windows(piece, "Ｔitle", "en")
    assert window.text == "Title. Office\nOffice\n\nthe financial flow A"
    assert window.words.split() == ["titl", "offic", "offic", "the", "financi", "flow", "a"]
    assert (window.chunk_id, window.document_id, window.page, window.language) == (piece.id, DOCUMENT, 1, "en")


def test_windows_overlap_and_each_has_the_prefix() -> None:
    text = "o navio que passa leva o vento " * 12
    (piece,) = chunk(f"# Farol\n\n{text}")
    windows = CHUNKER.make_windows(piece, "Livro", "pt")
    assert all(w.text.startswith("Livro. Farol\n") for w in windows)
    told = [words(w.text.removeprefix("Livro. Farol\n"), "") for w in windows][1:]
    assert len(told) >= 2 and sum(map(len, told)) > len(words(text, ""))


@pytest.mark.parametrize(
    ("title", "heading", "prefix"),
    [
        ("", "", ""),
        ("T", "", "T\n"),
        ("", "H", "H\n"),
        ("T", "A › B", "T. A. B\n"),
        ("T", "T › B", "T. B\n"),
        ("T", f"{'muito ' * 30}› B", "T. B\n"),
        ("muito " * 30, f"{'longo ' * 30}› B", "B\n"),
        ("**", "B", "B\n"),
    ],
)
def test_prefix(title: str, heading: str, prefix: str) -> None:
    (piece,) = chunk("text")
    (window,) = CHUNKER.make_windows(replace(piece, heading=heading), title, "pt")
    assert window.text == f"{prefix}text"


def test_a_long_heading_is_cut_not_dropped() -> None:
    (piece,) = chunk("text")
    (window,) = CHUNKER.make_windows(replace(piece, heading="palavra " * 60), "T", "pt")
    prefix, _, rest = window.text.partition("\n")
    assert rest == "text" and prefix.startswith("palavra palavra")
    assert EMBEDDER.count_tokens(prefix) <= PREFIX_TOKENS


def test_text_with_hardly_any_tokens_is_split_by_its_length() -> None:
    blob = "A1b2C3d4" * 4000
    assert EMBEDDER.count_tokens(blob) < 5
    assert max(len(c.text) for c in chunk(blob)) <= CHUNK_TOKENS * 9


def test_each_part_of_an_over_long_row_stands_under_the_header() -> None:
    head = "|Item|Description|\n|---|---|\n"
    long_row = f"|1|{PARAGRAPH * 20}|"
    chunks = chunk(f"{head}|0|short|\n{long_row}\n|2|short|")
    assert len(chunks) > 4
    assert all(c.text.startswith(head) for c in chunks)
    assert all(EMBEDDER.count_tokens(c.text) <= CHUNK_TOKENS for c in chunks)
    first = chunk(f"{head}{long_row}")
    assert len(first) > 3 and all(c.text.startswith(head) for c in first)


@pytest.mark.parametrize("text", ["# a" + " " * 30_000 + "b", "|" + " " * 30_000 + "x", "# " * 15_000])
def test_hostile_text_takes_no_longer_than_plain_text(text: str) -> None:
    def time_chunking(text: str) -> float:
        started = time.perf_counter()
        make_windows(CHUNKER, chunk(text), "", "pt")
        return time.perf_counter() - started

    plain = time_chunking(PARAGRAPH * (len(text) // len(PARAGRAPH)))
    assert time_chunking(text) < 10 * plain + 0.5

"""Which layout analysis a page gets.

Two models come with the PDF library: one looks at a picture of the page beside the boxes of its text and takes some
200 ms for it, the other at the boxes alone. On a page of plain paragraphs under headings both say the same
(docs/decisions/013-loading.md has the figures), so only other pages are looked at.

The PDF library is imported inside functions, so that importing this module costs nothing.
"""

import importlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from database.documents import Box
from database.readers.opening import load_library

Analyse = Callable[..., list[Any]]
"""Finds the blocks of a `pymupdf.Page`; with `return_raw=True` they are dictionaries."""

MAX_LINES = 400
"""Lines of a simple page; one of a book has 50."""
MAX_DRAWINGS = 10
"""Of a simple page: rules below headings, boxes around paragraphs. Grids and charts have more."""
MIN_DRAWING_POINTS = 20
"""Shorter ones are bullets and the like."""
MAX_PICTURE_SHARE = 0.02
"""Of the area of a simple page, for one picture: a logo."""
MAX_BACKGROUND_SHARE = 0.9
"""A drawing that fills more is the paper."""
MIN_GAP = 0.5
"""Of the height of a line: text further apart than this in one line stands in columns."""
MAX_MARK_CHARS = 4
"""What stands before an item of a list: "iv)"."""
UNSURE = frozenset({"table", "picture", "formula"})
"""What a page that passed for simple has not got; the model of boxes alone is not asked about these."""


def install() -> None:
    """Have `pymupdf4llm`, which is imported, analyse each page with the model it needs."""
    pymupdf = load_library()
    analyzer: Any = importlib.import_module("pymupdf.layout.DocumentLayoutAnalyzer")
    pymupdf._get_layout = choose(analyzer.get_model(feature_set_name="rf").predict, pymupdf._get_layout)


def choose(quick: Analyse, thorough: Analyse) -> Analyse:
    """An analysis that asks `quick` about simple pages, and `thorough` where they turn out not to be."""

    def analyse(page: Any, **options: Any) -> list[Any]:
        if options.get("return_raw") and is_simple(page):
            groups = quick(page, **options)
            if not any(group["class_name"] in UNSURE for group in groups):
                return groups
        return thorough(page, **options)

    return analyse


def is_simple(page: Any) -> bool:
    """Whether a `pymupdf.Page` has upright lines one below the other and hardly anything else."""
    return not has_graphics(page.get_bboxlog(), page.rect) and not has_columns(_find_lines(page))


def has_graphics(log: Iterable[tuple[str, Box]], page: Box) -> bool:
    """Whether more is drawn than a few rules, by the library's log of what is painted where."""
    area, drawings = abs(page[2] - page[0]) * abs(page[3] - page[1]), 0
    for kind, (x0, y0, x1, y1) in log:
        width, height = x1 - x0, y1 - y0
        if "image" in kind or "shade" in kind:
            if width * height > MAX_PICTURE_SHARE * area:
                return True
        elif kind.endswith("-path") and width * height < MAX_BACKGROUND_SHARE * area:
            drawings += max(width, height) > MIN_DRAWING_POINTS
    return drawings > MAX_DRAWINGS


def has_columns(lines: Sequence[tuple[Box, str]] | None) -> bool:
    """Whether text stands beside text. `lines` are None where they are not to be judged."""
    if lines is None:
        return True
    ordered = sorted((line for line in lines if line[1]), key=lambda line: line[0][1])
    for at, (one, text) in enumerate(ordered):
        for other, other_text in ordered[at + 1 :]:
            if other[1] >= one[3]:
                break
            left = text if one[0] < other[0] else other_text
            if len(left) > MAX_MARK_CHARS and _is_beside(one, other):
                return True
    return False


def _is_beside(one: Box, other: Box) -> bool:
    height = min(one[3] - one[1], other[3] - other[1])
    shared = min(one[3], other[3]) - max(one[1], other[1])
    return shared > height / 2 and max(other[0] - one[2], one[0] - other[2]) > MIN_GAP * height


def _find_lines(page: Any) -> list[tuple[Box, str]] | None:
    """Boxes and texts of lines; None when one of them is not upright, or there are too many."""
    pymupdf = load_library()
    blocks = page.get_text("dict", flags=pymupdf.TEXTFLAGS_DICT & ~pymupdf.TEXT_PRESERVE_IMAGES)["blocks"]
    lines = [line for block in blocks for line in block["lines"]]
    if len(lines) > MAX_LINES or any(line["dir"] != (1, 0) for line in lines):
        return None
    return [(line["bbox"], "".join(span["text"] for span in line["spans"]).strip()) for line in lines]

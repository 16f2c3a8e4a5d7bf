"""Which pages are spared the analysis of their picture."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pymupdf
import pytest

from database.readers.layout import MAX_DRAWINGS, MAX_LINES, choose, is_simple
from database.settings import ROOT
from tests.pdfs import PARAGRAPH

BODY = pymupdf.Rect(60, 100, 535, 780)


def write(page: pymupdf.Page) -> None:
    page.insert_text((60, 80), "Chapter one", fontsize=18)
    page.insert_textbox(BODY, PARAGRAPH * 3)


def write_list(page: pymupdf.Page) -> None:
    for n, y in enumerate(range(100, 400, 20), 1):
        page.insert_text((60, y), f"({n})")
        page.insert_text((90, y), "an item of a list")


def underline(page: pymupdf.Page) -> None:
    write(page)
    for y in range(MAX_DRAWINGS):
        page.draw_line((60, 90 + y), (535, 90 + y))


def write_columns(page: pymupdf.Page) -> None:
    page.insert_textbox((60, 100, 280, 780), PARAGRAPH)
    page.insert_textbox((310, 100, 535, 780), PARAGRAPH)


def write_table(page: pymupdf.Page) -> None:
    """Without a line drawn, and only two rows below paragraphs."""
    write(page)
    for y in (700, 720):
        page.insert_text((60, y), "Total assets")
        page.insert_text((300, y), "1,234")


def draw_grid(page: pymupdf.Page) -> None:
    write(page)
    for y in range(MAX_DRAWINGS + 1):
        page.draw_rect((60, 600 + 10 * y, 535, 610 + 10 * y))


def show(page: pymupdf.Page) -> None:
    write(page)
    pixels = pymupdf.Pixmap(pymupdf.csRGB, (0, 0, 20, 20), False)
    page.insert_image((60, 600, 260, 800), pixmap=pixels)


def write_sideways(page: pymupdf.Page) -> None:
    write(page)
    page.insert_text((560, 500), "in the margin", rotate=90)


def crowd(page: pymupdf.Page) -> None:
    for n in range(MAX_LINES + 1):
        page.insert_text((60, 20 + 2 * n), "word", fontsize=1)


def make_page(draw: Callable[[pymupdf.Page], None]) -> pymupdf.Page:
    document = pymupdf.open()
    draw(document.new_page())
    return pymupdf.open(stream=document.tobytes())[0]


@pytest.mark.parametrize("draw", [write, write_list, underline])
def test_simple(draw: Callable[[pymupdf.Page], None]) -> None:
    assert is_simple(make_page(draw))


@pytest.mark.parametrize("draw", [write_columns, write_table, draw_grid, show, write_sideways, crowd])
def test_not_simple(draw: Callable[[pymupdf.Page], None]) -> None:
    assert not is_simple(make_page(draw))


@pytest.mark.parametrize(
    ("draw", "found", "asked"),
    [(write, "text", ["quick"]), (write, "table", ["quick", "thorough"]), (write_columns, "text", ["thorough"])],
)
def test_the_model_that_is_asked(draw: Callable[[pymupdf.Page], None], found: str, asked: list[str]) -> None:
    """A simple page on which the quick one finds what it is not trusted with is looked at thoroughly, too."""
    calls = []

    def analyse(name: str) -> Callable[..., list[Any]]:
        return lambda page, **options: calls.append(name) or [{"class_name": found, "by": name}]

    groups = choose(analyse("quick"), analyse("thorough"))(make_page(draw), return_raw=True)
    assert calls == asked
    assert groups == [{"class_name": found, "by": asked[-1]}]


def test_files_that_are_only_looked_at_first_change_nothing() -> None:
    """The PDF library opens its models when it is imported: by then they have to know that they get one thread each."""
    order = "from database.readers import pdf, plain; plain.preload(); pdf.preload()"
    told = "import onnxruntime, pymupdf; print(onnxruntime.SessionOptions().intra_op_num_threads, pymupdf._get_layout)"
    done = subprocess.run([sys.executable, "-c", f"{order}; {told}"], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.startswith(f"1 <function {choose.__name__}."), done.stderr

"""Converts pages of a PDF inside a worker process; they come back as plain, small values.

The PDF library is imported inside functions, so that importing this module costs nothing.
"""

import importlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from database.documents import Box
from database.errors import ReadError
from database.readers.confine import TESSDATA
from database.readers.opening import load_library, open_document, preload
from database.readers.pieces import HEADINGS, Piece, RawPage, clean_block, limit_page

__all__ = ["TESSDATA", "Mode", "convert", "preload", "warm_up"]

Mode = Literal["layout", "text", "ocr"]

MAX_LAYOUT_POINTS = 6_000
"""Longer pages are read as plain text: layout analysis draws them, which takes 370 MB at this
length and 730 MB at 10,000 (A0 is 3,370 points long)."""
MIN_LAYOUT_SHARE = 0.5
"""Layout that keeps a smaller share of a page's letters has missed the page (sideways text)."""
OCR_DPI = 200


def warm_up() -> bool:
    """Nothing more than what is loaded before it is called; conversions that follow begin at once."""
    return True


def convert(path: Path, numbers: Sequence[int], mode: Mode, ocr_language: str) -> list[RawPage]:
    """Convert pages (numbers from 1). Pages that the layout analysis misses fall back to plain
    text; in mode "ocr" pages without any text are recognised."""
    with open_document(path, numbers) as document:
        pages = [read_text(document, number) for number in numbers]
        small = [page for page in pages if max(page.width, page.height) <= MAX_LAYOUT_POINTS]
        if mode != "text":
            written = [page for page in small if page.made_by == "text"]
            pages = _replace(pages, _keep_whole(_to_markdown(document, written, use_ocr=False), written))
        if mode == "ocr":
            blank = [page for page in small if page.made_by == "nothing"]
            pages = _replace(pages, _recognise(document, blank, ocr_language))
        return pages


def read_text(document: Any, number: int) -> RawPage:
    """A page (from 1) as plain text, or as nothing when it has none or is broken."""
    pymupdf = load_library()
    try:
        page = document[number - 1]
        page.remove_rotation()
        blocks = page.get_text("blocks", sort=True)
    except (RuntimeError, ValueError, pymupdf.mupdf.FzErrorBase):
        return RawPage(number, 0, 0, "nothing", ())
    pieces = tuple(Piece("text", b[:4], text) for b in blocks if b[6] == 0 and (text := b[4].strip()))
    return limit_page(RawPage(number, page.rect.width, page.rect.height, "text" if pieces else "nothing", pieces))


def _recognise(document: Any, pages: Sequence[RawPage], language: str) -> list[RawPage]:
    """The given pages by OCR, those left out on which it finds nothing."""
    if not pages:
        return []
    os.environ["TESSDATA_PREFIX"] = _find_tessdata(language)
    converted = _to_markdown(document, pages, use_ocr=True, ocr_language=language, ocr_dpi=OCR_DPI)
    # The pages carry their recognised text now: what layout makes of it is judged as always.
    plain = [read_text(document, page.number) for page in pages]
    best = _replace(plain, _keep_whole(converted, plain))
    return [replace(page, made_by="ocr") for page in best if page.pieces]


def _keep_whole(converted: Iterable[RawPage], plain: Iterable[RawPage]) -> list[RawPage]:
    """The converted pages that kept enough of their letters."""
    letters = {page.number: _count_letters(page) for page in plain}
    return [page for page in converted if _count_letters(page) >= max(1, MIN_LAYOUT_SHARE * letters[page.number])]


def _find_tessdata(language: str) -> str:
    wanted = language.split("+")
    for folder in (os.environ.get("TESSDATA_PREFIX", ""), *TESSDATA):
        if folder and all((Path(folder) / f"{name}.traineddata").is_file() for name in wanted):
            return folder
    packages = " ".join(f"tesseract-ocr-{name}" for name in wanted)
    raise ReadError(
        f"OCR=on needs Tesseract's data for OCR_LANGUAGE={language}: `sudo apt install {packages}`,"
        " or set TESSDATA_PREFIX to the folder that has them, or OCR=off."
    )


def _to_markdown(document: Any, pages: Sequence[RawPage], **options: Any) -> list[RawPage]:
    if not pages:
        return []
    chunks = importlib.import_module("pymupdf4llm").to_markdown(
        document,
        pages=[page.number - 1 for page in pages],
        page_chunks=True,
        header=False,
        footer=False,
        **options,
    )
    return [
        limit_page(replace(page, made_by="layout", pieces=tuple(_cut(chunk, document)), cut=False))
        for page, chunk in zip(pages, chunks, strict=True)
    ]


def _cut(chunk: Any, document: Any) -> Iterable[Piece]:
    """The blocks of a page, cleaned; blocks without text (pictures) are dropped."""
    sizes = _LineSizes(document[chunk["metadata"]["page_number"] - 1])
    for block in chunk["page_boxes"]:
        start, end = block["pos"]
        kind, (x0, y0, x1, y1) = block["class"], block["bbox"]
        box = float(x0), float(y0), float(x1), float(y1)
        if text := clean_block(chunk["text"][start:end], kind):
            yield Piece(kind, box, text, sizes.largest(box) if kind in HEADINGS else 0)


class _LineSizes:
    """The type sizes of a page's lines, found once a page has a heading."""

    def __init__(self, page: Any) -> None:
        self._page = page
        self._spans: list[tuple[Box, float]] | None = None

    def largest(self, box: Box) -> int:
        """The largest type size, in points, of a span whose middle lies in `box`; at least 1."""
        if self._spans is None:
            blocks = self._page.get_text("dict")["blocks"]
            lines = [line for block in blocks for line in block.get("lines", ())]
            self._spans = [(span["bbox"], span["size"]) for line in lines for span in line["spans"]]
        return round(max((size for where, size in self._spans if _is_inside(where, box)), default=1))


def _is_inside(inner: Box, outer: Box) -> bool:
    x, y = (inner[0] + inner[2]) / 2, (inner[1] + inner[3]) / 2
    return outer[0] <= x <= outer[2] and outer[1] <= y <= outer[3]


def _replace(pages: Sequence[RawPage], better: Iterable[RawPage]) -> list[RawPage]:
    found = {page.number: page for page in better}
    return [found.get(page.number, page) for page in pages]


def _count_letters(page: RawPage) -> int:
    return sum(c.isalnum() for piece in page.pieces for c in piece.text)

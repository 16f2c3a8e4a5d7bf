"""What is done to a PDF inside a worker process: look at it, convert some of its pages.

The only module, with `render.py`, that uses the PDF library; it imports it inside its functions,
so that importing this module costs nothing. Everything comes back as plain, small values.
"""

import importlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from database.documents import Box
from database.errors import ReadError
from database.readers.pieces import HEADINGS, Piece, RawPage, clean_block

Mode = Literal["layout", "text", "ocr"]

MAX_LAYOUT_POINTS = 6_000
"""Longer pages are read as plain text: layout analysis draws them, which takes 370 MB at this
length and 730 MB at 10,000 (A0 is 3,370 points long)."""
MIN_LAYOUT_SHARE = 0.5
"""Layout that keeps a smaller share of a page's letters has missed the page (sideways text)."""
SNIFF_BYTES = 1024
OCR_DPI = 200
TESSDATA = ("/usr/share/tesseract-ocr/5/tessdata", "/usr/share/tesseract-ocr/4.00/tessdata", "/usr/share/tessdata")


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a PDF before its pages are converted."""

    page_count: int
    title: str
    repaired: bool


def PRELOAD() -> None:
    """Import what conversions need, once, before processes are forked for them."""
    onnxruntime: Any = importlib.import_module("onnxruntime")

    class OneThread(onnxruntime.SessionOptions):  # type: ignore[misc]
        """Conversions run side by side: threads inside each only get in each other's way (5.2
        instead of 3.5 CPU-seconds for 8 pages on 2 cores), and a fork would not carry them over."""

        def __init__(self) -> None:
            super().__init__()
            self.intra_op_num_threads = 1

    onnxruntime.SessionOptions = OneThread
    importlib.import_module("pymupdf4llm")


def inspect(path: Path, max_file_mb: int) -> Facts:
    """Look at a file without converting it. Raises `ReadError` for what cannot be read at all."""
    _check_bytes(path, max_file_mb)
    with open_document(path) as document:
        if document.needs_pass:
            raise ReadError(
                "It is protected by a password. Remove the password (for example with"
                " `qpdf --decrypt --password=… in.pdf out.pdf`) and load the file again."
            )
        if not document.is_pdf:
            raise ReadError("It is not a PDF, whatever its name says. Export it as PDF.")
        if document.page_count == 0:
            raise ReadError("It has no pages. Export or download the file again.")
        title = (document.metadata or {}).get("title") or ""
        return Facts(document.page_count, title.strip(), bool(document.is_repaired))


def convert(path: Path, numbers: Sequence[int], mode: Mode, ocr_language: str) -> list[RawPage]:
    """Convert pages (numbers from 1). Pages that the layout analysis misses fall back to plain
    text; in mode "ocr" pages without any text are recognised."""
    with open_document(path) as document:
        pages = [_read_text(document, number) for number in numbers]
        small = [page for page in pages if max(page.width, page.height) <= MAX_LAYOUT_POINTS]
        if mode != "text":
            written = [page for page in small if page.made_by == "text"]
            pages = _replace(pages, _keep_whole(_to_markdown(document, written, use_ocr=False), written))
        if mode == "ocr":
            blank = [page for page in small if page.made_by == "nothing"]
            pages = _replace(pages, _recognise(document, blank, ocr_language))
        return pages


def _check_bytes(path: Path, max_file_mb: int) -> None:
    size = path.stat().st_size
    if size == 0:
        raise ReadError("It is empty (0 bytes). Copy or download the file again.")
    if size > max_file_mb << 20:
        raise ReadError(f"It has {size >> 20} MB, more than MAX_FILE_MB={max_file_mb}. Split it or raise that setting.")
    with path.open("rb") as file:
        start = file.read(SNIFF_BYTES)
    if b"%PDF-" not in start:
        raise ReadError(f"It is not a PDF but {_name_format(start)}. Export it as PDF.")


def _name_format(start: bytes) -> str:
    known = {b"PK\x03\x04": "a ZIP or Office file", b"\x89PNG": "a PNG image", b"\xff\xd8\xff": "a JPEG image"}
    for magic, name in known.items():
        if start.startswith(magic):
            return name
    return "a web page" if b"<html" in start.lower() else "something else"


def load_library() -> Any:
    """The module `pymupdf`, whose calls carry no types."""
    return importlib.import_module("pymupdf")


def open_document(path: Path) -> Any:
    """An open `pymupdf.Document`; close it. Raises `ReadError` when the file is damaged."""
    pymupdf = load_library()
    pymupdf.TOOLS.mupdf_display_errors(False)
    try:
        return pymupdf.open(path)
    except (pymupdf.FileDataError, pymupdf.mupdf.FzErrorBase):
        raise ReadError("It is damaged and cannot be opened. Copy or download the file again.") from None


def _read_text(document: Any, number: int) -> RawPage:
    """A page as plain text, or as nothing when it has none or is broken."""
    pymupdf = load_library()
    try:
        page = document[number - 1]
        page.remove_rotation()
        blocks = page.get_text("blocks", sort=True)
    except (RuntimeError, ValueError, pymupdf.mupdf.FzErrorBase):
        return RawPage(number, 0, 0, "nothing", ())
    pieces = tuple(Piece("text", b[:4], text) for b in blocks if b[6] == 0 and (text := b[4].strip()))
    return RawPage(number, page.rect.width, page.rect.height, "text" if pieces else "nothing", pieces)


def _recognise(document: Any, pages: Sequence[RawPage], language: str) -> list[RawPage]:
    """The given pages by OCR, those left out on which it finds nothing."""
    if not pages:
        return []
    os.environ["TESSDATA_PREFIX"] = _find_tessdata(language)
    converted = _to_markdown(document, pages, use_ocr=True, ocr_language=language, ocr_dpi=OCR_DPI)
    # The pages carry their recognised text now: what layout makes of it is judged as always.
    plain = [_read_text(document, page.number) for page in pages]
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
        replace(page, made_by="layout", pieces=tuple(_cut(chunk, document)))
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

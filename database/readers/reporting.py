"""What a person is told of a document that was read: its title, and notes on its pages. Pure."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Literal

from database.documents import Page
from database.errors import Damaged
from database.formats import FORMATS
from database.readers.pieces import HEADINGS, replace_unstorable

MAX_TITLE_CHARS = 120
_NO_TITLE = re.compile(r"untitled|sem título|microsoft (word|excel|powerpoint)\b|.*\.\w{2,5}$|[\W\d]*$", re.I)


def choose_title(given: str, pages: Sequence[Page], path: Path) -> str:
    """The title in the file if it means something, else the first page's largest short heading, else the name."""
    for candidate in (given, *_first_headings(pages)):
        title = replace_unstorable(" ".join(candidate.split()))
        if title and len(title) <= MAX_TITLE_CHARS and not _NO_TITLE.match(title):
            return title
    return re.sub(r"[\s_-]+", " ", path.stem).strip() or path.name


def _first_headings(pages: Sequence[Page]) -> Iterator[str]:
    """The headings of the first page, those of the highest level first."""
    blocks = [block for page in pages[:1] for block in page.blocks if block.kind in HEADINGS]
    texts = [pages[0].text[block.start : block.end].strip() for block in blocks]
    for text in sorted(texts, key=lambda text: len(text) - len(text.lstrip("#"))):
        yield text.lstrip("# ")


def describe(pages: Sequence[Page], repaired: bool, ocr: Literal["off", "on"], format_name: str = "pdf") -> list[str]:
    """Notes on pages without text. Raises `ReadError` for a damaged file that gave none at all."""
    blank = [page.number for page in pages if page.made_by == "nothing"]
    notes = []
    if repaired:
        if len(blank) == len(pages):
            raise Damaged("It is damaged (cut off?) and no text could be saved. Copy or download it again.")
        notes.append(f"the file is damaged; {len(pages) - len(blank)} of {len(pages)} pages gave text")
    if blank:
        verb = "has" if len(blank) == 1 else "have"
        why = "lost by the damage?" if repaired else _explain_blank(format_name, ocr)
        notes.append(f"{name_pages(blank, FORMATS[format_name].unit)} {verb} no text ({why})")
    return notes


def _explain_blank(format_name: str, ocr: Literal["off", "on"]) -> str:
    if not FORMATS[format_name].drawn:
        return "pictures only?" if format_name in ("pptx", "docx", "html") else "empty?"
    if ocr == "on":
        return "OCR found none either"
    return "an image: set OCR=on and load it again" if format_name == "image" else "scanned? set OCR=on"


def describe_cut(numbers: Sequence[int], unit: str = "page") -> list[str]:
    """A note on pages of which the end was left out."""
    more = (
        f"more text than a {unit} may have; its end was"
        if len(numbers) == 1
        else f"more text than {unit}s may have; their ends were"
    )
    return [f"{name_pages(numbers, unit)}: {more} left out"] if numbers else []


def name_pages(numbers: Iterable[int], unit: str = "page") -> str:
    """ "page 4", "pages 3–5, 9": ascending numbers as a person writes them."""
    ordered = list(numbers)
    breaks = [i for i, (a, b) in enumerate(pairwise(ordered), 1) if b != a + 1]
    runs = [ordered[a:b] for a, b in pairwise([0, *breaks, len(ordered)])]
    named = ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs)
    return f"{unit}{'s' if len(ordered) > 1 else ''} {named}"

"""Plain text to sections: paragraphs between blank lines; a form feed begins a new section."""

import re
from collections.abc import Iterator
from pathlib import Path

from database.readers.decoding import preload, read_text
from database.readers.pieces import Piece
from database.readers.sections import Limits, Sections, cut_sections, make_page, paragraph

__all__ = ["preload", "read"]

_PARAGRAPHS = re.compile(r"\n(?:[ \t]*\n)+")


def read(path: Path, limits: Limits) -> Sections:
    """The sections of a text file. Raises `ReadError`."""
    pages = [
        page
        for part in read_text(path, limits.max_text_mb).split("\f")
        for page in cut_sections(_cut(part), limits)
        if page.pieces
    ]
    numbered = [make_page(number, page.pieces) for number, page in enumerate(pages, 1)]
    return Sections("", numbered or [make_page(1, [])], [])


def _cut(text: str) -> Iterator[Piece]:
    return (paragraph(part) for part in _PARAGRAPHS.split(text) if part.strip())

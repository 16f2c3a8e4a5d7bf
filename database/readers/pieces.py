"""From the converter's blocks to pages: clean each block, rank headings, join, count positions.

Pure. Positions are right by construction: they are counted while a page is put together, after
everything that changes a text has been done.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from database.documents import Block, Box, MadeBy, Page

HEADINGS = ("title", "section-header")
MAX_PAGE_CHARS, MAX_PAGE_PIECES = 1_000_000, 20_000
"""Of one page. A page of a book has 3,000 characters, a spreadsheet printed on one page a hundred times that."""
MAX_LEVEL = 6

_PICTURE_MARK = re.compile(r"<!-- (?:Start|End) of picture text -->|\**==> picture .*? <==\**")
_BREAK = re.compile(r"\s*<br\s*/?>\s*")
_UNDERLINE = re.compile(r"</?u>")
_BOLD = re.compile(r"\*\*([^*\n]+)\*\*")
_ITALIC = re.compile(r"(?<![\w\\])_(?=\S)([^_\n]+)(?<=\S)_(?!\w)")
_BLANKS = re.compile(r"[ \t]{3,}")
_HASHES = re.compile(r"^#+\s+")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Piece:
    """One block of a page. `size` is the type size of a heading in points, 0 for all else."""

    kind: str
    box: Box
    text: str
    size: int = 0


@dataclass(frozen=True, slots=True)
class RawPage:
    """One converted page, before headings are ranked over the whole document."""

    number: int
    width: float
    height: float
    made_by: MadeBy
    pieces: tuple[Piece, ...] = ()
    cut: bool = False
    """Whether it had more text than a page may have."""


def limit_page(page: RawPage) -> RawPage:
    """The page as far as a page may go, whole pieces but for the last."""
    kept: list[Piece] = []
    room = MAX_PAGE_CHARS
    for piece in page.pieces[:MAX_PAGE_PIECES]:
        kept.append(replace(piece, text=piece.text[:room]))
        room -= len(piece.text)
        if room <= 0:
            break
    if room >= 0 and len(kept) == len(page.pieces):
        return page
    return replace(page, pieces=tuple(kept), cut=True)


def clean_block(text: str, kind: str) -> str:
    """A block's Markdown without emphasis, line breaks inside cells, picture marks and hashes.

    Emphasis is dropped because its marks stick to words ("_Total_" is not "Total" to a search)
    and cost tokens. Empty when nothing is left, as for a picture without text.
    """
    text = _PICTURE_MARK.sub("", text)
    text = _BREAK.sub("\n" if kind in ("picture", "formula") else " ", text)
    text = _BLANKS.sub("  ", text)
    text = _ITALIC.sub(r"\1", _BOLD.sub(r"\1", _UNDERLINE.sub("", text)))
    if kind == "table":
        text = "\n".join(_trim_cells(line) for line in text.splitlines())
    if kind in HEADINGS:
        text = " ".join(_HASHES.sub("", text.strip()).split())
    return text.strip()


def _trim_cells(row: str) -> str:
    return re.sub(r"[ \t]*\|[ \t]*", "|", row)


def assemble_pages(raw_pages: Sequence[RawPage]) -> tuple[Page, ...]:
    """Pages whose headings have levels by their type size over the whole document."""
    levels = rank_sizes(piece.size for page in raw_pages for piece in page.pieces if piece.kind in HEADINGS)
    return tuple(_assemble(page, levels) for page in raw_pages)


def rank_sizes(sizes: Iterable[int]) -> dict[int, int]:
    """Each type size's heading level: 1 for the largest, at most 6."""
    ordered = sorted(set(sizes), reverse=True)
    return {size: min(place, MAX_LEVEL) for place, size in enumerate(ordered, 1)}


def replace_unstorable(text: str) -> str:
    """Half surrogate pairs and NULs, which broken fonts yield and no store takes, as U+FFFD. Lengths stay."""
    return _UNSTORABLE.sub("\ufffd", text)


def _assemble(page: RawPage, levels: dict[int, int]) -> Page:
    parts: list[str] = []
    blocks: list[Block] = []
    end = 0
    for piece in page.pieces:
        hashes = "#" * levels[piece.size] + " " if piece.kind in HEADINGS else ""
        parts.append(f"{hashes}{replace_unstorable(piece.text)}\n\n")
        start, end = end, end + len(parts[-1])
        blocks.append(Block(start, end, piece.box, piece.kind))
    return Page(page.number, "".join(parts), page.made_by, page.width, page.height, tuple(blocks))

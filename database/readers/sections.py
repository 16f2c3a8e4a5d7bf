"""Documents without pages: what they hold is cut into sections, which count as pages. Pure.

A section ends before a heading or when it is large enough, between two paragraphs or two rows of a
table; only what is longer than a section by itself is cut inside. A part of a table that was cut
begins with the table's own header.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from database.documents import NOWHERE
from database.errors import FileTooLarge
from database.readers.pieces import HEADINGS, MAX_LEVEL, Piece, RawPage, limit_page

MAX_CHARS = 3_000
"""Of a section: about a page of a book."""
ENOUGH_CHARS = 1_000
"""A section with less than this goes on after a heading of a lower level."""
MAX_ROWS = 100
"""Of one part of a table."""
TOP_LEVELS = 2
"""Headings down to this level always begin a section."""

_HEADING_LIKE = re.compile(r"^(?=#{1,6}[ \t])", re.MULTILINE)
_SENTENCE_END = re.compile(r"(?<=[.!?;:])\s+|\n+")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a file may have; the settings of these names."""

    max_file_mb: int
    max_pages: int
    max_text_mb: int


@dataclass(frozen=True, slots=True)
class Sections:
    """What is made of a whole file at once."""

    title: str
    pages: list[RawPage]
    notes: list[str]


def heading(text: str, level: int) -> Piece:
    """A heading of this level, 1 the highest."""
    # Levels are ranked by size over the whole document, as the headings of PDFs are.
    return Piece("section-header", NOWHERE, " ".join(text.split()), MAX_LEVEL + 1 - min(level, MAX_LEVEL))


def paragraph(text: str, kind: str = "text") -> Piece:
    """Anything else. Lines of it that look like headings are moved by a blank, so that they are none."""
    return Piece(kind, NOWHERE, _HEADING_LIKE.sub(" ", text.strip("\n")))


def table(rows: Sequence[Sequence[str]]) -> Piece:
    """Rows of cells as Markdown, the first of them its header; short rows are filled up."""
    width = max(map(len, rows))
    lines = [row_line([*row, *[""] * (width - len(row))]) for row in rows]
    return Piece("table", NOWHERE, "\n".join([lines[0], rule(width), *lines[1:]]))


def row_line(cells: Iterable[str]) -> str:
    """One row of a table, on one line."""
    return "|" + "|".join(" ".join(cell.replace("|", "\\|").split()) for cell in cells) + "|"


def rule(width: int) -> str:
    """What stands between a table's header and its rows."""
    return "|" + "---|" * width


def make_page(number: int, pieces: Iterable[Piece]) -> RawPage:
    """A page of these pieces, neighbours that are no headings made one."""
    joined: list[Piece] = []
    for piece in pieces:
        if joined and not {piece.kind, joined[-1].kind} & {*HEADINGS}:
            joined[-1] = replace(joined[-1], kind="text", text=f"{joined[-1].text}\n\n{piece.text}")
        elif piece.text.strip():
            joined.append(piece)
    return limit_page(RawPage(number, 0, 0, "layout" if joined else "nothing", tuple(joined)))


def cut_sections(pieces: Iterable[Piece], limits: Limits) -> list[RawPage]:
    """The sections of a document, at least one. Raises `FileTooLarge`."""
    count = make_counter(limits)
    return [make_page(number, count(held)) for number, held in enumerate(_gather(pieces), 1)] or [make_page(1, [])]


def make_counter(limits: Limits) -> Callable[[list[Piece]], list[Piece]]:
    """What every page of a file passes, until there is more than is taken. Counts as it is made, so that
    a file that would fill the memory ends early."""
    pages = chars = 0

    def count(pieces: list[Piece]) -> list[Piece]:
        nonlocal pages, chars
        pages, chars = pages + 1, chars + sum(len(piece.text) for piece in pieces)
        if pages > limits.max_pages:
            raise FileTooLarge(
                f"It has more than MAX_PAGES={limits.max_pages} pages, sections or parts of tables."
                " Split it or raise that setting."
            )
        if chars > limits.max_text_mb << 20:
            raise FileTooLarge(
                f"Its text has more than MAX_TEXT_MB={limits.max_text_mb} MB. Split it or raise that setting."
            )
        return pieces

    return count


def _gather(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    held: list[Piece] = []
    size = 0
    for piece in pieces:
        for part in _split(piece):
            if _has_body(held) and _ends_before(part, size):
                yield held
                held, size = [], 0
            held.append(part)
            size += len(part.text) + 2
    if held:
        yield held


def _ends_before(piece: Piece, size: int) -> bool:
    """Whether a section of `size` characters ends before this piece."""
    if piece.kind in HEADINGS:
        return size >= ENOUGH_CHARS or MAX_LEVEL + 1 - piece.size <= TOP_LEVELS
    return size + len(piece.text) > MAX_CHARS


def _has_body(held: Sequence[Piece]) -> bool:
    return any(piece.kind not in HEADINGS for piece in held)


def _split(piece: Piece) -> Iterator[Piece]:
    """A piece in parts of at most MAX_CHARS, if its rows and sentences allow it."""
    if len(piece.text) <= MAX_CHARS or piece.kind in HEADINGS:
        yield piece
    elif piece.kind == "table":
        lead, rule_line, *rows = piece.text.split("\n")
        for group in group_lines(rows, MAX_CHARS - len(lead) - len(rule_line)):
            yield replace(piece, text="\n".join([lead, rule_line, *group]))
    else:
        for text in _split_text(piece.text):
            yield replace(piece, text=text)


def group_lines(lines: Iterable[str], max_chars: int) -> Iterator[list[str]]:
    """Lines together as long as they are no more than MAX_ROWS and `max_chars` characters; at least one a group."""
    group: list[str] = []
    size = 0
    for line in lines:
        if group and (size + len(line) + 1 > max_chars or len(group) == MAX_ROWS):
            yield group
            group, size = [], 0
        group.append(line)
        size += len(line) + 1
    if group:
        yield group


def _split_text(text: str) -> Iterator[str]:
    start = 0
    while len(text) - start > MAX_CHARS:
        ends = [match.end() for match in _SENTENCE_END.finditer(text, start + MAX_CHARS // 2, start + MAX_CHARS)]
        blank = text.rfind(" ", start + MAX_CHARS // 2, start + MAX_CHARS)
        end = ends[-1] if ends else blank + 1 if blank > 0 else start + MAX_CHARS
        yield text[start:end].rstrip()
        start = end
    yield text[start:]

"""Rows of a sheet to parts of a table that each begin with the header's rows. Pure.

A part counts as a page. Lines above the header that have but one cell are what the sheet says of
itself; they stand before the first part.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice, pairwise

from database.readers.pieces import Piece
from database.readers.sections import MAX_CHARS, group_lines, heading, paragraph, row_line, rule

LEAD_ROWS = 20
"""The header is looked for among so many rows."""
_NUMBER = re.compile(r"[\s\d.,:/%€$£R+()-]*\d[\s\d.,:/%€$£R+()-]*\Z")


def cut_rows(name: str, rows: Iterable[Sequence[str]]) -> Iterator[list[Piece]]:
    """The parts of a sheet called `name`, which may be empty. Takes rows as they are needed."""
    filled = (_strip(row) for row in rows)
    held = (row for row in filled if row)
    first = list(islice(held, LEAD_ROWS))
    if not first:
        return
    lead, header, rest = _find_header(first)
    title = [heading(name, 1)] if name else []
    before = [paragraph("\n".join(" ".join(row) for row in lead))] if lead else []
    width = len(header)
    top = "\n".join((row_line(header), rule(width)))
    lines = (row_line([*row, *[""] * (width - len(row))]) for row in chain(rest, held))
    parts = group_lines(lines, max(1, MAX_CHARS - len(top)))
    for number, part in enumerate(chain([next(parts, [])], parts)):
        pieces = [*title, *(before if number == 0 else [])]
        yield [*pieces, Piece("table", paragraph("").box, "\n".join([top, *part]))]


def _find_header(rows: list[list[str]]) -> tuple[list[list[str]], list[str], list[list[str]]]:
    """What stands above the header, the header, and the first rows under it."""
    wide = max(map(len, rows)) > 1
    at = next((n for n, row in enumerate(rows) if not wide or sum(map(bool, row)) > 1), 0)
    lead, header, rest = rows[:at], rows[at], rows[at + 1 :]
    if rest and _is_double(header, rest[0]):
        header, rest = [_join(pair) for pair in _zip(header, rest[0])], rest[1:]
    elif all(_NUMBER.match(cell) for cell in header):
        header, rest = [_letter(n) for n in range(max(map(len, rows)))], [header, *rest]
    return lead, header, rest


def _is_double(header: Sequence[str], below: Sequence[str]) -> bool:
    """Whether a cell of the header spans several, which the row below names."""
    spans = any(one and one == other for one, other in pairwise(header))
    return spans and not any(_NUMBER.match(cell) and len(cell) > 4 for cell in below) and len(set(below)) > 1


def _zip(above: Sequence[str], below: Sequence[str]) -> Iterator[tuple[str, str]]:
    width = max(len(above), len(below))
    filled = ([*row, *[""] * (width - len(row))] for row in (above, below))
    return zip(*filled, strict=True)


def _join(pair: tuple[str, str]) -> str:
    return " ".join(dict.fromkeys(part for part in pair if part))


def _letter(column: int) -> str:
    """A, B … Z, AA: what spreadsheets call a column (from 0)."""
    text = ""
    column += 1
    while column:
        column, place = divmod(column - 1, 26)
        text = chr(ord("A") + place) + text
    return text


def _strip(row: Sequence[str]) -> list[str]:
    """Without the empty cells at its end."""
    cells = [" ".join(cell.split()) for cell in row]
    while cells and not cells[-1]:
        cells.pop()
    return cells

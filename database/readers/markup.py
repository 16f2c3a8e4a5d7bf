"""A tree of HTML to pieces of Markdown: headings, paragraphs, lists, tables, code. Inside a worker process.

The tree may come from a web page or from a Word document. lxml takes no tree that is so deep that
going down it would be dangerous.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from database.readers.pieces import Piece
from database.readers.sections import heading, paragraph, table

DROPPED = frozenset(
    """script style noscript template svg math canvas iframe object embed head nav form button select input textarea
    dialog audio video map""".split()  # noqa: SIM905
)
BLOCKS = frozenset(
    """address article aside blockquote body center dd details div dl dt fieldset figcaption figure footer header
    hgroup html li main ol p pre section summary table ul h1 h2 h3 h4 h5 h6 hr""".split()  # noqa: SIM905
)
MAX_CELLS = 1_000_000
"""Of one table, those that only a span makes counted."""
MAX_SPAN = 1_000

_HEADING = re.compile(r"h([1-6])\Z")
_SPACES = re.compile(r"[ \t\n\r\f\xa0]+")


def find_pieces(element: Any) -> Iterator[Piece]:
    """The blocks below `element` (an lxml one), in reading order."""
    yield from _Walk().blocks(element, 0)


class _Walk:
    """One way through a tree."""

    def __init__(self) -> None:
        self._cells = 0

    def blocks(self, element: Any, depth: int) -> Iterator[Piece]:
        run: list[str] = [element.text or ""]
        for child in element:
            tag = _tag(child)
            if tag in BLOCKS or (tag and tag not in DROPPED and _holds_blocks(child)):
                yield from _flush(run)
                yield from self._block(child, tag, depth)
            else:
                run.append(inline(child))
            run.append(child.tail or "")
        yield from _flush(run)

    def _block(self, element: Any, tag: str, depth: int) -> Iterator[Piece]:
        if match := _HEADING.match(tag):
            if text := _tidy(inline(element)):
                yield heading(text, int(match[1]))
        elif tag == "pre":
            code = "".join(element.itertext()).strip("\n")
            if code.strip():
                yield paragraph(f"```\n{code}\n```", "code")
        elif tag == "table":
            yield from self._table(element, depth)
        elif tag in ("ul", "ol"):
            if text := "\n".join(self._list(element, 0)):
                yield paragraph(text, "list-item")
        else:
            yield from self.blocks(element, depth)

    def _list(self, element: Any, depth: int) -> Iterator[str]:
        number = 0
        for item in element:
            tag = _tag(item)
            if tag in ("ul", "ol"):
                yield from self._list(item, depth + 1)
            elif tag == "li":
                number += 1
                mark = f"{number}. " if _tag(element) == "ol" else "- "
                yield from self._item(item, depth, mark)

    def _item(self, item: Any, depth: int, mark: str) -> Iterator[str]:
        indent = "  " * depth
        inside = [child for child in item if _tag(child) in ("ul", "ol")]
        if text := _tidy(inline(item, skip=inside)):
            yield f"{indent}{mark}{text}"
        for child in inside:
            yield from self._list(child, depth + 1)

    def _table(self, element: Any, depth: int) -> Iterator[Piece]:
        caption = next((child for child in element if _tag(child) == "caption"), None)
        if caption is not None and (text := _tidy(inline(caption))):
            yield paragraph(text, "caption")
        rows = list(_find_rows(element))
        if _is_layout(rows):
            for row in rows:
                for cell in row:
                    yield from self.blocks(cell, depth)
            return
        grid = [row for row in self._grid(rows) if any(row)]
        if grid:
            yield table(grid)

    def _grid(self, rows: Sequence[Sequence[Any]]) -> Iterator[list[str]]:
        """The texts of cells; one that spans several stands in each of them."""
        below: dict[int, tuple[int, str]] = {}
        for row in rows:
            line: list[str] = []
            for cell in row:
                self._take_spanned(line, below)
                text, across, down = _tidy(inline(cell)), _span(cell, "colspan"), _span(cell, "rowspan")
                for _ in range(across):
                    if down > 1:
                        below[len(line)] = (down - 1, text)
                    line.append(text)
            self._take_spanned(line, below)
            self._cells += len(line)
            if self._cells > MAX_CELLS:
                return
            yield line

    def _take_spanned(self, line: list[str], below: dict[int, tuple[int, str]]) -> None:
        while len(line) in below:
            left, text = below.pop(len(line))
            if left > 1:
                below[len(line)] = (left - 1, text)
            line.append(text)


def inline(element: Any, skip: Sequence[Any] = ()) -> str:
    """The text of an element and all below it, blocks apart, without what is not for reading."""
    tag = _tag(element)
    if not tag or tag in DROPPED or element in skip:
        return ""
    if tag == "br":
        return " "
    parts = [element.text or ""]
    for child in element:
        parts += [inline(child, skip), child.tail or ""]
    text = "".join(parts)
    return f" {text} " if tag in BLOCKS or tag in ("td", "th", "tr") else text


def _flush(run: list[str]) -> Iterator[Piece]:
    text = _tidy("".join(run))
    run.clear()
    if text:
        yield paragraph(text)


def _tidy(text: str) -> str:
    return _SPACES.sub(" ", text).strip()


def _tag(element: Any) -> str:
    """Empty for comments and the like."""
    return element.tag.rpartition("}")[2].lower() if isinstance(element.tag, str) else ""


def _holds_blocks(element: Any) -> bool:
    return any(_tag(below) in BLOCKS for below in element.iterdescendants())


def _find_rows(element: Any) -> Iterator[list[Any]]:
    for child in element:
        if _tag(child) == "tr":
            yield [cell for cell in child if _tag(cell) in ("td", "th")]
        elif _tag(child) in ("thead", "tbody", "tfoot"):
            yield from _find_rows(child)


def _is_layout(rows: Sequence[Sequence[Any]]) -> bool:
    """Whether a table only arranges a page: one column, or tables and headings inside."""
    inside = {"table", "h1", "h2", "h3", "h4", "pre"}
    return max(map(len, rows), default=0) < 2 or any(
        _tag(below) in inside for row in rows for cell in row for below in cell.iterdescendants()
    )


def _span(cell: Any, name: str) -> int:
    given = (cell.get(name) or "1").strip()
    return min(max(int(given), 1), MAX_SPAN) if given.isascii() and given.isdigit() else 1

"""Presentations to slides: the title, text in reading order, tables, the figures of charts, notes."""

import importlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from database.errors import Damaged
from database.readers.packages import open_package
from database.readers.pieces import Piece
from database.readers.sections import Limits, Sections, heading, make_counter, make_page, paragraph, table

MAX_DEPTH = 20
"""Of groups in groups."""
ROW_PT = 12_700 * 18
"""Shapes whose tops differ by less stand in one row and are read from left to right; in the format's own unit."""


def preload() -> None:
    """Import what reads presentations."""
    importlib.import_module("pptx")


def read(path: Path, limits: Limits) -> Sections:
    """The slides of a .pptx. Raises `ReadError`."""
    with open_package(path):
        pass
    count = make_counter(limits)
    etree: Any = importlib.import_module("lxml.etree")
    try:
        presentation = importlib.import_module("pptx").Presentation(path)
        pages = [
            make_page(number, count(list(_read_slide(slide)))) for number, slide in enumerate(presentation.slides, 1)
        ]
        title = presentation.core_properties.title or ""
    except (KeyError, ValueError, AttributeError, TypeError, IndexError, RecursionError, OSError, etree.Error):
        raise Damaged("It is damaged and cannot be opened. Save it again with PowerPoint or LibreOffice.") from None
    return Sections("" if title == "PowerPoint Presentation" else title, pages or [make_page(1, [])], [])


def _read_slide(slide: Any) -> Iterator[Piece]:
    title = slide.shapes.title
    if title is not None and title.has_text_frame and (text := " ".join(title.text_frame.text.split())):
        yield heading(text, 1)
    own = title.shape_id if title is not None else None
    for shape in _in_order(shape for shape in slide.shapes if shape.shape_id != own):
        yield from _read_shape(shape, 0)
    if slide.has_notes_slide and (frame := slide.notes_slide.notes_text_frame) and frame.text.strip():
        yield paragraph(f"Notes: {frame.text.strip()}")


def _in_order(shapes: Iterable[Any]) -> list[Any]:
    return sorted(shapes, key=lambda shape: ((shape.top or 0) // ROW_PT, shape.left or 0))


def _read_shape(shape: Any, depth: int) -> Iterator[Piece]:
    if hasattr(shape, "shapes") and depth < MAX_DEPTH:
        for inner in _in_order(shape.shapes):
            yield from _read_shape(inner, depth + 1)
    elif getattr(shape, "has_table", False):
        rows = [[_read_cell(cell, shape.table) for cell in row.cells] for row in shape.table.rows]
        if any(any(row) for row in rows):
            yield table(rows)
    elif getattr(shape, "has_chart", False):
        yield from _read_chart(shape.chart)
    elif shape.has_text_frame and (lines := list(_read_frame(shape.text_frame))):
        yield paragraph("\n".join(lines))


def _read_frame(frame: Any) -> Iterator[str]:
    """The paragraphs of a shape; several that are indented, or all of a placeholder for a list, as one."""
    listed = len(frame.paragraphs) > 1
    for part in frame.paragraphs:
        if text := " ".join(part.text.split()):
            yield f"{'  ' * part.level}- {text}" if listed else text


def _read_cell(cell: Any, of: Any) -> str:
    """A cell's text; one that another covers has that one's."""
    if not cell.is_spanned:
        return " ".join(cell.text.split())
    for row in of.rows:
        for origin in row.cells:
            if origin.is_merge_origin and _covers(origin, cell):
                return " ".join(origin.text.split())
    return ""


def _covers(origin: Any, cell: Any) -> bool:
    (row, column), (top, left) = _place(cell), _place(origin)
    return bool(0 <= row - top < origin.span_height and 0 <= column - left < origin.span_width)


def _place(cell: Any) -> tuple[int, int]:
    element = cell._tc
    return int(element.row_idx), int(element.col_idx)


def _read_chart(chart: Any) -> Iterator[Piece]:
    """What a chart shows, as a table: a row for each category, a column for each series."""
    if chart.has_title and chart.chart_title.has_text_frame and (text := chart.chart_title.text_frame.text.strip()):
        yield paragraph(text, "caption")
    for plot in chart.plots:
        series = list(plot.series)
        categories = [str(category) for category in plot.categories]
        values = [[*one.values] for one in series]
        rows = [["", *(one.name or "" for one in series)]]
        for number, category in enumerate(categories):
            rows.append(
                [category, *("" if len(v) <= number or v[number] is None else f"{v[number]:g}" for v in values)]
            )
        if len(rows) > 1 and series:
            yield table(rows)

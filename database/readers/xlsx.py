"""Workbooks to parts of their sheets, each under the sheet's header; formulas as the values last saved."""

import datetime
import importlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from database.errors import Damaged
from database.readers.packages import open_package
from database.readers.sections import Limits, Sections, make_counter, make_page
from database.readers.tables import cut_rows

MAX_WHOLE_MB = 16
"""Sheets of less than this, unpacked, are held as a whole, which alone tells of merged cells; others row by row."""
MAX_MERGED = 100_000
"""Cells that are filled from the one they are merged with."""
_PERCENT = re.compile(r"0(?:\.(0+))?%")


def preload() -> None:
    """Import what reads workbooks."""
    importlib.import_module("openpyxl")


def read(path: Path, limits: Limits) -> Sections:
    """The parts of all sheets of an .xlsx that show. Raises `ReadError`."""
    with open_package(path) as package:
        size = sum(i.file_size for i in package.infolist() if i.filename.startswith("xl/worksheets/"))
        texts = sum(i.file_size for i in package.infolist() if i.filename == "xl/sharedStrings.xml")
    whole = size + texts <= MAX_WHOLE_MB << 20
    try:
        return _read(path, limits, whole)
    except (KeyError, ValueError, AttributeError, TypeError, IndexError, RecursionError, OSError, SyntaxError):
        raise Damaged("It is damaged and cannot be opened. Save it again with Excel or LibreOffice.") from None


def _read(path: Path, limits: Limits, whole: bool) -> Sections:
    openpyxl: Any = importlib.import_module("openpyxl")
    book = openpyxl.load_workbook(path, read_only=not whole, data_only=True, keep_links=False)
    count = make_counter(limits)
    parts = (count(part) for sheet in _list_sheets(book) for part in cut_rows(sheet.title, _read_rows(sheet, whole)))
    pages = [make_page(number, part) for number, part in enumerate(parts, 1)]
    notes = _tell_unsaved(openpyxl, path, book) if whole else []
    return Sections((book.properties.title or "").strip(), pages or [make_page(1, [])], notes)


def _list_sheets(book: Any) -> list[Any]:
    """Those with cells that are not hidden; all where every one is."""
    sheets = list(book.worksheets)
    return [sheet for sheet in sheets if sheet.sheet_state == "visible"] or sheets


def _read_rows(sheet: Any, whole: bool) -> Iterator[list[str]]:
    if whole:
        _fill_merged(sheet)
    else:
        sheet.reset_dimensions()  # what a file says of its size may be wrong
    return ([_show(cell) for cell in row] for row in sheet.iter_rows())


def _fill_merged(sheet: Any) -> None:
    """Put the value of merged cells into each of them."""
    left = MAX_MERGED
    for area in list(sheet.merged_cells.ranges):
        left -= area.size["rows"] * area.size["columns"]
        if left < 0:
            return
        origin = sheet.cell(area.min_row, area.min_col)
        value, style = origin.value, origin.number_format
        sheet.unmerge_cells(area.coord)
        for row, column in area.cells:
            cell = sheet.cell(row, column)
            cell.value, cell.number_format = value, style


def _show(cell: Any) -> str:
    """A cell's value as a person reads it."""
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ", "minutes") if value.time() != datetime.time() else value.date().isoformat()
    if isinstance(value, int | float):
        return _show_number(value, cell.number_format or "")
    return str(value)


def _show_number(value: float, style: str) -> str:
    if match := _PERCENT.search(style):
        return f"{value * 100:.{len(match[1] or '')}f}%"
    rounded = round(value, 10)
    return str(int(rounded)) if rounded == int(rounded) else str(rounded)


def _tell_unsaved(openpyxl: Any, path: Path, values: Any) -> list[str]:
    """A note when formulas have no values, as in files that no spreadsheet program has calculated."""
    formulas = openpyxl.load_workbook(path, data_only=False, keep_links=False)
    missing = sum(_count_missing(sheet, values[sheet.title]) for sheet in formulas.worksheets)
    told = f"{missing} formulas have no saved value: open the file in Excel or LibreOffice, save it and load it again"
    return [told] if missing else []


def _count_missing(sheet: Any, values: Any) -> int:
    cells: Sequence[Any] = [cell for row in sheet.iter_rows() for cell in row if cell.data_type == "f"]
    return sum(values.cell(cell.row, cell.column).value is None for cell in cells)

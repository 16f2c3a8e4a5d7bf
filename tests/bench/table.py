"""Showing a part of the report, on the console and as Markdown."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from tests.bench.rows import Row

COLUMNS = ("what", "measured", "baseline", "ratio", "note")


def print_rows(console: Console, title: str, rows: Sequence[Row]) -> None:
    """One part of the report."""
    table = Table(*_used(rows), title=title, title_justify="left")
    for row in rows:
        table.add_row(*(getattr(row, column) for column in _used(rows)))
    console.print(table)


def write_markdown(title: str, rows: Sequence[Row]) -> str:
    """The same for a document."""
    lines = [_line([getattr(row, column) for column in COLUMNS]) for row in rows]
    return "\n".join([f"### {title}", "", _line(COLUMNS), "|---|---|---|---|---|", *lines, ""])


def _used(rows: Sequence[Row]) -> Sequence[str]:
    return COLUMNS if any(row.note for row in rows) else COLUMNS[:-1]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"

"""Showing a part of the report."""

from rich.console import Console
from rich.table import Table

from tests.bench.rows import Row


def print_rows(console: Console, title: str, rows: list[Row]) -> None:
    """One part of the report."""
    table = Table("what", "measured", "baseline", "ratio", title=title, title_justify="left")
    for row in rows:
        table.add_row(row.what, row.measured, row.baseline, row.ratio)
    console.print(table)

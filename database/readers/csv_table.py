"""CSV to parts of a table, each under the header."""

import csv
import io
from itertools import islice
from pathlib import Path

from database.errors import Damaged
from database.readers.decoding import preload, read_text
from database.readers.sections import Limits, Sections, make_counter, make_page
from database.readers.tables import cut_rows

__all__ = ["preload", "read"]

SAMPLE_CHARS, SAMPLE_ROWS = 1 << 16, 50
DELIMITERS = ",;\t|"
MAX_CELL_CHARS = 1 << 20


def read(path: Path, limits: Limits) -> Sections:
    """The parts of a CSV file. Raises `ReadError`."""
    text = read_text(path, limits.max_text_mb)
    csv.field_size_limit(MAX_CELL_CHARS)
    count = make_counter(limits)
    try:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=find_delimiter(text))
        pages = [make_page(number, count(part)) for number, part in enumerate(cut_rows("", rows), 1)]
    except csv.Error:
        raise Damaged("Its rows cannot be told apart (a quotation mark is missing?). Export it again.") from None
    return Sections("", pages or [make_page(1, [])], [])


def find_delimiter(text: str) -> str:
    """What separates cells: what cuts most of the first rows into as many cells as the very first."""
    sample = text[:SAMPLE_CHARS]

    def judge(delimiter: str) -> tuple[float, int]:
        rows = csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter)
        widths = [len(row) for row in islice(rows, SAMPLE_ROWS) if row]
        alike = sum(width == widths[0] for width in widths) / len(widths) if widths and widths[0] > 1 else 0.0
        return alike, widths[0] if widths else 0

    return max(DELIMITERS, key=judge)

"""A PDF's facts and plain text inside a worker process, without what layout analysis imports.

That import takes seconds; a file that was just dropped in should be searchable before.
"""

from collections.abc import Sequence
from pathlib import Path

from database.readers.opening import Facts, inspect, load_library, open_document
from database.readers.pdf import read_text
from database.readers.pieces import RawPage


def preload() -> None:
    """Import the PDF library alone before processes are forked."""
    load_library()


def look(path: Path, max_file_mb: int) -> Facts:
    """What `inspect` finds. Raises `ReadError` for what cannot be read at all."""
    return inspect(path, max_file_mb)


def read_plain(path: Path, numbers: Sequence[int]) -> list[RawPage]:
    """Pages (numbers from 1) as plain text."""
    with open_document(path, numbers) as document:
        return [read_text(document, number) for number in numbers]

"""Converted pages on disk, so that a killed load goes on where it stopped.

    DATA_DIR/pages/<document id>/<reader fingerprint>/facts.json.gz
                                                      00001-00016.json.gz

Each file appears whole or not at all. One that cannot be read counts as missing.
"""

import gzip
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from database.errors import AcervoError
from database.files import whole_file
from database.readers.pieces import Piece, RawPage


@dataclass(frozen=True, slots=True)
class Range:
    """Consecutive converted pages; `note` says why they are plainer than they could be."""

    pages: tuple[RawPage, ...]
    note: str = ""


class PageCache:
    """The converted pages of one document by one reader. Methods block; call them in a thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load_facts(self) -> dict[str, Any] | None:
        """What `save_facts` kept, or None."""
        found = self._load("facts")
        return found if isinstance(found, dict) else None

    def save_facts(self, facts: dict[str, Any]) -> None:
        """Keep plain values."""
        self._save("facts", facts)

    def load_range(self, numbers: Sequence[int]) -> Range | None:
        """The pages of these numbers, or None when they are missing or unreadable."""
        try:
            found = self._load(_name(numbers))
            pages = tuple(_make_page(values) for values in found["pages"])
            note = str(found["note"])
        except (KeyError, TypeError, ValueError):
            return None
        return Range(pages, note) if [p.number for p in pages] == list(numbers) else None

    def save_range(self, numbers: Sequence[int], converted: Range) -> None:
        """Keep converted pages."""
        self._save(_name(numbers), asdict(converted))

    def _load(self, name: str) -> Any:
        try:
            return json.loads(gzip.decompress((self._folder / f"{name}.json.gz").read_bytes()))
        except (OSError, EOFError, ValueError, gzip.zlib.error):  # type: ignore[attr-defined]
            return None

    def _save(self, name: str, values: dict[str, Any]) -> None:
        data = gzip.compress(json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode(), 3)
        try:
            with whole_file(self._folder / f"{name}.json.gz") as file:
                file.write(data)
        except OSError as error:
            raise AcervoError(f"DATA_DIR cannot be written: {error.strerror} ({self._folder}).") from error


def _name(numbers: Sequence[int]) -> str:
    return f"{numbers[0]:05}-{numbers[-1]:05}"


def _make_page(values: dict[str, Any]) -> RawPage:
    pieces = tuple(Piece(p["kind"], tuple(p["box"]), p["text"], p["size"]) for p in values.pop("pieces"))
    return RawPage(pieces=pieces, **values)

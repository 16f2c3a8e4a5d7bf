"""Everything that an index holds as one file, from any store to any other: `--export` and `--import`.

The file is an archive (`archive.py`) whose `acervo.json` also has the index record. Its members:

    files/ID.pdf             the original of a document; of another format with that one's ending
    documents/ID.json        its record, pages, chunks, windows and page terms, as `Stored` has them
    documents/ID.f32         the vectors of its windows in their order: little-endian float32, row by row
    books/KIND/NUMBER.json   up to BOOK_ROWS entries of the books: ratings, deletions, folders, users, keys

Jobs, sessions and secrets stay behind: they mean something on one server only. One document is in
memory at a time.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from database.archive import ORIGINAL
from database.belonging import KIND as ROOT_KIND
from database.documents import Chunk, Contents, Document, IndexRecord, Page, PageTerms, Record, Window
from database.errors import ArchiveError
from database.ingest import ERASURE

T = TypeVar("T")

FORMAT, VERSION = "acervo-export", 1
KINDS = ("feedback", ERASURE, ROOT_KIND, "user", "key")
"""Of entries of the books that are worth taking along."""
BOOK_ROWS = 100
MEMBERS = re.compile(ORIGINAL + r"|documents/[0-9a-f]{64}\.(?:json|f32)|books/[a-z]{1,32}/\d{6}\.json")


@dataclass(frozen=True, slots=True)
class Stored:
    """A document in the file; without `contents` where nothing of it was published."""

    document: Document
    pages: list[Page]
    chunks: list[Chunk]
    windows: list[Window]
    page_terms: list[PageTerms]
    contents: bool
    dimension: int
    """Of its vectors; 0 where it has none."""

    @classmethod
    def of(cls, document: Document, contents: Contents | None) -> "Stored":
        """What the file has of a document."""
        held = contents or Contents((), (), (), None)
        dimension = 0 if held.vectors is None else int(held.vectors.shape[1])
        lists = [*held.pages], [*held.chunks], [*held.windows], [*held.page_terms]
        return cls(document, *lists, contents is not None, dimension)


STORED, RECORD, BOOK = TypeAdapter(Stored), TypeAdapter(IndexRecord), TypeAdapter(list[Record])


def read(adapter: TypeAdapter[T], data: Any, path: Path) -> T:
    """What a member holds. Raises `ArchiveError`."""
    try:
        return adapter.validate_json(data) if isinstance(data, bytes) else adapter.validate_python(data)
    except ValidationError as error:
        raise ArchiveError(f"{path} holds what this version cannot read ({error.error_count()} fields).") from error

"""The text of a page, or of what counts as one, with passages on it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.errors import NotFound
from app.sentences import utf16
from database.documents import Chunk, Document, Page
from database.formats import FORMATS
from database.stores import Store


@dataclass(frozen=True, slots=True)
class PageText:
    """One page of a document; `marks` are where passages stand on it, `[start, end)` in UTF-16 units."""

    document: Document
    page: Page
    marks: Sequence[tuple[int, int]] = ()

    def describe(self) -> dict[str, Any]:
        """The page on the wire."""
        return {
            "document": self.document.id,
            "name": self.document.name,
            "format": self.document.format,
            "unit": FORMATS[self.document.format].unit,
            "page": self.page.number,
            "page_count": self.document.page_count,
            "text": self.page.text,
            "marks": [list(mark) for mark in self.marks],
        }


async def read_page(store: Store, document: Document, number: int, passages: Sequence[str] = ()) -> PageText:
    """Page `number` (from 1) of a document that whoever asks may see, with the chunks of these ids on it marked.
    Raises `NotFound`, `StoreError`."""
    page = await store.get_page(document.id, number) if document.whole else None
    if page is None:
        raise no_page(document, number)
    chunks = await store.get_chunks(passages) if passages else []
    own = [chunk for chunk in chunks if (chunk.document_id, chunk.page) == (document.id, number)]
    return PageText(document, page, tuple(_mark(page.text, chunk) for chunk in own))


def no_page(document: Document, number: int) -> NotFound:
    """What tells that there is no such page."""
    unit, count = FORMATS[document.format].unit, document.page_count
    return NotFound(f"{document.name} has {count} {unit}{'' if count == 1 else 's'}; there is no {unit} {number}.")


def _mark(text: str, chunk: Chunk) -> tuple[int, int]:
    return utf16(text[: chunk.start]), utf16(text[: chunk.end])

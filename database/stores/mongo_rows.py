"""How documents, pages, chunks and windows lie in MongoDB's collections; pure.

Every row of contents carries its `release`: document id and version in one token, so that one
`$in` says which rows may be seen. Windows have langchain-mongodb's layout: `_id`, `text` and
`embedding`, everything else beside them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from database.documents import Chunk, Contents, Document, IndexRecord, Name, Page, PageTerms, Window
from database.stores.generations import carry_over
from database.stores.mongo_vectors import read_vector

Row = dict[str, Any]

_DOCUMENT = TypeAdapter(Document)
_NAMES = TypeAdapter(tuple[Name, ...])
_RECORD = TypeAdapter(IndexRecord)
_PAGE = TypeAdapter(Page)
_CHUNK = TypeAdapter(Chunk)


def release_of(document_id: str, version: str) -> str:
    """The token that ties contents to a version of a document; empty when there is no version."""
    return f"{document_id}:{version}" if version else ""


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where a generation lies: the first in plain collections and fields of `documents`, others in their own."""

    generation: int

    def name(self, plain: str) -> str:
        """The name of a collection, or of a field of `documents`, in this generation."""
        return plain if self.generation == 1 else f"{plain}_{self.generation}"

    @property
    def seen(self) -> Row:
        """What rows of `documents` meet whose contents may be seen."""
        return {"hidden": {"$ne": True}, self.name("searchable"): True}


FIELDS = ("release", "searchable", "chunk_count", "window_count", "record")
"""Of `documents`, for each generation its own."""


def document_fields(document: Document, shelf: Shelf) -> Row:
    """What one generation has of a document, with what searches need to know of it."""
    fields = {
        "release": release_of(document.id, document.version),
        "searchable": document.whole,
        "chunk_count": document.chunk_count,
        "window_count": document.window_count,
        "record": _DOCUMENT.dump_python(document),
    }
    return {shelf.name(name): value for name, value in fields.items()}


def name_fields(names: Sequence[Name]) -> Row:
    """Where a document's bytes were found, which is the same in all generations."""
    return {"names": _NAMES.dump_python(tuple(names)), "hidden": all(name.excluded for name in names)}


def read_document(row: Mapping[str, Any], shelf: Shelf) -> Document:
    """A row of `documents` as one generation has it, or as it will once that one takes it over."""
    known = row.get(shelf.name("record"))
    if known is None:
        known = next(value for name, value in row.items() if name.startswith("record"))
    document = _DOCUMENT.validate_python(known | {"names": row.get("names", known["names"])})
    return document if shelf.name("record") in row else carry_over(document, None)


def record_row(record: IndexRecord, key: str = "record") -> Row:
    """The index record, or, as "next", that of the generation being made."""
    return {"_id": key, "record": _RECORD.dump_python(record)}


def read_record(row: Mapping[str, Any]) -> IndexRecord:
    """The index record in its row."""
    return _RECORD.validate_python(row["record"])


def page_id(release: str, number: int) -> str:
    """Key of a page."""
    return f"{release}:{number}"


def page_rows(document: Document, pages: Sequence[Page]) -> list[Row]:
    """Rows for `pages`."""
    shared = _shared(document)
    return [{"_id": page_id(shared["release"], p.number), **shared, "page": _PAGE.dump_python(p)} for p in pages]


def read_page(row: Mapping[str, Any]) -> Page:
    """The page in a row."""
    return _PAGE.validate_python(row["page"])


def chunk_rows(document: Document, chunks: Sequence[Chunk]) -> list[Row]:
    """Rows for `chunks`. Versions of a document may share chunk ids, so the key has both."""
    shared = _shared(document)
    return [
        {"_id": f"{document.version}:{c.id}", "chunk_id": c.id, **shared, "chunk": _CHUNK.dump_python(c)}
        for c in chunks
    ]


def read_chunk(row: Mapping[str, Any]) -> Chunk:
    """The chunk in a row."""
    return _CHUNK.validate_python(row["chunk"])


def window_ids(document: Document, windows: Sequence[Window]) -> list[str]:
    """Keys for `windows`. The colon keeps langchain-mongodb from taking one for an ObjectId."""
    return [f"{document.version}:{window.id}" for window in windows]


def window_metadata(document: Document, contents: Contents) -> list[Row]:
    """What stands beside text and embedding in rows of `windows`.

    `last` marks the last window that a vector index takes (it leaves out zero vectors), or without
    vectors the last: the search process follows the writes in their order, so once that one is
    found, all are. `embedded` says whether the vector index has to find it, too.
    """
    shared = _shared(document)
    embedded = contents.vectors is not None
    findable = np.arange(len(contents.windows))
    if contents.vectors is not None:
        findable = np.flatnonzero(np.any(contents.vectors, axis=1))
    last = int(findable[-1]) if len(findable) else -1
    of_pages = {terms.page: terms for terms in contents.page_terms}
    return [
        {
            "window_id": window.id,
            "chunk_id": window.chunk_id,
            **shared,
            "page": window.page,
            "language": window.language,
            "words": window.words,
            "grams": window.grams,
            **_page_fields(of_pages.pop(window.page, None)),
            "added_at": document.added_at,
            "ordinal": number,
            "last": number == last,
            "embedded": embedded,
        }
        for number, window in enumerate(contents.windows)
    ]


def _page_fields(terms: PageTerms | None) -> Row:
    """A page's own terms, which stand in the row of its first window."""
    return {"page_words": terms.words, "page_grams": terms.grams, "heads": terms.head} if terms else {}


def plain_rows(document: Document, contents: Contents) -> list[Row]:
    """Rows for windows without vectors, in the layout of those with."""
    keys, metadata = window_ids(document, contents.windows), window_metadata(document, contents)
    windows = zip(keys, contents.windows, metadata, strict=True)
    return [{"_id": key, "text": window.text, **row} for key, window, row in windows]


def read_window(row: Mapping[str, Any]) -> Window:
    """The window in a row."""
    return Window(
        id=row["window_id"],
        chunk_id=row["chunk_id"],
        document_id=row["document_id"],
        page=row["page"],
        language=row["language"],
        text=row["text"],
        words=row["words"],
        grams=row["grams"],
    )


def read_contents(pages: Sequence[Row], chunks: Sequence[Row], windows: Sequence[Row]) -> Contents:
    """What rows of one release hold, in the order it was published in."""
    own = sorted(map(read_chunk, chunks), key=lambda chunk: chunk.ordinal)
    places = {chunk.id: place for place, chunk in enumerate(own)}
    # Rows of older versions do not say where they stood among those of their chunk; the page's first has its terms.
    ordered = sorted(windows, key=lambda w: (places[w["chunk_id"]], w.get("ordinal", 0), "page_words" not in w))
    embedded = bool(ordered) and all("embedding" in row for row in ordered)
    return Contents(
        sorted(map(read_page, pages), key=lambda page: page.number),
        own,
        [read_window(row) for row in ordered],
        np.stack([read_vector(row["embedding"]) for row in ordered]) if embedded else None,
        [PageTerms(r["page"], r["page_words"], r["page_grams"], r["heads"]) for r in ordered if "page_words" in r],
    )


def _shared(document: Document) -> Row:
    release = release_of(document.id, document.version)
    return {"document_id": document.id, "version": document.version, "release": release}

"""Contents that a worker made are taken for what a stranger sends: they must hang together, and stay within limits."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from pydantic import ValidationError

from database.documents import Chunk, Contents, Document, Page, Vector, Window
from database.errors import FileTooLarge, ReadError
from database.formats import FORMATS
from database.readers.opening import MAX_TITLE_CHARS
from database.settings import IndexSettings
from database.transfer import STORED, Stored

WRONG = "A worker gave contents that do not hang together: {}. Load again, or without --scheduler."
NORM_SPARE = 1e-3


def read_contents(
    document: Document, told: bytes, vectors: bytes, dimension: int, settings: IndexSettings
) -> tuple[Document, Contents]:
    """The document as it is published, and what a worker made of it. Raises `ReadError`.

    Of the record only what reading tells is the worker's: identity, names and times stay as they are.
    """
    try:
        stored = STORED.validate_json(told)
    except ValidationError as error:
        raise ReadError(WRONG.format(f"{error.error_count()} fields cannot be read")) from None
    _check_limits(stored, settings)
    _check_parts(document.id, stored.pages, stored.chunks, stored.windows)
    rows = _read_vectors(vectors, len(stored.windows), dimension)
    given = stored.document
    _require(given.format in FORMATS and len(given.title) <= MAX_TITLE_CHARS and len(given.language) <= 2, "its record")
    made = replace(
        document,
        title=given.title,
        language=given.language,
        notes=given.notes,
        format=given.format,
        page_count=len(stored.pages),
        chunk_count=len(stored.chunks),
        window_count=len(stored.windows),
        state="ready",
        reason="",
    )
    return made, Contents(stored.pages, stored.chunks, stored.windows, rows, stored.page_terms)


def _check_limits(stored: Stored, settings: IndexSettings) -> None:
    if len(stored.pages) > settings.max_pages:
        raise FileTooLarge(f"It has {len(stored.pages)} pages, more than MAX_PAGES={settings.max_pages}.")
    if sum(len(page.text) for page in stored.pages) > settings.max_text_mb << 20:
        raise FileTooLarge(f"Its text has more than MAX_TEXT_MB={settings.max_text_mb} MB.")


def _check_parts(document_id: str, pages: Sequence[Page], chunks: Sequence[Chunk], windows: Sequence[Window]) -> None:
    _require([page.number for page in pages] == [*range(1, len(pages) + 1)], "its pages are not numbered from 1")
    ids = {chunk.id: chunk for chunk in chunks}
    _require(len(ids) == len(chunks) and [c.ordinal for c in chunks] == [*range(len(chunks))], "its chunks")
    for chunk in chunks:
        within = 1 <= chunk.page <= len(pages) and 0 <= chunk.start <= chunk.end <= len(pages[chunk.page - 1].text)
        _require(chunk.document_id == document_id and within, f"chunk {chunk.ordinal}")
    _require(len({window.id for window in windows}) == len(windows), "its windows")
    for window in windows:
        chunk_of = ids.get(window.chunk_id)
        _require(
            window.document_id == document_id and chunk_of is not None and chunk_of.page == window.page,
            f"window {window.id[:100]}",
        )


def _read_vectors(data: bytes, count: int, dimension: int) -> Vector:
    _require(len(data) == 4 * count * dimension, f"vectors of {len(data)} bytes for {count} windows")
    rows = np.frombuffer(data, "<f4").astype(np.float32).reshape(count, dimension)
    norms = np.linalg.norm(rows, axis=1)
    _require(bool(np.all((np.abs(norms - 1) < NORM_SPARE) | (norms == 0))), "vectors that are not normalised")
    return rows


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise ReadError(WRONG.format(what))

"""Contents that a worker made are taken for what a stranger sends: they must hang together, and stay within limits."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from pydantic import ValidationError

from database.analysis import STEMMERS
from database.chunking import find_boxes, name_chunk, name_window
from database.documents import Chunk, Contents, Document, Page, Vector, Window
from database.errors import FileTooLarge, ReadError
from database.formats import FORMATS
from database.readers.opening import MAX_TITLE_CHARS
from database.settings import IndexSettings
from database.transfer import STORED, Stored

WRONG = "A worker gave contents that do not hang together: {}. Load again, or without --scheduler."
NORM_SPARE = 1e-3
MAX_NOTES_CHARS = 100_000


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
    _require(
        given.format in FORMATS and len(given.title) <= MAX_TITLE_CHARS and _is_language(given.language), "its record"
    )
    _require(sum(map(len, given.notes)) <= MAX_NOTES_CHARS, "its notes")
    _require(len({t.page for t in stored.page_terms}) == len(stored.page_terms) <= len(stored.pages), "its terms")
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
    numbers = [*range(1, len(pages) + 1)]
    _require(bool(numbers) and [page.number for page in pages] == numbers, "its pages are not numbered from 1")
    for page in pages:
        _require(_are_finite([(page.width, page.height), *(block.box for block in page.blocks)]), f"page {page.number}")
        _require(len(page.blocks) <= len(page.text) + 1, f"page {page.number}")
    for ordinal, chunk in enumerate(chunks):
        _require(chunk.document_id == document_id and 1 <= chunk.page <= len(pages), f"chunk {ordinal}")
        page, within = pages[chunk.page - 1], 0 <= chunk.start <= chunk.end
        text = page.text[chunk.start : chunk.end] if within else ""
        _require(within and len(text) == chunk.end - chunk.start and chunk.text.endswith(text), f"chunk {ordinal}")
        # Others' ids would take the place of others' chunks.
        _require(chunk.ordinal == ordinal and chunk.id == name_chunk(chunk), f"chunk {ordinal}")
        _require(chunk.boxes == find_boxes(page, chunk.start, chunk.end), f"chunk {ordinal}")
    ids, counts = {chunk.id: chunk for chunk in chunks}, Counter[str]()
    for window in windows:
        chunk_of = ids.get(window.chunk_id)
        _require(
            window.document_id == document_id and chunk_of is not None and chunk_of.page == window.page,
            f"window {window.id[:100]}",
        )
        named = window.id == name_window(window.chunk_id, counts[window.chunk_id], window.text)
        _require(named and _is_language(window.language), f"window {window.id[:100]}")
        counts[window.chunk_id] += 1


def _are_finite(boxes: Iterable[Sequence[float]]) -> bool:
    return all(math.isfinite(number) for box in boxes for number in box)


def _is_language(name: str) -> bool:
    return not name or name in STEMMERS


def _read_vectors(data: bytes, count: int, dimension: int) -> Vector:
    _require(len(data) == 4 * count * dimension, f"vectors of {len(data)} bytes for {count} windows")
    rows = np.frombuffer(data, "<f4").astype(np.float32).reshape(count, dimension)
    norms = np.linalg.norm(rows, axis=1)
    _require(bool(np.all((np.abs(norms - 1) < NORM_SPARE) | (norms == 0))), "vectors that are not normalised")
    return rows


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise ReadError(WRONG.format(what))

"""Documents of a few words and seeded vectors, for the contracts of the stores."""

import hashlib
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from database.documents import (
    Block,
    Candidate,
    Chunk,
    Contents,
    Document,
    Filters,
    IndexRecord,
    Name,
    Page,
    SearchQuery,
    Vector,
    Window,
)
from database.stores import Store

Pair: TypeAlias = tuple[Document, Contents]

DIMENSION = 8
RECORD = IndexRecord(schema=1, embedder="test", dimension=DIMENSION, chunker="c1", analyser="a1")


def digest(*parts: object) -> str:
    """A stable hexadecimal id."""
    return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()


def unit_vectors(seed: str, count: int, dimension: int = DIMENSION) -> Vector:
    """`count` seeded unit vectors."""
    rng = np.random.default_rng(int(digest(seed)[:8], 16))
    rows = rng.normal(size=(count, dimension))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def grams_of(text: str) -> str:
    """The 4-grams of each word, joined by spaces."""
    return " ".join(w[i : i + 4] for w in text.split() for i in range(max(1, len(w) - 3)))


def make_document(key: str, texts: Sequence[str], version: str = "v1") -> tuple[Document, Contents]:
    """A document whose every text is a chunk with one window, three chunks a page."""
    doc_id = digest(key)
    chunks, windows = [], []
    for i, text in enumerate(texts):
        chunk_id = digest(key, version, i, text)[:32]
        page = i // 3 + 1
        box = (72.0, 10.0 * i, 300.5, 10.0 * i + 9.25)
        chunks.append(
            Chunk(
                chunk_id, doc_id, page, i, f"{key} › {i}", text, i * 5, i * 5 + len(text), (box, (0.0, 0.5, 1.0, 2.0))
            )
        )
        window_id = digest("window", chunk_id)[:32]
        windows.append(
            Window(window_id, chunk_id, doc_id, page, "pt", f"{key}: {text}", text.lower(), grams_of(text.lower()))
        )
    pages = [
        Page(n, f"{key} page {n} {version}", "layout", 595.0, 842.0, (Block(0, 4, (1.0, 2.0, 3.0, 4.0), "title"),))
        for n in range(1, (len(texts) + 2) // 3 + 1)
    ]
    document = Document(
        doc_id,
        title=f"Title of {key}",
        names=(Name("pdf", f"folder/{key}.pdf"),),
        size=1234,
        language="pt",
        page_count=len(pages),
        chunk_count=len(chunks),
        window_count=len(windows),
        state="ready",
        notes=("Page 2 has no text.",),
        version=version,
        added_at=1_700_000_000.5,
    )
    return document, Contents(pages, chunks, windows, unit_vectors(key + version, len(windows)))


def ids(found: Sequence[Candidate]) -> list[str]:
    """The windows found, in order."""
    return [candidate.window_id for candidate in found]


def window_ids(contents: Contents) -> set[str]:
    """Every window of a document."""
    return {window.id for window in contents.windows}


def ask(
    *words: str, vector: Vector | None = None, grams: tuple[str, ...] = (), only: tuple[str, ...] = (), limit: int = 200
) -> SearchQuery:
    """A query in short."""
    return SearchQuery(vector, words, grams, Filters(only), limit)


async def publish(store: Store, *pairs: tuple[Document, Contents]) -> None:
    """Publish documents and wait until searches find them."""
    for document, contents in pairs:
        await store.publish(document, contents)
    await store.wait_until_searchable([document.id for document, _ in pairs])


async def found_anywhere(store: Store, document: Document, contents: Contents) -> set[str]:
    """Which of a document's windows any view finds."""
    words = tuple(dict.fromkeys(" ".join(w.words for w in contents.windows).split()))
    grams = tuple(dict.fromkeys(" ".join(w.grams for w in contents.windows).split()))
    found = await store.search(SearchQuery(contents.vectors[0], words, grams))
    return window_ids(contents) & {*ids(found.vector), *ids(found.words), *ids(found.grams)}

"""A document's pages to everything the store keeps of it: chunks, windows, vectors, language."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from database import analysis, chunking
from database.documents import Contents, Document, Reading, Vector, Window
from database.embedders import Embedder
from database.page_terms import make_page_terms

T = TypeVar("T")

AT_ONCE = 4
"""Documents in work at the same time: while one is embedded, others are read."""
EMBED_ROWS = 256
"""Windows embedded at a time: between two such batches another document gets its turn."""
LANGUAGE_CHARS = 20_000
"""As much of a document as its language is found from."""


class Progress:
    """Is told how a document comes along, and may slow it down. This one does nothing."""

    rows = EMBED_ROWS
    """Windows embedded at a time."""

    def pages(self, done: int, total: int) -> None:
        """So many pages are read."""

    def windows(self, done: int, total: int) -> None:
        """So many windows are embedded."""

    async def published(self, document: Document) -> None:
        """A stage of the document can be searched."""

    async def wait_for_turn(self) -> None:
        """Return when the next batch of windows may be embedded."""


SILENT = Progress()


class Builder:
    """Builds with one open embedder; documents built at the same time take turns with it."""

    def __init__(self, embedder: Embedder):
        self._embedder = embedder
        self._embedding = asyncio.Lock()
        self.known: dict[str, Vector] = {}
        """Vectors of this embedder by their windows' texts, which are not made again."""

    def warm_up(self) -> None:
        """Load what the first document would wait for. Blocks."""
        analysis.detect_language("The first call loads the model.")
        chunking.Chunker(self._embedder.count_tokens)

    async def build(
        self, document: Document, reading: Reading, progress: Progress = SILENT
    ) -> tuple[Document, Contents]:
        """The record, ready to be published under a version, and the contents. Raises `EmbedderError`."""
        document, contents = await self.outline(document, reading)
        return await self.complete(document, contents, progress)

    async def outline(self, document: Document, reading: Reading) -> tuple[Document, Contents]:
        """The same without vectors, which cost the most time; its state is "layout"."""
        text = " ".join(page.text for page in reading.pages)[:LANGUAGE_CHARS]
        # In threads, as the first of each loads for seconds: claims have to be renewed meanwhile.
        language = await asyncio.to_thread(analysis.detect_language, text) if text.strip() else ""
        chunker = await asyncio.to_thread(chunking.Chunker, self._embedder.count_tokens)
        chunks = await asyncio.to_thread(chunker.chunk_pages, document.id, reading.pages)
        windows = await asyncio.to_thread(chunking.make_windows, chunker, chunks, reading.title, language)
        page_terms = await asyncio.to_thread(make_page_terms, reading.pages, reading.title, language)
        contents = Contents(reading.pages, chunks, windows, None, page_terms)
        document = replace(
            document,
            title=reading.title,
            language=language,
            page_count=len(reading.pages),
            chunk_count=len(chunks),
            window_count=len(windows),
            state="layout",
            reason="",
            notes=reading.notes,
            format=reading.format,
        )
        return document, contents

    async def complete(
        self, document: Document, contents: Contents, progress: Progress = SILENT
    ) -> tuple[Document, Contents]:
        """What `outline` made, with vectors and ready."""
        vectors = await self._embed(contents.windows, progress)
        return replace(document, state="ready"), replace(contents, vectors=vectors)

    async def _embed(self, windows: Sequence[Window], progress: Progress) -> Vector:
        rows: dict[str, int] = {}  # what a document repeats is embedded once
        for window in windows:
            rows.setdefault(window.text, len(rows))
        made = np.empty((len(rows), self._embedder.dimension), np.float32)
        texts = []
        for text, row in rows.items():
            if text in self.known:
                made[row] = self.known[text]
            else:
                texts.append(text)
        for start in range(0, len(texts), progress.rows):
            await progress.wait_for_turn()
            batch = texts[start : start + progress.rows]
            async with self._embedding:
                made[[rows[text] for text in batch]] = await self._embedder.embed(batch)
            progress.windows(len(windows) - len(texts) + start + len(batch), len(windows))
        return made if len(rows) == len(windows) else made[[rows[window.text] for window in windows]]


async def work_through(
    items: Iterable[T], work: Callable[[T], Awaitable[None]], places: asyncio.Semaphore | None = None
) -> None:
    """Do `work` to every item, as many of them at a time as there are `places` (AT_ONCE by default); the first
    failure ends the others and is raised."""
    places = places or asyncio.Semaphore(AT_ONCE)

    async def one(item: T) -> None:
        async with places:
            await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            for item in items:
                group.create_task(one(item))
    except ExceptionGroup as group_error:
        raise group_error.exceptions[0] from None

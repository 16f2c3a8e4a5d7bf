"""Searching an embedded index of 100,000 windows: synthetic vectors, text with words as unequal as a language's."""

import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil

from database.analysis import grams, normalise, query_terms
from database.documents import Chunk, Contents, Document, Name, Page, PageTerms, SearchQuery, Vector, Window
from database.embedders.minilm import MiniLMEmbedder
from database.fusion import fuse
from database.index import describe_index, make_record
from database.page_terms import HEAD_CHARS
from database.retrieval import CANDIDATES, Retriever
from database.stores.sqlite import SqliteStore
from tests.bench.rows import Row, percentile

WINDOWS = 100_000
WINDOWS_A_PAGE, PAGES = 18, 100
"""As in annual reports: 18 windows of a page, 100 pages of a document."""
WORDS, VOCABULARY, ZIPF = 45, 60_000, 1.07
ASKED, ASKED_WORDS = 100, 10
TOP = 10


class Text:
    """Pseudo-words of two to five syllables; the n-th is as frequent as Zipf's law has it."""

    def __init__(self) -> None:
        self._random = np.random.default_rng(7)
        syllables = [a + b for a in "bcdfglmnprstvz" for b in ("a", "e", "i", "o", "u", "as", "er", "on")]
        weights = 1 / np.arange(2, len(syllables) + 2)
        sizes = self._random.integers(2, 6, VOCABULARY)
        drawn = iter(self._random.choice(syllables, int(sizes.sum()), p=weights / weights.sum()))
        self._words = np.array(["".join(next(drawn) for _ in range(size)) for size in sizes])
        ranks = np.arange(1, VOCABULARY + 1) ** ZIPF
        self._shares = np.cumsum(1 / ranks) / np.sum(1 / ranks)

    def draw(self, count: int) -> list[str]:
        """So many words."""
        found: list[str] = self._words[np.searchsorted(self._shares, self._random.random(count))].tolist()
        return found

    def draw_vectors(self, count: int, dimension: int) -> Vector:
        """So many unit vectors."""
        rows = self._random.standard_normal((count, dimension), np.float32)
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)

    def choose(self, words: Sequence[str]) -> str:
        """A question with some of `words`, frequent ones among them."""
        return " ".join(self._random.choice(words, ASKED_WORDS, replace=False))


def make_document(text: Text, number: int, windows: int, dimension: int) -> tuple[Document, Contents]:
    """A document of so many windows, each a chunk of its own."""
    document_id = f"{number:064x}"
    made, chunks, terms = list[Window](), list[Chunk](), list[PageTerms]()
    for page, start in enumerate(range(0, windows, WINDOWS_A_PAGE), 1):
        rows = [text.draw(WORDS) for _ in range(min(WINDOWS_A_PAGE, windows - start))]
        for n, row in enumerate(map(" ".join, rows), start):
            made.append(
                Window(f"w{number}-{n}", f"c{number}-{n}", document_id, page, "", row, row, " ".join(grams(row)))
            )
            chunks.append(Chunk(f"c{number}-{n}", document_id, page, n, "", row, 0, 0))
        whole = " ".join(word for row in rows for word in row)
        terms.append(PageTerms(page, whole, " ".join(grams(whole)), " ".join(grams(whole[:HEAD_CHARS]))))
    pages = [Page(term.page, "", "text") for term in terms]
    document = Document(
        document_id, f"report {number}", (Name("/", f"report-{number}.pdf"),), 1, state="ready", version="1"
    )
    vectors = text.draw_vectors(len(made), dimension)
    return replace(document, page_count=len(pages)), Contents(pages, chunks, made, vectors, terms)


async def measure_searching(data_dir: Path, windows: int = WINDOWS) -> list[Row]:
    """Time of a question with all of its parts, what leaving out common terms costs, and memory."""
    embedder, store = MiniLMEmbedder(data_dir / "models"), SqliteStore(data_dir / "searching.sqlite")
    await embedder.open()
    await store.open()
    before, text = psutil.Process().memory_info().rss, Text()
    questions, written_s = await _fill(store, embedder, text, windows)
    retriever = Retriever(store, embedder)
    await retriever.search(questions[0], TOP)
    held = psutil.Process().memory_info().rss - before
    whole = [ms async for ms in _time(retriever, questions)]
    rows = [
        Row("question to passages, ms", _spread(whole), f"{windows} windows, {len(questions)} questions"),
        Row("publish, windows/s", f"{windows / written_s:.0f}"),
        Row(
            "memory for vectors and their places, MB",
            f"{held / 1e6:.0f}",
            f"vectors {windows * embedder.dimension * 4 / 1e6:.0f}",
        ),
        Row("file, MB", f"{(data_dir / 'searching.sqlite').stat().st_size / 1e6:.0f}"),
        *await _measure_pruning(store, embedder, questions),
    ]
    await store.aclose()
    await embedder.aclose()
    return rows


async def _fill(store: SqliteStore, embedder: MiniLMEmbedder, text: Text, windows: int) -> tuple[list[str], float]:
    record, spent, questions = make_record(embedder), 0.0, list[str]()
    await store.write_index(record)
    size = WINDOWS_A_PAGE * PAGES
    documents = range(0, windows, size)
    for number, start in enumerate(documents):
        made = make_document(text, number, min(size, windows - start), embedder.dimension)
        questions += [text.choose(window.text.split()) for window in made[1].windows[:: size * len(documents) // ASKED]]
        started = time.perf_counter()
        await store.publish(*made)
        spent += time.perf_counter() - started
    await describe_index(store, record)
    return questions[:ASKED], spent


async def _time(retriever: Retriever, questions: Sequence[str]) -> AsyncIterator[float]:
    for question in questions:
        started = time.perf_counter()
        await retriever.search(question, TOP)
        yield (time.perf_counter() - started) * 1000


async def _measure_pruning(store: SqliteStore, embedder: MiniLMEmbedder, questions: Sequence[str]) -> list[Row]:
    """The views' time with and without the common terms, and how many of the best passages stay the same."""
    record = await store.read_index()
    assert record is not None
    kept, times = list[float](), {True: list[float](), False: list[float]()}
    for question in questions:
        vector = await embedder.embed_query(normalise(question))
        best: dict[bool, set[str]] = {}
        for pruned in (True, False):
            words, some = (frozenset(common if pruned else ()) for common in (record.common_words, record.common_grams))
            query = SearchQuery(
                vector, query_terms(question.split(), words), query_terms(grams(question), some), limit=CANDIDATES
            )
            started = time.perf_counter()
            found = await store.search(query)
            times[pruned].append((time.perf_counter() - started) * 1000)
            best[pruned] = {chunk_id for chunk_id, _, _ in fuse(found)[:TOP]}
        kept.append(len(best[True] & best[False]) / TOP)
    dropped = f"{len(record.common_words)} words, {len(record.common_grams)} 4-grams dropped"
    return [
        Row("views alone, ms", _spread(times[True]), f"all terms: {_spread(times[False])}", dropped),
        Row(f"best {TOP} that stay without common terms", f"{np.mean(kept):.0%}"),
    ]


def _spread(values: Sequence[float]) -> str:
    return f"median {percentile(values, 0.5):.0f}, 95th {percentile(values, 0.95):.0f}"

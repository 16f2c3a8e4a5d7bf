"""Searching an embedded index of 100,000 windows: synthetic vectors, text with words as unequal as a language's."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil

from database.analysis import grams, normalise, query_terms
from database.documents import Chunk, Contents, Document, Name, Page, PageTerms, SearchQuery, Vector, Window
from database.embedders.minilm import MiniLMEmbedder
from database.fusion import fuse
from database.index import describe_index, make_record
from database.page_terms import HEAD_CHARS, asked_pairs, pair
from database.retrieval import CANDIDATES, Retriever
from database.stores.sqlite import SqliteStore
from tests.bench.rows import Row, percentile

WINDOWS = 100_000
WINDOWS_A_PAGE, PAGES = 18, 100
"""As in annual reports: 18 windows of a page, 100 pages of a document."""
WORDS, VOCABULARY, ZIPF = 45, 60_000, 1.07
ASKED, ASKED_WORDS = 100, 10
TOP = 10
AT_ONCE = 10_000


class Text:
    """Pseudo-words of two to five syllables; the n-th is as frequent as Zipf's law has it."""

    def __init__(self) -> None:
        self._random = np.random.default_rng(7)
        syllables = [a + b for a in "bcdfglmnprstvz" for b in ("a", "e", "i", "o", "u", "as", "er", "on")]
        weights = 1 / np.arange(2, len(syllables) + 2)
        sizes = self._random.integers(2, 6, VOCABULARY)
        drawn = iter(self._random.choice(syllables, int(sizes.sum()), p=weights / weights.sum()))
        self._words = np.array(["".join(next(drawn) for _ in range(size)) for size in sizes])
        self._grams = np.array([" ".join(grams(word)) for word in self._words.tolist()], np.object_)
        ranks = np.arange(1, VOCABULARY + 1) ** ZIPF
        self._shares = np.cumsum(1 / ranks) / np.sum(1 / ranks)

    def draw(self, rows: int, words: int) -> tuple[list[str], list[str]]:
        """So many rows of so many words, and each row's 4-grams, which are looked up: folding takes longer."""
        drawn = np.searchsorted(self._shares, self._random.random((rows, words)))
        return [" ".join(row) for row in self._words[drawn].tolist()], [
            " ".join(row) for row in self._grams[drawn].tolist()
        ]

    def draw_vectors(self, count: int, dimension: int) -> Vector:
        """So many unit vectors."""
        rows = self._random.standard_normal((count, dimension), np.float32)
        for some in np.array_split(rows, -(-count // AT_ONCE)):  # in place: a million take 1.5 GB
            some /= np.linalg.norm(some, axis=1, keepdims=True)
        return rows

    def choose(self, words: Sequence[str]) -> str:
        """A question with some of `words`, frequent ones among them."""
        return " ".join(self._random.choice(words, ASKED_WORDS, replace=False))


def make_document(text: Text, number: int, windows: int, dimension: int) -> tuple[Document, Contents]:
    """A document of so many windows, each a chunk of its own."""
    document_id = f"{number:064x}"
    made, chunks, terms = list[Window](), list[Chunk](), list[PageTerms]()
    for page, start in enumerate(range(0, windows, WINDOWS_A_PAGE), 1):
        rows, row_grams = text.draw(min(WINDOWS_A_PAGE, windows - start), WORDS)
        for n, (row, some) in enumerate(zip(rows, row_grams, strict=True), start):
            made.append(Window(f"w{number}-{n}", f"c{number}-{n}", document_id, page, "", row, row, some))
            chunks.append(Chunk(f"c{number}-{n}", document_id, page, n, "", row, 0, 0))
        whole = " ".join(rows)
        paired = " ".join([whole, *pair(whole, "")])
        terms.append(PageTerms(page, paired, " ".join(row_grams), " ".join(grams(whole[:HEAD_CHARS]))))
    pages = [Page(term.page, "", "text") for term in terms]
    document = Document(
        document_id, f"report {number}", (Name("/", f"report-{number}.pdf"),), 1, state="ready", version="1"
    )
    vectors = text.draw_vectors(len(made), dimension)
    document = replace(document, page_count=len(pages), window_count=len(made))
    return document, Contents(pages, chunks, made, vectors, terms)


async def measure_searching(data_dir: Path, windows: int = WINDOWS) -> list[Row]:
    """Time of a question with all of its parts, what leaving out terms costs, and memory."""
    embedder, store = MiniLMEmbedder(data_dir / "models"), SqliteStore(data_dir / "searching.sqlite")
    await embedder.open()
    await store.open()
    text = Text()
    written_s = await fill(store, embedder, text, windows)
    rows = [
        Row("publish, windows/s", f"{windows / written_s:.0f}"),
        Row("file, MB", f"{(data_dir / 'searching.sqlite').stat().st_size / 1e6:.0f}"),
        *await measure_questions(store, embedder, text),
    ]
    await store.aclose()
    await embedder.aclose()
    return rows


async def fill(store: SqliteStore, embedder: MiniLMEmbedder, text: Text, windows: int) -> float:
    """Publish so many windows and describe the index; seconds that publishing took."""
    record, spent, size = make_record(embedder), 0.0, WINDOWS_A_PAGE * PAGES
    await store.write_index(record)
    for number, start in enumerate(range(0, windows, size)):
        made = make_document(text, number, min(size, windows - start), embedder.dimension)
        started = time.perf_counter()
        await store.publish(*made)
        spent += time.perf_counter() - started
    await describe_index(store, record)
    return spent


async def measure_questions(store: SqliteStore, embedder: MiniLMEmbedder, text: Text) -> list[Row]:
    """Questions of ASKED_WORDS words of one window each, frequent ones among them."""
    questions = [text.choose(window.words.split()) for window in await store.sample_windows(ASKED)]
    count, retriever = await store.count(), Retriever(store, embedder)
    before, started = psutil.Process().memory_info().rss, time.perf_counter()
    await retriever.search(questions[0], TOP)
    opened_s = time.perf_counter() - started
    held = (psutil.Process().memory_info().rss - before) / 1e6
    whole = Times()
    for question in questions[1:]:
        with whole.measuring():
            await retriever.search(question, TOP)
    vectors = count.windows * embedder.dimension * 4 / 1e6
    return [
        Row("question to passages, ms", whole.spread(), f"{count.windows} windows, {len(whole.wall)} questions"),
        Row("first question, s", f"{opened_s:.1f}", "vectors and posting lists are read"),
        Row("memory for vectors and posting lists, MB", f"{held:.0f}", f"vectors {vectors:.0f}"),
        *await _measure_pruning(store, embedder, questions),
    ]


async def _measure_pruning(store: SqliteStore, embedder: MiniLMEmbedder, questions: Sequence[str]) -> list[Row]:
    """The views' time with and without common and heavy terms, and how many of the best passages stay the same."""
    record = await store.read_index()
    assert record is not None
    common = frozenset(record.common_words), frozenset(record.common_grams)
    kept, pruned, whole = list[float](), Times(), Times()
    for question in questions:
        vector = await embedder.embed_query(normalise(question))
        best = []
        for times, (words, some), heavy in (
            (pruned, common, record.heavy_terms),
            (whole, (frozenset(), frozenset()), ()),
        ):
            terms = query_terms(question.split(), words), query_terms(grams(question), some)
            pairs = asked_pairs(question, "", words)
            query = SearchQuery(vector, *terms, limit=CANDIDATES, pairs=pairs, heavy=frozenset(heavy))
            with times.measuring():
                found = await store.search(query)
            best.append({chunk_id for chunk_id, _, _ in fuse(found)[:TOP]})
        kept.append(len(best[0] & best[1]) / TOP)
    left_out = f"{len(common[0]) + len(common[1])} common, {len(record.heavy_terms)} heavy terms"
    return [
        Row("views alone, ms", pruned.spread(), f"all terms: {whole.spread()}", left_out),
        Row(f"best {TOP} that stay", f"{np.mean(kept):.0%}", "asked for all terms"),
    ]


class Times:
    """Milliseconds by the clock, and of processors, which other work on the machine lengthens less."""

    def __init__(self) -> None:
        self.wall, self._processor = list[float](), list[float]()

    @contextmanager
    def measuring(self) -> Iterator[None]:
        """Measure what is done within."""
        started, used = time.perf_counter(), time.process_time()
        yield
        self.wall.append((time.perf_counter() - started) * 1000)
        self._processor.append((time.process_time() - used) * 1000)

    def spread(self) -> str:
        """Median and 95th percentile, and the processors' median."""
        median, late, processor = (
            percentile(self.wall, 0.5),
            percentile(self.wall, 0.95),
            percentile(self._processor, 0.5),
        )
        return f"median {median:.0f}, 95th {late:.0f}; processors {processor:.0f}"

"""The usual pipelines, put to the same pages with the same embedder.

- vectors alone: chunks of 4000 characters (the size of many tutorials) or 1000, both with an overlap of 200,
  embedded as the embedder sees them, which may be less than the whole chunk;
- BM25 over the words as they are written (lower case, nothing stemmed or folded), through SQLite's FTS5;
- both fused by reciprocal ranks with equal weights (Cormack, Clarke and Büttcher, 2009).

A page ranks where its best chunk does.
"""

import asyncio
import re
import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from database.build import EMBED_ROWS
from database.documents import Document, Vector
from database.embedders import Embedder
from database.evaluation.places import Place
from database.evaluation.progress import Progress
from database.evaluation.questions import Question
from database.stores import Store

LARGE, SMALL, OVERLAP = 4000, 1000, 200
"""Characters of a chunk, and of what two neighbours share."""
LIMIT = 200
"""Chunks that each ranking holds."""
RRF_CONSTANT = 60

Ranking = tuple[Place, ...]
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Chunks:
    """`texts[i]` stands on the page `places[i]`."""

    texts: Sequence[str]
    places: Sequence[Place]

    def find_places(self, rows: Sequence[int]) -> Ranking:
        """The distinct pages of ranked rows."""
        return tuple(dict.fromkeys(self.places[row] for row in rows))


async def rank_baselines(
    store: Store, embedder: Embedder, documents: Sequence[Document], questions: Sequence[Question], progress: Progress
) -> dict[str, list[Ranking]]:
    """The ranking of every question by each pipeline, by the pipelines' names."""
    pages = await _read_pages(store, documents)
    large = await asyncio.to_thread(split_pages, pages, LARGE)
    small = await asyncio.to_thread(split_pages, pages, SMALL)
    asked = await _embed(embedder, [question.text for question in questions], progress, "questions")
    by_large = await _rank_vectors(embedder, large, asked, progress)
    by_small = await _rank_vectors(embedder, small, asked, progress)
    by_words = await asyncio.to_thread(rank_words, small.texts, [question.text for question in questions])
    fused = [fuse_ranks(pair) for pair in zip(by_small, by_words, strict=True)]
    return {
        f"vectors {LARGE}": [large.find_places(rows) for rows in by_large],
        f"vectors {SMALL}": [small.find_places(rows) for rows in by_small],
        "BM25": [small.find_places(rows) for rows in by_words],
        "RRF 1:1": [small.find_places(rows) for rows in fused],
    }


async def _read_pages(store: Store, documents: Sequence[Document]) -> list[tuple[Place, str]]:
    pages = []
    for document in documents:
        for number in range(1, document.page_count + 1 if document.searchable else 1):
            page = await store.get_page(document.id, number)
            if page is not None and page.text.strip():
                pages.append(((document.id, number), page.text))
    return pages


def split_pages(pages: Sequence[tuple[Place, str]], size: int) -> Chunks:
    """Chunks of `size` characters, split as Markdown."""
    from langchain_text_splitters import MarkdownTextSplitter

    splitter = MarkdownTextSplitter(chunk_size=size, chunk_overlap=OVERLAP)
    rows = [(place, text) for place, page in pages for text in splitter.split_text(page)]
    return Chunks([text for _, text in rows], [place for place, _ in rows])


async def _embed(embedder: Embedder, texts: Sequence[str], progress: Progress, what: str) -> Vector:
    parts: list[Vector] = [np.zeros((0, embedder.dimension), np.float32)]
    starts = range(0, len(texts), EMBED_ROWS)
    with progress.track(f"Embedding {len(texts)} {what}", len(starts)) as advance:
        for start in starts:
            parts.append(await embedder.embed(texts[start : start + EMBED_ROWS]))
            advance()
    return np.concatenate(parts)


async def _rank_vectors(embedder: Embedder, chunks: Chunks, asked: Vector, progress: Progress) -> list[list[int]]:
    vectors = await _embed(embedder, chunks.texts, progress, "chunks as usual pipelines cut them")
    return [np.argsort(-(vectors @ vector), kind="stable")[:LIMIT].tolist() for vector in asked]


def rank_words(texts: Sequence[str], questions: Sequence[str]) -> list[list[int]]:
    """For each question the rows of `texts` with some of its words, by BM25, best first."""
    with sqlite3.connect(":memory:") as database:
        database.execute("CREATE VIRTUAL TABLE chunks USING fts5(text, tokenize = 'unicode61 remove_diacritics 0')")
        database.executemany("INSERT INTO chunks (rowid, text) VALUES (?, ?)", enumerate(texts))
        return [_match(database, question) for question in questions]


def _match(database: sqlite3.Connection, question: str) -> list[int]:
    words = " OR ".join(f'"{word}"' for word in dict.fromkeys(_WORD.findall(question.lower())))
    if not words:
        return []
    found = "SELECT rowid FROM chunks WHERE chunks MATCH ? ORDER BY bm25(chunks), rowid LIMIT ?"
    return [row for (row,) in database.execute(found, (words, LIMIT))]


def fuse_ranks(rankings: Sequence[Sequence[int]]) -> list[int]:
    """Rows by the sum of 1 / (60 + rank) over the rankings, best first, ties by row."""
    scores: dict[int, float] = defaultdict(float)
    for ranking in rankings:
        for rank, row in enumerate(ranking, 1):
            scores[row] += 1 / (RRF_CONSTANT + rank)
    return sorted(scores, key=lambda row: (-scores[row], row))

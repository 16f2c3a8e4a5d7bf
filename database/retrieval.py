"""A question to the passages that answer it: embed, analyse, search three views, sum the scores."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from database.analysis import detect_language, grams, normalise, query_terms, words
from database.context import SPARE, assemble
from database.documents import Candidate, Candidates, Filters, Hit, IndexRecord, SearchQuery
from database.embedders import Embedder
from database.errors import StoreError
from database.index import check_index
from database.relevance import is_relevant, measure_coverage
from database.rerankers import CANDIDATES as RERANKED
from database.rerankers import Reranker, rerank
from database.stores import Store

WEIGHTS: Mapping[str, float] = {"words": 0.5, "grams": 0.5, "vector": 0.8}
"""Weight of each view in a passage's score. Measured on five question sets in pt, en and fr: sums
of scores beat sums of ranks, and two lexical views beat one."""

FEW_WORDS, FREQUENT = 4, ("pt", "en")
CANDIDATES = 200
"""Windows that each view may contribute."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a question found. `query` is what was searched, `language` what it was taken for; where
    nothing is `relevant`, `hits` are merely the nearest passages."""

    query: str
    language: str
    hits: Sequence[Hit]
    relevant: bool = True


def fuse(candidates: Candidates, weights: Mapping[str, float] = WEIGHTS) -> list[tuple[str, float, dict[str, float]]]:
    """Chunk ids with score (0 to 1) and its parts, best first, ties by id.

    A chunk's part in a view is its best window's score over the view's best; one that the view did
    not find has 0 there.
    """
    parts: dict[str, dict[str, float]] = {}
    for view in weights:
        for chunk_id, score in _best_windows(getattr(candidates, view)).items():
            parts.setdefault(chunk_id, {})[view] = score
    total = sum(weights.values())
    scored = [
        (chunk_id, sum(weights[view] * score for view, score in views.items()) / total, views)
        for chunk_id, views in parts.items()
    ]
    return sorted(scored, key=lambda row: (-row[1], row[0]))


def _best_windows(found: Sequence[Candidate]) -> dict[str, float]:
    """Each chunk's best score over the best of all; nothing when no score is positive."""
    best: dict[str, float] = {}
    for candidate in found:
        best[candidate.chunk_id] = max(candidate.score, best.get(candidate.chunk_id, -math.inf))
    top = max(best.values(), default=0)
    return {chunk_id: max(score, 0) / top for chunk_id, score in best.items()} if top > 0 else {}


class Retriever:
    """Searches one store with one embedder; the store's index must have been made with it. A `reranker`
    puts the best passages in an order of its own."""

    def __init__(self, store: Store, embedder: Embedder, reranker: Reranker | None = None):
        self._store, self._embedder, self._reranker = store, embedder, reranker

    async def search(self, question: str, top_k: int, filters: Filters = Filters()) -> Found:  # noqa: B008
        """The `top_k` best chunks for `question`. Raises `IndexMismatch` or another `StoreError`."""
        return await self._in_one_generation(partial(self._search, question, top_k, filters))

    async def find_passages(self, question: str, top_k: int, filters: Filters = Filters()) -> Found:  # noqa: B008
        """The `top_k` best passages to read: as `search`, without repetitions and with surroundings."""

        async def find(record: IndexRecord | None) -> Found:
            found = await self._search(question, SPARE * top_k, filters, record)
            return replace(found, hits=await assemble(self._store, found.hits, top_k))

        return await self._in_one_generation(find)

    async def _in_one_generation(self, find: Callable[[IndexRecord | None], Awaitable[Found]]) -> Found:
        """What `find` finds, again whenever the index was rebuilt under it."""
        record = await self._store.read_index()
        while True:
            try:
                found = await find(record)
            except StoreError:
                if _generation(now := await self._store.read_index()) == _generation(record):
                    raise
            else:
                if _generation(now := await self._store.read_index()) == _generation(record):
                    return found
            record = now

    async def _search(self, question: str, top_k: int, filters: Filters, record: IndexRecord | None) -> Found:
        if record is None:
            return Found(question, detect_language(question), ())
        await check_index(self._store, record, self._embedder)
        query = await self._analyse(question, record, filters)
        looked_at = max(top_k, RERANKED) if self._reranker else top_k
        ranked = fuse(await self._store.search(query))[:looked_at]
        chunks = await self._store.get_chunks([chunk_id for chunk_id, _, _ in ranked])
        ids = dict.fromkeys(chunk.document_id for chunk in chunks)
        found = await asyncio.gather(*map(self._store.get_document, ids))
        documents = {d.id: d for d in found if d is not None and d.searchable}
        scores = {chunk_id: (score, parts) for chunk_id, score, parts in ranked}
        hits = [Hit(c, documents[c.document_id], *scores[c.id]) for c in chunks if c.document_id in documents]
        if self._reranker:
            hits = (await rerank(self._reranker, question, hits))[:top_k]
        language = _answer_language(question, record)
        relevant = is_relevant(measure_coverage(query, hits), language, record.languages)
        return Found(question, language, hits, relevant)

    async def _analyse(self, question: str, record: IndexRecord, filters: Filters) -> SearchQuery:
        # Stemmed as the documents are: a Portuguese question to English documents meets English stems.
        language = detect_language(question, record.languages)
        return SearchQuery(
            vector=await self._embedder.embed_query(normalise(question)),
            words=query_terms(words(question, language), frozenset(record.common_words)),
            grams=query_terms(grams(question), frozenset(record.common_grams)),
            filters=filters,
            limit=CANDIDATES,
            generation=record.generation,
        )


def _generation(record: IndexRecord | None) -> int:
    return record.generation if record else 0


def _answer_language(question: str, record: IndexRecord) -> str:
    """The language to answer in. Few words tell little: they are compared with likely languages only."""
    if len(question.split()) < FEW_WORDS:
        return detect_language(question, {*record.languages, *FREQUENT})
    return detect_language(question)

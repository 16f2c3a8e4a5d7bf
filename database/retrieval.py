"""A question to the passages that answer it: embed, analyse, search the views, sum the scores."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from database.analysis import detect_language, grams, normalise, query_terms, words
from database.context import SPARE, assemble
from database.documents import Document, Filters, Hit, IndexRecord, SearchQuery
from database.embedders import Embedder
from database.errors import StoreError
from database.fusion import PAGE_VIEWS, WEIGHTS, WINDOW_VIEWS, Ranked, fuse
from database.index import check_index
from database.page_terms import asked_pairs
from database.relevance import is_relevant
from database.rerankers import CANDIDATES as RERANKED
from database.rerankers import Reranker, rerank
from database.stores import Store
from database.titles import match_titles

FEW_WORDS, FREQUENT = 4, ("pt", "en")
CANDIDATES = 200
"""Windows or pages that each view may contribute."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a question found. `query` is what was searched, `language` what it was taken for; where
    nothing is `relevant`, `hits` are merely the nearest passages."""

    query: str
    language: str
    hits: Sequence[Hit]
    relevant: bool = True


class Retriever:
    """Searches one store with one embedder; the store's index must have been made with it. A `reranker`
    puts the best passages in an order of its own."""

    def __init__(
        self,
        store: Store,
        embedder: Embedder,
        reranker: Reranker | None = None,
        weights: Mapping[str, float] = WEIGHTS,
    ):
        self._store, self._embedder, self._reranker, self._weights = store, embedder, reranker, weights

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
        ranked, documents = await self._rank(question, query, record)
        chunks = await self._store.get_chunks([chunk_id for chunk_id, _, _ in ranked[:looked_at]])
        scores = {chunk_id: (score, parts) for chunk_id, score, parts in ranked}
        hits = [Hit(c, documents[c.document_id], *scores[c.id]) for c in chunks if c.document_id in documents]
        if self._reranker:
            hits = (await rerank(self._reranker, question, hits))[:top_k]
        language = _answer_language(question, record)
        relevant = is_relevant(query, hits, language)
        return Found(question, language, hits, relevant)

    async def _rank(
        self, question: str, query: SearchQuery, record: IndexRecord
    ) -> tuple[list[Ranked], dict[str, Document]]:
        """Every chunk found, best first, and the documents that they belong to."""
        candidates = await self._store.search(query)
        views = [getattr(candidates, view) for view in (*WINDOW_VIEWS, *PAGE_VIEWS)]
        ids = dict.fromkeys(candidate.document_id for view in views for candidate in view)
        known = [d for d in await self._store.get_documents([*ids]) if d.searchable]
        # From here on nothing tells of names that the asker may not see: no match, no citation.
        documents = {d.id: seen for d in known if (seen := d.within(query.filters.collections))}
        language = detect_language(question, record.languages)
        titles = match_titles(question, language, [*documents.values()], record.common_words)
        unembedded = {d.id for d in documents.values() if d.state != "ready"}
        spoken = self._embedder.languages
        foreign = bool(spoken) and _answer_language(question, record) not in spoken
        return fuse(candidates, titles, unembedded, self._weights, foreign), documents

    async def _analyse(self, question: str, record: IndexRecord, filters: Filters) -> SearchQuery:
        # Stemmed as the documents are: a Portuguese question to English documents meets English stems.
        language = detect_language(question, record.languages)
        return SearchQuery(
            vector=await self._embedder.embed_query(normalise(question)),
            words=query_terms(words(question, language), frozenset(record.common_words)),
            pairs=asked_pairs(question, language, frozenset(record.common_words)),
            grams=query_terms(grams(question), frozenset(record.common_grams)),
            filters=filters,
            limit=CANDIDATES,
            generation=record.generation,
            heavy=frozenset(record.heavy_terms),
        )


def _generation(record: IndexRecord | None) -> int:
    return record.generation if record else 0


def _answer_language(question: str, record: IndexRecord) -> str:
    """The language to answer in. Few words tell little: they are compared with likely languages only."""
    if len(question.split()) < FEW_WORDS:
        return detect_language(question, {*record.languages, *FREQUENT})
    return detect_language(question)

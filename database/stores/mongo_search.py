"""Searching MongoDB: the views, and one moment for all of them.

Each search reads the releases before and after: if a document changed meanwhile, its rows may have
been deleted under the search, which then would see half of it, and the search is done again.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from database.documents import Candidate, Candidates, SearchQuery
from database.stores.mongo_client import Connection
from database.stores.mongo_definitions import TERM_PATHS, TEXT_INDEX, vector_stage
from database.stores.mongo_rows import Row, Shelf
from database.stores.mongo_scope import Scope, read_releases, read_scope

MAX_TERMS = 1000
"""Lucene refuses a query of more than 1024 clauses."""
TRIES = 5

Rows = list[Row]


class Searcher:
    """Runs `SearchQuery`s on one generation over one connection."""

    def __init__(self, connection: Connection, shelf: Shelf, *, quantized: bool = False):
        self._connection, self._shelf, self._quantized = connection, shelf, quantized

    async def search(self, query: SearchQuery) -> Candidates:
        """What each view finds of searchable documents."""
        views: list[Rows] = []
        for _ in range(TRIES):
            scope = await read_scope(self._connection, self._shelf, query.filters)
            if not scope.releases:
                return Candidates()
            found = [await self._run_views(query, portion) for portion in scope.portions]
            views = [[row for view in same for row in view] for same in zip(*found, strict=True)]
            current = await read_releases(self._connection, self._shelf, _documents(views))
            same = await self._unchanged(scope, views, current)
            views = [[row for row in rows if current.get(row["document_id"]) == row["release"]] for rows in views]
            if same:
                break
        vector, *by_terms = (_best(rows, query.limit) for rows in views)
        return Candidates([replace(c, score=2 * c.score - 1) for c in vector], *by_terms)

    async def _unchanged(self, scope: Scope, views: list[Rows], current: Mapping[str, str]) -> bool:
        """Whether the documents seen still are as they were when the search began."""
        if not scope.complete:
            return all(current.get(r["document_id"], r["release"]) == r["release"] for rows in views for r in rows)
        now = await read_releases(self._connection, self._shelf, list(scope.releases))
        return now == scope.releases

    async def _run_views(self, query: SearchQuery, scope: Scope) -> list[Rows]:
        limit = query.limit if scope.complete else 2 * query.limit
        views = await asyncio.gather(
            self._search_vectors(query, scope, limit),
            *(self._search_terms(path, query.terms_of(path), scope, limit) for path in TERM_PATHS),
        )
        return list(views)

    async def _search_vectors(self, query: SearchQuery, scope: Scope, limit: int) -> Rows:
        if query.vector is None:
            return []
        options = scope.vector_options(limit, quantized=self._quantized)
        return await self._aggregate([vector_stage(query.vector, options)], "vectorSearchScore")

    async def _search_terms(self, path: str, terms: Sequence[str], scope: Scope, limit: int) -> Rows:
        if not terms:
            return []
        text = {"text": {"query": " ".join(terms[:MAX_TERMS]), "path": path}}
        stage = {"$search": {"index": TEXT_INDEX, "compound": {"must": [text], **scope.text_clauses()}}}
        return await self._aggregate([stage, {"$limit": limit}], "searchScore")

    async def _aggregate(self, pipeline: list[Row], score: str) -> Rows:
        fields: Row = dict.fromkeys(("window_id", "chunk_id", "document_id", "page", "release"), 1) | {"_id": 0}
        pipeline = [*pipeline, {"$project": fields | {"score": {"$meta": score}}}]
        time_ms = int(self._connection.timeout_s * 1000)
        return await self._connection.aggregate(self._shelf.name("windows"), pipeline, maxTimeMS=time_ms)


def _documents(views: Sequence[Rows]) -> list[str]:
    return list({row["document_id"] for rows in views for row in rows})


def _best(rows: Rows, limit: int) -> list[Candidate]:
    ordered = sorted(rows, key=lambda row: (-row["score"], row["window_id"]))
    fields = ("window_id", "chunk_id", "score", "document_id", "page")
    return [Candidate(*(row[field] for field in fields)) for row in ordered[:limit]]

"""Searching MongoDB: which rows may be seen, the three views, and one moment for all of them.

The rule that only rows of the release that a document's record names are found goes into the
query where that can be exact: with up to `MAX_RELEASES` documents a `$in` over their releases. So
rows that mongot still holds although they were replaced, hidden or removed never take up places.
Beyond that the query leaves out hidden documents, fetches twice as many rows as asked, and drops
those whose release is not the document's.

Each search reads the releases before and after: if a document changed meanwhile, its rows may have
been deleted under the search, which then would see half of it, and the search is done again.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from database.documents import Candidate, Candidates, Filters, SearchQuery
from database.stores.mongo_client import Connection
from database.stores.mongo_definitions import TEXT_INDEX, vector_stage
from database.stores.mongo_rows import Row, Shelf

MAX_RELEASES = 1000
MAX_TERMS = 1000
"""Lucene refuses a query of more than 1024 clauses."""
EXACT_WINDOWS = 10_000
"""Up to so many windows every vector is compared: no slower, and nothing is missed."""
CANDIDATES_PER_HIT = 20
MAX_CANDIDATES = 10_000
"""mongot's limit."""
TRIES = 5

Rows = list[Row]


@dataclass(frozen=True)
class Scope:
    """What a search may see. `releases` (by document) are all of them when `complete`."""

    releases: Mapping[str, str]
    complete: bool
    exact: bool
    hidden: tuple[str, ...] = ()

    def vector_filter(self) -> Row:
        """For `$vectorSearch`."""
        if self.complete:
            return {"filter": {"release": {"$in": list(self.releases.values())}}}
        return {"filter": {"document_id": {"$nin": list(self.hidden)}}} if self.hidden else {}

    def text_clauses(self) -> Row:
        """For `$search`'s compound operator."""
        if self.complete:
            return {"filter": [{"in": {"path": "release", "value": list(self.releases.values())}}]}
        return {"mustNot": [{"in": {"path": "document_id", "value": list(self.hidden)}}]} if self.hidden else {}


async def read_releases(connection: Connection, shelf: Shelf, document_ids: Sequence[str]) -> dict[str, str]:
    """Of these documents those that may be seen, with the release that counts."""
    query, field = {"_id": {"$in": list(document_ids)}, **shelf.seen}, shelf.name("release")
    rows = await connection.find("documents", query, projection={field: 1})
    return {row["_id"]: row[field] for row in rows}


class Searcher:
    """Runs `SearchQuery`s on one generation over one connection."""

    def __init__(self, connection: Connection, shelf: Shelf):
        self._connection, self._shelf = connection, shelf
        self._release = shelf.name("release")

    async def search(self, query: SearchQuery) -> Candidates:
        """Each view's best windows of searchable documents."""
        views: list[Rows] = []
        for _ in range(TRIES):
            scope = await self._read_scope(query.filters)
            if not scope.releases:
                return Candidates()
            views = await self._run_views(query, scope)
            current = await read_releases(self._connection, self._shelf, _documents(views))
            same = await self._unchanged(scope, views, current)
            views = [[row for row in rows if current.get(row["document_id"]) == row["release"]] for rows in views]
            if same:
                break
        vector, words, grams = (_best(rows, query.limit) for rows in views)
        return Candidates([Candidate(c.window_id, c.chunk_id, 2 * c.score - 1) for c in vector], words, grams)

    async def _read_scope(self, filters: Filters) -> Scope:
        chosen: Row = {"_id": {"$in": list(filters.documents)}} if filters.documents else {}
        limit = 0 if filters.documents else MAX_RELEASES + 1
        count = self._shelf.name("window_count")
        fields = {self._release: 1, count: 1}
        query = {**self._shelf.seen, **chosen}
        rows = await self._connection.find("documents", query, projection=fields, limit=limit)
        releases = {row["_id"]: row[self._release] for row in rows}
        if filters.documents or len(rows) <= MAX_RELEASES:
            few = sum(row[count] for row in rows) < EXACT_WINDOWS
            return Scope(releases, complete=True, exact=few or bool(filters.documents))
        unseen = [{"hidden": True}, {self._shelf.name("searchable"): False}]
        query = {"$or": unseen, self._release: {"$nin": ["", None]}}
        hidden = await self._connection.find("documents", query, projection=["_id"], limit=MAX_RELEASES)
        return Scope(releases, complete=False, exact=False, hidden=tuple(row["_id"] for row in hidden))

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
            self._search_terms("words", query.words, scope, limit),
            self._search_terms("grams", query.grams, scope, limit),
        )
        return list(views)

    async def _search_vectors(self, query: SearchQuery, scope: Scope, limit: int) -> Rows:
        if query.vector is None:
            return []
        options: Row = {"limit": limit, **scope.vector_filter()}
        if scope.exact:
            options["exact"] = True
        else:
            options["numCandidates"] = min(limit * CANDIDATES_PER_HIT, MAX_CANDIDATES)
        return await self._aggregate([vector_stage(query.vector.tolist(), options)], "vectorSearchScore")

    async def _search_terms(self, path: str, terms: Sequence[str], scope: Scope, limit: int) -> Rows:
        if not terms:
            return []
        text = {"text": {"query": " ".join(terms[:MAX_TERMS]), "path": path}}
        stage = {"$search": {"index": TEXT_INDEX, "compound": {"must": [text], **scope.text_clauses()}}}
        return await self._aggregate([stage, {"$limit": limit}], "searchScore")

    async def _aggregate(self, pipeline: list[Row], score: str) -> Rows:
        fields: Row = {"_id": 0, "window_id": 1, "chunk_id": 1, "document_id": 1, "release": 1}
        pipeline = [*pipeline, {"$project": fields | {"score": {"$meta": score}}}]
        time_ms = int(self._connection.timeout_s * 1000)
        return await self._connection.aggregate(self._shelf.name("windows"), pipeline, maxTimeMS=time_ms)


def _documents(views: Sequence[Rows]) -> list[str]:
    return list({row["document_id"] for rows in views for row in rows})


def _best(rows: Rows, limit: int) -> list[Candidate]:
    ordered = sorted(rows, key=lambda row: (-row["score"], row["window_id"]))
    return [Candidate(row["window_id"], row["chunk_id"], row["score"]) for row in ordered[:limit]]

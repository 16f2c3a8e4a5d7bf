"""Which rows of MongoDB's contents a search may see, and what it asks of both search indexes for that.

The rule that only rows of the release that a document's record names are found goes into the
query where that can be exact: with up to `MAX_RELEASES` documents a `$in` over their releases. So
rows that mongot still holds although they were replaced, hidden or removed never take up places.
Beyond that the query leaves out hidden documents, fetches twice as many rows as asked, and drops
those whose release is not the document's. Rows do not know the collections of their document, which
names move between: restricted to collections, a search asks for the releases in portions, so that
nothing else is ever found.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from database.documents import Filters
from database.stores.mongo_client import Connection
from database.stores.mongo_rows import Row, Shelf
from database.stores.mongo_vectors import EXACT_WINDOWS, choose_effort

MAX_RELEASES = 1000


@dataclass(frozen=True)
class Scope:
    """What a search may see. `releases` and how many windows they have (by document) are all of them when `complete`;
    `total` is how many windows there are whether they may be seen or not, or 0 where few may be."""

    releases: Mapping[str, str]
    windows: Mapping[str, int]
    total: int
    complete: bool
    filters: Filters
    hidden: tuple[str, ...] = ()

    @property
    def portions(self) -> "Sequence[Scope]":
        """The same as scopes whose releases one query can name."""
        if not self.complete or self.filters.collections is None:
            return [self]
        all_of_them = list(self.releases.items())
        starts = range(0, len(all_of_them), MAX_RELEASES)
        return [replace(self, releases=dict(all_of_them[start : start + MAX_RELEASES])) for start in starts]

    def vector_options(self, limit: int, *, quantized: bool) -> Row:
        """For `$vectorSearch`: how to look for `limit` windows, and among which."""
        left = self.total if self._everything else sum(self.windows[document] for document in self.releases)
        counted = self.complete or self._everything
        effort = choose_effort(limit, left, self.total, counted=counted, quantized=quantized)
        return {"limit": limit, **effort, **self._vector_filter()}

    @property
    def _everything(self) -> bool:
        return not self.complete and self.filters == Filters()

    def _vector_filter(self) -> Row:
        conditions: list[Row] = [{path: {"$in": values}} for path, values in self._sets().items()]
        conditions += [{path: _operators("$", bounds)} for path, bounds in self._ranges().items()]
        if self.hidden:
            conditions.append({"document_id": {"$nin": list(self.hidden)}})
        return {"filter": {"$and": conditions}} if conditions else {}

    def text_clauses(self) -> Row:
        """For `$search`'s compound operator."""
        clauses: list[Row] = [{"in": {"path": path, "value": values}} for path, values in self._sets().items()]
        clauses += [{"range": {"path": path, **_operators("", bounds)}} for path, bounds in self._ranges().items()]
        hidden = {"mustNot": [{"in": {"path": "document_id", "value": list(self.hidden)}}]} if self.hidden else {}
        return {**({"filter": clauses} if clauses else {}), **hidden}

    def _sets(self) -> dict[str, list[str]]:
        if self.complete:
            return {"release": list(self.releases.values())}
        return {"language": list(self.filters.languages)} if self.filters.languages else {}

    def _ranges(self) -> dict[str, Row]:
        """Bounds by path. Of complete releases those of documents are met already."""
        chosen = self.filters
        ranges: dict[str, Row] = {"page": {"gte": chosen.first_page or None, "lte": chosen.last_page or None}}
        if not self.complete:
            ranges["added_at"] = {"gte": chosen.added_from or None, "lt": chosen.added_until or None}
        given = {path: {name: value for name, value in b.items() if value is not None} for path, b in ranges.items()}
        return {path: bounds for path, bounds in given.items() if bounds}


def _operators(sign: str, bounds: Mapping[str, float]) -> Row:
    return {f"{sign}{name}": value for name, value in bounds.items()}


async def read_releases(connection: Connection, shelf: Shelf, document_ids: Sequence[str]) -> dict[str, str]:
    """Of these documents those that may be seen, with the release that counts."""
    query, field = {"_id": {"$in": list(document_ids)}, **shelf.seen}, shelf.name("release")
    rows = await connection.find("documents", query, projection={field: 1})
    return {row["_id"]: row[field] for row in rows}


async def read_scope(connection: Connection, shelf: Shelf, filters: Filters) -> Scope:
    """What may be seen now of what `filters` leave."""
    release = shelf.name("release")
    whole = bool(filters.documents) or filters.collections is not None
    limit = 0 if whole else MAX_RELEASES + 1
    query = {**shelf.seen, **_chosen(shelf, filters)}
    fields = (release, shelf.name("window_count"), f"{shelf.name('record')}.page_count")
    rows = await connection.find("documents", query, projection=fields, limit=limit)
    releases = {row["_id"]: row[release] for row in rows}
    windows = {row["_id"]: _count_windows(row, shelf, filters) for row in rows}
    complete = whole or len(rows) <= MAX_RELEASES
    few = complete and sum(windows.values()) <= EXACT_WINDOWS
    total = 0 if few else await connection.estimate_count(shelf.name("windows"))
    if complete:
        return Scope(releases, windows, total, complete=True, filters=filters)
    unseen = [{"hidden": True}, {shelf.name("searchable"): False}]
    query = {"$or": unseen, release: {"$nin": ["", None]}}
    hidden = await connection.find("documents", query, projection=["_id"], limit=MAX_RELEASES)
    return Scope(releases, windows, total, complete=False, filters=filters, hidden=tuple(row["_id"] for row in hidden))


def _count_windows(row: Row, shelf: Shelf, filters: Filters) -> int:
    """A document's windows on the pages that the filters leave, as if its pages had equally many."""
    windows, pages = int(row[shelf.name("window_count")]), int(row[shelf.name("record")].get("page_count", 0))
    if not pages:
        return windows
    inside = min(filters.last_page or pages, pages) - max(filters.first_page, 1) + 1
    return math.ceil(windows * max(inside, 0) / pages)


def _chosen(shelf: Shelf, filters: Filters) -> Row:
    """The documents that `filters` leave, as a query."""
    record = shelf.name("record")
    chosen: Row = {}
    if filters.documents:
        chosen["_id"] = {"$in": list(filters.documents)}
    if filters.languages:
        chosen[f"{record}.language"] = {"$in": list(filters.languages)}
    added = {"$gte": filters.added_from or None, "$lt": filters.added_until or None}
    if bounds := {name: value for name, value in added.items() if value is not None}:
        chosen[f"{record}.added_at"] = bounds
    if filters.collections is not None:
        # Names written by an older version have none; null meets what is missing.
        own = [None if name == "" else name for name in filters.collections]
        chosen["names"] = {"$elemMatch": {"excluded": False, "collection": {"$in": [*filters.collections, *own]}}}
    return chosen

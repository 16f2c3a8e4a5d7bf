"""The views of the embedded store: what each finds, and what filters leave of it."""

import json
import os
import sqlite3
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from database.documents import Candidate, Candidates, Filters, SearchQuery
from database.errors import StoreError
from database.stores.matrix import VectorMatrix
from database.stores.sqlite_rows import SEEN, TERMS_OF, read_stamp

Found = dict[str, list[Candidate]]
HELPED = ("words", "grams")
"""Half of the time of a search, the vectors counted with the other half."""
LARGE = 10_000
"""Windows from which on two threads are faster than one."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a search may see: `documents` by id, or all when None, and their pages from `first` to `last`."""

    documents: tuple[str, ...] | None
    first: int
    last: int | None

    def condition(self) -> tuple[str, list[object]]:
        """The same in SQL about a row `w` of windows, with its parameters."""
        parts, parameters = [], list[object]()
        if self.documents is not None:
            parts.append("w.document_id IN (SELECT value FROM json_each(?))")
            parameters.append(json.dumps(self.documents))
        if self.first > 1:
            parts.append("w.page >= ?")
            parameters.append(self.first)
        if self.last is not None:
            parts.append("w.page <= ?")
            parameters.append(self.last)
        return "".join(f" AND {part}" for part in parts), parameters


def read_scope(db: sqlite3.Connection, filters: Filters) -> Scope:
    """What `filters` leave."""
    documents = _choose_documents(db, filters) if filters.choose_documents else None
    return Scope(documents, filters.first_page, filters.last_page or None)


def _choose_documents(db: sqlite3.Connection, filters: Filters) -> tuple[str, ...]:
    conditions = {
        "id IN (SELECT value FROM json_each(?))": json.dumps(filters.documents) if filters.documents else None,
        "json_extract(record, '$.language') IN (SELECT value FROM json_each(?))": (
            json.dumps(filters.languages) if filters.languages else None
        ),
        "json_extract(record, '$.added_at') >= ?": filters.added_from or None,
        "json_extract(record, '$.added_at') < ?": filters.added_until or None,
        "id IN (SELECT document_id FROM places WHERE collection IN (SELECT value FROM json_each(?)))": (
            json.dumps(filters.collections) if filters.collections is not None else None
        ),
    }
    asked = {condition: value for condition, value in conditions.items() if value is not None}
    where = " AND ".join(["searchable", *asked])
    return tuple(row[0] for row in db.execute(f"SELECT id FROM documents WHERE {where} ORDER BY id", [*asked.values()]))


def search_views(db: sqlite3.Connection, matrix: VectorMatrix, query: SearchQuery, helper: "Helper") -> Candidates:
    """What each view finds, all of the moment of the open transaction. In a large index `helper` does half of it."""
    scope = read_scope(db, query.filters)
    helped = helper.start(db, query, scope) if len(matrix.ids) >= LARGE else None
    mine = [view for view in TERMS_OF if helped is None or view not in HELPED]
    found = {"vector": search_vectors(matrix, query, scope)} | search_terms(db, mine, query, scope)
    if helped is not None:
        found |= helper.finish(helped) or search_terms(db, HELPED, query, scope)
    return Candidates(**found)


class Helper:
    """Threads with connections of their own that search some of the views while another thread searches the rest."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]):
        """`connect` gives the connection of the thread that calls it."""
        self._connect = connect
        self._pool = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="views")

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()

    def start(self, db: sqlite3.Connection, query: SearchQuery, scope: Scope) -> "Future[Found | None]":
        """Begin, at the moment of the transaction that is open on `db`."""
        return self._pool.submit(self._search, read_stamp(db), query, scope)

    def finish(self, helped: "Future[Found | None]") -> Found | None:
        """What was found; None when no thread was free, or something was written since `start`."""
        return None if helped.cancel() else helped.result()

    def _search(self, stamp: int, query: SearchQuery, scope: Scope) -> Found | None:
        db = self._connect()
        db.execute("BEGIN")
        try:
            return search_terms(db, HELPED, query, scope) if read_stamp(db) == stamp else None
        finally:
            db.execute("COMMIT")


def search_terms(db: sqlite3.Connection, views: Iterable[str], query: SearchQuery, scope: Scope) -> Found:
    """What these views of words and grams find."""
    return {view: _search_terms(db, view, query, scope) for view in views}


def _search_terms(db: sqlite3.Connection, view: str, query: SearchQuery, scope: Scope) -> list[Candidate]:
    """The best windows, or first windows of pages, by BM25 over the view's full-text table; ties by id."""
    terms = query.terms_of(view)
    if not terms:
        return []
    wanted = " OR ".join('"{}"'.format(term.replace('"', '""')) for term in terms)
    only, parameters = scope.condition()
    rows = db.execute(
        f"SELECT w.id, w.chunk_id, -f.rank, w.document_id, w.page "
        f"FROM {view} f JOIN windows w ON w.rowid = f.rowid {SEEN} "
        f"WHERE f.terms MATCH ?{only} ORDER BY f.rank LIMIT ?",
        [wanted, *parameters, query.limit],
    )
    return sorted((Candidate(*row) for row in rows), key=lambda c: (-c.score, c.window_id))


def search_vectors(matrix: VectorMatrix, query: SearchQuery, scope: Scope) -> list[Candidate]:
    """The best windows by cosine, ties by id."""
    if query.vector is None:
        return []
    if matrix.ids and matrix.dimension != len(query.vector):
        raise StoreError(
            f"The index holds vectors of {matrix.dimension} dimensions, the question's has {len(query.vector)}. "
            "Rebuild the index with this embedder: python database/main.py --reindex"
        )
    return matrix.search(query.vector, query.limit, scope.documents, scope.first, scope.last)

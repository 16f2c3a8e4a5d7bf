"""The views of the embedded store: what each finds, and what filters leave of it."""

import json
import sqlite3

from database.documents import Candidate, Candidates, Filters, SearchQuery
from database.errors import StoreError
from database.stores.segments import VIEWS
from database.stores.snapshot import Scope, Snapshot


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


def search_views(db: sqlite3.Connection, snapshot: Snapshot, query: SearchQuery) -> Candidates:
    """What each view finds. `snapshot` is of the moment of the open transaction."""
    scope = read_scope(db, query.filters)
    found = {"vector": _search_vectors(snapshot, query, scope)}
    for view in VIEWS:
        terms = query.terms_of(view)
        found[view] = snapshot.search_terms(view, terms, query.limit, scope) if terms else []
    return Candidates(**found)


def _search_vectors(snapshot: Snapshot, query: SearchQuery, scope: Scope) -> list[Candidate]:
    if query.vector is None or not snapshot.dimension:
        return []
    if snapshot.dimension != len(query.vector):
        raise StoreError(
            f"The index holds vectors of {snapshot.dimension} dimensions, the question's has {len(query.vector)}. "
            "Rebuild the index with this embedder: python database/main.py --reindex"
        )
    return snapshot.search_vectors(query.vector, query.limit, scope)

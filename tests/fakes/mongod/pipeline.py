"""The aggregation stages that Acervo and its libraries send."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.mongod.errors import CommandError
from tests.fakes.mongod.matching import MISSING, matches, order_key, project, sort_documents, value_at
from tests.fakes.mongod.mongot import MongotOptions, list_search_indexes
from tests.fakes.mongod.search import Scores, text_search, vector_search
from tests.fakes.mongod.storage import Collection
from tests.fakes.mongod.wire import Doc


@dataclass
class Row:
    """A document on its way through a pipeline, with the scores that $meta reads."""

    doc: Doc
    meta: dict[str, float] = field(default_factory=dict)


def run_pipeline(collection: Collection | None, stages: list[Doc], options: MongotOptions) -> list[Doc]:
    """The documents at the end of a pipeline. `collection` is None where it does not exist."""
    rows = [Row(doc) for doc in collection.docs.values()] if collection else []
    for number, stage in enumerate(stages):
        ((name, spec),) = stage.items()
        if name in _SOURCES:
            if number:
                raise CommandError(40602, f"{name} is only valid as the first stage in a pipeline")
            options.require()
            rows = _SOURCES[name](collection, spec)
        elif name in _STAGES:
            rows = _STAGES[name](rows, spec)
        else:
            raise CommandError(40324, f"Unrecognized pipeline stage name: '{name}'")
    return [row.doc for row in rows]


def _look_up(collection: Collection | None, scores: Scores, meta: str) -> list[Row]:
    """mongod fetches by `_id` what mongot found: what has been deleted since is dropped."""
    docs = collection.docs if collection else {}
    return [Row(docs[key], {meta: score}) for key, score in scores if key in docs]


def _vector(collection: Collection | None, spec: Doc) -> list[Row]:
    return _look_up(collection, vector_search(collection, spec), "vectorSearchScore")


def _text(collection: Collection | None, spec: Doc) -> list[Row]:
    return _look_up(collection, text_search(collection, spec), "searchScore")


def _list_indexes(collection: Collection | None, spec: Doc) -> list[Row]:
    return [Row(doc) for doc in list_search_indexes(collection, spec)]


def _evaluate(row: Row, expression: Any) -> Any:
    if isinstance(expression, str) and expression.startswith("$"):
        return row.doc if expression == "$$ROOT" else value_at(row.doc, expression[1:])
    if isinstance(expression, dict):
        if set(expression) == {"$meta"}:
            return row.meta.get(expression["$meta"], MISSING)
        unknown = [key for key in expression if key.startswith("$")]
        if unknown:
            raise CommandError(168, f"Unrecognized expression '{unknown[0]}'")
        return {key: _evaluate(row, value) for key, value in expression.items()}
    return expression


def _set(rows: list[Row], spec: Doc) -> list[Row]:
    return [Row(row.doc | _computed(row, spec), row.meta) for row in rows]


def _computed(row: Row, spec: Doc) -> Doc:
    values = {name: _evaluate(row, expression) for name, expression in spec.items()}
    return {name: value for name, value in values.items() if value is not MISSING}


def _project(rows: list[Row], spec: Doc) -> list[Row]:
    flags = {k: v for k, v in spec.items() if isinstance(v, (bool, int))}
    computed = {k: v for k, v in spec.items() if k not in flags}
    if computed:
        # A computed field makes the projection an inclusion, with `_id` unless it is refused.
        flags = {"_id": 1} | flags
    return [Row(project(row.doc, flags) | _computed(row, computed), row.meta) for row in rows]


def _group(rows: list[Row], spec: Doc) -> list[Row]:
    groups: dict[Any, tuple[Any, list[Row]]] = {}
    for row in rows:
        value = _evaluate(row, spec["_id"])
        groups.setdefault(repr(order_key(value)), (None if value is MISSING else value, []))[1].append(row)
    accumulators = [(name, *next(iter(part.items()))) for name, part in spec.items() if name != "_id"]
    return [
        Row({"_id": value} | {name: _accumulate(members, how, what) for name, how, what in accumulators})
        for value, members in groups.values()
    ]


def _accumulate(rows: list[Row], how: str, what: Any) -> Any:
    values = [value for value in (_evaluate(row, what) for row in rows) if value is not MISSING]
    if how == "$sum":
        return sum(value for value in values if isinstance(value, (int, float)))
    if how == "$push":
        return values
    if how == "$first":
        return values[0] if values else None
    raise CommandError(15952, f"unknown group operator '{how}'")


def _sort(rows: list[Row], spec: Doc) -> list[Row]:
    by_doc = {id(row.doc): row for row in rows}
    return [by_doc[id(doc)] for doc in sort_documents([row.doc for row in rows], spec)]


def _count(rows: list[Row], name: str) -> list[Row]:
    return [Row({name: len(rows)})] if rows else []


_SOURCES: dict[str, Callable[[Collection | None, Doc], list[Row]]] = {
    "$vectorSearch": _vector,
    "$search": _text,
    "$listSearchIndexes": _list_indexes,
}
_STAGES: dict[str, Callable[[list[Row], Any], list[Row]]] = {
    "$match": lambda rows, spec: [row for row in rows if matches(row.doc, spec)],
    "$limit": lambda rows, spec: rows[:spec],
    "$skip": lambda rows, spec: rows[spec:],
    "$group": _group,
    "$project": _project,
    "$set": _set,
    "$addFields": _set,
    "$sort": _sort,
    "$count": _count,
}

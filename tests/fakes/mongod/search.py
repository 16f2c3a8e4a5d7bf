"""The stages $vectorSearch (exact) and $search (BM25 over whitespace-separated terms).

Each gives (key, score) pairs, best first, from mongot's mirror. BM25 is Lucene's: k1 1.2, b 0.75,
idf ln(1 + (N − n + ½) / (n + ½)), without the lossy coding of lengths above 40 terms.
"""

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.fakes.mongod.errors import mongot_error
from tests.fakes.mongod.matching import MISSING, matches, order_key, value_at
from tests.fakes.mongod.mongot import SearchIndex
from tests.fakes.mongod.storage import Collection, Entry, is_quantized, to_vector
from tests.fakes.mongod.wire import Doc

K1, B = 1.2, 0.75
MAX_CLAUSES = 1024
"""Lucene's limit on the terms of one query."""
FILTER_OPERATORS = {"$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists", "$not"}

Scores = list[tuple[bytes, float]]


def _index(collection: Collection | None, stage: Doc, kind: str, name: str) -> SearchIndex | None:
    """The index a stage names, or None where mongot answers with nothing."""
    index: SearchIndex | None = collection.search_indexes.get(stage.get("index", "default")) if collection else None
    if index is None:
        return None
    if index.type != kind:
        wrong = "vectorSearch index" if kind == "search" else "search index"
        raise mongot_error(f"Cannot execute {name} over {wrong} '{index.name}'")
    return index if index.require_ready() else None


# $vectorSearch


def vector_search(collection: Collection | None, stage: Doc) -> Scores:
    """Hits of a $vectorSearch stage; its score is (1 + cosine) / 2."""
    query = _check_vector_stage(stage)
    index = _index(collection, stage, "vectorSearch", "$vectorSearch")
    if index is None or collection is None:
        return []
    fields = {f["path"]: f for f in index.answering["fields"]}
    _check_vector_field(fields.get(stage["path"]), stage, query)
    _check_filter(stage.get("filter", {}), {path for path, f in fields.items() if f["type"] == "filter"})
    quantized = fields[stage["path"]].get("quantization", "none") != "none"
    norm, scores = np.linalg.norm(query), []
    for key, entry in collection.mirrors["vectorSearch"].entries().items():
        vector = entry.vector(stage["path"])
        if quantized and is_quantized(value_at(entry.doc, stage["path"])):
            continue
        if vector is None or len(vector) != len(query) or not vector.any():
            continue
        if matches(entry.doc, stage.get("filter", {})):
            cosine = float(vector @ query / (np.linalg.norm(vector) * norm))
            scores.append((key, (1 + cosine) / 2))
    return sorted(scores, key=lambda s: -s[1])[: int(stage["limit"])]


def _check_vector_stage(stage: Doc) -> "np.ndarray[Any, Any]":
    for name in ("index", "path", "limit", "queryVector"):
        if name not in stage:
            raise mongot_error(f'"{name}" is required')
    limit, candidates = stage["limit"], stage.get("numCandidates")
    if limit <= 0:
        raise mongot_error('"limit" must be positive')
    if stage.get("exact") and candidates is not None:
        raise mongot_error('"numCandidates" must be omitted when "exact" is set to true')
    if not stage.get("exact"):
        _check_candidates(candidates, limit)
    vector = to_vector(stage["queryVector"])
    if vector is None:
        raise mongot_error('"queryVector" must be an array of numbers')
    if not np.isfinite(vector).all():
        raise mongot_error("'queryVector' contains a non-finite value")
    return vector


def _check_candidates(candidates: int | None, limit: int) -> None:
    if candidates is None:
        raise mongot_error("numCandidates is required for approximate vector search")
    if not 1 <= candidates <= 10_000:
        raise mongot_error('"numCandidates" must be within bounds [1, 10000]')
    if limit > candidates:
        raise mongot_error("limit should be less than or equal to numCandidates")


def _check_vector_field(field: Doc | None, stage: Doc, query: "np.ndarray[Any, Any]") -> None:
    if field is None or field["type"] != "vector":
        raise mongot_error(f"{stage['path']} is not indexed as vector")
    if field["numDimensions"] != len(query):
        raise mongot_error(
            f"vector field is indexed with {field['numDimensions']} dimensions but queried with {len(query)}"
        )
    if field["similarity"] != "cosine":
        raise mongot_error(f"this server knows the similarity cosine only, not {field['similarity']}")
    if not query.any():
        raise mongot_error("Cosine similarity cannot be calculated against a zero vector.")


def _check_filter(query: Doc, paths: set[str]) -> None:
    for key, condition in query.items():
        if key in ("$and", "$or", "$nor"):
            for part in condition:
                _check_filter(part, paths)
        elif key not in paths:
            raise mongot_error(f"Path '{key}' needs to be indexed as filter")
        else:
            _check_condition(key, condition if isinstance(condition, dict) else {"$eq": condition})


def _check_condition(path: str, condition: Doc) -> None:
    for operator, operand in condition.items():
        if operator not in FILTER_OPERATORS:
            raise mongot_error(f'"filter.{path}" unrecognized operator "{operator}"')
        if operator in ("$in", "$nin"):
            if not operand:
                raise mongot_error(f'"filter.{path}.{operator}" cannot be empty')
            if len({order_key(value)[0] for value in operand}) > 1:
                raise mongot_error(f'"filter.{path}.{operator}" values must be of one type')
        elif isinstance(operand, list):
            raise mongot_error("Unsupported BsonValue type: ARRAY")


# $search


def text_search(collection: Collection | None, stage: Doc) -> Scores:
    """Hits of a $search stage."""
    index = _index(collection, stage, "search", "$search")
    if index is None or collection is None:
        return []
    operators = {k: v for k, v in stage.items() if k not in ("index", "count")}
    if _count_terms(operators) > MAX_CLAUSES:
        raise mongot_error(f"maxClauseCount is set to {MAX_CLAUSES}")
    searcher = _Searcher(collection.mirrors["search"].entries(), index.answering["mappings"].get("fields", {}))
    found = searcher.run(operators)
    return sorted(found.items(), key=lambda hit: -hit[1])


def _count_terms(operators: Doc) -> int:
    total = 0
    for name, spec in operators.items():
        if name == "text":
            total += len(set(spec["query"].split()))
        elif name == "compound":
            parts = [part for clause in spec.values() if isinstance(clause, list) for part in clause]
            total += sum(_count_terms(part) for part in parts)
    return total


class _Searcher:
    """Runs the operators of one $search over what mongot has indexed."""

    def __init__(self, entries: dict[bytes, Entry], fields: Doc) -> None:
        self._entries = entries
        self._fields = fields
        self._operators: dict[str, Callable[[Doc], dict[bytes, float]]] = {
            "text": self._text,
            "compound": self._compound,
            "equals": self._equals,
            "in": self._in,
            "range": self._range,
        }

    def run(self, operator: Doc) -> dict[bytes, float]:
        """Scores by key of one operator."""
        if len(operator) != 1:
            raise mongot_error(f"exactly one operator is needed, not {sorted(operator)}")
        ((name, spec),) = operator.items()
        if name not in self._operators:
            raise mongot_error(f'Unrecognized field "{name}"')
        return self._operators[name](spec)

    def _mapped(self, path: str, kind: str) -> bool:
        specs = self._fields.get(path, [])
        return any(spec["type"] == kind for spec in (specs if isinstance(specs, list) else [specs]))

    def _text(self, spec: Doc) -> dict[bytes, float]:
        path = spec["path"]
        if not self._mapped(path, "string"):
            return {}
        field = {key: entry.terms(path) for key, entry in self._entries.items() if entry.terms(path)}
        average = sum(map(len, field.values())) / max(1, len(field))
        scores: dict[bytes, float] = {}
        for term, times in Counter(spec["query"].split()).items():
            found = {key: terms.count(term) for key, terms in field.items() if term in terms}
            idf = math.log(1 + (len(field) - len(found) + 0.5) / (len(found) + 0.5))
            for key, tf in found.items():
                norm = K1 * (1 - B + B * len(field[key]) / average)
                scores[key] = scores.get(key, 0.0) + times * idf * tf / (tf + norm)
        return scores

    def _compound(self, spec: Doc) -> dict[bytes, float]:
        unknown = set(spec) - {"must", "should", "filter", "mustNot", "minimumShouldMatch"}
        if unknown:
            raise mongot_error(f'"compound" unrecognized field {sorted(unknown)}')
        required = [self.run(part) for part in spec.get("must", [])]
        optional = [self.run(part) for part in spec.get("should", [])]
        kept = [self.run(part) for part in spec.get("filter", [])]
        refused = [self.run(part) for part in spec.get("mustNot", [])]
        least = spec.get("minimumShouldMatch", 0 if required or kept else 1)
        return {
            key: sum(part.get(key, 0.0) for part in required + optional)
            for key in self._entries
            if all(key in part for part in required + kept)
            and not any(key in part for part in refused)
            and sum(key in part for part in optional) >= min(least, len(optional))
        }

    def _equals(self, spec: Doc) -> dict[bytes, float]:
        return self._in({"path": spec["path"], "value": [spec["value"]]})

    def _in(self, spec: Doc) -> dict[bytes, float]:
        path, wanted = spec["path"], spec["value"]
        if not isinstance(wanted, list) or not wanted:
            raise mongot_error('"in.value" must be a non-empty array')
        kind = {bool: "boolean", str: "token", int: "number", float: "number"}.get(type(wanted[0]), "objectId")
        if not self._mapped(path, kind):
            if kind == "token":
                raise mongot_error(f"Path '{path}' needs to be indexed as token")
            return {}
        keys = {order_key(value) for value in wanted}
        found = ((key, value_at(entry.doc, path)) for key, entry in self._entries.items())
        return {key: 1.0 for key, value in found if value is not MISSING and order_key(value) in keys}

    def _range(self, spec: Doc) -> dict[bytes, float]:
        path, bounds = spec["path"], {f"${name}": value for name, value in spec.items() if name != "path"}
        if not bounds or not set(bounds) <= {"$gt", "$gte", "$lt", "$lte"}:
            raise mongot_error('"range" must contain at least one of [gt, gte, lt, lte]')
        if not self._mapped(path, "number"):
            return {}
        found = {key for key, entry in self._entries.items() if matches(entry.doc, {path: bounds})}
        return dict.fromkeys(found, 1.0)

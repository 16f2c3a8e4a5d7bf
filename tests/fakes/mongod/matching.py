"""The query language as far as it is used: filters, updates, projections, sort keys."""

import copy
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bson import ObjectId

from tests.fakes.mongod.errors import CommandError
from tests.fakes.mongod.wire import Doc

MISSING = object()


def value_at(doc: Any, path: str) -> Any:
    """The value at a dotted path, or MISSING; arrays are not entered."""
    for part in path.split("."):
        if not isinstance(doc, Mapping) or part not in doc:
            return MISSING
        doc = doc[part]
    return doc


def order_key(value: Any) -> tuple[int, Any]:
    """A key that sorts values as BSON does: by type first."""
    if value is MISSING or value is None:
        return (1, 0)
    if isinstance(value, bool):
        return (8, value)
    for rank, kind in ((2, (int, float)), (3, str), (6, bytes), (7, ObjectId), (9, datetime)):
        if isinstance(value, kind):
            return (rank, value)
    if isinstance(value, Mapping):
        return (4, [(k, order_key(v)) for k, v in value.items()])
    if isinstance(value, list):
        return (5, [order_key(v) for v in value])
    raise CommandError(2, f"cannot compare {type(value).__name__}")


def matches(doc: Doc, query: Mapping[str, Any]) -> bool:
    """Whether a document meets a filter."""
    return all(_meets(doc, key, condition) for key, condition in query.items())


def _meets(doc: Doc, key: str, condition: Any) -> bool:
    if key == "$and":
        return all(matches(doc, part) for part in condition)
    if key == "$or":
        return any(matches(doc, part) for part in condition)
    if key == "$nor":
        return not any(matches(doc, part) for part in condition)
    if key.startswith("$"):
        raise CommandError(2, f"unknown top level operator: {key}")
    value = value_at(doc, key)
    if isinstance(condition, Mapping) and any(k.startswith("$") for k in condition):
        return all(_compare(value, operator, operand) for operator, operand in condition.items())
    return _equals(value, condition)


def _equals(value: Any, operand: Any) -> bool:
    if order_key(value) == order_key(operand):
        return True
    return isinstance(value, list) and any(order_key(v) == order_key(operand) for v in value)


def _compare(value: Any, operator: str, operand: Any) -> bool:
    match operator:
        case "$eq":
            return _equals(value, operand)
        case "$ne":
            return not _equals(value, operand)
        case "$in":
            return any(_equals(value, each) for each in operand)
        case "$nin":
            return not any(_equals(value, each) for each in operand)
        case "$exists":
            return (value is not MISSING) == bool(operand)
        case "$type":
            if operand != "array":
                raise CommandError(2, f"this server knows the type array only, not {operand}")
            return isinstance(value, list)
        case "$elemMatch":
            return isinstance(value, list) and any(matches(each, operand) for each in value)
        case "$not":
            return not all(_compare(value, each, inner) for each, inner in operand.items())
        case "$gt" | "$gte" | "$lt" | "$lte":
            return _in_order(order_key(value), operator, order_key(operand))
    raise CommandError(2, f"unknown operator: {operator}")


def _in_order(value: tuple[int, Any], operator: str, operand: tuple[int, Any]) -> bool:
    if value[0] != operand[0]:
        return False
    return {"$gt": value > operand, "$gte": value >= operand, "$lt": value < operand, "$lte": value <= operand}[
        operator
    ]


def sort_documents(docs: list[Doc], spec: Mapping[str, int]) -> list[Doc]:
    """Documents in the order of a sort specification."""
    for path, direction in reversed(list(spec.items())):
        docs = sorted(docs, key=lambda d: order_key(value_at(d, path)), reverse=direction < 0)
    return docs


def apply_update(doc: Doc, update: Mapping[str, Any], inserting: bool = False) -> Doc:
    """The document after an update or a replacement. The one given stays as it is."""
    if not any(key.startswith("$") for key in update):
        return ({"_id": doc["_id"]} if "_id" in doc else {}) | copy.deepcopy(dict(update))
    changed = copy.deepcopy(doc)
    for operator, changes in update.items():
        for path, operand in changes.items():
            _apply(changed, operator, path, operand, inserting)
    return changed


def _apply(doc: Doc, operator: str, path: str, operand: Any, inserting: bool) -> None:
    *parents, last = path.split(".")
    for part in parents:
        doc = doc.setdefault(part, {})
    if operator == "$set" or (operator == "$setOnInsert" and inserting):
        doc[last] = copy.deepcopy(operand)
    elif operator == "$unset":
        doc.pop(last, None)
    elif operator == "$inc":
        doc[last] = doc.get(last, 0) + operand
    elif operator != "$setOnInsert":
        raise CommandError(9, f"Unknown modifier: {operator}")


def project(doc: Doc, spec: Mapping[str, Any]) -> Doc:
    """The fields that a find's projection leaves: 0 drops, 1 keeps; dotted paths can only be kept, and lead
    through no arrays."""
    if not spec:
        return doc
    if any("." in path and not flag for path, flag in spec.items()):
        raise CommandError(238, "dropping dotted paths is not implemented")
    if dotted := [path for path in spec if "." in path]:
        kept = project(doc, {path: flag for path, flag in spec.items() if path not in dotted} | {"_id": 1})
        found = {path: value_at(doc, path) for path in dotted}
        return apply_update(kept, {"$set": {path: value for path, value in found.items() if value is not MISSING}})
    kept = {name for name, flag in spec.items() if flag}
    dropped = {name for name, flag in spec.items() if not flag}
    if not kept - {"_id"} and dropped:
        return {k: v for k, v in doc.items() if k not in dropped}
    return {k: v for k, v in doc.items() if k in kept or (k == "_id" and k not in dropped)}

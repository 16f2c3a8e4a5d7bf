"""Databases and collections in memory, and mongot's delayed mirror of each collection."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import bson
import numpy as np
from bson.binary import Binary

from tests.fakes.mongod.errors import CommandError
from tests.fakes.mongod.matching import MISSING, apply_update, matches, value_at
from tests.fakes.mongod.wire import Doc

MAX_BYTES = 16_777_216
Array = np.ndarray[Any, Any]


def key_of(value: Any) -> bytes:
    """A dictionary key for any `_id`."""
    return bson.encode({"": value})


class Entry:
    """What mongot indexed of one document: a snapshot of the moment it was written."""

    def __init__(self, doc: Doc) -> None:
        self.doc = doc
        self._terms: dict[str, list[str]] = {}
        self._vectors: dict[str, Array | None] = {}

    def terms(self, path: str) -> list[str]:
        """The whitespace-separated terms of a field."""
        if path not in self._terms:
            text = value_at(self.doc, path)
            self._terms[path] = text.split() if isinstance(text, str) else []
        return self._terms[path]

    def vector(self, path: str) -> "Array | None":
        """The vector in a field, or None."""
        if path not in self._vectors:
            self._vectors[path] = to_vector(value_at(self.doc, path))
        return self._vectors[path]


def to_vector(value: Any) -> "Array | None":
    """A query's or document's vector: an array of numbers or a BSON binary vector."""
    if isinstance(value, Binary) and value.subtype == 9:
        value = value.as_vector().data
    if not isinstance(value, list) or any(isinstance(v, bool) or not isinstance(v, (int, float)) for v in value):
        return None
    return np.asarray(value, dtype=np.float64)


def is_quantized(value: Any) -> bool:
    """Whether a document's vector is one of bytes or bits already, which an index that quantises leaves out."""
    return isinstance(value, Binary) and value.subtype == 9 and value[:1] != b"\x27"


class Mirror:
    """mongot follows the collection's change stream `lag_s` behind, in order."""

    def __init__(self, lag_s: Callable[[], float]) -> None:
        self._lag_s = lag_s
        self._queue: deque[tuple[float, bytes, Doc | None]] = deque()
        self._entries: dict[bytes, Entry] = {}

    def record(self, key: bytes, doc: Doc | None) -> None:
        """A write happened: the new document, or None for a deletion."""
        self._queue.append((time.monotonic() + self._lag_s(), key, doc))

    def entries(self) -> dict[bytes, Entry]:
        """What has been indexed by now."""
        while self._queue and self._queue[0][0] <= time.monotonic():
            _, key, doc = self._queue.popleft()
            self._entries.pop(key, None)
            if doc is not None:
                self._entries[key] = Entry(doc)
        return self._entries


@dataclass
class WriteResult:
    """What one statement of an update or a delete did."""

    matched: int = 0
    modified: int = 0
    upserted: Any = MISSING


@dataclass
class Collection:
    """Documents by `_id`. Documents are never changed in place; the `mirrors`, one for each kind of
    search index, hear of every write."""

    mirrors: dict[str, Mirror]
    docs: dict[bytes, Doc] = field(default_factory=dict)
    search_indexes: dict[str, Any] = field(default_factory=dict)
    indexes: list[Doc] = field(default_factory=lambda: [{"v": 2, "key": {"_id": 1}, "name": "_id_"}])
    _unique: dict[str, tuple[Doc, dict[bytes, bytes]]] = field(default_factory=dict)
    """By the index's name: what was asked for, and the keys of documents by their values."""

    def find(self, query: Doc) -> Iterator[Doc]:
        """Documents that meet a filter."""
        if set(query) == {"_id"} and not isinstance(query["_id"], dict):
            doc = self.docs.get(key_of(query["_id"]))
            return iter([doc] if doc is not None else [])
        return (doc for doc in list(self.docs.values()) if matches(doc, query))

    def add_index(self, spec: Doc) -> None:
        """Keep what was asked for; a unique index is held from now on. Error 11000 when it is broken already."""
        if spec.get("unique"):
            values: dict[bytes, bytes] = {}
            for key, doc in self.docs.items():
                _check(spec, values, doc, key)
                values[_values(spec, doc)] = key
            self._unique[spec["name"]] = (spec, values)
        self.indexes.append(spec)

    def drop_index(self, name: str) -> bool:
        """Forget an index; whether there was one."""
        self._unique.pop(name, None)
        kept = [spec for spec in self.indexes if spec["name"] != name]
        was, self.indexes = self.indexes, kept
        return len(kept) < len(was)

    def put(self, doc: Doc) -> None:
        """Write a document whole; error 10334 when it is too large, 11000 when a unique index has its values."""
        size = len(bson.encode(doc))
        if size > MAX_BYTES:
            raise CommandError(10334, f"BSONObj size: {size} is invalid. Size must be between 0 and {MAX_BYTES}")
        key = key_of(doc["_id"])
        for spec, values in self._unique.values():
            _check(spec, values, doc, key)
        for spec, values in self._unique.values():
            if key in self.docs:
                del values[_values(spec, self.docs[key])]
            values[_values(spec, doc)] = key
        self.docs[key] = doc
        self._tell(key, doc)

    def _tell(self, key: bytes, doc: Doc | None) -> None:
        for mirror in self.mirrors.values():
            mirror.record(key, doc)

    def insert(self, doc: Doc) -> int:
        """Write a new document and count it; error 11000 when its `_id` is taken."""
        doc = {"_id": doc.get("_id", bson.ObjectId())} | doc
        if key_of(doc["_id"]) in self.docs:
            raise CommandError(11000, f"E11000 duplicate key error dup key: {{ _id: {doc['_id']!r} }}")
        self.put(doc)
        return 1

    def update(self, statement: Doc) -> WriteResult:
        """Run one statement of an update command."""
        query, change = statement["q"], statement["u"]
        found = list(self.find(query))
        if not statement.get("multi"):
            found = found[:1]
        if not found and statement.get("upsert"):
            fixed = {k: v for k, v in query.items() if not k.startswith("$") and not isinstance(v, dict)}
            doc = apply_update(fixed, change, inserting=True)
            doc = {"_id": doc.get("_id", bson.ObjectId())} | doc
            self.put(doc)
            return WriteResult(1, 0, doc["_id"])
        changed = [(doc, apply_update(doc, change)) for doc in found]
        for _, new in (pair for pair in changed if pair[0] != pair[1]):
            self.put(new)
        return WriteResult(len(found), sum(old != new for old, new in changed))

    def delete(self, statement: Doc) -> int:
        """Run one statement of a delete command; how many documents went."""
        found = list(self.find(statement["q"]))
        if statement.get("limit"):
            found = found[:1]
        for doc in found:
            key = key_of(doc["_id"])
            del self.docs[key]
            for spec, values in self._unique.values():
                values.pop(_values(spec, doc))
            self._tell(key, None)
        return len(found)


def _values(spec: Doc, doc: Doc) -> bytes:
    """What a unique index tells documents apart by; a field that is missing counts as null."""
    found = [value_at(doc, path) for path in spec["key"]]
    return key_of([None if value is MISSING else value for value in found])


def _check(spec: Doc, values: dict[bytes, bytes], doc: Doc, key: bytes) -> None:
    if values.get(_values(spec, doc), key) != key:
        raise CommandError(11000, f"E11000 duplicate key error index: {spec['name']} dup key")

"""What MongoDB's two search indexes over `windows` cover, and the stages that ask them; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from database.documents import Vector
from database.errors import SettingsError
from database.stores.mongo_rows import Row
from database.stores.mongo_vectors import to_binary

VECTOR_INDEX = "vector_index"
TEXT_INDEX = "text_index"
SIMILARITY = "cosine"
FILTER_PATHS = ("document_id", "release", "last", "page", "language", "added_at")

# Terms come analysed, so the index only splits at spaces; positions are of no use and not kept.
_TERMS = {"type": "string", "analyzer": "lucene.whitespace", "indexOptions": "freqs", "store": False}
_TOKEN = {"type": "token"}
_NUMBER = {"type": "number"}
TERM_PATHS = ("words", "grams", "page_words", "page_grams", "heads")
"""The last three stand in the rows of pages' first windows only, so that their BM25 counts pages."""
TEXT_DEFINITION: Row = {
    "mappings": {
        "dynamic": False,
        "fields": {
            **dict.fromkeys(TERM_PATHS, _TERMS),
            "document_id": _TOKEN,
            "release": _TOKEN,
            "language": _TOKEN,
            "page": _NUMBER,
            "added_at": _NUMBER,
            "last": {"type": "boolean"},
        },
    }
}


def vector_definition(dimension: int, quantization: str = "none") -> Row:
    """The vector index's definition. `quantization` is how coarse the vectors in its memory are: none, scalar (a
    byte a number) or binary (a bit)."""
    vector: Row = {"type": "vector", "path": "embedding", "numDimensions": dimension, "similarity": SIMILARITY}
    if quantization != "none":
        vector["quantization"] = quantization
    return {"fields": [vector, *({"type": "filter", "path": path} for path in FILTER_PATHS)]}


@dataclass(frozen=True, slots=True)
class IndexOptions:
    """What settings say of search indexes: how long they may take, and how coarse vectors in memory are."""

    timeout_s: float
    quantization: str = "none"

    def define(self, dimension: int) -> dict[str, tuple[str, Row]]:
        """Kind and definition of each index by its name. Raises `SettingsError` where they cannot be."""
        if self.quantization == "binary" and dimension % 8:
            raise SettingsError(
                f"MONGODB_QUANTIZATION=binary packs 8 numbers into a byte; the embedder's vectors have {dimension}. "
                "Choose scalar or none."
            )
        vectors = vector_definition(dimension, self.quantization)
        return {VECTOR_INDEX: ("vectorSearch", vectors), TEXT_INDEX: ("search", TEXT_DEFINITION)}


def unit_vector(dimension: int) -> list[float]:
    """Something to probe a vector index with."""
    return [1.0] + [0.0] * (dimension - 1)


def vector_stage(vector: Vector | Sequence[float], options: Row) -> Row:
    """A `$vectorSearch` stage."""
    return {"$vectorSearch": {"index": VECTOR_INDEX, "path": "embedding", "queryVector": to_binary(vector), **options}}


def marked_stage(releases: Sequence[str]) -> Row:
    """A `$search` stage for the last windows of releases."""
    conditions = [{"in": {"path": "release", "value": list(releases)}}, {"equals": {"path": "last", "value": True}}]
    return {"$search": {"index": TEXT_INDEX, "compound": {"filter": conditions}}}


def vector_field(row: Row) -> Row:
    """The vector's part of an index row of `$listSearchIndexes`; empty where there is none."""
    fields = row["latestDefinition"].get("fields", [])
    return next((f for f in fields if f["type"] == "vector" and f["path"] == "embedding"), {})


def dimension_of(row: Row) -> int:
    """The dimension that a vector index was made for."""
    return int(vector_field(row)["numDimensions"])


def quantization_of(definition: Mapping[str, Any]) -> str:
    """How coarse a vector index's vectors are; "none" for other indexes."""
    fields = [field for field in definition.get("fields", []) if field["type"] == "vector"]
    return str(fields[0].get("quantization", "none")) if fields else "none"


def suits(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether an index as `found` does for what one as `wanted` would."""
    return paths_of(wanted) <= paths_of(found) and quantization_of(found) == quantization_of(wanted)


def serves(row: Row, wanted: Mapping[str, Any]) -> bool:
    """Whether the index in a row of `$listSearchIndexes` answers whatever one as `wanted` would.

    While one is rebuilt with another definition, it answers with the one before, on every host.
    """
    hosts = [detail.get("mainIndex", {}) for detail in row.get("statusDetail", [])]
    answering = [host["definition"] for host in hosts if "definition" in host]
    known = bool(answering) and all(paths_of(wanted) <= paths_of(definition) for definition in answering)
    return bool(row["queryable"]) and (known or row["status"] == "READY")


def paths_of(definition: Mapping[str, Any]) -> set[str]:
    """The fields that an index of either kind covers."""
    if "mappings" in definition:
        return set(definition["mappings"].get("fields", {}))
    return {field["path"] for field in definition.get("fields", [])}

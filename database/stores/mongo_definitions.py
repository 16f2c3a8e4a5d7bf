"""What MongoDB's two search indexes over `windows` cover, and the stages that ask them; pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from database.stores.mongo_rows import Row

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


def vector_definition(dimension: int) -> Row:
    """The vector index's definition."""
    vector = {"type": "vector", "path": "embedding", "numDimensions": dimension, "similarity": SIMILARITY}
    return {"fields": [vector, *({"type": "filter", "path": path} for path in FILTER_PATHS)]}


def unit_vector(dimension: int) -> list[float]:
    """Something to probe a vector index with."""
    return [1.0] + [0.0] * (dimension - 1)


def vector_stage(vector: Sequence[float], options: Row) -> Row:
    """A `$vectorSearch` stage."""
    return {"$vectorSearch": {"index": VECTOR_INDEX, "path": "embedding", "queryVector": list(vector), **options}}


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


def paths_of(definition: Mapping[str, Any]) -> set[str]:
    """The fields that an index of either kind covers."""
    if "mappings" in definition:
        return set(definition["mappings"].get("fields", {}))
    return {field["path"] for field in definition.get("fields", [])}

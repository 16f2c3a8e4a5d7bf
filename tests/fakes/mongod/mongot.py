"""mongot: search indexes from their making to readiness, and the commands that manage them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bson import ObjectId

from tests.fakes.mongod.errors import CommandError, mongot_error
from tests.fakes.mongod.storage import Collection
from tests.fakes.mongod.wire import Doc

ABSENT = "Using Atlas Search Database Commands and the $listSearchIndexes aggregation stage requires additional configuration. Please connect to Atlas or an AtlasCLI local deployment to enable."  # noqa: E501
STARTING = "Error connecting to Search Index Management service."


@dataclass
class MongotOptions:
    """How this mongot behaves. A test may change every field while the server runs."""

    present: bool = True
    """False: a plain mongod without search."""
    starting: int = 0
    """So many more search commands are answered with code 125."""
    lag_s: float = 0.0
    """Seconds from a write to its being searchable by vector."""
    text_lag_s: float = 0.0
    """The same for text: each index follows at its own pace."""
    unknown_polls: int = 0
    """So many looks at a new index find it unknown: searches are empty, without an error."""
    syncing_polls: int = 0
    """So many looks after that find it in INITIAL_SYNC: searches fail with code 8."""
    updating_polls: int = 0
    """So many looks at an updated index find its new definition still being built, while the old one answers."""
    status_lies: bool = False
    """Let $listSearchIndexes say READY from the start."""
    fails: str = ""
    """The reason why the next index made ends in FAILED."""

    def require(self) -> None:
        """Fail as mongod does when it cannot reach mongot."""
        if not self.present:
            raise CommandError(31082, ABSENT)
        if self.starting:
            self.starting -= 1
            raise CommandError(125, STARTING)


@dataclass
class SearchIndex:
    """One search index. `phase` counts the looks at it, so that tests need no clock."""

    name: str
    type: str
    definition: Doc
    options: MongotOptions
    failure: str = ""
    id: ObjectId = field(default_factory=ObjectId)
    looks: int = 0
    version: int = 0
    serving: Doc | None = None
    """The definition that answers while another is built."""
    updating: int = 0

    def update(self, definition: Doc) -> None:
        """Build another definition beside the one that answers."""
        self.serving, self.definition = self.answering, definition
        self.version, self.updating = self.version + 1, self.options.updating_polls

    @property
    def answering(self) -> Doc:
        """The definition that searches meet."""
        return self.serving if self.updating and self.serving else self.definition

    def look(self) -> str:
        """The phase that this look finds: UNKNOWN, INITIAL_SYNC, STEADY or FAILED."""
        self.looks += 1
        self.updating = max(0, self.updating - 1)
        if self.looks <= self.options.unknown_polls:
            return "UNKNOWN"
        if self.looks <= self.options.unknown_polls + self.options.syncing_polls:
            return "INITIAL_SYNC"
        return "FAILED" if self.failure else "STEADY"

    def require_ready(self) -> bool:
        """False where mongot does not know the index yet; raises while it cannot answer."""
        phase = self.look()
        if phase in ("INITIAL_SYNC", "FAILED"):
            kind = "vector index" if self.type == "vectorSearch" else "search index"
            raise mongot_error(f"cannot query {kind} {self.id} ({kind} {self.name}) while in state {phase}")
        return phase == "STEADY"

    def describe(self) -> Doc:
        """Its row in $listSearchIndexes."""
        phase = "STEADY" if self.options.status_lies else self.look()
        status = {"UNKNOWN": "PENDING", "INITIAL_SYNC": "BUILDING", "STEADY": "READY", "FAILED": "FAILED"}[phase]
        queryable = status == "READY"
        main: Doc = {"status": status, "queryable": queryable, "definition": self.answering}
        detail: Doc = {"hostname": "mongodb", "status": status, "queryable": queryable, "mainIndex": main}
        if queryable and self.updating:
            status = "BUILDING"
            detail["stagedIndex"] = {"status": "BUILDING", "queryable": False, "definition": self.definition}
        if phase == "FAILED":
            main["message"] = self.failure
        return {
            "id": str(self.id),
            "name": self.name,
            "type": self.type,
            "status": status,
            "queryable": queryable,
            "latestDefinitionVersion": {"version": self.version, "createdAt": datetime.now(UTC)},
            "latestDefinition": self.definition,
            "statusDetail": [detail],
        }


def create_search_indexes(collection: Collection, command: Doc, options: MongotOptions) -> Doc:
    """createSearchIndexes: an equal definition is no news, another under the same name an error."""
    created = []
    for spec in command["indexes"]:
        name, kind = spec.get("name", "default"), spec.get("type", "search")
        _validate(kind, spec["definition"])
        index = collection.search_indexes.get(name)
        if index is None:
            index = SearchIndex(name, kind, spec["definition"], options, options.fails)
            collection.search_indexes[name] = index
        elif (index.type, index.definition) != (kind, spec["definition"]):
            raise CommandError(68, f"Index {name} already exists with a different definition. Drop it first if needed.")
        created.append({"id": str(index.id), "name": name})
    return {"indexesCreated": created, "ok": 1.0}


def _validate(kind: str, definition: Doc) -> None:
    if kind == "search":
        if "mappings" not in definition:
            raise CommandError(2, '"userCommand.indexes[0].mappings" is required')
        return
    fields = definition.get("fields", [])
    if len({f["path"] for f in fields}) != len(fields):
        raise CommandError(2, "Field paths must be distinct")
    for spec in fields:
        if spec["type"] not in ("vector", "filter"):
            raise CommandError(2, '"type" must be one of [vector, filter]')
        if spec["type"] == "vector":
            _validate_vector(spec)


def _validate_vector(spec: Doc) -> None:
    if not 1 <= spec.get("numDimensions", 0) <= 8192:
        raise CommandError(2, '"numDimensions" must be within bounds [1, 8192]')
    if spec.get("similarity") not in ("cosine", "dotProduct", "euclidean"):
        raise CommandError(2, '"similarity" must be one of [euclidean, cosine, dotProduct]')
    quantization = spec.get("quantization", "none")
    if quantization not in ("none", "scalar", "binary"):
        raise CommandError(2, '"quantization" must be one of [none, scalar, binary]')
    if quantization == "binary" and spec["numDimensions"] % 8:
        raise CommandError(2, '"numDimensions" must be a multiple of 8 for binary quantization')
    graph = spec.get("hnswOptions", {})
    for name, least, most in (("maxEdges", 16, 64), ("numEdgeCandidates", 100, 3200)):
        if not least <= graph.get(name, least) <= most:
            raise CommandError(2, f'"hnswOptions.{name}" must be within bounds [{least}, {most}]')


def update_search_index(collection: Collection, command: Doc) -> Doc:
    """updateSearchIndex: the old definition answers until the new one is built."""
    index = _named(collection, command)
    if ("mappings" in command["definition"]) != (index.type == "search"):
        raise CommandError(197, "An index's type cannot be changed")
    _validate(index.type, command["definition"])
    index.update(command["definition"])
    return {"ok": 1.0}


def drop_search_index(collection: Collection, command: Doc) -> Doc:
    """dropSearchIndex."""
    index = _named(collection, command)
    del collection.search_indexes[index.name]
    return {"ok": 1.0}


def _named(collection: Collection, command: Doc) -> SearchIndex:
    for index in collection.search_indexes.values():
        if index.name == command.get("name") or str(index.id) == command.get("id"):
            found: SearchIndex = index
            return found
    raise CommandError(27, f"No index with name {command.get('name')} exists in namespace")


def list_search_indexes(collection: Collection | None, stage: Doc) -> list[Doc]:
    """The $listSearchIndexes stage; nothing for a collection that does not exist."""
    indexes: dict[str, Any] = collection.search_indexes if collection else {}
    chosen = [i for i in indexes.values() if stage.get("name", i.name) == i.name]
    return [index.describe() for index in chosen if stage.get("id", str(index.id)) == str(index.id)]

"""MongoDB's two search indexes over `windows`: making them, and waiting for them.

mongot builds indexes and takes in writes later than mongod confirms them, and it answers with
nothing, not with an error, for an index that it does not know yet. So an index counts as ready
only when its status says so and a probe has been answered.
"""

import asyncio
import itertools
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from pymongo.operations import SearchIndexModel

from database.errors import IndexMismatch, IndexNotReady, StoreError
from database.stores.mongo_client import Connection
from database.stores.mongo_definitions import (
    SIMILARITY,
    TEXT_INDEX,
    VECTOR_INDEX,
    IndexOptions,
    dimension_of,
    marked_stage,
    serves,
    suits,
    unit_vector,
    vector_field,
    vector_stage,
)
from database.stores.mongo_errors import REBUILD
from database.stores.mongo_rows import Row

if TYPE_CHECKING:
    from database.stores.mongo_client import MotorCollection

T = TypeVar("T")
LOG = logging.getLogger(__name__)

POLL_S = (0.05, 0.1, 0.2, 0.5)
"""Pauses between looks; the last one repeats."""
BATCH = 200
"""Documents waited for with one probe."""


class _IndexMissing(IndexNotReady):
    """Nothing builds the index: waiting is of no use."""

    def __init__(self) -> None:
        super().__init__("MongoDB has no search index yet. Make it with `python database/main.py`.")


class SearchIndexes:
    """The search indexes of one collection of windows."""

    def __init__(self, connection: Connection, options: IndexOptions, name: str):
        self._connection = connection
        self._options = options
        self._name = name

    @property
    def _windows(self) -> "MotorCollection":
        return self._connection.database[self._name]

    async def create(self, dimension: int) -> None:
        """Make what is missing, update what is defined otherwise, and wait until both answer. Nobody waits for the
        rebuilding of one that answers all the same. Raises `IndexMismatch` for another dimension."""
        wanted = self._options.define(dimension)

        async def create() -> bool:
            rows = await self._list()
            self._compare(rows, dimension)
            await self._define(rows, wanted)
            return True

        await self._poll(create)
        await self._poll(partial(self._are_ready, wanted))

    async def require_ready(self, dimension: int | None) -> None:
        """Return when searches can be answered; say what is missing otherwise."""
        rows = await self._list()
        _require_made(rows)
        for name in (VECTOR_INDEX, TEXT_INDEX):
            _require_healthy(rows[name])
            if not rows[name]["queryable"]:
                raise IndexNotReady(f"The search index {name} is still being built. Wait a moment and ask again.")
        if dimension is not None:
            self._compare(rows, dimension)
        await self._probe(dimension_of(rows[VECTOR_INDEX]))

    async def wait_for(self, releases: Sequence[str], dimension: int) -> None:
        """Return when every window of these releases is found by each index that takes it."""
        for start in range(0, len(releases), BATCH):
            await self._wait_for_batch(releases[start : start + BATCH], dimension)

    async def _wait_for_batch(self, releases: Sequence[str], dimension: int) -> None:
        query = {"release": {"$in": list(releases)}, "last": True}
        written = await self._connection.find(self._name, query, projection={"release": 1, "embedded": 1})
        missing = {row["release"]: row.get("embedded", True) for row in written}

        async def all_found() -> bool:
            if missing:
                _require_made(await self._list())
                for release in await self._find_marked(missing, dimension):
                    del missing[release]
            return not missing

        await self._poll(all_found)

    async def _find_marked(self, releases: Mapping[str, bool], dimension: int) -> set[str]:
        """Those of `releases` whose last window the text index knows, and the vector index if it is embedded."""
        by_text = await self._find(marked_stage([*releases]), len(releases))
        embedded = [release for release in by_text if releases[release]]
        if not embedded:
            return by_text
        options = {"limit": len(embedded), "exact": True, "filter": {"release": {"$in": embedded}, "last": True}}
        by_vector = await self._find(vector_stage(unit_vector(dimension), options))
        return by_text & (by_vector | {release for release in releases if not releases[release]})

    async def _find(self, stage: Row, limit: int = 0) -> set[str]:
        pipeline = [stage, *([{"$limit": limit}] if limit else []), {"$project": {"_id": 0, "release": 1}}]
        rows = await self._connection.aggregate(self._name, pipeline)
        return {row["release"] for row in rows}

    async def _list(self) -> dict[str, Row]:
        rows = await self._connection.call(lambda: self._windows.list_search_indexes().to_list(None))
        return {row["name"]: dict(row) for row in rows}

    def _compare(self, rows: Mapping[str, Row], dimension: int) -> None:
        """Raise `IndexMismatch` unless an index that exists suits vectors of this dimension."""
        if VECTOR_INDEX not in rows:
            return
        vector = vector_field(rows[VECTOR_INDEX])
        found = (vector.get("numDimensions"), vector.get("similarity"))
        if found != (dimension, SIMILARITY):
            raise IndexMismatch(
                f"The index {VECTOR_INDEX} was made for {found[0]} dimensions and {found[1]} similarity; "
                f"{dimension} and {SIMILARITY} are needed. Rebuild it with `{REBUILD}`."
            )

    async def _define(self, rows: Mapping[str, Row], wanted: Mapping[str, tuple[str, Row]]) -> None:
        """Create what is missing; update what lacks a field, as one made by an older version does, or is of another
        quantisation. mongot answers with the older definition until it has built the new one."""
        for name, (kind, definition) in wanted.items():
            if name not in rows:
                model = SearchIndexModel(definition, name, kind)
                await self._connection.call(partial(self._windows.create_search_index, model))
            elif not suits(rows[name]["latestDefinition"], definition):
                LOG.warning("MongoDB rebuilds the search index %s with another definition; the old one answers", name)
                await self._connection.call(partial(self._windows.update_search_index, name, definition))

    async def _are_ready(self, wanted: Mapping[str, tuple[str, Row]]) -> bool:
        rows = await self._list()
        for name in wanted.keys() & rows.keys():
            _require_healthy(rows[name])
        if not all(name in rows and serves(rows[name], definition) for name, (_, definition) in wanted.items()):
            return False
        await self._probe(dimension_of(rows[VECTOR_INDEX]))
        return True

    async def _probe(self, dimension: int) -> None:
        """Ask both indexes something; raises `IndexNotReady` while they cannot answer."""
        await self._find(vector_stage(unit_vector(dimension), {"limit": 1, "exact": True}))
        await self._find(marked_stage(["none"]), 1)

    async def _poll(self, done: Callable[[], Awaitable[bool]]) -> None:
        """Ask `done` again until it says so; what is not ready yet may be so later."""
        deadline = time.monotonic() + self._options.timeout_s
        late = IndexNotReady(
            f"The search index was not ready within INDEX_READY_TIMEOUT_S={self._options.timeout_s:g}. "
            "Try again, or look at `docker compose logs mongodb`."
        )
        for pause_s in itertools.chain(POLL_S, itertools.repeat(POLL_S[-1])):
            try:
                if await done():
                    return
            except _IndexMissing:
                raise
            except IndexNotReady as error:
                late = error
            if time.monotonic() > deadline:
                raise late
            await asyncio.sleep(pause_s)


def _require_made(rows: Mapping[str, Row]) -> None:
    if not {VECTOR_INDEX, TEXT_INDEX} <= set(rows):
        raise _IndexMissing


def _require_healthy(row: Row) -> None:
    if row["status"] == "FAILED":
        messages = [detail.get("mainIndex", {}).get("message", "") for detail in row.get("statusDetail", [])]
        raise StoreError(
            f"MongoDB could not build the search index {row['name']}: {' '.join(filter(None, messages))} "
            f"Rebuild it with `{REBUILD}`."
        )

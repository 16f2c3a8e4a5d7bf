"""Vectors in MongoDB: their layout, the layout before, quantised indexes, and how many candidates are looked at."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from bson.binary import Binary
from pymongo import MongoClient
from pymongo.collection import Collection

from database.documents import Filters
from database.errors import SettingsError, StoreError
from database.stores import Store
from database.stores.mongo_definitions import vector_definition
from database.stores.mongo_vectors import choose_effort, read_vector, to_binary
from tests.fakes.mongod import FakeMongod
from tests.store_contract import OpenStore
from tests.store_documents import DIMENSION, RECORD, ask, found_anywhere, make_document, publish, window_ids
from tests.test_store_mongo import open_store, opener, server, stages, store

__all__ = ["open_store", "server", "store"]

Windows = Collection[dict[str, Any]]


@pytest.fixture
async def windows(server: FakeMongod) -> AsyncIterator[Windows]:
    client: MongoClient[dict[str, Any]] = MongoClient(server.uri, directConnection=True)
    yield client["acervo"]["windows"]
    await asyncio.to_thread(client.close)


def test_a_vector_survives_to_its_last_bit() -> None:
    vector = np.array([1 / 3, -0.0, 1e-38, -1.0], np.float32)
    stored = to_binary(vector)
    assert (bytes(stored), stored.subtype) == (b"\x27\x00" + vector.tobytes(), 9)
    for read in (read_vector(stored), read_vector(vector.astype(float).tolist())):
        assert (read.dtype, read.tobytes()) == (np.float32, vector.tobytes())


EXACT = {"exact": True}


@pytest.mark.parametrize(
    ("left", "total", "effort"),
    [
        (0, 0, EXACT),
        (10_000, 0, EXACT),
        (10_001, 10_001, {"numCandidates": 2000}),
        (100_000, 100_000, {"numCandidates": 2000}),
        (10_000_000, 10_000_000, {"numCandidates": 4000}),
        (10_000, 10_000_000, EXACT),
        (99_999, 1_000_000, EXACT),
        (100_001, 1_000_000, {"numCandidates": 9487}),
        (250_000, 1_000_000, {"numCandidates": 6000}),
        (1_000_000, 1_000_000_000, {"numCandidates": 10_000}),
    ],
)
def test_effort_grows_with_the_index_and_with_what_filters_leave_out(
    left: int, total: int, effort: dict[str, object]
) -> None:
    assert choose_effort(100, left, total) == effort


def test_effort_where_vectors_are_coarse_or_nobody_counted() -> None:
    assert choose_effort(100, 50_000, 50_000, quantized=True) == {"numCandidates": 3000}
    assert choose_effort(100, 500, 1_000_000, counted=False) == {"numCandidates": 10_000}
    assert choose_effort(10_000, 20_000, 20_000) == {"numCandidates": 10_000}, "never less than the limit, nor more"


async def test_what_is_written_and_asked_is_binary(server: FakeMongod, store: Store, windows: Windows) -> None:
    document, contents = make_document("a", ["gato", "rato"])
    await publish(store, (document, contents))
    rows = await asyncio.to_thread(lambda: {row["text"]: row["embedding"] for row in windows.find()})
    assert contents.vectors is not None
    assert rows == {w.text: to_binary(v) for w, v in zip(contents.windows, contents.vectors, strict=True)}
    assert all(len(row) == 2 + 4 * DIMENSION for row in rows.values())
    server.seen.clear()
    await store.search(ask(vector=contents.vectors[1]))
    assert [stage["queryVector"] for stage in stages(server, "$vectorSearch")] == [to_binary(contents.vectors[1])]


def make_old(windows: Windows) -> None:
    """Rows as they were before vectors were packed, in a database that knows of no steps."""
    for row in windows.find():
        windows.update_one({"_id": row["_id"]}, {"$set": {"embedding": read_vector(row["embedding"]).tolist()}})
    windows.database["index"].delete_one({"_id": "schema"})


async def test_older_rows_are_found_and_read_and_packed_by_the_next_load(
    server: FakeMongod, store: Store, windows: Windows, open_store: OpenStore
) -> None:
    document, contents = make_document("a", ["gato", "rato", "pato"])
    await publish(store, (document, contents))
    await asyncio.to_thread(make_old, windows)
    for loaded, kind in ((False, list), (True, Binary)):
        if loaded:
            await store.prepare(RECORD)
        rows = await asyncio.to_thread(lambda: list(windows.find()))
        assert [type(row["embedding"]) for row in rows] == [kind] * 3
        assert await found_anywhere(store, document, contents) == window_ids(contents)
        whole = await store.read_whole(document.id)
        assert whole is not None and whole[1] is not None and whole[1].vectors is not None
        assert np.array_equal(whole[1].vectors, np.asarray(contents.vectors))
        assert len(await store.read_vectors(document.id)) == 3
    server.seen.clear()
    await store.prepare(RECORD)
    assert not [body for body in server.seen if "embedding" in body.get("filter", {})], "done once and for all"


async def test_a_database_of_a_newer_version_is_refused(store: Store, windows: Windows, open_store: OpenStore) -> None:
    await asyncio.to_thread(windows.database["index"].update_one, {"_id": "schema"}, {"$set": {"version": 99}})
    for refused in (open_store(), store.check(), store.prepare(RECORD)):
        with pytest.raises(StoreError, match=r"newer version of Acervo \(format 99"):
            await refused


async def definition_of(windows: Windows) -> dict[str, Any]:
    (row,) = await asyncio.to_thread(lambda: list(windows.list_search_indexes("vector_index")))
    definition: dict[str, Any] = row["latestDefinition"]
    return definition


async def test_another_quantisation_is_built_while_the_old_index_answers(
    server: FakeMongod, store: Store, windows: Windows
) -> None:
    document, contents = make_document("a", ["gato", "rato"])
    await publish(store, (document, contents))
    assert await definition_of(windows) == vector_definition(DIMENSION)
    server.mongot.updating_polls = 10**9
    async with opener(mongodb_uri=server.uri, mongodb_quantization="scalar", index_ready_timeout_s=5) as open_store:
        coarse = await open_store()
        await coarse.check()
        assert await definition_of(windows) == vector_definition(DIMENSION), "only loads change it"
        await coarse.prepare(RECORD)  # does not wait for what may take hours
        await coarse.check()
        (row,) = await asyncio.to_thread(lambda: list(windows.list_search_indexes("vector_index")))
        assert (row["status"], row["queryable"]) == ("BUILDING", True)
        assert row["latestDefinition"] == vector_definition(DIMENSION, "scalar")
        other = make_document("b", ["pato"])
        await publish(coarse, other)
        for pair in ((document, contents), other):
            assert await found_anywhere(coarse, *pair) == window_ids(pair[1])
        server.seen.clear()
        await coarse.prepare(RECORD)
        assert "updateSearchIndex" not in server.names()


async def test_a_missing_field_is_waited_for(server: FakeMongod, store: Store, windows: Windows) -> None:
    """Unlike another quantisation: what filters by it could not be answered."""
    older = {"fields": vector_definition(DIMENSION)["fields"][:2]}
    await asyncio.to_thread(windows.update_search_index, "vector_index", older)
    server.mongot.updating_polls = 6
    await store.prepare(RECORD)
    pair = make_document("a", ["gato"])
    await publish(store, pair)
    filters = Filters(first_page=1, last_page=1)
    found = await store.search(replace(ask(vector=pair[1].vectors[0]), filters=filters))
    assert [c.window_id for c in found.vector] == [pair[1].windows[0].id]


async def test_bits_need_whole_bytes(server: FakeMongod, windows: Windows) -> None:
    async with opener(mongodb_uri=server.uri, mongodb_quantization="binary") as open_store:
        store = await open_store()
        with pytest.raises(SettingsError, match="MONGODB_QUANTIZATION=binary"):
            await store.prepare(replace(RECORD, dimension=DIMENSION + 1))
        await store.prepare(RECORD)
    assert (await definition_of(windows))["fields"][0]["quantization"] == "binary"

"""The loopback mongod answers unmodified drivers as MongoDB Atlas Local does."""

import asyncio
import gc
import math
import socket
import threading
import time
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from bson.binary import Binary, BinaryVectorDtype
from gridfs import GridFSBucket
from gridfs.errors import NoFile
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_mongodb import MongoDBAtlasVectorSearch
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import DeleteOne, InsertOne, MongoClient, ReplaceOne, UpdateOne
from pymongo.collection import Collection
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    CollectionInvalid,
    DuplicateKeyError,
    OperationFailure,
    ServerSelectionTimeoutError,
)
from pymongo.monitoring import (
    ServerHeartbeatFailedEvent,
    ServerHeartbeatListener,
    ServerHeartbeatStartedEvent,
    ServerHeartbeatSucceededEvent,
)
from pymongo.operations import SearchIndexModel

from tests.fakes.mongod import FakeMongod

Rows = Collection[dict[str, Any]]

VECTORS = {
    "fields": [
        {"type": "vector", "path": "embedding", "numDimensions": 3, "similarity": "cosine"},
        {"type": "filter", "path": "lang"},
        {"type": "filter", "path": "page"},
    ]
}
TEXTS = {
    "mappings": {
        "dynamic": False,
        "fields": {
            "text": {"type": "string", "analyzer": "lucene.whitespace"},
            "lang": {"type": "token"},
            "last": {"type": "boolean"},
        },
    }
}
ROWS: list[dict[str, Any]] = [
    {"_id": "a", "embedding": [1.0, 0.0, 0.0], "lang": "pt", "page": 1, "text": "gato preto gato", "last": True},
    {"_id": "b", "embedding": [0.0, 2.0, 0.0], "lang": "pt", "page": 2, "text": "rato preto", "last": False},
    {"_id": "c", "embedding": [-1.0, 1.0, 0.0], "lang": "en", "page": 3, "text": "cat", "last": True},
    {"_id": "short", "embedding": [1.0], "lang": "en", "page": 4, "text": "wrong dimension"},
    {"_id": "zero", "embedding": [0.0, 0.0, 0.0], "lang": "en", "page": 5},
]


@pytest.fixture
async def server() -> AsyncIterator[FakeMongod]:
    async with FakeMongod() as server:
        yield server


def connect(server: FakeMongod, **options: Any) -> "MongoClient[dict[str, Any]]":
    given = {"directConnection": True, "serverSelectionTimeoutMS": 2000}
    return MongoClient(server.uri, **(given | options))


@pytest.fixture
def rows(server: FakeMongod) -> Iterator[Rows]:
    client = connect(server)
    yield client["db"]["rows"]
    client.close()


def make_indexes(rows: Rows) -> None:
    rows.insert_many(ROWS)
    rows.create_search_indexes(
        [SearchIndexModel(VECTORS, "vi", "vectorSearch"), SearchIndexModel(TEXTS, "ti", "search")]
    )


def nearest(rows: Rows, **changes: Any) -> list[tuple[str, float]]:
    stage = {"index": "vi", "path": "embedding", "queryVector": [1.0, 0.0, 0.0], "limit": 9, "exact": True, **changes}
    stage = {name: value for name, value in stage.items() if value is not None}
    pipeline = [{"$vectorSearch": stage}, {"$project": {"score": {"$meta": "vectorSearchScore"}}}]
    return [(row["_id"], row["score"]) for row in rows.aggregate(pipeline)]


def matching(rows: Rows, operator: dict[str, Any], index: str = "ti") -> list[tuple[str, float]]:
    stages = [{"$search": {"index": index, **operator}}, {"$set": {"score": {"$meta": "searchScore"}}}]
    return [(row["_id"], row["score"]) for row in rows.aggregate(stages)]


def error_of(work: Callable[[], Any]) -> OperationFailure:
    with pytest.raises(OperationFailure) as caught:
        work()
    return caught.value


# Documents


async def test_motor_reads_and_writes(server: FakeMongod) -> None:
    client: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(server.uri)
    rows = client["db"]["rows"]
    await rows.insert_many([{"_id": n, "n": n % 7} for n in range(250)])
    assert len(await rows.find({"n": {"$gte": 3}}).to_list(None)) == sum(n % 7 >= 3 for n in range(250))
    assert await rows.count_documents({}) == await rows.estimated_document_count() == 250
    assert sorted(await rows.distinct("n")) == list(range(7))
    client.close()


def test_queries(rows: Rows) -> None:
    rows.insert_many([{"_id": n, "n": n, "tags": ["x", f"t{n}"], "sub": {"k": str(n)}} for n in range(6)])
    rows.insert_one({"_id": "none"})

    def ids(query: dict[str, Any]) -> list[Any]:
        return [row["_id"] for row in rows.find(query)]

    assert ids({"n": {"$gt": 1, "$lte": 3}}) == [2, 3]
    assert ids({"tags": "t4"}) == ids({"sub.k": "4"}) == [4]
    assert ids({"n": {"$exists": False}}) == ids({"n": None}) == ["none"]
    assert ids({"n": {"$nin": [0, 1, 2, None]}}) == [3, 4, 5]
    assert ids({"n": {"$not": {"$lt": 5}}}) == [5, "none"]
    assert ids({"$or": [{"n": 0}, {"$and": [{"n": {"$ne": 1}}, {"n": {"$lt": 3}}]}]}) == [0, 2]
    assert ids({"$nor": [{"n": {"$in": [0, 1, 2, 3]}}, {"_id": "none"}]}) == [4, 5]
    assert ids({"n": {"$gt": "1"}}) == []
    assert error_of(lambda: ids({"n": {"$near": 1}})).code == 2


def test_sort_skip_limit_project(rows: Rows) -> None:
    rows.insert_many([{"_id": n, "a": n % 2, "b": n} for n in range(6)])
    found = rows.find({}, {"b": 1, "_id": 0}).sort([("a", -1), ("b", 1)]).skip(1).limit(3)
    assert list(found) == [{"b": 3}, {"b": 5}, {"b": 0}]
    assert rows.find_one({"_id": 1}, {"a": 0}) == {"_id": 1, "b": 1}


def test_updates(rows: Rows) -> None:
    result = rows.update_one({"_id": 1}, {"$set": {"a": 1}, "$setOnInsert": {"n": 1}}, upsert=True)
    assert (result.upserted_id, result.matched_count) == (1, 0)
    rows.update_one({"_id": 1}, {"$set": {"a": 2}, "$setOnInsert": {"n": 9}, "$unset": {"gone": ""}})
    assert rows.find_one() == {"_id": 1, "a": 2, "n": 1}
    rows.insert_one({"_id": 2, "a": 2})
    result = rows.update_many({"a": 2}, {"$inc": {"a": 1}})
    assert (result.matched_count, result.modified_count) == (2, 2)
    assert rows.replace_one({"_id": 2}, {"z": 1}).modified_count == 1
    assert rows.find_one({"_id": 2}) == {"_id": 2, "z": 1}
    assert rows.find_one_and_update({"_id": 3}, {"$inc": {"n": 1}}, upsert=True, return_document=True) == {
        "_id": 3,
        "n": 1,
    }
    assert rows.find_one_and_delete({"_id": 3}) == {"_id": 3, "n": 1}
    assert rows.delete_many({"_id": {"$in": [1, 2, 7]}}).deleted_count == 2


def test_bulk_writes_and_duplicates(rows: Rows) -> None:
    operations = [InsertOne({"_id": 1}), ReplaceOne({"_id": 2}, {"b": 1}, upsert=True), DeleteOne({"_id": 1})]
    result = rows.bulk_write([*operations, UpdateOne({"_id": 2}, {"$set": {"c": 1}})])
    assert (result.inserted_count, result.upserted_ids, result.deleted_count) == (1, {1: 2}, 1)
    assert list(rows.find()) == [{"_id": 2, "b": 1, "c": 1}]
    with pytest.raises(DuplicateKeyError):
        rows.insert_one({"_id": 2})
    with pytest.raises(BulkWriteError) as caught:
        rows.insert_many([{"_id": 3}, {"_id": 2}, {"_id": 4}], ordered=False)
    assert caught.value.details["nInserted"] == 2


def test_cursors_are_read_on_and_closed(server: FakeMongod, rows: Rows) -> None:
    rows.insert_many([{"_id": n} for n in range(10)])
    assert [row["_id"] for row in rows.find(batch_size=3)] == list(range(10))
    assert server.names().count("getMore") == 3
    with rows.find(batch_size=3) as cursor:
        next(cursor)
        cursor_id = cursor.cursor_id
    assert "killCursors" in server.names()
    assert error_of(lambda: rows.database.command("getMore", cursor_id, collection="rows")).code == 43


def test_namespaces(rows: Rows) -> None:
    database = rows.database
    rows.create_index("a")
    assert rows.index_information().keys() == {"_id_", "a_1"}
    rows.drop_index("a_1")
    assert rows.index_information().keys() == {"_id_"}
    assert error_of(lambda: rows.drop_index("a_1")).code == 27
    assert database["absent"].index_information() == {}
    database.create_collection("other")
    with pytest.raises(CollectionInvalid):
        database.create_collection("other")
    assert error_of(lambda: database.command("create", "other")).code == 48
    assert sorted(database.list_collection_names()) == ["other", "rows"]
    rows.insert_one({})
    rows.drop()
    assert database.list_collection_names() == ["other"]
    assert rows.count_documents({}) == 0
    database.client.drop_database("db")
    assert database.list_collection_names() == []


def test_what_acervo_does_not_send_is_refused(rows: Rows) -> None:
    error = error_of(lambda: rows.database.command("mapReduce", "rows"))
    assert (error.code, error.details["codeName"]) == (59, "CommandNotFound")  # type: ignore[index]
    assert error_of(lambda: list(rows.aggregate([{"$facet": {}}]))).code == 40324
    assert error_of(lambda: rows.create_index("a", sparse=True)).code == 238


def test_unique_indexes(rows: Rows) -> None:
    rows.insert_many([{"_id": 1, "a": 1, "n": 0}, {"_id": 2, "a": 1, "n": 1}, {"_id": 3}])
    assert error_of(lambda: rows.create_index("a", unique=True)).code == 11000
    rows.create_index([("a", 1), ("n", 1)], unique=True)
    for repeated in ({"a": 1, "n": 1}, {}, {"a": None, "n": None}):
        with pytest.raises(DuplicateKeyError):
            rows.insert_one(dict(repeated))
    with pytest.raises(DuplicateKeyError):
        rows.update_one({"_id": 1}, {"$set": {"n": 1}})
    rows.update_one({"_id": 1}, {"$set": {"n": 2}})
    rows.delete_one({"_id": 2})
    rows.insert_many([{"a": 1, "n": 0}, {"a": 1, "n": 1}])
    rows.drop_index("a_1_n_1")
    rows.insert_one({"a": 1, "n": 0})


def test_gridfs(rows: Rows) -> None:
    bucket, data = GridFSBucket(rows.database, "files"), bytes(range(256)) * 3000
    first = bucket.upload_from_stream("a", data, metadata={"ending": ".pdf"})
    earlier = {"$set": {"uploadDate": datetime(2020, 1, 1, tzinfo=UTC)}}  # two may come within a millisecond
    rows.database["files.files"].update_one({"_id": first}, earlier)
    second = bucket.upload_from_stream("a", data[:10])
    assert rows.database["files.chunks"].count_documents({"files_id": first}) == 3
    assert bucket.open_download_stream_by_name("a").read() == data[:10], "the one that came last"
    stored = bucket.open_download_stream(first)
    assert (stored.read(300_000) + stored.read(), stored.metadata) == (data, {"ending": ".pdf"})
    with pytest.raises(DuplicateKeyError):
        rows.database["files.chunks"].insert_one({"files_id": second, "n": 0, "data": b""})
    bucket.delete(first)
    assert rows.database["files.chunks"].count_documents({}) == 1
    with pytest.raises(NoFile):
        bucket.open_download_stream(first)


def test_groups(rows: Rows) -> None:
    rows.insert_many([{"k": "x", "n": 1}, {"k": "y", "n": 2}, {"k": "x", "n": 3}])
    group = {"$group": {"_id": "$k", "n": {"$sum": "$n"}, "all": {"$push": "$n"}, "first": {"$first": "$n"}}}
    assert list(rows.aggregate([group, {"$sort": {"_id": 1}}])) == [
        {"_id": "x", "n": 4, "all": [1, 3], "first": 1},
        {"_id": "y", "n": 2, "all": [2], "first": 2},
    ]
    assert list(rows.aggregate([{"$match": {"k": "x"}}, {"$count": "n"}])) == [{"n": 2}]


# Connections


class Heartbeats(ServerHeartbeatListener):
    def __init__(self) -> None:
        self.streamed, self.lost = threading.Event(), threading.Event()

    def started(self, event: ServerHeartbeatStartedEvent) -> None:
        if event.awaited:
            self.streamed.set()

    def succeeded(self, event: ServerHeartbeatSucceededEvent) -> None:
        """Nothing to note."""

    def failed(self, event: ServerHeartbeatFailedEvent) -> None:
        self.lost.set()


async def test_drivers_watch_by_a_streamed_hello(server: FakeMongod) -> None:
    heartbeats = Heartbeats()
    client = connect(server, event_listeners=[heartbeats])
    assert await asyncio.to_thread(client.admin.command, "ping") == {"ok": 1.0}
    assert await asyncio.to_thread(heartbeats.streamed.wait, 20)
    await asyncio.to_thread(server.refuse)
    assert await asyncio.to_thread(heartbeats.lost.wait, 20)
    with pytest.raises((ServerSelectionTimeoutError, AutoReconnect)):
        await asyncio.to_thread(client.admin.command, "ping")
    await asyncio.to_thread(server.accept)
    assert await asyncio.to_thread(client.admin.command, "ping") == {"ok": 1.0}
    client.close()


async def test_login() -> None:
    async with FakeMongod(users={"ana": "segredo"}) as server:
        stranger = connect(server)
        assert error_of(lambda: stranger.admin.command("ping")).code == 13
        wrong = connect(server, username="ana", password="errada")
        assert error_of(lambda: wrong.admin.command("ping")).code == 18
        unknown = connect(server, username="rui", password="segredo")
        assert error_of(lambda: unknown.admin.command("ping")).code == 18
        right = connect(server, username="ana", password="segredo")
        assert right.admin.command("ping") == {"ok": 1.0}
        for client in (stranger, wrong, unknown, right):
            client.close()


def test_connections_that_are_being_accepted_as_it_stops_are_closed() -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for _ in range(20):
            server = FakeMongod()
            server.start()
            assert server._loop
            server._loop.call_soon_threadsafe(time.sleep, 0.02)
            clients = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(50)]
            server.stop()
            for client in clients:
                client.close()
        gc.collect()
    assert not told


async def test_a_name_that_only_its_container_knows() -> None:
    async with FakeMongod(advertised="mongodb-container.invalid:27017") as server:
        direct = connect(server)
        assert direct.admin.command("ping") == {"ok": 1.0}
        roaming = connect(server, directConnection=False, serverSelectionTimeoutMS=500)
        with pytest.raises(ServerSelectionTimeoutError, match="mongodb-container"):
            roaming.admin.command("ping")
        direct.close()
        roaming.close()


def test_a_repeated_write_happens_once(server: FakeMongod, rows: Rows) -> None:
    server.fail("insert", hang_up="after")
    rows.insert_one({"_id": 1})
    assert server.names().count("insert") == 2
    server.fail("update", code=10107)
    rows.update_one({"_id": 1}, {"$inc": {"n": 1}})
    assert rows.find_one() == {"_id": 1, "n": 1}
    server.fail("update", hang_up="after")
    rows.update_one({"_id": 1}, {"$inc": {"n": 1}})
    assert rows.find_one() == {"_id": 1, "n": 2}


def test_faults_come_when_told(server: FakeMongod, rows: Rows) -> None:
    server.fail("insert", code=2, skip=1, times=2)
    rows.insert_one({"_id": 1})
    assert error_of(lambda: rows.insert_one({"_id": 2})).code == 2
    assert error_of(lambda: rows.insert_one({"_id": 2})).code == 2
    rows.insert_one({"_id": 2})
    server.fail("delete", hang_up="before", times=9)
    with pytest.raises(AutoReconnect):
        rows.delete_many({})
    server.faults.clear()
    assert rows.count_documents({}) == 2


# Search indexes


def test_vector_search_is_exact(rows: Rows) -> None:
    make_indexes(rows)
    expected = {"a": 1.0, "b": 0.5, "c": (1 - 1 / math.sqrt(2)) / 2}
    assert dict(nearest(rows)) == pytest.approx(expected)
    assert [key for key, _ in nearest(rows)] == ["a", "b", "c"]
    assert [key for key, _ in nearest(rows, limit=2)] == ["a", "b"]
    binary = Binary.from_vector([0.0, 1.0, 0.0], BinaryVectorDtype.FLOAT32)
    assert nearest(rows, queryVector=binary, exact=None, numCandidates=9)[0] == ("b", 1.0)


def test_vector_filters(rows: Rows) -> None:
    make_indexes(rows)
    for query, expected in (
        ({"lang": "pt"}, "ab"),
        ({"lang": {"$in": ["en"]}, "page": {"$gte": 3}}, "c"),
        ({"$and": [{"page": {"$gt": 1}}, {"page": {"$lt": 3}}]}, "b"),
        ({"page": {"$nin": [1, 2]}}, "c"),
    ):
        assert "".join(key for key, _ in nearest(rows, filter=query)) == expected


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"exact": None}, "numCandidates is required for approximate vector search"),
        ({"exact": None, "numCandidates": 3}, "limit should be less than or equal to numCandidates"),
        ({"exact": None, "numCandidates": 10_001}, "must be within bounds [1, 10000]"),
        ({"numCandidates": 9}, '"numCandidates" must be omitted when "exact" is set to true'),
        ({"index": "ti"}, "Cannot execute $vectorSearch over search index 'ti'"),
        ({"path": "text"}, "text is not indexed as vector"),
        ({"queryVector": [1.0, 2.0]}, "vector field is indexed with 3 dimensions but queried with 2"),
        ({"queryVector": [0.0, 0.0, 0.0]}, "Cosine similarity cannot be calculated against a zero vector."),
        ({"queryVector": [1.0, float("nan"), 0.0]}, "'queryVector' contains a non-finite value"),
        ({"filter": {"text": "x"}}, "Path 'text' needs to be indexed as filter"),
        ({"filter": {"lang": {"$eq": ["pt"]}}}, "Unsupported BsonValue type: ARRAY"),
        ({"filter": {"lang": {"$in": []}}}, "cannot be empty"),
        ({"filter": {"lang": {"$regex": "p"}}}, "$regex"),
        ({"limit": 0}, '"limit" must be positive'),
    ],
)
def test_mongots_words(rows: Rows, changes: dict[str, Any], text: str) -> None:
    make_indexes(rows)
    error = error_of(lambda: nearest(rows, **changes))
    message: str = error.details["errmsg"]  # type: ignore[index]
    assert error.code == 8
    assert message.startswith("PlanExecutor error during aggregation :: caused by :: ")
    assert text in message


def test_unknown_indexes_answer_with_nothing(rows: Rows) -> None:
    make_indexes(rows)
    assert nearest(rows, index="typo") == []
    assert matching(rows, {"text": {"query": "gato", "path": "text"}}, index="typo") == []
    assert nearest(rows.database["absent"]) == []
    assert error_of(lambda: matching(rows, {"text": {"query": "x", "path": "text"}}, index="vi")).code == 8


def test_text_search_scores_are_lucenes(rows: Rows) -> None:
    make_indexes(rows)
    lengths = {"a": 3, "b": 2, "c": 1, "short": 2}
    average = sum(lengths.values()) / len(lengths)

    def bm25(key: str, tf: int, found: int) -> float:
        idf = math.log(1 + (len(lengths) - found + 0.5) / (found + 0.5))
        return idf * tf / (tf + 1.2 * (1 - 0.75 + 0.75 * lengths[key] / average))

    found = matching(rows, {"text": {"query": "gato preto zebra", "path": "text"}})
    assert dict(found) == pytest.approx({"a": bm25("a", 2, 1) + bm25("a", 1, 2), "b": bm25("b", 1, 2)})
    assert [key for key, _ in found] == ["a", "b"]
    assert matching(rows, {"text": {"query": "pt", "path": "lang"}}) == []


def test_compound_operators(rows: Rows) -> None:
    make_indexes(rows)
    preto = {"text": {"query": "preto", "path": "text"}}
    rato = {"text": {"query": "rato", "path": "text"}}
    last = {"equals": {"path": "last", "value": True}}
    english = {"in": {"path": "lang", "value": ["en", "fr"]}}

    def keys(**clauses: Any) -> list[str]:
        return [key for key, _ in matching(rows, {"compound": clauses})]

    assert keys(must=[preto]) == ["b", "a"]
    assert keys(must=[preto], should=[rato])[0] == "b"
    assert keys(should=[preto, rato], minimumShouldMatch=2) == ["b"]
    assert keys(must=[preto], filter=[last]) == ["a"]
    assert sorted(keys(filter=[english])) == ["c", "short", "zero"]
    assert keys(filter=[last], mustNot=[english]) == ["a"]
    plain = dict(matching(rows, preto))
    assert dict(matching(rows, {"compound": {"must": [preto], "filter": [last]}})) == {"a": plain["a"]}
    assert matching(rows, {"compound": {"filter": [last]}})[0][1] == 0
    error = error_of(lambda: keys(filter=[{"equals": {"path": "text", "value": "x"}}]))
    assert "needs to be indexed as token" in str(error)
    many = " ".join(f"t{n}" for n in range(1025))
    assert "maxClauseCount" in str(error_of(lambda: matching(rows, {"text": {"query": many, "path": "text"}})))


def test_writes_are_searchable_only_after_a_while(server: FakeMongod, rows: Rows) -> None:
    make_indexes(rows)
    server.mongot.lag_s = server.mongot.text_lag_s = 3600
    rows.insert_one({"_id": "new", "embedding": [1.0, 0.0, 0.0], "text": "novo", "lang": "pt"})
    rows.update_one({"_id": "b"}, {"$set": {"text": "novo"}})
    assert matching(rows, {"text": {"query": "novo", "path": "text"}}) == []
    rows.delete_one({"_id": "a"})
    # mongot still holds it, and it still takes a place; mongod no longer finds it.
    assert [key for key, _ in nearest(rows, limit=2)] == ["b"]


def test_an_index_is_unknown_then_syncing_then_ready(server: FakeMongod, rows: Rows) -> None:
    server.mongot.unknown_polls, server.mongot.syncing_polls = 2, 2
    make_indexes(rows)

    def status() -> tuple[str, bool]:
        (row,) = rows.list_search_indexes("vi")
        return row["status"], row["queryable"]

    assert status() == ("PENDING", False)
    assert nearest(rows) == []
    assert "INITIAL_SYNC" in str(error_of(lambda: nearest(rows)))
    assert status() == ("BUILDING", False)
    assert status() == ("READY", True)
    assert len(nearest(rows)) == 3


def test_search_index_commands(server: FakeMongod, rows: Rows) -> None:
    model = SearchIndexModel(VECTORS, "vi", "vectorSearch")
    assert error_of(lambda: rows.create_search_index(model)).code == 26
    make_indexes(rows)
    assert rows.create_search_index(model) == "vi"
    other = {"fields": [{"type": "vector", "path": "embedding", "numDimensions": 4, "similarity": "cosine"}]}
    assert error_of(lambda: rows.create_search_index(SearchIndexModel(other, "vi", "vectorSearch"))).code == 68
    assert error_of(lambda: rows.create_search_index(SearchIndexModel(other, "forgot-the-type"))).code == 2
    rows.update_search_index("vi", other)
    (row,) = rows.list_search_indexes("vi")
    assert row["latestDefinition"] == other
    assert error_of(lambda: rows.update_search_index("vi", {"mappings": {"dynamic": True}})).code == 197
    assert sorted(row["name"] for row in rows.list_search_indexes()) == ["ti", "vi"]
    rows.drop_search_index("vi")
    assert nearest(rows) == []
    assert error_of(lambda: rows.drop_search_index("vi")).code == 27
    server.mongot.fails = "disk full"
    rows.create_search_index(model)
    (row,) = rows.list_search_indexes("vi")
    assert (row["status"], row["statusDetail"][0]["mainIndex"]["message"]) == ("FAILED", "disk full")


def test_an_updated_index_answers_as_before_until_it_is_built(server: FakeMongod, rows: Rows) -> None:
    make_indexes(rows)
    server.mongot.updating_polls = 3
    rows.update_search_index("vi", {"fields": VECTORS["fields"][:1]})
    (row,) = rows.list_search_indexes("vi")
    assert (row["status"], row["queryable"], row["latestDefinition"]["fields"]) == (
        "BUILDING",
        True,
        VECTORS["fields"][:1],
    )
    (host,) = row["statusDetail"]
    assert (host["mainIndex"]["definition"], host["stagedIndex"]["status"]) == (VECTORS, "BUILDING")
    assert len(nearest(rows, filter={"lang": "pt"})) == 2
    assert "needs to be indexed as filter" in str(error_of(lambda: nearest(rows, filter={"lang": "pt"})))
    (row,) = rows.list_search_indexes("vi")
    assert (row["status"], "stagedIndex" in row["statusDetail"][0]) == ("READY", False)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"quantization": "int4"}, '"quantization" must be one of [none, scalar, binary]'),
        ({"quantization": "binary", "numDimensions": 12}, "multiple of 8"),
        ({"quantization": "binary", "numDimensions": 16}, ""),
        ({"quantization": "scalar"}, ""),
        ({"hnswOptions": {"maxEdges": 8}}, "hnswOptions.maxEdges"),
        ({"hnswOptions": {"numEdgeCandidates": 3201}}, "hnswOptions.numEdgeCandidates"),
        ({"similarity": "manhattan"}, '"similarity" must be one of'),
        ({"type": "vektor"}, '"type" must be one of'),
    ],
)
def test_definitions_are_validated_when_made_and_when_updated(rows: Rows, changes: dict[str, Any], text: str) -> None:
    make_indexes(rows)
    model = {"fields": [VECTORS["fields"][0] | changes]}
    for make in (
        lambda: rows.create_search_index(SearchIndexModel(model, "other", "vectorSearch")),
        lambda: rows.update_search_index("vi", model),
    ):
        if text:
            assert text in str(error_of(make))
        else:
            make()


def test_an_index_that_quantises_leaves_out_vectors_of_bytes(rows: Rows) -> None:
    small = Binary.from_vector([127, 0, 0], BinaryVectorDtype.INT8)
    make_indexes(rows)
    rows.insert_one({"_id": "bytes", "embedding": small, "lang": "pt"})
    assert "bytes" in dict(nearest(rows))
    rows.update_search_index("vi", {"fields": [VECTORS["fields"][0] | {"quantization": "scalar"}]})
    assert dict(nearest(rows)).keys() == {"a", "b", "c"}


def test_mongot_starting_or_absent(server: FakeMongod, rows: Rows) -> None:
    rows.insert_one({})
    server.mongot.starting = 1
    assert error_of(lambda: rows.create_search_index(SearchIndexModel(VECTORS, "vi", "vectorSearch"))).code == 125
    assert list(rows.list_search_indexes()) == []
    server.mongot.present = False
    assert error_of(lambda: list(rows.list_search_indexes())).code == 31082
    assert error_of(lambda: nearest(rows)).code == 31082


# langchain-mongodb


class Axes(Embeddings):
    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        rows: list[list[float]] = np.eye(3).tolist()
        return rows["xyz".index(text)]


def test_langchain_works_unmodified(rows: Rows) -> None:
    store = MongoDBAtlasVectorSearch(rows, Axes(), index_name="lc", dimensions=3, auto_create_index=True)
    documents = [Document(page_content=text, metadata={"page": n}) for n, text in enumerate("xyz")]
    assert store.add_documents(documents, ids=["1:x", "1:y", "1:z"]) == ["1:x", "1:y", "1:z"]
    assert store.add_documents(documents, ids=["1:x", "1:y", "1:z"]) == []
    ((found, score),) = store.similarity_search_with_score("y", k=1)
    assert (found.page_content, found.metadata["page"], score) == ("y", 1, 1.0)
    assert [d.page_content for d in store.get_by_ids(["1:z"])] == ["z"]
    store.delete(["1:x", "1:y"])
    assert [row["_id"] for row in rows.find()] == ["1:z"]

"""The MongoDB store: the contract on the loopback server (and on a real one where
ACERVO_TEST_MONGODB_URI names it), and what happens when server, login or search process fail."""

import asyncio
import os
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from blockbuster import blockbuster_ctx
from langchain_core.embeddings import Embeddings
from langchain_mongodb import MongoDBAtlasVectorSearch
from pymongo import MongoClient
from pymongo.operations import SearchIndexModel

from database.documents import Candidates, Contents, Counts, Document, Filters, Name, Record, SearchQuery
from database.errors import IndexMismatch, IndexNotReady, SettingsError, StoreError, StoreUnavailable
from database.settings import ROOT, IndexSettings
from database.stores import Store, make_store, mongo_rows
from database.stores.mongo_client import address_of, client_options
from database.stores.mongo_definitions import TEXT_DEFINITION, vector_definition
from database.stores.mongo_scope import MAX_RELEASES
from tests.fakes.mongod import FakeMongod
from tests.store_contract import OpenStore, StoreContract
from tests.store_documents import (
    DIMENSION,
    RECORD,
    ask,
    digest,
    found_anywhere,
    ids,
    make_document,
    publish,
    unit_vectors,
    window_ids,
)

REAL_URI = os.environ.get("ACERVO_TEST_MONGODB_URI", "")
WRITES = ("insert", "update", "delete")


@asynccontextmanager
async def opener(**given: Any) -> AsyncIterator[OpenStore]:
    """A function that opens stores with these settings; they are closed at the end."""
    settings = IndexSettings.load(**given)
    opened: list[Store] = []

    async def open_store() -> Store:
        opened.append(make_store(settings))
        await opened[-1].open()
        return opened[-1]

    yield open_store
    for store in opened:
        await store.aclose()


class TestMongoStore(StoreContract):
    @pytest.fixture
    async def open_store(self) -> AsyncIterator[OpenStore]:
        async with FakeMongod(lag_s=0.05, text_lag_s=0.03) as server, opener(mongodb_uri=server.uri) as open_store:
            yield open_store


if REAL_URI:

    @pytest.mark.timeout(900)
    class TestRealMongoStore(StoreContract):
        @pytest.fixture
        async def open_store(self) -> AsyncIterator[OpenStore]:
            name = f"acervo_test_{uuid.uuid4().hex[:12]}"
            async with opener(mongodb_uri=REAL_URI, mongodb_db=name) as open_store:
                yield open_store
            client: MongoClient[dict[str, Any]] = MongoClient(REAL_URI, **client_options(REAL_URI, 10))
            await asyncio.to_thread(client.drop_database, name)
            client.close()

else:

    @pytest.mark.skip(reason="ACERVO_TEST_MONGODB_URI names no MongoDB Atlas Local to run the contract on")
    def test_the_contract_on_a_real_deployment() -> None:
        """Stands for `TestRealMongoStore`."""


@pytest.fixture
async def server() -> AsyncIterator[FakeMongod]:
    async with FakeMongod() as server:
        yield server


@pytest.fixture
async def open_store(server: FakeMongod) -> AsyncIterator[OpenStore]:
    async with opener(mongodb_uri=server.uri, index_ready_timeout_s=20) as open_store:
        yield open_store


@pytest.fixture
async def store(open_store: OpenStore) -> Store:
    store = await open_store()
    await store.prepare(RECORD)
    await store.write_index(RECORD)
    return store


def stages(server: FakeMongod, name: str) -> list[dict[str, Any]]:
    """The stages called `name` that the server was sent."""
    pipelines = [body["pipeline"] for body in list(server.seen) if "pipeline" in body]
    return [pipeline[0][name] for pipeline in pipelines if name in pipeline[0]]


# Reaching the server


async def test_no_server_names_the_address_and_hides_the_password(unused_tcp_port: int) -> None:
    uri = f"mongodb://ana:segredo@127.0.0.1:{unused_tcp_port}/"
    async with opener(mongodb_uri=uri, mongodb_timeout_s=0.2) as open_store:
        with pytest.raises(StoreUnavailable) as caught:
            await open_store()
    message = str(caught.value)
    assert f"127.0.0.1:{unused_tcp_port}" in message
    assert "docker compose up -d mongodb" in message
    assert "segredo" not in message


async def test_a_store_recovers_with_its_server(server: FakeMongod) -> None:
    async with opener(mongodb_uri=server.uri, mongodb_timeout_s=2) as open_store:
        store = await open_store()
        await store.prepare(RECORD)
        pair = make_document("a", ["gato"])
        await publish(store, pair)
        await asyncio.to_thread(server.refuse)
        with pytest.raises(StoreUnavailable):
            await store.check()
        with pytest.raises(StoreUnavailable):
            await store.search(ask("gato"))
        await asyncio.to_thread(server.accept)
        await store.check()
        assert await found_anywhere(store, *pair) == window_ids(pair[1])


async def test_a_store_opened_before_its_server_works_once_it_is_there() -> None:
    server = FakeMongod()
    await asyncio.to_thread(server.start)
    await asyncio.to_thread(server.refuse)
    store = make_store(IndexSettings.load(mongodb_uri=server.uri, mongodb_timeout_s=2))
    with pytest.raises(StoreUnavailable):
        await store.open()
    await asyncio.to_thread(server.accept)
    assert await store.read_index() is None
    await store.aclose()
    await asyncio.to_thread(server.stop)


async def test_login() -> None:
    async with FakeMongod(users={"ana": "segredo"}) as server:
        for login in ("ana:errado@", ""):
            async with opener(mongodb_uri=f"mongodb://{login}127.0.0.1:{server.port}/") as open_store:
                with pytest.raises(StoreError, match="refused the login") as caught:
                    await open_store()
            assert not isinstance(caught.value, StoreUnavailable)
            assert "errado" not in str(caught.value)
        async with opener(mongodb_uri=f"mongodb://ana:segredo@127.0.0.1:{server.port}/") as open_store:
            assert await (await open_store()).list_documents() == []


async def test_a_container_may_call_itself_anything() -> None:
    async with FakeMongod(advertised="mongodb-container.invalid:27017") as server:
        async with opener(mongodb_uri=server.uri) as open_store:
            assert await (await open_store()).list_documents() == []
        uri = f"{server.uri}?replicaSet=rs-localdev"
        async with opener(mongodb_uri=uri, mongodb_timeout_s=0.5) as open_store:
            with pytest.raises(StoreUnavailable):
                await open_store()


@pytest.mark.parametrize(
    ("uri", "direct"),
    [
        ("mongodb://127.0.0.1:27017", True),
        ("mongodb://u:p%40@db/acervo?authSource=admin", True),
        ("mongodb://a:1,b:2/", False),
        ("mongodb://a/?replicaSet=rs0", False),
        ("mongodb://a/?tls=true&directConnection=false", False),
        ("mongodb://a/?loadBalanced=true", False),
        ("mongodb+srv://cluster.example.net/", False),
    ],
)
def test_single_hosts_are_asked_directly(uri: str, direct: bool) -> None:
    assert ("directConnection" in client_options(uri, 1)) == direct


def test_addresses_hide_the_login() -> None:
    assert address_of("mongodb://ana:p%40ss@host:27017/db?x=y") == "host:27017"
    assert address_of("mongodb://ana:p/a?s@s@host:1,other:2/?x=y") == "host:1,other:2"
    assert address_of("mongodb+srv://cluster.example.net") == "cluster.example.net"


@pytest.mark.parametrize("uri", ["mongo://host", "mongodb://u:se/gre?do@host", "mongodb://host:port/"])
async def test_a_wrong_connection_string_is_a_wrong_setting(uri: str) -> None:
    with pytest.raises(SettingsError, match="MONGODB_URI") as caught:
        await make_store(IndexSettings.load(mongodb_uri=uri)).open()
    assert "gre" not in str(caught.value)


# The search process and its indexes


async def test_preparing_waits_for_the_search_process(server: FakeMongod, open_store: OpenStore) -> None:
    store = await open_store()
    server.mongot.starting = 4
    with pytest.raises(IndexNotReady, match="still starting"):
        await store.check()
    await store.prepare(RECORD)
    assert server.mongot.starting == 0
    await store.check()


async def test_waiting_for_the_search_process_ends(server: FakeMongod) -> None:
    server.mongot.starting = 10**9
    async with opener(mongodb_uri=server.uri, index_ready_timeout_s=0.2) as open_store:
        with pytest.raises(IndexNotReady, match="still starting"):
            await (await open_store()).prepare(RECORD)


async def test_mongodb_without_search_is_told_apart(server: FakeMongod, open_store: OpenStore) -> None:
    server.mongot.present = False
    store = await open_store()
    for work in (store.prepare(RECORD), store.check()):
        with pytest.raises(StoreError, match="without its search process") as caught:
            await work
        assert not isinstance(caught.value, IndexNotReady)


@pytest.mark.parametrize("status_lies", [False, True])
async def test_preparing_waits_until_a_probe_is_answered(
    server: FakeMongod, open_store: OpenStore, status_lies: bool
) -> None:
    server.mongot.syncing_polls = 4
    if status_lies:
        server.mongot.status_lies = True
    else:
        server.mongot.unknown_polls = 3
    store = await open_store()
    await store.prepare(RECORD)
    server.mongot.status_lies = False
    await store.check()
    pair = make_document("a", ["gato"])
    await publish(store, pair)
    assert await found_anywhere(store, *pair) == window_ids(pair[1])


async def test_checking_says_what_is_missing(server: FakeMongod, open_store: OpenStore) -> None:
    store = await open_store()
    with pytest.raises(IndexNotReady, match=r"no search index yet.*database/main\.py"):
        await store.check()
    await store.prepare(RECORD)
    await store.write_index(replace(RECORD, dimension=5))
    with pytest.raises(IndexMismatch, match=r"8 dimensions.*5.*--reindex"):
        await store.check()
    await store.write_index(RECORD)
    server.mongot.syncing_polls = 10**9
    with pytest.raises(IndexNotReady, match="still being built"):
        await store.check()
    server.mongot.status_lies = True
    with pytest.raises(IndexNotReady, match="still being built"):
        await store.check()
    await store.put_document(replace(make_document("a", ["x"])[0], window_count=1))
    with pytest.raises(IndexNotReady, match="still being built"):
        await store.search(ask("gato"))


async def test_a_failed_index_says_why(server: FakeMongod, open_store: OpenStore) -> None:
    server.mongot.fails = "disk is 95 % full"
    store = await open_store()
    with pytest.raises(StoreError, match="disk is 95 % full"):
        await store.prepare(RECORD)


async def test_an_index_of_another_dimension_is_refused(server: FakeMongod, store: Store) -> None:
    with pytest.raises(IndexMismatch, match=r"8 dimensions.*5.*python database/main\.py --reindex"):
        await store.prepare(replace(RECORD, dimension=5))
    await store.check()


async def test_an_index_that_lacks_a_field_is_updated(server: FakeMongod, open_store: OpenStore) -> None:
    store = await open_store()
    client: MongoClient[dict[str, Any]] = MongoClient(server.uri, directConnection=True)
    windows = client["acervo"]["windows"]
    older = {"fields": vector_definition(DIMENSION)["fields"][:2]}
    await asyncio.to_thread(windows.create_search_index, SearchIndexModel(older, "vector_index", "vectorSearch"))
    await store.prepare(RECORD)
    rows = await asyncio.to_thread(lambda: {r["name"]: r["latestDefinition"] for r in windows.list_search_indexes()})
    client.close()
    assert rows == {"vector_index": vector_definition(DIMENSION), "text_index": TEXT_DEFINITION}
    pair = make_document("a", ["gato"])
    await publish(store, pair)
    assert await found_anywhere(store, *pair) == window_ids(pair[1])


@pytest.mark.parametrize("lags", [(2.0, 0.0), (0.0, 2.0)])
async def test_new_windows_are_waited_for(server: FakeMongod, store: Store, lags: tuple[float, float]) -> None:
    server.mongot.lag_s, server.mongot.text_lag_s = lags
    document, contents = make_document("a", [f"gato {n}" for n in range(250)])
    await store.publish(document, contents)
    query = ask("gato", vector=unit_vectors("q", 1)[0], limit=300)
    early = await store.search(query)
    assert [] in (ids(early.words), ids(early.vector))
    await store.wait_until_searchable([document.id])
    found = await store.search(query)
    assert set(ids(found.words)) == set(ids(found.vector)) == window_ids(contents)


async def test_waiting_for_new_windows_ends(server: FakeMongod) -> None:
    async with opener(mongodb_uri=server.uri, index_ready_timeout_s=0.2) as open_store:
        store = await open_store()
        await store.prepare(RECORD)
        await store.write_index(RECORD)
        server.mongot.lag_s = server.mongot.text_lag_s = 3600
        document, contents = make_document("a", ["gato"])
        await store.publish(document, contents)
        with pytest.raises(IndexNotReady, match="INDEX_READY_TIMEOUT_S"):
            await store.wait_until_searchable([document.id])


async def test_waiting_without_an_index_ends_at_once(server: FakeMongod, open_store: OpenStore) -> None:
    store = await open_store()
    await store.write_index(RECORD)
    document, contents = make_document("a", ["gato"])
    await store.publish(document, contents)
    with pytest.raises(IndexNotReady, match="no search index yet"):
        await asyncio.wait_for(store.wait_until_searchable([document.id]), 15)


async def test_a_replacement_is_not_seen_before_it_can_be_found(server: FakeMongod, store: Store) -> None:
    old, old_contents = make_document("a", ["gato velho"])
    await publish(store, (old, old_contents))
    server.mongot.lag_s = server.mongot.text_lag_s = 0.7
    new, new_contents = make_document("a", ["gato novo"], version="v2")
    replacing = asyncio.create_task(store.publish(new, new_contents))
    seen = set()
    while not replacing.done():
        seen |= {tuple(ids((await store.search(ask("gato"))).words))}
    await replacing
    assert seen == {(old_contents.windows[0].id,)} or seen == {
        (old_contents.windows[0].id,),
        (new_contents.windows[0].id,),
    }
    assert ids((await store.search(ask("gato"))).words) == [new_contents.windows[0].id]


async def test_hiding_and_removing_work_although_the_search_process_lags(server: FakeMongod, store: Store) -> None:
    hidden, removed, kept = (make_document(key, ["gato"] * 5) for key in ("hidden", "removed", "kept"))
    await publish(store, hidden, removed, kept)
    server.mongot.lag_s = server.mongot.text_lag_s = 3600
    await store.put_document(replace(hidden[0], names=(Name("pdf", "h.pdf", True),)))
    await store.remove_document(removed[0].id)
    found = await store.search(ask("gato", grams=("gato",), vector=removed[1].vectors[0], limit=5))
    assert set(ids(found.words)) == set(ids(found.grams)) == set(ids(found.vector)) == window_ids(kept[1])


async def test_a_zero_vector_keeps_nobody_waiting(store: Store) -> None:
    document, contents = make_document("a", ["gato", "rato"])
    contents.vectors[1] = 0
    await publish(store, (document, contents))
    found = await store.search(ask("rato", vector=contents.vectors[0]))
    assert ids(found.words) == [contents.windows[1].id]
    assert ids(found.vector) == [contents.windows[0].id]
    contents.vectors[0] = 0
    await publish(store, (document, contents))


@pytest.mark.parametrize("wanted", ["chunks", "page"])
async def test_a_document_replaced_between_two_reads(
    server: FakeMongod, store: Store, open_store: OpenStore, wanted: str
) -> None:
    document, contents = make_document("a", ["gato", "rato"])
    await publish(store, (document, contents))
    writer = await open_store()

    async def read() -> object:
        if wanted == "chunks":
            return await store.get_chunks([chunk.id for chunk in contents.chunks])
        return [await store.get_page(document.id, 1)]

    server.seen.clear()
    server.fail("find", skip=1, delay_s=1.5)
    reading = asyncio.create_task(read())
    while server.names().count("find") < 2:  # noqa: ASYNC110 (the server runs in a thread of its own)
        await asyncio.sleep(0.01)
    await writer.publish(replace(document, version="v2"), contents)
    assert await reading == list(contents.chunks if wanted == "chunks" else contents.pages)


@pytest.mark.parametrize("command", ["insert", "update"])
async def test_an_entry_whose_reply_was_lost_is_written_once(server: FakeMongod, store: Store, command: str) -> None:
    record = Record("job", "1", {"n": 1})
    if command == "update":
        record = replace(await store.put_record(record), data={"n": 2})
    server.fail(command, times=2, hang_up="after")  # the driver's own second try, too
    written = await store.put_record(record)
    assert await store.get_record("job", "1") == written == replace(record, revision=record.revision + 1)


# What is asked of the server


async def test_small_and_filtered_searches_are_exact(server: FakeMongod, store: Store) -> None:
    document, contents = make_document("a", ["gato"])
    await publish(store, (document, contents))
    query = ask(vector=contents.vectors[0])
    server.seen.clear()
    await store.search(query)
    await store.put_document(replace(document, window_count=50_000))
    await store.search(query)
    await store.search(replace(query, limit=700))
    await store.put_document(replace(document, window_count=50_000, page_count=10))
    await store.search(replace(query, filters=Filters(first_page=1, last_page=2)))
    await store.search(replace(query, filters=Filters(last_page=9)))
    asked = [(stage.get("exact"), stage.get("numCandidates")) for stage in stages(server, "$vectorSearch")]
    assert asked == [(True, None), (None, 4000), (None, 10_000), (True, None), (None, 4000)]


async def test_very_long_questions_are_cut_to_what_lucene_takes(store: Store) -> None:
    document, contents = make_document("a", ["gato"])
    await publish(store, (document, contents))
    found = await store.search(ask("gato", *(f"t{n}" for n in range(3000))))
    assert ids(found.words) == [contents.windows[0].id]


async def test_thousands_of_documents(store: Store) -> None:
    query = unit_vectors("question", 1)[0]
    for n in range(1001):
        await store.put_document(replace(make_document(f"many {n}", [])[0], version="v1"))
    sizes = {"hidden": 40, "stale": 6, "gone": 6, "shown": 6}
    pairs = {key: make_document(key, ["gato"] * size) for key, size in sizes.items()}
    for key in ("hidden", "stale"):
        pairs[key][1].vectors[:] = query
    await publish(store, *pairs.values())
    await store.put_document(replace(pairs["hidden"][0], state="failed"))
    await store.put_document(replace(pairs["stale"][0], version="v2"))
    await store.remove_document(pairs["gone"][0].id)
    found = await store.search(ask("gato", grams=("gato",), vector=query, limit=6))
    shown = window_ids(pairs["shown"][1])
    assert set(ids(found.words)) == set(ids(found.grams)) == set(ids(found.vector)) == shown
    assert await store.count() == Counts(1003, 12, 12)
    # Filters that leave more documents than can be named are put to the search indexes themselves.
    english, others = make_document("english", ["gato"] * 6)
    others = replace(others, windows=[replace(window, language="en") for window in others.windows])
    await publish(store, (replace(english, language="en"), others))
    filters = Filters(languages=("pt",), first_page=2, added_from=1.0, added_until=2e9)
    found = await store.search(replace(ask("gato", grams=("gato",), vector=query, limit=6), filters=filters))
    second_page = {window.id for window in pairs["shown"][1].windows if window.page == 2}
    assert set(ids(found.words)) == set(ids(found.grams)) == set(ids(found.vector)) == second_page
    assert (
        await store.search(replace(ask("gato", vector=query), filters=replace(filters, added_until=2.0)))
        == Candidates()
    )


# Failures half-way


async def published_whole(store: Store, document: Document, contents: Contents) -> bool:
    """True when all of it is there, False when none is; anything else fails the test."""
    await store.wait_until_searchable([document.id])
    found = await found_anywhere(store, document, contents)
    chunks = await store.get_chunks([chunk.id for chunk in contents.chunks])
    pages = [await store.get_page(document.id, page.number) for page in contents.pages]
    if found == window_ids(contents) and chunks == list(contents.chunks) and pages == list(contents.pages):
        return True
    assert (found, chunks) == (set(), [])
    return False


async def writes_of(server: FakeMongod, store: Store, document: Document, contents: Contents) -> list[str]:
    """The names of the writing commands of an undisturbed publish."""
    before = len(server.seen)
    await store.publish(document, contents)
    names = [name for name in server.names()[before:] if name in WRITES]
    await store.remove_document(document.id)
    return names


async def test_a_publish_killed_at_any_write_is_finished_by_the_next(server: FakeMongod, store: Store) -> None:
    texts = [f"gato número{n}" for n in range(210)]
    old, old_contents = make_document("a", ["velho gato"])
    new, new_contents = make_document("a", texts, version="v2")
    writes = await writes_of(server, store, new, new_contents)
    assert writes.count("update") >= 6  # pages, chunks, three batches of windows, the record
    for number, name in enumerate(writes):
        await publish(store, (old, old_contents))
        server.fail(name, code=8000, skip=writes[:number].count(name), times=10**6)
        with pytest.raises(StoreError, match="8000"):
            await store.publish(new, new_contents)
        server.faults.clear()
        assert await published_whole(store, new, new_contents) != await published_whole(store, old, old_contents)
        await publish(store, (new, new_contents))
        assert await published_whole(store, new, new_contents)
        assert not await published_whole(store, old, old_contents)
        assert await store.count() == Counts(1, 210, 210)
        assert await store.sweep() == 0
        await store.remove_document(new.id)


async def test_what_a_killed_publish_left_is_swept(server: FakeMongod, store: Store) -> None:
    document, contents = make_document("a", [f"gato {n}" for n in range(150)])
    server.fail("update", code=8000, skip=3, times=10**6)
    with pytest.raises(StoreError):
        await store.publish(document, contents)
    server.faults.clear()
    assert await store.count() == Counts(0, 0, 0)
    assert await store.sample_windows(10) == []
    assert await store.sweep() == 100
    assert await store.sweep() == 0


async def test_a_killed_publish_leaves_nothing_in_its_repetition(server: FakeMongod, store: Store) -> None:
    document, contents = make_document("a", ["gato"])
    longer = make_document("a", ["gato", "rato"])[1]
    server.fail("update", code=8000, skip=3, times=10**6)
    with pytest.raises(StoreError):
        await store.publish(document, longer)
    server.faults.clear()
    await publish(store, (document, contents))
    assert ids((await store.search(ask("rato"))).words) == []
    assert len(await store.sample_windows(9)) == 1


@pytest.mark.parametrize("fault", [{"hang_up": "before"}, {"hang_up": "after"}, {"code": 10107}])
async def test_one_broken_connection_is_nobodys_business(
    server: FakeMongod, store: Store, fault: dict[str, Any]
) -> None:
    document, contents = make_document("a", [f"gato {n}" for n in range(4)])
    for name in ("find", *WRITES, "aggregate"):
        if name in server.names() or name in WRITES:
            server.fail(name, **fault)
    await publish(store, (document, contents))
    assert await published_whole(store, document, contents)
    await store.remove_document(document.id)
    assert await store.count() == Counts(0, 0, 0)


async def test_what_cannot_get_better_is_not_tried_again(server: FakeMongod, store: Store) -> None:
    for code, kind, text in (
        (2, StoreError, "refused by the test"),
        (50, StoreUnavailable, "MONGODB_TIMEOUT_S"),
        (13, StoreError, "refused the login"),
    ):
        server.seen.clear()
        server.fail("find", code=code, times=10**6)
        with pytest.raises(kind, match=text):
            await store.list_documents()
        server.faults.clear()
        assert server.names().count("find") == 1


async def test_a_page_larger_than_mongodb_takes(store: Store) -> None:
    document, contents = make_document("a", ["gato"])
    huge = replace(contents.pages[0], text="x" * 17_000_000)
    with pytest.raises(StoreError, match="16 MB"):
        await store.publish(document, replace(contents, pages=[huge]))
    assert await store.count() == Counts(0, 0, 0)


# Other programs, and the event loop


class Ready(Embeddings):
    """Answers every text with one vector."""

    def __init__(self, vector: Sequence[float]):
        self.vector = list(vector)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.vector for _ in texts]

    def embed_query(self, text: str) -> list[float]:
        return self.vector


async def test_langchain_reads_what_was_published(server: FakeMongod, store: Store) -> None:
    document, contents = make_document("a", ["gato", "rato", "pato"])
    await publish(store, (document, contents))
    client: MongoClient[dict[str, Any]] = MongoClient(server.uri, directConnection=True)
    reader = MongoDBAtlasVectorSearch(client["acervo"]["windows"], Ready(contents.vectors[1].tolist()))
    ((found, score),) = await asyncio.to_thread(reader.similarity_search_with_score, "rato", 1)
    client.close()
    window = contents.windows[1]
    assert found.page_content == window.text
    assert (found.metadata["window_id"], found.metadata["document_id"]) == (window.id, document.id)
    assert score == pytest.approx(1.0)


def test_searching_does_not_pay_for_langchain() -> None:
    code = "import sys, database.stores.mongo; print([m for m in sys.modules if m.startswith('langchain')])"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


async def test_nothing_blocks_the_event_loop(server: FakeMongod, store: Store) -> None:
    document, contents = make_document("a", ["gato", "rato"])
    other = make_store(IndexSettings.load(mongodb_uri=server.uri))
    with blockbuster_ctx():
        await other.open()
        await publish(other, (document, contents))
        await other.search(SearchQuery(contents.vectors[0], ("gato",), ("gato",)))
        await other.remove_document(document.id)
        await other.aclose()
    assert await store.get_document(digest("a")) is None


async def test_a_collection_of_more_documents_than_one_query_names_is_searched_whole(
    store: Store, server: FakeMongod
) -> None:
    """Each part is found, and nothing of what lies outside, which mongot's rows do not know."""
    one, contents = make_document("own", ["gato"])
    await store.publish(replace(one, names=(Name("pdf", "a.pdf", collection="big"),)), contents)
    await asyncio.to_thread(_multiply, server.uri, MAX_RELEASES)
    await publish(store, make_document("outside", ["gato gato"]))
    asked = replace(ask("gato", vector=contents.vectors[0]), filters=Filters(collections=("big",)), limit=2000)
    found = await store.search(asked)
    assert len({c.document_id for c in found.words}) == len(found.words) == MAX_RELEASES + 1
    assert {*ids(found.vector)} == {*ids(found.words)}


def _multiply(uri: str, count: int) -> None:
    """Add copies of the only document that the database holds."""
    with MongoClient[dict[str, Any]](uri, **client_options(uri, 10)) as client:
        for name, keys in (
            ("documents", ("_id", "release")),
            ("windows", ("_id", "window_id", "document_id", "release")),
        ):
            collection = client["acervo"][name]
            row = collection.find_one() or {}
            collection.insert_many([row | {key: f"{number} {row[key]}" for key in keys} for number in range(count)])


def test_contents_are_read_in_their_order_whatever_order_rows_come_in() -> None:
    document, contents = make_document("a", [f"gato {n}" for n in range(5)])
    twice = [replace(window, id=digest("second", window.id)[:32]) for window in contents.windows]
    windows = [window for pair in zip(contents.windows, twice, strict=True) for window in pair]
    contents = replace(contents, windows=windows, vectors=None)
    parts = (
        mongo_rows.page_rows(document, contents.pages),
        mongo_rows.chunk_rows(document, contents.chunks),
        mongo_rows.plain_rows(document, contents),
    )
    assert mongo_rows.read_contents(*(part[::-1] for part in parts)) == replace(contents, page_terms=[])

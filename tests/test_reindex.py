"""Rebuilding the index beside the one that answers: killed at any moment, and asked throughout."""

import asyncio
import contextlib
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from database import analysis
from database.build import Builder
from database.chunking import FINGERPRINT
from database.claims import Claims
from database.documents import Contents, Document, IndexRecord, Name, Page, Reading, Vector
from database.embedders.minilm import MiniLMEmbedder
from database.errors import IndexMismatch, ReadError, StoreError
from database.index import SCHEMA, check_index
from database.plan import Versions
from database.reindex import Rebuilder
from database.settings import IndexSettings
from database.stores import Store, make_store
from database.stores.sqlite import SqliteStore
from database.turns import Turns
from tests import pdfs
from tests.fakes.mongod import FakeMongod
from tests.fakes.ollama import FakeModel, FakeOllama
from tests.loads import Index, read_index, run_load, start_load
from tests.server import ask as ask_server
from tests.server import serve
from tests.store_documents import RECORD, Pair, ask, ids, make_document, publish, window_ids

KEYS = "abc"
WRITES = ("insert", "update", "delete", "drop", "createIndexes", "dropIndexes", "createSearchIndexes")


def round_record(number: int) -> IndexRecord:
    """What makes the index in one round; each differs from the one before."""
    return replace(RECORD, chunker=f"c{number}")


def round_pair(key: str, number: int) -> Pair:
    """A document as one round makes it."""
    return make_document(key, [f"gato {key} volta{number} {i}" for i in range(3)], f"r{number}")


def round_windows(number: int) -> set[str]:
    return {window for key in KEYS for window in window_ids(round_pair(key, number)[1])}


class Maker:
    """Makes documents as one round does, and counts them. `broken` cannot be read."""

    def __init__(self, number: int, broken: str = ""):
        self.number, self.broken, self.made = number, broken, list[str]()
        self.known: dict[str, Vector] = {}
        self.given: set[str] = set()

    async def __call__(self, document: Document) -> tuple[Document, Contents]:
        (key,) = (key for key in [*KEYS, "new"] if round_pair(key, 0)[0].id == document.id)
        if key == self.broken:
            raise ReadError("is damaged.")
        self.made.append(key)
        self.given |= set(self.known)
        return round_pair(key, self.number)

    async def rebuild(self, store: Store) -> list[Document]:
        async with Claims(store, 0.2) as claims:
            turns, versions = Turns(store, claims, print), Versions(f"r{self.number}", "reader")
            rebuilder = Rebuilder(store, self, versions, self.known, claims, turns)
            return await rebuilder.rebuild(round_record(self.number))


@contextlib.asynccontextmanager
async def first_round(store: Store) -> AsyncIterator[Store]:
    """The store, opened and filled by round 0."""
    await store.open()
    try:
        await store.write_index(round_record(0))
        await store.prepare(RECORD)
        await publish(store, *(round_pair(key, 0) for key in KEYS))
        yield store
    finally:
        await store.aclose()


@pytest.fixture
async def server() -> AsyncIterator[FakeMongod]:
    async with FakeMongod(lag_s=0.01, text_lag_s=0.01) as server:
        yield server


@pytest.fixture(params=["sqlite", "mongodb"])
async def store(request: pytest.FixtureRequest, tmp_path: Path, server: FakeMongod) -> AsyncIterator[Store]:
    uri = server.uri if request.param == "mongodb" else ""
    async with first_round(make_store(IndexSettings.load(mongodb_uri=uri, data_dir=tmp_path))) as store:
        yield store


async def answers(store: Store) -> int:
    """The round whose windows a question finds, all of them and no others."""
    record = await store.read_index()
    assert record is not None
    number = int(record.chunker.removeprefix("c"))
    vector = round_pair("a", number)[1].vectors
    assert vector is not None
    found = await store.search(ask("gato", vector=vector[0]))
    assert set(ids(found.words)) == set(ids(found.vector)) == round_windows(number)
    return number


# Each store, by itself


async def test_the_new_generation_answers_and_the_old_one_goes(store: Store) -> None:
    made = await Maker(1).rebuild(store)
    assert sorted(document.id for document in made) == sorted(round_pair(key, 1)[0].id for key in KEYS)
    assert await answers(store) == 1
    assert await store.read_next() is None
    assert not await store.drop_old()
    assert await store.sweep() == 0


async def test_what_was_killed_after_its_switch_is_not_made_again(store: Store) -> None:
    generation = await store.open_next(round_record(1))
    for key in KEYS:
        await generation.publish(*round_pair(key, 1))
    await store.switch()
    maker = Maker(1)
    assert await maker.rebuild(store) == [] and maker.made == []
    assert not await store.drop_old()
    await maker.rebuild(store)
    assert sorted(maker.made) == [*KEYS], "but a rebuilding that is asked for later is"


async def test_only_what_is_missing_is_made(store: Store) -> None:
    generation = await store.open_next(round_record(1))
    await generation.publish(*round_pair("b", 1))
    await generation.publish(*make_document("c", ["gato"], "made by another reader"))
    maker = Maker(1)
    await maker.rebuild(store)
    assert sorted(maker.made) == ["a", "c"]
    await store.wait_until_searchable([round_pair("b", 1)[0].id])
    assert await answers(store) == 1


async def test_what_cannot_be_read_is_told_and_what_came_meanwhile_is_made(store: Store) -> None:
    new = round_pair("new", 0)

    class Busy(Maker):
        async def __call__(self, document: Document) -> tuple[Document, Contents]:
            await store.publish(*new)
            return await super().__call__(document)

    await Busy(1, broken="b").rebuild(store)
    documents = {document.id: document for document in await store.list_documents()}
    assert {d.state for d in documents.values()} == {"ready", "failed"} and len(documents) == 4
    failed = documents[round_pair("b", 0)[0].id]
    assert (failed.state, failed.reason, failed.version) == ("failed", "is damaged.", "reader")
    found = await store.search(ask("volta1"))
    assert set(ids(found.words)) == {w for key in ("a", "c", "new") for w in window_ids(round_pair(key, 1)[1])}


async def test_vectors_of_the_same_embedder_are_used_again(store: Store) -> None:
    texts = {window.text for key in KEYS for window in round_pair(key, 0)[1].windows}
    maker = Maker(1)
    await maker.rebuild(store)
    assert maker.given == texts and maker.known == {}
    again = Maker(1)
    await again.rebuild(store)
    assert again.given == set(), "an index that was made the same way is made anew as a whole"


async def test_the_builder_embeds_what_is_not_known() -> None:
    embedder = MiniLMEmbedder(Path(os.environ["DATA_DIR"]) / "models")
    await embedder.open()
    pages = (Page(1, "O farol foi aceso em 1903. " * 30 + "\n\n" + "O moinho parou em 1950. " * 30, "text"),)
    document, reading = Document("d" * 64, "", (Name("pdf", "a.pdf"),), 1), Reading("O farol", pages)
    _, whole = await Builder(embedder).build(document, reading)
    builder = Builder(embedder)
    known = whole.windows[1].text
    builder.known[known] = np.full(embedder.dimension, 0.5, np.float32)
    _, contents = await builder.build(document, reading)
    assert whole.vectors is not None and contents.vectors is not None and len(whole.windows) > 2
    for window, before, now in zip(contents.windows, whole.vectors, contents.vectors, strict=True):
        assert np.allclose(now, builder.known.get(window.text, before), atol=1e-5)
    await embedder.aclose()


async def test_a_server_with_the_next_embedder_says_what_it_waits_for(store: Store) -> None:
    embedder = MiniLMEmbedder(Path("nowhere"))
    wanted = replace(RECORD, schema=SCHEMA, embedder=embedder.name, chunker=FINGERPRINT, analyser=analysis.FINGERPRINT)
    record = await store.read_index()
    assert record is not None
    with pytest.raises(IndexMismatch, match="--reindex"):
        await check_index(store, record, embedder)
    await store.open_next(wanted)
    with pytest.raises(IndexMismatch, match="is being rebuilt with these settings"):
        await check_index(store, record, embedder)
    await check_index(store, wanted, embedder)


# MongoDB, killed before each of its writes


async def test_killed_before_any_write_to_mongodb(server: FakeMongod, tmp_path: Path) -> None:
    async with first_round(make_store(IndexSettings.load(mongodb_uri=server.uri, data_dir=tmp_path))) as store:
        before = len(server.seen)
        await Maker(1).rebuild(store)
        writes = [name for name in server.names()[before:] if name in WRITES]
        assert len(writes) > 30 and {*writes} == {*WRITES}
        unfinished = 0
        for number, name in enumerate(writes):
            server.fail(name, code=8000, skip=writes[:number].count(name), times=10**6)
            with contextlib.suppress(StoreError):
                await Maker(number + 2).rebuild(store)
            server.faults.clear()
            unfinished += await answers(store) == number + 1
            maker = Maker(number + 2)
            await maker.rebuild(store)
            assert await answers(store) == number + 2
            assert not await store.drop_old() and await store.read_next() is None
        check_nothing_is_left(server)
        assert 20 < unfinished < len(writes)


def check_nothing_is_left(server: FakeMongod) -> None:
    """Only one generation has collections, fields and indexes."""
    database = server.commands.databases["acervo"]
    (generation,) = {name.rpartition("_")[2] for name in database if name.startswith("windows")}
    contents = {f"{name}_{generation}" for name in ("pages", "chunks", "windows")}
    others = {"documents", "index", "books", "originals.files", "originals.chunks"}
    assert {*database} == contents | others
    fields = {f"{name}_{generation}" for name in ("release", "searchable", "chunk_count", "window_count", "record")}
    for row in database["documents"].docs.values():
        assert {*row} == fields | {"_id", "names", "hidden"}
    assert [spec["name"] for spec in database["documents"].indexes] == ["_id_", f"searchable_{generation}_1"]


# The loader on the embedded store


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Loaded documents whose pages are converted already."""
    home = tmp_path_factory.mktemp("home")
    (home / "pdf").mkdir()
    for n in range(4):
        pdfs.make_pdf(home / f"pdf/{n}.pdf", [f"O farol {n}\n\nO farol número {n} foi aceso em 190{n} na ilha."])
    assert run_load(home).returncode == 0
    return home


def in_store(home: Path, *, chunker: str) -> None:
    """Let the index be one that another chunker made."""

    async def change() -> None:
        store = SqliteStore(home / "data/index.sqlite")
        await store.open()
        record = await store.read_index()
        assert record is not None
        await store.write_index(replace(record, chunker=chunker))
        await store.aclose()

    asyncio.run(change())


def progress(data: Path) -> tuple[object, ...]:
    """How far a rebuilding is: the answering generation, documents of the next one, the old one's tables."""
    with contextlib.closing(sqlite3.connect(f"file:{data}/index.sqlite?mode=ro", uri=True, timeout=10)) as db:
        db.execute("BEGIN")
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
        made = db.execute("SELECT count(*) FROM next_documents").fetchone()[0] if "next_documents" in tables else None
        index = db.execute("SELECT value FROM meta WHERE key = 'index'").fetchone()[0]
        return index, made, "old_windows" in tables


def kill_at_progress(home: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start a load and kill it as soon as it got further, if it does before it ends."""
    before = progress(home / "data")
    process = start_load(home, *arguments, stdout=subprocess.DEVNULL)
    while process.poll() is None and progress(home / "data") == before:
        time.sleep(0.0005)
    process.kill()
    process.communicate(timeout=60)
    return process


def test_killed_at_every_step_on_the_embedded_store(home: Path) -> None:
    whole = read_index(home / "data")
    in_store(home, chunker="old/1")
    kills, made = 0, list[object]()
    while (process := kill_at_progress(home, *([] if kills else ["--reindex"]))).returncode == -signal.SIGKILL:
        kills += 1
        left = read_index(home / "data")
        assert left.windows == whole.windows and left.names == whole.names
        made.append(progress(home / "data")[1])
    assert process.returncode == 0 and kills >= 4
    assert [n for n in made if n is not None] == sorted(n for n in made if n is not None)  # type: ignore[type-var]
    assert progress(home / "data")[1:] == (None, False)
    assert read_index(home / "data").same_as(with_generation(whole, 2))


def with_generation(index: Index, generation: int) -> Index:
    return replace(index, record=index.record | {"generation": generation})


async def test_a_running_server_answers_until_another_embedder_takes_over(home: Path) -> None:
    statuses: list[int] = []
    small = FakeModel("small", 512, 7, ("embedding",), "bert")
    async with FakeOllama([small]) as fake, serve(home / "data") as served:
        named = {"EMBEDDER": "ollama:small", "OLLAMA_HOST": fake.url}
        loading = asyncio.create_task(asyncio.to_thread(run_load, home, "--reindex", settings=named))
        while not loading.done() or 503 not in statuses:
            answer = await ask_server(served, "Em que ano o farol número 2 foi aceso?")
            statuses.append(answer.status)
            if answer.status == 200:
                assert answer.lines[0]["sources"] and "1902" in answer.text
            else:
                assert "--reindex" in answer.error and "ollama:small" in answer.error
        assert (await loading).returncode == 0
    assert statuses == sorted(statuses) and statuses[0] == 200, "once another embedder's index answers, it stays"
    record = read_index(home / "data").record
    assert (record["embedder"], record["dimension"]) == ("ollama:small", 7)

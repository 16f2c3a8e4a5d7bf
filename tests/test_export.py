"""`--export` and `--import`: from the embedded store to MongoDB and back, the same index and the same answers."""

import asyncio
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from database.documents import Filters, Name, Record
from database.embedders.minilm import MiniLMEmbedder
from database.errors import AcervoError, ArchiveError, IndexMismatch
from database.exporting import export
from database.files import Originals
from database.importing import bring_in
from database.index import SCHEMA
from database.ingest import ERASURE
from database.main import main
from database.retrieval import Retriever
from database.settings import ROOT, IndexSettings
from database.stores import Store, make_store
from tests.fakes.mongod import FakeMongod
from tests.library import LIGHTHOUSE, QUESTION, Library, make_library
from tests.loads import read_index
from tests.store_documents import RECORD, ask, digest, ids, make_document, publish, unit_vectors
from tests.views_contract import with_pages


@asynccontextmanager
async def opened(data_dir: Path, **given: Any) -> AsyncIterator[Store]:
    store = make_store(IndexSettings.load(data_dir=data_dir, **given))
    await store.open()
    try:
        yield store
    finally:
        await store.aclose()


@pytest.fixture
async def filled(tmp_path: Path) -> Path:
    """A folder with documents of every kind, and with books."""
    folder = tmp_path / "first"
    async with opened(folder) as store:
        await store.write_index(replace(RECORD, schema=SCHEMA, languages=("pt",)))
        ready, contents = with_pages(make_document("ready", [f"gato {n}" for n in range(7)]))
        names = (Name("/pdf", "a b.pdf"), Name("uploads", "board/ção.pdf", collection="board"))
        plain, without = with_pages(make_document("plain", ["rato"]))
        hidden = with_pages(make_document("hidden", ["pato"]))
        await publish(store, (replace(ready, names=names), contents), hidden)
        await store.publish(replace(plain, state="text"), replace(without, vectors=None))
        await store.put_names(hidden[0].id, [replace(name, excluded=True) for name in hidden[0].names])
        failed = replace(plain, id=digest("failed"), state="failed", reason="damaged", version="r", window_count=0)
        await store.put_document(replace(failed, chunk_count=0, page_count=0))
        for number in range(230):
            await store.put_record(Record("feedback", f"{number:04}", {"note": f"ção {number}"}, created_at=number))
        erasure = Record(ERASURE, hidden[0].id, {"collections": [""]}, open=True, due_at=9e9, created_at=1.0)
        await store.put_record(erasure)
        await store.put_record(Record("session", "s", {"secret": "token"}, created_at=1.0))
        await store.put_record(Record("job", "j", {}, open=True, created_at=1.0))
    return folder


async def read_books(store: Store) -> list[Record]:
    """Every entry that is taken along, and none that is not."""
    assert await store.list_records("session") == await store.list_records("job") == []
    return [*await store.list_records("feedback"), *await store.list_records(ERASURE)]


async def read_all(folder: Path) -> tuple[object, list[object]]:
    """The index record, and every document with its contents; vectors as bytes."""
    async with opened(folder) as store:
        wholes = [await store.read_whole(document.id) for document in await store.list_documents()]
        held: list[object] = []
        for whole in wholes:
            assert whole is not None
            document, contents = whole
            vectors = contents.vectors if contents else None
            held.append(
                (document, contents and replace(contents, vectors=None), vectors is not None and vectors.tobytes())
            )
        return await store.read_index(), held


async def test_there_and_back_nothing_is_different(filled: Path, tmp_path: Path) -> None:
    query = ask("gato", "rato", vector=unit_vectors("q", 1)[0], grams=("gato",))
    queries = [query, replace(query, filters=Filters(collections=("board",)))]
    async with opened(filled) as store:
        told = await export(store, filled, tmp_path / "one.zip")
        found = [await store.search(each) for each in queries]
        feedback = await store.list_records("feedback")
    assert told.documents == 4 and len(told.missing) == 4
    async with FakeMongod(lag_s=0.02) as server, opened(tmp_path / "m", mongodb_uri=server.uri) as mongo:
        for _ in range(2):  # doing it again changes nothing
            await bring_in(mongo, tmp_path / "m", tmp_path / "one.zip")
        # Scores of words differ a little between the stores; what is found does not.
        for each, before in zip(queries, found, strict=True):
            assert {*ids((await mongo.search(each)).words)} == {*ids(before.words)}
            assert ids((await mongo.search(each)).vector) == ids(before.vector)
        await export(mongo, tmp_path / "m", tmp_path / "two.zip")
    async with opened(tmp_path / "last") as last:
        await bring_in(last, tmp_path / "last", tmp_path / "two.zip")
        assert [await last.search(each) for each in queries] == found
        assert [record.data for record in await last.list_records("feedback")] == [r.data for r in feedback]
        (erasure,) = await last.list_records(ERASURE)
        assert (erasure.open, erasure.due_at, erasure.data) == (True, 9e9, {"collections": [""]})
        assert len(await read_books(last)) == 231
    assert await read_all(tmp_path / "last") == await read_all(filled)


async def test_answers_and_originals_come_along(library: Library, tmp_path: Path) -> None:
    embedder = MiniLMEmbedder(library.data_dir / "models")
    await embedder.open()
    answers = []
    async with opened(library.data_dir) as store:
        await export(store, library.data_dir, tmp_path / "one.zip")
        answers.append(await Retriever(store, embedder).find_passages(QUESTION, 4))
    async with FakeMongod() as server, opened(tmp_path / "m", mongodb_uri=server.uri) as mongo:
        await bring_in(mongo, tmp_path / "m", tmp_path / "one.zip")
        answers.append(await Retriever(mongo, embedder).find_passages(QUESTION, 4))
        await export(mongo, tmp_path / "elsewhere", tmp_path / "two.zip")  # where no original lies, nor stays
        assert not [*(tmp_path / "elsewhere").rglob("*.pdf")]
    async with opened(tmp_path / "last") as last:
        await bring_in(last, tmp_path / "last", tmp_path / "two.zip")
        answers.append(await Retriever(last, embedder).find_passages(QUESTION, 4))
    await embedder.aclose()
    assert answers[0] == answers[2]
    assert [hit.chunk for hit in answers[1].hits][:1] == [hit.chunk for hit in answers[0].hits][:1]
    assert answers[0].hits[0].document.id == library.documents[LIGHTHOUSE].id
    for document in library.documents.values():
        if document.state == "ready":
            assert same_original(library.data_dir, tmp_path / "last", document.id)


def same_original(one: Path, other: Path, document_id: str) -> bool:
    first, second = (Originals(folder / "files").path(document_id) for folder in (one, other))
    return first.read_bytes() == second.read_bytes()


async def test_what_the_store_has_stays(filled: Path, tmp_path: Path) -> None:
    async with opened(filled) as store:
        await export(store, filled, tmp_path / "one.zip")
    async with opened(tmp_path / "other") as other:
        await other.write_index(replace(RECORD, schema=SCHEMA))
        document, contents = with_pages(make_document("ready", ["outra versão"], version="v9"))
        here = (Name("/here", "x.pdf"),)
        await publish(other, (replace(document, names=here), contents), make_document("own", ["gato"]))
        await other.put_record(Record("feedback", "0001", {"note": "mine"}, created_at=1.0))
        await bring_in(other, tmp_path / "other", tmp_path / "one.zip")
        known = await other.get_document(document.id)
        assert known is not None and known.version == "v9" and known.names[0].path == "x.pdf"
        assert {n.collection for n in known.names} == {"", "board"} and len(known.names) == 3
        assert (await other.get_chunks([contents.chunks[0].id])) == contents.chunks
        record = await other.get_record("feedback", "0001")
        assert record is not None and record.data == {"note": "mine"}
        assert len(await other.list_documents()) == 5
        settled = await other.read_index()
        assert settled is not None and settled.settled


IMPORT = """
import asyncio, os, signal, sys
from pathlib import Path
from database.importing import bring_in
from database.stores.sqlite import SqliteStore

async def main(folder, archive):
    store = SqliteStore(folder / "index.sqlite")
    await store.open()
    async def die():
        while len(await store.list_documents()) < 2:
            await asyncio.sleep(0)
        os.kill(os.getpid(), signal.SIGKILL)
    await asyncio.gather(die(), bring_in(store, folder, archive))

asyncio.run(main(*map(Path, sys.argv[1:])))
"""


async def test_what_was_killed_is_finished_by_the_next(filled: Path, tmp_path: Path) -> None:
    async with opened(filled) as store:
        await export(store, filled, tmp_path / "one.zip")
    command = [sys.executable, "-c", IMPORT, tmp_path / "new", tmp_path / "one.zip"]
    await asyncio.to_thread((tmp_path / "new").mkdir)
    assert (await asyncio.to_thread(subprocess.run, command, cwd=ROOT, timeout=60)).returncode == -9
    assert 0 < len((await read_all(tmp_path / "new"))[1]) < 4
    async with opened(tmp_path / "new") as store:
        await bring_in(store, tmp_path / "new", tmp_path / "one.zip")
    assert await read_all(tmp_path / "new") == await read_all(filled)


def age(export: Path, path: Path) -> Path:
    """The same export as the version before would have made it."""
    from tests.test_backup import rewrite

    def change(members: dict[str, bytes]) -> None:
        about = json.loads(members["acervo.json"])
        about["index"]["schema"] = SCHEMA - 1
        members["acervo.json"] = json.dumps(about).encode()

    return rewrite(export, path, change)


async def test_an_index_made_otherwise_is_refused(filled: Path, tmp_path: Path) -> None:
    async with opened(filled) as store:
        await export(store, filled, tmp_path / "one.zip")
    async with opened(tmp_path / "other") as other:
        await other.write_index(replace(RECORD, schema=SCHEMA, embedder="ollama:bge-m3", dimension=1024))
        with pytest.raises(IndexMismatch, match=r"made by test .* this index by ollama:bge-m3"):
            await bring_in(other, tmp_path / "other", tmp_path / "one.zip")
        assert await other.list_documents() == []
    async with opened(tmp_path / "older") as older:
        await older.write_index(replace(RECORD, schema=SCHEMA - 1))
        with pytest.raises(IndexMismatch, match=r"index was made by an older version. First .* --reindex"):
            await bring_in(older, tmp_path / "older", tmp_path / "one.zip")
    async with opened(filled) as store:
        of_old = await asyncio.to_thread(age, tmp_path / "one.zip", tmp_path / "old.zip")
        with pytest.raises(IndexMismatch, match=r"export was made by another version .* empty store"):
            await bring_in(store, filled, of_old)
    async with opened(tmp_path / "fresh") as fresh:
        assert (await bring_in(fresh, tmp_path / "fresh", of_old)).documents
        record = await fresh.read_index()
        assert record is not None and record.schema == SCHEMA - 1, "--reindex is asked for, and keeps vectors"
    async with opened(tmp_path / "empty") as empty:
        with pytest.raises(AcervoError, match="nothing to export"):
            await export(empty, tmp_path / "empty", tmp_path / "none.zip")
    async with opened(filled) as store:
        await store.write_index(replace(RECORD, schema=1))
        with pytest.raises(IndexMismatch, match="--reindex"):
            await export(store, filled, tmp_path / "none.zip")
    assert "none.zip" not in os.listdir(tmp_path)


async def test_a_rebuilding_in_between_is_told(filled: Path, tmp_path: Path) -> None:
    """Contents of two generations never come into one file, nor an import into one that is made."""
    async with opened(filled) as store:
        await export(store, filled, tmp_path / "one.zip")
        await store.open_next(replace(RECORD, schema=SCHEMA, chunker="c2"))
        with pytest.raises(IndexMismatch, match="being rebuilt"):
            await bring_in(store, filled, tmp_path / "one.zip")


@pytest.mark.parametrize("case", ["vectors", "another", "fields"])
def test_members_that_do_not_fit_are_refused(filled: Path, tmp_path: Path, case: str) -> None:
    from tests.test_backup import resum, rewrite

    async def save() -> None:
        async with opened(filled) as store:
            await export(store, filled, tmp_path / "one.zip")

    def change(members: dict[str, bytes]) -> None:
        key = f"documents/{digest('ready')}"
        if case == "vectors":
            members[f"{key}.f32"] = members[f"{key}.f32"][:-4]
        elif case == "another":
            members[f"{key}.json"] = members[f"documents/{digest('plain')}.json"]
        else:
            members[f"{key}.json"] = json.dumps({"document": {}}).encode()
        resum(members)

    async def read() -> list[str]:
        async with opened(tmp_path / "new") as store:
            with pytest.raises(ArchiveError):
                await bring_in(store, tmp_path / "new", tmp_path / "two.zip")
            return [document.id for document in await store.list_documents()]

    asyncio.run(save())
    rewrite(tmp_path / "one.zip", tmp_path / "two.zip", change)
    assert digest("ready") not in asyncio.run(read())


async def test_an_export_names_no_secret(filled: Path, tmp_path: Path) -> None:
    async with opened(filled) as store:
        await export(store, filled, tmp_path / "one.zip")
    assert b"token" not in await asyncio.to_thread(unpack, tmp_path / "one.zip")


def unpack(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return b"".join(map(archive.read, archive.namelist()))


def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    asyncio.run(make_library(tmp_path / "data"))

    assert main(["--export", "e.zip"]) == 0
    assert "4 documents, 3 originals" in capsys.readouterr().err
    assert main(["--export", "e.zip"]) == 1 and "--force" in capsys.readouterr().err
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "new"))
    assert main(["--restore", "e.zip"]) == 1 and "is of the kind acervo-export" in capsys.readouterr().err
    assert main(["--import", "e.zip"]) == 0
    assert main(["--import", "e.zip"]) == 0
    before, after = read_index(tmp_path / "data"), read_index(tmp_path / "new")
    assert after.documents == before.documents and after.windows == before.windows
    assert main(["--json"]) == 0, "the loader goes on with it"

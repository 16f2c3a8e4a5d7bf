"""One document's way into the index: its stages, and that it ends as a load would have it."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.library import UPLOADS
from database.build import Progress
from database.documents import Contents, Document, Name, Record, SearchQuery
from database.embedders.minilm import MiniLMEmbedder
from database.errors import ReadError
from database.files import find_files
from database.ingest import ERASURE, Ingester, open_index
from database.plan import exclude
from database.settings import IndexSettings
from database.stores.sqlite import SqliteStore
from tests import pdfs
from tests.library import Library
from tests.loads import Index, list_tree, read_index, run_load
from tests.server import serve
from tests.uploading import finish, make_bytes, start, until


class Stages(Progress):
    """Notes each stage, and which views find something of it then."""

    def __init__(self, store: SqliteStore, embedder: MiniLMEmbedder):
        self._store, self._embedder = store, embedder
        self.seen: list[tuple[str, bool, bool]] = []

    async def published(self, document: Document) -> None:
        vector = await self._embedder.embed_query("farol")
        found = await self._store.search(SearchQuery(vector, ("farol",), ()))
        self.seen.append((document.state, bool(found.words), bool(found.vector)))


class Stopping(Progress):
    """Stops after the text."""

    async def published(self, document: Document) -> None:
        raise asyncio.CancelledError


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path / "data/index.sqlite")
    await store.open()
    yield store
    await store.aclose()


@pytest.fixture
async def embedder(library: Library) -> AsyncIterator[MiniLMEmbedder]:
    embedder = MiniLMEmbedder(library.data_dir / "models")
    await embedder.open()
    yield embedder
    await embedder.aclose()


@pytest.fixture
async def ingester(store: SqliteStore, embedder: MiniLMEmbedder) -> Ingester:
    await open_index(store, embedder)
    return Ingester(IndexSettings.load(), store, embedder)


async def keep(ingester: Ingester, tmp_path: Path, pages: int = 3) -> Document:
    """A document whose original is kept, as an upload leaves it."""
    await asyncio.to_thread(make_bytes, tmp_path, pages)
    (file,), _ = await asyncio.to_thread(find_files, [tmp_path / f"0-{pages}.pdf"])
    await ingester.originals.keep(tmp_path / f"0-{pages}.pdf", file.document_id)
    return Document(file.document_id, "", (Name(UPLOADS, "0.pdf"),), file.size)


def without_names(index: Index) -> dict[str, object]:
    """The documents of an index, without the names that tell how they came in."""
    return {i: {k: v for k, v in d.items() if k != "names"} for i, d in index.documents.items()}


async def test_stages_replace_one_another(
    ingester: Ingester, store: SqliteStore, embedder: MiniLMEmbedder, tmp_path: Path
) -> None:
    document, stages = await keep(ingester, tmp_path), Stages(store, embedder)
    ready = await ingester.make_by_stages(document, stages)
    # In state text and layout its windows have no vectors.
    assert stages.seen == [("text", True, False), ("layout", True, False), ("ready", True, True)]
    assert await store.get_document(document.id) == ready and ready.version == ingester.versions.contents


class Deleting(SqliteStore):
    """Somebody deletes the document at the very moment when it is published."""

    async def publish(self, document: Document, contents: Contents) -> None:
        await self.put_record(Record(ERASURE, document.id, {}, open=True))
        await self.put_names(document.id, exclude(document).names)
        await super().publish(document, contents)


async def test_a_document_deleted_meanwhile_stays_deleted(embedder: MiniLMEmbedder, tmp_path: Path) -> None:
    store = Deleting(tmp_path / "data/index.sqlite")
    await store.open()
    await open_index(store, embedder)
    ingester = Ingester(IndexSettings.load(), store, embedder)
    document = await keep(ingester, tmp_path, pages=1)
    await store.put_document(document)
    published = await ingester.publish(*await ingester.make(document))
    assert not published.visible and await store.get_document(document.id) == published
    assert not (await store.search(SearchQuery(None, ("farol",), ()))).words
    await store.aclose()


async def test_a_document_deleted_meanwhile_in_one_collection_stays_in_the_others(
    ingester: Ingester, store: SqliteStore, tmp_path: Path
) -> None:
    document = await keep(ingester, tmp_path, pages=1)
    names = (*document.names, Name(UPLOADS, "board/0.pdf", collection="board"))
    await store.put_record(Record(ERASURE, document.id, {"collections": ["board"]}, open=True))
    published = await ingester.publish(*await ingester.make(replace(document, names=names)))
    assert [name.excluded for name in published.names] == [False, True]
    assert await store.get_document(document.id) == published


async def test_names_given_meanwhile_stay(ingester: Ingester, store: SqliteStore, tmp_path: Path) -> None:
    document, other = await keep(ingester, tmp_path), Name("/pdf", "other.pdf")
    await store.put_document(replace(document, names=(*document.names, other)))
    assert (await ingester.make_by_stages(document, Progress())).names == (*document.names, other)


async def test_names_taken_meanwhile_stay_away(ingester: Ingester, store: SqliteStore, tmp_path: Path) -> None:
    document, other = await keep(ingester, tmp_path), Name("/pdf", "other.pdf")
    await store.put_document(document)
    known = replace(document, names=(*document.names, other))
    assert (await ingester.make_by_stages(known, Progress())).names == document.names


async def test_a_cancelled_publication_is_whole(ingester: Ingester, store: SqliteStore, tmp_path: Path) -> None:
    document = await keep(ingester, tmp_path)
    made, contents = await ingester.make(document)
    publishing = asyncio.create_task(ingester.publish(made, contents))
    await asyncio.sleep(0)
    publishing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await publishing
    assert await store.get_document(document.id) == made


async def test_what_cannot_be_read_is_not_copied(ingester: Ingester, tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"PK\x03\x04" + bytes(9000))
    with pytest.raises(ReadError, match="unpacked"):
        await ingester.make(Document("0" * 64, "", (Name("x", "a.pdf"),), 9004), tmp_path / "a.pdf")
    assert not (tmp_path / "data/files").exists()


def test_links_to_the_system_are_not_read(tmp_path: Path) -> None:
    for name, target in {"kmsg": "/proc/kmsg", "status": "/proc/self/status", "null": "/dev/null"}.items():
        (tmp_path / f"{name}.pdf").symlink_to(target)
    files, closed = find_files(
        sorted(tmp_path.iterdir())
    )  # each by its own name: links out of a folder are not followed
    assert files == [] and {path.stem for path in closed} == {"kmsg", "status", "null"}
    assert all("not a regular file" in reason for reason in closed.values())


# A document that was uploaded, or that a load found half done, is what a load makes of it.


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with two loaded files, one of them of several conversions."""
    home = tmp_path_factory.mktemp("loaded")
    (home / "pdf").mkdir()
    pdfs.make_table(home / "pdf/table_of_harvests.pdf")
    make_bytes(home / "pdf", 10)
    assert run_load(home).returncode == 0
    return home


async def test_an_upload_is_what_a_load_makes_of_it(loaded: Path, library: Library, tmp_path: Path) -> None:
    data_dir = tmp_path / "served"
    data_dir.mkdir()
    (data_dir / "models").symlink_to(library.data_dir / "models")
    async with serve(data_dir) as served:
        for path in sorted((loaded / "pdf").iterdir()):
            job = await finish(served.client, await start(served.client, path.name, path.read_bytes()))
            assert (job["state"], job["stage"]) == ("done", "ready")
        await until(lambda: bool(read_index(data_dir).record["settled"]))
    expected, got = read_index(loaded / "data"), read_index(data_dir)
    assert without_names(got) == without_names(expected) and got.record == expected.record
    assert got.same_as(replace(expected, documents=got.documents))
    assert list_tree(data_dir / "files") == list_tree(loaded / "data/files")


async def test_a_load_finishes_what_was_left_as_text(
    loaded: Path, ingester: Ingester, store: SqliteStore, tmp_path: Path
) -> None:
    """In a folder, and among the uploads."""
    files, _ = await asyncio.to_thread(find_files, [loaded / "pdf"])
    for file, name in zip(files, (files[0].name, Name(UPLOADS, files[1].name.path)), strict=True):
        document = Document(file.document_id, "", (name,), file.size)
        await ingester.originals.keep(loaded / "pdf" / file.name.path, document.id)
        with pytest.raises(asyncio.CancelledError):
            await ingester.make_by_stages(document, Stopping())
    assert {document.state for document in await store.list_documents()} == {"text"}
    result = await asyncio.to_thread(run_load, tmp_path, loaded / "pdf" / files[0].name.path, "--json")
    assert result.returncode == 0 and len(json.loads(result.stdout)["reread"]) == 2
    expected, got = read_index(loaded / "data"), read_index(tmp_path / "data")
    assert without_names(got) == without_names(expected)
    assert got.same_as(replace(expected, documents=got.documents))

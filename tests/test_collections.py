"""Collections as the server keeps them: uploads into them, one document in several, deletions, what names tell."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import ClientSession

from app.handlers.documents import describe
from app.keys import ENGINE
from database.documents import Document, Filters, Name
from database.embedders.minilm import MiniLMEmbedder
from database.index import make_record
from database.retrieval import Retriever
from database.stores.sqlite import SqliteStore
from tests import pdfs
from tests.library import QUESTION, Library, make_library
from tests.server import Served, ask, serve
from tests.uploading import finish, get_json, make_form, until

LIGHT = ["O farol\n\nO farol da ilha foi construído em 1887 por Amélia Duarte. A lanterna gira devagar."]


@pytest_asyncio.fixture
async def served(tmp_path: Path, library: Library) -> AsyncIterator[Served]:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/models").symlink_to(library.data_dir / "models")
    async with serve(tmp_path / "data", undo_s=1) as served:
        yield served


@pytest.fixture
def light(tmp_path: Path) -> bytes:
    return pdfs.make_pdf(tmp_path / "light.pdf", LIGHT).read_bytes()


async def put(client: ClientSession, collection: str, name: str, data: bytes) -> tuple[int, Any]:
    """Upload a file into a collection; status and body."""
    form = make_form()
    form.add_field("collection", collection)
    form.add_field("file", data, filename=name, content_type="application/pdf")
    async with client.post("/documents", data=form) as response:
        return response.status, await response.json()


async def add(client: ClientSession, collection: str, name: str, data: bytes) -> dict[str, Any]:
    """The job of an upload once it has ended."""
    status, body = await put(client, collection, name, data)
    assert status == 202, body
    (job,) = body["jobs"]
    assert job["collection"] == collection
    return await finish(client, job)


async def list_collections(client: ClientSession) -> dict[str, int]:
    _, body = await get_json(client, "/collections")
    return {entry["name"]: entry["documents"] for entry in body["collections"]}


async def find_names(served: Served, *collections: str) -> set[tuple[str, str]]:
    """The names and titles that an answer cites, asked within collections."""
    answer = await ask(served, QUESTION, filters={"collections": collections}, rewrite=False)
    assert answer.status == 200, answer.body
    return {(source["name"], source["title"]) for source in answer.lines[0]["sources"]}


async def test_the_same_bytes_in_two_collections(served: Served, light: bytes) -> None:
    client = served.client
    first = await add(client, "board", "segredo do conselho.pdf", light)
    assert (first["state"], first["duplicate"]) == ("done", False)
    second = await add(client, "", "farol.pdf", light)
    assert (second["document"], second["state"], second["duplicate"]) == (first["document"], "done", False)
    assert (await add(client, "board", "again.pdf", light))["duplicate"]
    _, body = await get_json(client, "/documents")
    (listed,) = body["documents"]
    assert (listed["name"], listed["collection"]) == ("segredo do conselho.pdf", "board")
    assert await list_collections(client) == {"": 1, "board": 1}
    assert await find_names(served, "") == {("farol.pdf", "O farol")}
    assert await find_names(served, "board") == {("segredo do conselho.pdf", "O farol")}
    assert await find_names(served) == await find_names(served, "other") == set()

    address = f"/documents/{first['document']}"
    assert (await get_json(client, f"{address}?collection=board", "DELETE"))[0] == 200
    assert await list_collections(client) == {"": 1}
    assert (await find_names(served, "board"), await find_names(served, "")) == (set(), {("farol.pdf", "O farol")})
    status, body = await get_json(client, f"{address}/restore?collection=board", "POST")
    assert status == 200 and await list_collections(client) == {"": 1, "board": 1}
    assert await find_names(served, "board") == {("segredo do conselho.pdf", "O farol")}
    assert (await get_json(client, f"{address}?collection=none", "DELETE"))[0] == 404


async def test_what_is_deleted_in_one_collection_is_erased_there_alone(served: Served, light: bytes) -> None:
    client = served.client
    document = (await add(client, "board", "a.pdf", light))["document"]
    await add(client, "", "b.pdf", light)
    await get_json(client, f"/documents/{document}?collection=board", "DELETE")

    async def is_erased() -> bool:
        known = await served.app[ENGINE].store.get_document(document)
        return known is not None and [name.path for name in known.names] == ["b.pdf"]

    await until(is_erased)
    assert (await get_json(client, f"/documents/{document}/restore?collection=board", "POST"))[0] == 404
    assert await list_collections(client) == {"": 1}
    async with client.get(f"/documents/{document}/file") as response:
        assert (response.status, await response.read()) == (200, light)
        assert "b.pdf" in response.headers["Content-Disposition"]


async def test_deleting_without_a_collection_deletes_everywhere(served: Served, light: bytes) -> None:
    document = (await add(served.client, "board", "a.pdf", light))["document"]
    await add(served.client, "", "b.pdf", light)
    assert (await get_json(served.client, f"/documents/{document}", "DELETE"))[0] == 200
    assert await list_collections(served.client) == {}
    assert (await get_json(served.client, f"/documents/{document}/restore", "POST"))[0] == 200
    assert await list_collections(served.client) == {"": 1, "board": 1}


async def test_names_are_chosen_without_looking_at_other_collections(
    served: Served, light: bytes, tmp_path: Path
) -> None:
    other = await asyncio.to_thread(lambda: pdfs.make_pdf(tmp_path / "o.pdf", ["Bees\n\nHoney."]).read_bytes())
    assert (await add(served.client, "board", "report.pdf", light))["name"] == "report.pdf"
    assert (await add(served.client, "", "report.pdf", other))["name"] == "report.pdf"
    third = await asyncio.to_thread(lambda: pdfs.make_pdf(tmp_path / "t.pdf", ["Wax\n\nCandles."]).read_bytes())
    assert (await add(served.client, "board", "report.pdf", third))["name"] == "report (2).pdf"


async def test_a_job_that_is_cancelled_takes_its_collection_alone(served: Served, tmp_path: Path) -> None:
    long = await asyncio.to_thread(lambda: pdfs.make_pdf(tmp_path / "long.pdf", LIGHT * 10).read_bytes())
    (first,) = (await put(served.client, "board", "a.pdf", long))[1]["jobs"]
    (second,) = (await put(served.client, "", "b.pdf", long))[1]["jobs"]
    assert first["id"] != second["id"] and first["document"] == second["document"]
    status, cancelled = await get_json(served.client, f"/jobs/{first['id']}", "DELETE")
    assert (status, cancelled["state"]) == (200, "cancelled"), cancelled
    assert (await finish(served.client, second))["state"] == "done"
    assert await list_collections(served.client) == {"": 1}
    status, again = await get_json(served.client, f"/jobs/{first['id']}/retry", "POST")
    assert status == 202
    assert (await finish(served.client, again))["state"] == "done"
    assert await list_collections(served.client) == {"": 1, "board": 1}


@pytest.mark.parametrize("name", ["../etc", "a" * 65, " a", "a\x00b", "\N{PILE OF POO}"])
async def test_a_collection_that_cannot_be_called_so_is_refused(served: Served, light: bytes, name: str) -> None:
    status, body = await put(served.client, name, "a.pdf", light)
    assert status == 400 and "1 to 64 letters" in body["error"]
    assert await list_collections(served.client) == {}


async def test_the_collection_comes_before_the_files(served: Served, light: bytes) -> None:
    form = make_form(("a.pdf", light))
    form.add_field("collection", "board")
    async with served.client.post("/documents", data=form) as response:
        assert response.status == 400 and "before the files" in (await response.json())["error"]
    assert await list_collections(served.client) == {}


# Names that somebody may not see


def test_a_document_within_collections() -> None:
    names = (Name("pdf", "x/secret_plan.pdf", collection="board"), Name("pdf", "farol.pdf"))
    document = Document("a" * 64, "secret plan", names, 1)
    assert document.within(None) is document and document.within(["board", ""]) == document
    seen = document.within([""])
    assert seen is not None and (seen.name, seen.title, seen.collection, seen.names) == (
        "farol.pdf",
        "farol",
        "",
        names[1:],
    )
    assert "secret" not in json.dumps(describe(seen)) and "board" not in json.dumps(describe(seen))
    titled = replace(document, title="O farol").within([""])
    assert titled is not None and titled.title == "O farol"
    assert document.within([]) is document.within(["none"]) is None
    gone = replace(document, names=(names[0], replace(names[1], excluded=True)))
    assert gone.within([""]) is None and gone.within(["board"]) is not None


async def test_hidden_names_match_no_question(tmp_path: Path) -> None:
    """A document that only its hidden name makes the best is no better than others."""
    made = await make_library(tmp_path, {"a.pdf": ("en", ["One\n\nFruit."]), "b.pdf": ("en", ["Two\n\nFruit."])})
    store, embedder = SqliteStore(tmp_path / "index.sqlite"), MiniLMEmbedder(tmp_path / "models")
    await store.open()
    await embedder.open()
    await store.write_index(replace(make_record(embedder), languages=("en",)))
    for key, document in made.documents.items():
        if document.state == "ready":
            hidden = Name("pdf", f"zanzibar {key}" if key == "b.pdf" else "quito.pdf", collection="board")
            await store.put_names(document.id, [hidden, Name("pdf", f"plain {key}")])
    retriever = Retriever(store, embedder)
    everything = await retriever.search("fruit zanzibar b", 4)
    assert everything.hits[0].document.name == "zanzibar b.pdf" and everything.hits[0].parts["title"] > 0
    own = await retriever.search("fruit zanzibar", 4, Filters(collections=("",)))
    assert len(own.hits) == 2 and {hit.document.name for hit in own.hits} == {"plain a.pdf", "plain b.pdf"}
    assert all(hit.parts.get("title", 0) == 0 for hit in own.hits)
    await store.aclose()
    await embedder.aclose()

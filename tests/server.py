"""The server on a free port with production's own runner, over a small library; and ways to read it.

A pytest plugin (`tests/conftest.py` names it). aiohttp's test server is not used: it cancels
handlers of clients that left, whatever the real one does.
"""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, web
from blockbuster import BlockBuster
from multidict import CIMultiDictProxy
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from yarl import URL

from app.__main__ import make_runner
from app.application import make_app
from app.settings import ServerSettings
from database.chunking import Chunker, make_windows
from database.documents import Block, Chunk, Contents, Document, Name, Page
from database.embedders.minilm import MiniLMEmbedder
from database.files import Originals
from database.index import make_record
from database.stores.sqlite import SqliteStore
from tests.pdfs import make_pdf

LIGHTHOUSE, HARVEST, HIDDEN, BROKEN = "relatório do farol.pdf", "harvest.pdf", "hidden.pdf", "broken.pdf"
NOBODY = "http://127.0.0.1:9"
"""Nothing listens there."""
QUESTION = "Em que ano o farol foi construído?"
TEXTS: Mapping[str, tuple[str, Sequence[str]]] = {
    LIGHTHOUSE: (
        "pt",
        [
            "O farol\n\nO farol da ilha foi construído em 1887 por Amélia Duarte. A lanterna gira devagar.",
            "O livro\n\nO faroleiro escreve o tempo num livro todas as noites. Em 1923 houve quarenta naufrágios.",
        ],
    ),
    HARVEST: (
        "en",
        [
            "Apples\n\nThe village of Serra harvested 95 tonnes of apples in 2021. A cider maker bought them all.",
            "Bees\n\nThe keepers counted 310 hives in spring. The honey is stored in barrels of oak, see [2] there.",
        ],
    ),
    HIDDEN: ("en", ["Secret\n\nThe treasure lies under the third oak."]),
}
BOX = (72.0, 115.0, 523.0, 160.0)
"""Where the text of every page stands, below its heading."""


class GivenSettings(ServerSettings):
    """Knows what it is given and the defaults; the environment may not touch servers that several tests share."""

    model_config = SettingsConfigDict(env_file=None)

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, **_: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


@dataclass(frozen=True)
class Library:
    """A loaded index in `data_dir`: three searchable documents, one of them excluded, and a failed one."""

    data_dir: Path
    documents: Mapping[str, Document]
    chunks: Mapping[tuple[str, int], Chunk]
    """By the name of the document and the page."""


@dataclass(frozen=True)
class Served:
    """A running server and a client of it."""

    url: URL
    client: ClientSession
    app: web.Application


@dataclass(frozen=True)
class Answer:
    """A whole answer as it came."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def lines(self) -> list[Any]:
        """Every line as JSON; the last one must be complete."""
        *lines, rest = self.body.split(b"\n")
        assert rest == b""
        return [json.loads(line) for line in lines]

    @property
    def error(self) -> str:
        """The message of a failure before the first byte; asserts its one shape."""
        assert self.headers["Content-Type"] == "application/json; charset=utf-8"
        told = json.loads(self.body)
        assert set(told) == {"error", "status"} and told["status"] == self.status
        return str(told["error"])

    @property
    def text(self) -> str:
        """What the model said."""
        return "".join(line["message"]["content"] for line in self.lines if "message" in line)


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """Made once with the real chunker, embedder and store; tests only read it."""
    return asyncio.run(_make_library(tmp_path_factory.mktemp("library")))


@pytest.fixture
def strict_loop() -> Any:
    """Fails a test that blocks the event loop, be it in our code or in a library."""
    guard = BlockBuster()
    guard.activate()
    yield
    guard.deactivate()


@asynccontextmanager
async def serve(data_dir: Path, *, gemini_channel: Any = None, **given: Any) -> AsyncIterator[Served]:
    """The server over the index in `data_dir`, without a language model unless `given` says so."""
    nothing = {"data_dir": data_dir, "llm": "extractive", "ollama_host": NOBODY}
    settings = await asyncio.to_thread(GivenSettings.load, **{**nothing, **given})
    app = make_app(settings, gemini_channel=gemini_channel)
    runner = make_runner(app, settings)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = URL(f"http://127.0.0.1:{runner.addresses[0][1]}")
        timeout = ClientTimeout(total=60)
        async with ClientSession(url, auto_decompress=False, cookie_jar=DummyCookieJar(), timeout=timeout) as client:
            yield Served(url, client, app)
    finally:
        await runner.cleanup()


async def ask(served: Served, question: str = QUESTION, path: str = "/", origin: str = "", **fields: Any) -> Answer:
    """The whole answer to a question, with these further fields in the request."""
    headers = {"Origin": origin} if origin else {}
    async with served.client.post(path, json={"prompt": question, **fields}, headers=headers) as response:
        return Answer(response.status, response.headers, await response.read())


async def read_chunks(served: Served, question: str = QUESTION, path: str = "/") -> tuple[str, list[bytes]]:
    """The head of an answer, and each chunk of the chunked transfer as it was written."""
    body = json.dumps({"prompt": question}).encode()
    reader, writer = await asyncio.open_connection(served.url.host, served.url.port)
    writer.write(
        f"POST {path} HTTP/1.1\r\nHost: localhost:{served.url.port}\r\nAccept-Encoding: gzip, br\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body
    )
    head, chunks = (await reader.readuntil(b"\r\n\r\n")).decode(), []
    while size := int(await reader.readuntil(b"\r\n"), 16):
        chunks.append(await reader.readexactly(size))
        await reader.readexactly(2)
    writer.close()
    return head, chunks


async def send_raw(served: Served, request: bytes) -> tuple[int, bytes]:
    """Status and body of the answer to these bytes; the server must close the connection."""
    reader, writer = await asyncio.open_connection(served.url.host, served.url.port)
    writer.write(request)
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return int(head.split(b" ", 2)[1]), body


async def _make_library(data_dir: Path) -> Library:
    embedder, store = MiniLMEmbedder(data_dir / "models"), SqliteStore(data_dir / "index.sqlite")
    await embedder.open()
    await store.open()
    await store.write_index(replace(make_record(embedder), languages=("en", "pt")))
    chunker, documents, chunks = Chunker(embedder.count_tokens), {}, {}
    for name, (language, texts) in TEXTS.items():
        document = _keep_pdf(data_dir, name, texts)
        pages = [_make_page(number, text) for number, text in enumerate(texts, 1)]
        found = chunker.chunk_pages(document.id, pages)
        windows = make_windows(chunker, found, document.title, language)
        vectors = np.asarray(await embedder.embed([window.text for window in windows]))
        document = replace(
            document,
            language=language,
            page_count=len(pages),
            chunk_count=len(found),
            window_count=len(windows),
            state="ready",
            version="v1",
        )
        await store.publish(document, Contents(pages, found, windows, vectors))
        documents[name] = document
        chunks |= {(name, chunk.page): chunk for chunk in found}
    documents[BROKEN] = Document("b" * 64, "", (Name("pdf", BROKEN),), 3, state="failed", reason="Not a PDF.")
    await store.put_document(documents[BROKEN])
    await store.aclose()
    await embedder.aclose()
    return Library(data_dir, documents, chunks)


def _keep_pdf(data_dir: Path, name: str, texts: Sequence[str]) -> Document:
    """Make the PDF and keep it as the loader does."""
    path = make_pdf(data_dir / name, texts)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    Originals(data_dir / "files").keep(path, digest)
    names = (Name("pdf", f"folder/{name}", excluded=name == HIDDEN),)
    return Document(digest, f"About {name}", names, path.stat().st_size, added_at=1700000000.0)


def _make_page(number: int, text: str) -> Page:
    heading, body = text.split("\n\n")
    start = len(heading) + 4
    block = Block(start, start + len(body), BOX)
    return Page(number, f"# {heading}\n\n{body}", "layout", 595.0, 842.0, (block,))

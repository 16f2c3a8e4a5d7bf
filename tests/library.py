"""A small library for tests of the server: made once with the real chunker, embedder and store."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from database.chunking import Chunker, make_windows
from database.documents import Block, Chunk, Contents, Document, Name, Page
from database.embedders.minilm import MiniLMEmbedder
from database.files import Originals
from database.index import make_record
from database.stores.sqlite import SqliteStore
from tests.pdfs import make_pdf

LIGHTHOUSE, HARVEST, HIDDEN, BROKEN = "relatório do farol.pdf", "harvest.pdf", "hidden.pdf", "broken.pdf"
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


@dataclass(frozen=True)
class Library:
    """A loaded index in `data_dir`: three searchable documents, one of them excluded, and a failed one."""

    data_dir: Path
    documents: Mapping[str, Document]
    chunks: Mapping[tuple[str, int], Chunk]
    """By the name of the document and the page."""


async def make_library(data_dir: Path, given: Mapping[str, tuple[str, Sequence[str]]] = TEXTS) -> Library:
    """Make the index, and keep the originals as the loader does. `given`: name → language and pages, each
    a heading and a text."""
    embedder, store = MiniLMEmbedder(data_dir / "models"), SqliteStore(data_dir / "index.sqlite")
    await embedder.open()
    await store.open()
    await store.write_index(replace(make_record(embedder), languages=("en", "pt")))
    chunker, documents, chunks = Chunker(embedder.count_tokens), {}, {}
    for name, (language, texts) in given.items():
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

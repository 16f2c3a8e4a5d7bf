"""Loading by stage: reading, chunking, embedding, publishing; each beside the plain way to do the same.

Processor seconds are compared, because reading is spread over processes and other work on the machine
lengthens what the clock shows.
"""

import asyncio
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psutil

from database.analysis import detect_language
from database.build import Builder
from database.documents import Contents, Document, Name, Reading
from database.embedders.minilm import MiniLMEmbedder
from database.evaluation.corpus import PdfCorpus, read_corpus
from database.files import find_files
from database.readers import DocumentReader
from database.settings import IndexSettings
from database.stores.sqlite import SqliteStore
from tests.bench.documents import make_corpus
from tests.bench.measures import Measure
from tests.bench.runs import family_cpu_s, run
from tests.bench.venv import QUIET, find_model, find_venv
from tests.bench.work import SAMPLE, Work

T = TypeVar("T")

TEXT = """
import sys, pymupdf
for path in sys.argv[1:]:
    for page in pymupdf.open(path):
        page.get_text("text")
"""
MARKDOWN = """
import sys, pymupdf4llm
for path in sys.argv[1:]:
    pymupdf4llm.to_markdown(path, page_chunks=True)
"""
IMPORT = "import pymupdf4llm"
EMBED = """
import json, resource, sys
from sentence_transformers import SentenceTransformer
model = SentenceTransformer(sys.argv[1], device="cpu")
texts = json.load(open(sys.argv[2]))
model.encode(texts[:8], show_progress_bar=False)
def used(): t = resource.getrusage(resource.RUSAGE_SELF); return t.ru_utime + t.ru_stime
before = used()
model.encode(texts, show_progress_bar=False)
print(json.dumps({"cpu_s": used() - before}))
"""
QUICK_DOCUMENTS, QUICK_PAGES = 2, 12


@dataclass(frozen=True, slots=True)
class Made:
    """A document on its way: what was read of it, and what is made of that."""

    reading: Reading
    document: Document
    contents: Contents


async def measure_stages(work: Work) -> list[Measure]:
    """Every stage, on the documents of the set, or few made-up ones and the sample."""
    paths = find_documents(work)
    settings = IndexSettings.load(data_dir=work.folder / "stages", pdf_dir=SAMPLE)
    shutil.rmtree(settings.data_dir / "pages", ignore_errors=True)
    files, _ = find_files(paths)
    reader, ids = DocumentReader(settings), [file.document_id for file in files]
    sources = [Path(file.name.root, file.name.path) for file in files]
    await reader.look(sources[0])  # starts what reads
    plain_s, _ = await spend(lambda: _gather(reader.read_plain, sources, ids))
    layout_s, readings = await spend(lambda: _gather(reader.read, sources, ids))
    pages = sum(len(reading.pages) for reading in readings)
    rows = _compare_reading(paths, pages, plain_s, layout_s)
    return rows + await _measure_rest(work, settings, ids, readings)


def find_documents(work: Work) -> list[Path]:
    """What is loaded: absolute files or folders."""
    if work.full and (found := work.find_set()):
        corpus = read_corpus(found[0])
        assert isinstance(corpus, PdfCorpus)
        return [*corpus.paths]
    made = work.folder / "made"
    make_corpus(made, QUICK_DOCUMENTS, QUICK_PAGES)
    return [*sorted(SAMPLE.glob("*.pdf")), *sorted(made.glob("*.pdf"))]


def _compare_reading(paths: Sequence[Path], pages: int, plain_s: float, layout_s: float) -> list[Measure]:
    # A program's start is no part of reading; Acervo's own start is not in its figures either.
    start_s = run([sys.executable, "-c", IMPORT]).cpu_s
    text_s = max(0.01, run([sys.executable, "-c", TEXT, *paths]).cpu_s - start_s)
    markdown_s = run([sys.executable, "-c", MARKDOWN, *paths]).cpu_s - start_s
    return [
        _per_page("read plain text (first stage)", plain_s, "PyMuPDF get_text", text_s, pages),
        _per_page("read with layout", layout_s, "pymupdf4llm, one process", markdown_s, pages, "stage:read"),
    ]


async def _measure_rest(
    work: Work, settings: IndexSettings, ids: Sequence[str], readings: Sequence[Reading]
) -> list[Measure]:
    pages = sum(len(reading.pages) for reading in readings)
    embedder = MiniLMEmbedder(settings.data_dir / "models")
    await embedder.open()
    detect_language("loads its model")
    builder = Builder(embedder)
    outline_s, made = await spend(lambda: _outline(builder, ids, readings))
    texts = [window.text for each in made for window in each.contents.windows]
    embed_s, complete = await spend(lambda: _complete(builder, made))
    publish_s = await _publish(settings.data_dir, complete)
    chunks = sum(len(each.contents.chunks) for each in made)
    base_s = _embed_as_others(work, texts)
    return [
        _per_page("chunk and analyse", outline_s, "MarkdownTextSplitter", _split(readings), pages, "stage:chunk"),
        _per_page(
            "embed", embed_s, "sentence-transformers, same texts" if base_s else "", base_s, pages, "stage:embed"
        ),
        _per_page("publish", publish_s, "", None, pages, "stage:publish"),
        Measure("windows a page", len(texts) / pages, note=f"{pages} pages, {chunks} chunks, {len(texts)} windows"),
    ]


async def _outline(builder: Builder, ids: Sequence[str], readings: Sequence[Reading]) -> list[Made]:
    made = []
    for document_id, reading in zip(ids, readings, strict=True):
        draft = Document(document_id, reading.title, (Name("/", document_id),), 0)
        made.append(Made(reading, *await builder.outline(draft, reading)))
    return made


async def _complete(builder: Builder, made: Sequence[Made]) -> list[tuple[Document, Contents]]:
    return [await builder.complete(each.document, each.contents) for each in made]


async def _publish(data_dir: Path, made: Sequence[tuple[Document, Contents]]) -> float:
    with tempfile.TemporaryDirectory(dir=data_dir) as folder:
        store = SqliteStore(Path(folder) / "bench.sqlite")
        await store.open()
        spent_s, _ = await spend(lambda: _publish_all(store, made))
        await store.aclose()
    return spent_s


async def _publish_all(store: SqliteStore, made: Sequence[tuple[Document, Contents]]) -> None:
    for document, contents in made:
        await store.publish(document, contents)


def _split(readings: Sequence[Reading]) -> float:
    from langchain_text_splitters import MarkdownTextSplitter

    splitter, started = MarkdownTextSplitter(), time.process_time()
    for page in (page for reading in readings for page in reading.pages):
        splitter.split_text(page.text)
    return time.process_time() - started


def _embed_as_others(work: Work, texts: Sequence[str]) -> float | None:
    """Processor seconds of sentence-transformers for the same texts, where it is installed."""
    python = find_venv(work.folder)
    if python is None:
        return None
    file = work.folder / "texts.json"
    file.write_text(json.dumps(texts))
    return float(run([python, "-c", EMBED, find_model(python), file], QUIET).told["cpu_s"])


async def _gather(read: Callable[[Path, str], Awaitable[T]], sources: Sequence[Path], ids: Sequence[str]) -> list[T]:
    return await asyncio.gather(*(read(path, each) for path, each in zip(sources, ids, strict=True)))


async def spend(do: Callable[[], Awaitable[T]]) -> tuple[float, T]:
    """Processor seconds of this process and of all that it started, and the result."""
    before = family_cpu_s(psutil.Process())
    result = await do()
    return family_cpu_s(psutil.Process()) - before, result


def _per_page(what: str, spent_s: float, against: str, base_s: float | None, pages: int, key: str = "") -> Measure:
    base = base_s * 1000 / pages if base_s else None
    return Measure(what, spent_s * 1000 / pages, "CPU ms/page", against, base, key=key)

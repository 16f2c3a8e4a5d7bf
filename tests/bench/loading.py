"""Loading by stage: reading, chunking, embedding, publishing; and the whole against plain text."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from database.analysis import detect_language
from database.chunking import Chunker, make_windows
from database.documents import Chunk, Contents, Document, Name, Reading, Vector, Window
from database.embedders.minilm import MiniLMEmbedder
from database.files import find_files
from database.readers import DocumentReader
from database.settings import ROOT, IndexSettings
from database.stores.sqlite import SqliteStore
from tests.bench.rows import Row

PLAIN_TEXT = """
import sys, pymupdf
for path in sys.argv[1:]:
    for page in pymupdf.open(path):
        page.get_text("text")
"""


async def measure_loading(pdfs: Path, data_dir: Path) -> list[Row]:
    """Load every PDF below `pdfs` into `data_dir`, stage by stage."""
    settings = IndexSettings.load(data_dir=data_dir / "stages", pdf_dir=pdfs)
    files, _ = find_files([pdfs])
    paths = [Path(file.name.root, file.name.path) for file in files]
    started = time.perf_counter()
    reader = DocumentReader(settings)
    readings = await asyncio.gather(*(reader.read(p, f.document_id) for p, f in zip(paths, files, strict=True)))
    read_s = time.perf_counter() - started
    pages = sum(len(reading.pages) for reading in readings)
    plain_s = _run([sys.executable, "-c", PLAIN_TEXT, *map(str, paths)], {})
    rows = [_row("read to Markdown, pages/s", pages / read_s, "text only, one process", pages / plain_s)]
    rows += await _measure_stages([f.document_id for f in files], readings, pages, data_dir)
    whole = {"DATA_DIR": str(data_dir / "whole"), "PDF_DIR": str(pdfs)}
    loader = [sys.executable, str(ROOT / "database/main.py"), "--json"]
    first_s, again_s = _run(loader, whole), _run(loader, whole)
    rows.append(_row("whole load, pages/s", pages / first_s, "text only, one process", pages / plain_s))
    rows.append(
        Row("load again, nothing changed, s", f"{again_s:.2f}", f"first load {first_s:.2f}", f"{again_s / first_s:.3f}")
    )
    return rows


async def _measure_stages(ids: Sequence[str], readings: Sequence[Reading], pages: int, data_dir: Path) -> list[Row]:
    embedder = MiniLMEmbedder(data_dir / "stages" / "models")
    await embedder.open()
    chunker = Chunker(embedder.count_tokens)
    detect_language("loads its model")
    started = time.perf_counter()
    made = [(d, r, *_split(chunker, d, r)) for d, r in zip(ids, readings, strict=True)]
    chunk_s = time.perf_counter() - started
    texts = [w.text for *_, windows in made for w in windows]
    alone = texts[:100]
    started = time.perf_counter()
    for text in alone:
        await embedder.embed([text])
    alone_s = (time.perf_counter() - started) / len(alone) * len(texts)
    started = time.perf_counter()
    vectors = await embedder.embed(texts)
    embed_s = time.perf_counter() - started
    publish_s = await _publish(made, vectors, data_dir)
    chunks = sum(len(chunks) for _, _, chunks, _ in made)
    return [
        Row("chunk and analyse, pages/s", f"{pages / chunk_s:.0f}"),
        _row("embed, windows/s", len(texts) / embed_s, "one at a time", len(texts) / alone_s),
        Row("embed, chunks/s", f"{chunks / embed_s:.1f}", f"{len(texts) / chunks:.1f} windows a chunk"),
        Row("publish, windows/s", f"{len(texts) / publish_s:.0f}"),
    ]


def _split(chunker: Chunker, document_id: str, reading: Reading) -> tuple[list[Chunk], list[Window]]:
    chunks = chunker.chunk_pages(document_id, reading.pages)
    language = detect_language(" ".join(page.text for page in reading.pages)[:20_000])
    return chunks, make_windows(chunker, chunks, reading.title, language)


async def _publish(
    made: Sequence[tuple[str, Reading, list[Chunk], list[Window]]], vectors: Vector, data_dir: Path
) -> float:
    store = SqliteStore(data_dir / "stages" / "bench.sqlite")
    await store.open()
    started, at = time.perf_counter(), 0
    for document_id, reading, chunks, windows in made:
        document = Document(document_id, reading.title, (Name("/", document_id),), 0, state="ready", version="1")
        own = vectors[at : at + len(windows)]
        await store.publish(document, Contents(reading.pages, chunks, windows, own))
        at += len(windows)
    spent = time.perf_counter() - started
    await store.aclose()
    return spent


def _row(what: str, measured: float, baseline: str, value: float) -> Row:
    return Row(what, f"{measured:.1f}", f"{baseline}: {value:.1f}", f"{measured / value:.2f}")


def _run(command: Sequence[str], settings: dict[str, str]) -> float:
    """Seconds that `command` takes; it must succeed."""
    started = time.perf_counter()
    subprocess.run(command, env=os.environ | settings, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started

"""What a worker does: a document's bytes to contents with vectors. It needs no store, and keeps nothing.

A worker process has one event loop, in a thread of its own, and one open embedder for as long as it lives.
"""

import asyncio
import contextlib
import hashlib
import os
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from database.build import Builder
from database.documents import Contents, Document
from database.embedders import Embedder, make_embedder
from database.errors import AcervoError, ReadError
from database.executors.order import CARRIED, MADE, ORDER, REFUSED, UNREADABLE, Order, Outcome, name_makers
from database.files import LEFTOVER_S
from database.ingest import make_versions, name_reading
from database.readers import DocumentReader
from database.settings import IndexSettings
from database.transfer import STORED, Stored

T = TypeVar("T")


def make_contents(order: bytes, data: bytes) -> Outcome:
    """Make what the `Order` asks for, as JSON, of the bytes of its file."""
    bench = _find_bench()
    return bench.run(_answer(bench, ORDER.validate_json(order), data))


async def _answer(bench: "_Bench", order: Order, data: bytes) -> Outcome:
    try:
        settings = await asyncio.to_thread(_load_settings, order)
        document, contents = await _make(bench, order, data, settings)
    except ReadError as error:
        return UNREADABLE, str(error).encode(), b""
    except AcervoError as error:
        return REFUSED, f"On the worker {socket.gethostname()}: {error}".encode(), b""
    vectors = b"" if contents.vectors is None else np.ascontiguousarray(contents.vectors, "<f4").tobytes()
    return MADE, STORED.dump_json(Stored.of(document, contents)), vectors


def _load_settings(order: Order) -> IndexSettings:
    """The worker's own with the order's over them. Raises `AcervoError` when it would make something else."""
    given = {name: value for name, value in order.settings.items() if name in (*CARRIED, "ollama_host")}
    settings = IndexSettings.load(**given)
    here = name_makers(settings)
    differing = sorted(name for name in here.keys() | order.made_by if here.get(name) != order.made_by.get(name))
    if differing:
        told = "; ".join(f"{name} {here.get(name)!r}, the loader's {order.made_by.get(name)!r}" for name in differing)
        raise AcervoError(f"it is of another version than the loader ({told}). Update it, and start it again.")
    # Others work beside this one; a worker that has the machine to itself sets READ_WORKERS.
    return settings.model_copy(update={"read_workers": settings.read_workers or 1})


async def _make(bench: "_Bench", order: Order, data: bytes, settings: IndexSettings) -> tuple[Document, Contents]:
    document = order.document
    if hashlib.sha256(data).hexdigest() != document.id:
        raise AcervoError("the bytes that came are not those of the document. Load again.")
    folder = await asyncio.to_thread(_make_folder, settings.data_dir / "work")
    try:
        path = folder / f"{document.id}{order.ending}"
        await asyncio.to_thread(path.write_bytes, data)
        reader = DocumentReader(settings.model_copy(update={"data_dir": folder}))
        reading = name_reading(await reader.read(path, document.id), document, path)
        embedder = await bench.open_embedder(settings)
        document, contents = await Builder(embedder).build(document, reading)
    except OSError as error:
        raise AcervoError(f"DATA_DIR cannot be written: {error.strerror} ({folder}).") from error
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    versions = make_versions(reader.fingerprints, embedder.name)
    return replace(document, version=versions.of(document).contents), contents


def _make_folder(parent: Path) -> Path:
    """A new folder below `parent`, from which goes what workers left that were killed."""
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for left in parent.iterdir():
            with contextlib.suppress(FileNotFoundError):  # another one has just finished
                if time.time() - left.stat().st_mtime > LEFTOVER_S:
                    shutil.rmtree(left, ignore_errors=True)
        return Path(tempfile.mkdtemp(dir=parent))
    except OSError as error:
        raise AcervoError(f"DATA_DIR cannot be written: {error.strerror} ({parent}).") from error


class _Bench:
    """What stays from one document to the next."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="acervo-worker", daemon=True).start()
        self._opening = asyncio.Lock()
        self._opened: tuple[tuple[object, ...], Embedder] | None = None

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`. Blocks; any thread but the loop's."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def open_embedder(self, settings: IndexSettings) -> Embedder:
        """The one that the settings ask for; the one before is closed when they ask for another."""
        wanted = (settings.embedder, settings.ollama_host, settings.data_dir)
        async with self._opening:
            if self._opened is None or self._opened[0] != wanted:
                if self._opened is not None:
                    await self._opened[1].aclose()
                self._opened = None
                embedder = make_embedder(settings)
                await embedder.open()
                self._opened = wanted, embedder
            return self._opened[1]


_BENCHES: dict[int, _Bench] = {}
_FINDING = threading.Lock()


def _find_bench() -> _Bench:
    """That of this process: a forked one has none of its parent's threads."""
    with _FINDING:
        if os.getpid() not in _BENCHES:
            _BENCHES[os.getpid()] = _Bench()
        return _BENCHES[os.getpid()]

"""The loader's end: a document goes to a worker, and what comes back is checked before it is published."""

import asyncio
import contextlib
from concurrent.futures import BrokenExecutor
from dataclasses import replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from database.build import SILENT, Progress
from database.documents import Contents, Document
from database.embedders import Embedder
from database.errors import AcervoError, ReadError, SettingsError
from database.executors import Workers
from database.executors.checking import read_contents
from database.executors.order import MADE, ORDER, UNREADABLE, Order, Outcome, carry_settings, name_makers
from database.executors.worker import make_contents
from database.ingest import Ingester
from database.readers.opening import check_file
from database.settings import IndexSettings
from database.stores import Store

OUTCOME = TypeAdapter(Outcome)
GONE = "The workers are gone, or their scheduler. What was finished is kept; load again for the rest."
MAX_TOLD = 2000
"""Bytes of what a worker says of a failure."""
NOT_THERE = (
    "The workers cannot import Acervo. Start them where its requirements are installed, with its folder on their path: "
    "`PYTHONPATH=/srv/acervo dask worker …`."
)


class HandingIngester(Ingester):
    """An `Ingester` that has documents made by workers, and publishes them itself."""

    def __init__(self, settings: IndexSettings, store: Store, embedder: Embedder, workers: Workers):
        super().__init__(settings, store, embedder)
        self._settings, self._workers = settings, workers
        self._carried, self._made_by = carry_settings(settings), name_makers(settings)

    async def warm_up(self) -> None:
        """Open the embedder; the workers read. Raises `EmbedderError`."""
        await self._embedder.open()

    async def make(
        self, document: Document, source: Path | None = None, progress: Progress = SILENT
    ) -> tuple[Document, Contents]:
        """A document as it is published in the end, made by a worker. Raises `ReadError`, `AcervoError`."""
        original = await self.keep(document, source)
        data = await asyncio.to_thread(_read, original, self._settings.max_file_mb)
        order = Order(document, original.suffix, self._carried, self._made_by)
        kind, told, vectors = await self._hand_out(ORDER.dump_json(order), data)
        if kind == UNREADABLE:
            raise ReadError(_shown(told))
        if kind != MADE:
            raise AcervoError(_shown(told))
        made, contents = await asyncio.to_thread(
            read_contents, document, told, vectors, self._embedder.dimension, self._settings
        )
        progress.pages(made.page_count, made.page_count)
        progress.windows(made.window_count, made.window_count)
        return replace(made, version=self.versions.of(made).contents), contents

    async def _hand_out(self, order: bytes, data: bytes) -> Outcome:
        """What a worker gives. Raises what became of it otherwise."""
        try:
            future = await asyncio.to_thread(self._workers.executor.submit, make_contents, order, data)
        except (BrokenExecutor, OSError, RuntimeError) as error:
            raise AcervoError(GONE) from error
        waiting = asyncio.wrap_future(future)
        try:
            await asyncio.wait({waiting})
        finally:
            future.cancel()
        if waiting.cancelled():
            raise AcervoError(GONE)
        self._tell(waiting.exception())
        with contextlib.suppress(ValidationError):
            return OUTCOME.validate_python(waiting.result(), strict=True)
        raise ReadError("A worker gave something else than what was asked for.")

    def _tell(self, error: BaseException | None) -> None:
        if isinstance(error, self._workers.killed):
            raise ReadError("It ended the process of every worker that tried it. Its pages may need too much memory.")
        if isinstance(error, BrokenExecutor | ConnectionError):
            raise AcervoError(GONE) from error
        if isinstance(error, ImportError):
            raise SettingsError(NOT_THERE) from error
        if error is not None:
            raise AcervoError(f"A worker failed unexpectedly; its log says why: {error!r}") from error


def _shown(told: bytes) -> str:
    return "".join(c for c in told[:MAX_TOLD].decode(errors="replace") if c.isprintable())


def _read(path: Path, max_file_mb: int) -> bytes:
    check_file(path, max_file_mb)
    return path.read_bytes()

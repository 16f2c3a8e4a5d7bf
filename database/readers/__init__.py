"""Turns files into pages. `DocumentReader` hands out the work; processes of their own do it."""

import asyncio
import contextlib
import importlib.metadata
import os
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import psutil

from database.documents import Reading
from database.errors import ReadError
from database.readers.cache import PageCache, Range
from database.readers.opening import Facts, inspect
from database.readers.pdf import Mode, convert
from database.readers.pieces import RawPage, assemble_pages
from database.readers.reporting import choose_title, describe, name_pages
from database.readers.worker import WorkerCrashed, WorkerOutOfMemory, WorkerTimeout, run_limited
from database.settings import IndexSettings

READER_VERSION = 2
"""Raise it when the same file would give other pages: what is cached is then made anew."""
RANGE_PAGES = 8
"""Pages of one conversion process: memory grows with each page, and so does what a failure costs."""
WORKER_MB = 1024
"""Memory set aside for a conversion: 400 to 750 MB were measured."""
PAGE_TIMEOUT_S = 5.0
OCR_PAGE_TIMEOUT_S = 20.0

LimitFailure = (WorkerTimeout, WorkerOutOfMemory, WorkerCrashed)
Progress = Callable[[int, int], None]


class DocumentReader:
    """Reads documents. At most `read_workers` conversions run at a time over all `read` calls."""

    def __init__(self, settings: IndexSettings) -> None:
        self._settings = settings
        self._slots = asyncio.Semaphore(settings.read_workers or count_workers())
        self.fingerprint = _fingerprint(settings)
        """Names everything that decides what pages a file gives."""

    async def read(self, path: Path, document_id: str, on_pages: Progress | None = None) -> Reading:
        """All pages of the file, converted or from the cache; `on_pages(done, total)` as they come.

        Raises `ReadError` that says what is wrong with the file and what to do.
        """
        cache = PageCache(self._settings.data_dir / "pages" / document_id / self.fingerprint)
        facts = await self._inspect(path, cache)
        ranges = await self._convert_all(path, cache, facts.page_count, on_pages or _ignore)
        pages = assemble_pages([page for converted in ranges for page in converted.pages])
        notes = (*describe(pages, facts.repaired, self._settings.ocr), *(r.note for r in ranges if r.note))
        return Reading(choose_title(facts.title, pages, path), pages, notes)

    def forget(self, document_id: str) -> None:
        """Drop what is cached of a document, made by whatever reader. Blocks."""
        shutil.rmtree(self._settings.data_dir / "pages" / document_id, ignore_errors=True)

    async def _inspect(self, path: Path, cache: PageCache) -> Facts:
        kept = await asyncio.to_thread(cache.load_facts)
        if kept is not None and kept.keys() == Facts.__annotations__.keys():
            return Facts(**kept)
        async with self._slots:
            facts = await run_limited(
                inspect,
                path,
                self._settings.max_file_mb,
                timeout_s=self._settings.read_timeout_s,
                memory_mb=self._settings.read_memory_mb,
            )
        await asyncio.to_thread(cache.save_facts, asdict(facts))
        return facts

    async def _convert_all(self, path: Path, cache: PageCache, total: int, on_pages: Progress) -> list[Range]:
        done = 0

        async def convert_range(numbers: range) -> Range:
            nonlocal done
            converted = await self._convert_range(path, cache, numbers)
            done += len(numbers)
            on_pages(done, total)
            return converted

        starts = range(1, total + 1, RANGE_PAGES)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(convert_range(range(s, min(s + RANGE_PAGES, total + 1)))) for s in starts]
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return [task.result() for task in tasks]

    async def _convert_range(self, path: Path, cache: PageCache, numbers: Sequence[int]) -> Range:
        kept = await asyncio.to_thread(cache.load_range, numbers)
        if kept is not None:
            return kept
        async with self._slots:
            converted = await self._convert_or_fall_back(path, numbers)
        await asyncio.to_thread(cache.save_range, numbers, converted)
        return converted

    async def _convert_or_fall_back(self, path: Path, numbers: Sequence[int]) -> Range:
        """Layout first; when that breaks a limit or its process, the same pages as plain text."""
        try:
            return Range(await self._convert(path, numbers, "ocr" if self._settings.ocr == "on" else "layout"))
        except LimitFailure as failure:
            why = self._explain(failure, numbers)
        try:
            return Range(await self._convert(path, numbers, "text"), f"{name_pages(numbers)}: {why}, plain text used")
        except LimitFailure as failure:
            raise ReadError(
                f"{name_pages(numbers)}: {why}, and as plain text too: {failure} Raise READ_TIMEOUT_S or"
                " READ_MEMORY_MB, or print the file to a new PDF and load that."
            ) from None

    async def _convert(self, path: Path, numbers: Sequence[int], mode: Mode) -> tuple[RawPage, ...]:
        pages = await run_limited(
            convert,
            path,
            list(numbers),
            mode,
            self._settings.ocr_language,
            timeout_s=self._timeout_s(len(numbers)),
            memory_mb=self._settings.read_memory_mb,
        )
        return tuple(pages)

    def _timeout_s(self, page_count: int) -> float:
        each = OCR_PAGE_TIMEOUT_S if self._settings.ocr == "on" else PAGE_TIMEOUT_S
        return self._settings.read_timeout_s + each * page_count

    def _explain(self, failure: ReadError, numbers: Sequence[int]) -> str:
        if isinstance(failure, WorkerTimeout):
            return f"layout took over {self._timeout_s(len(numbers)):g} s"
        if isinstance(failure, WorkerOutOfMemory):
            return f"layout needed more than {self._settings.read_memory_mb} MB of memory"
        return "layout failed"


def count_workers() -> int:
    """Conversions at a time that this machine has processors and memory for, at least one."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    free_mb: int = psutil.virtual_memory().available // 2**20
    with contextlib.suppress(OSError, ValueError):  # a container may have less
        free_mb = min(free_mb, int(Path("/sys/fs/cgroup/memory.max").read_text()) // 2**20)
    return max(1, min(processors, free_mb // WORKER_MB))


def _fingerprint(settings: IndexSettings) -> str:
    versions = [f"{name}-{importlib.metadata.version(name)}" for name in ("pymupdf", "pymupdf4llm")]
    ocr = f"ocr-{settings.ocr_language}" if settings.ocr == "on" else "ocr-off"
    return re.sub(r"[^\w.-]+", "_", "_".join([f"reader-{READER_VERSION}", *versions, ocr]))


def _ignore(done: int, total: int) -> None:
    """Nobody asked for progress."""


__all__ = ["DocumentReader"]

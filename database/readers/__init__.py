"""Turns files into pages. `DocumentReader` hands out the work; processes of their own do it."""

import asyncio
import contextlib
import importlib.metadata
import os
import re
import shutil
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

import psutil

from database.documents import Reading
from database.errors import FileTooLarge, ReadError
from database.readers.cache import PageCache, Range
from database.readers.opening import Facts
from database.readers.pdf import Mode, convert
from database.readers.pieces import RawPage, assemble_pages
from database.readers.plain import look, read_plain
from database.readers.reporting import choose_title, describe, describe_cut, name_pages
from database.readers.worker import WorkerCrashed, WorkerOutOfMemory, WorkerTimeout, run_limited
from database.settings import IndexSettings

READER_VERSION = 2
"""Raise it when the same file would give other pages: what is cached is then made anew."""
RANGE_PAGES = 8
"""Pages of one conversion process: memory grows with each page, and so does what a failure costs."""
PLAIN_PAGES = 250
"""Pages of one process that reads plain text, which is quick and needs little memory."""
WORKER_MB = 1024
"""Memory set aside for a conversion: 400 to 750 MB were measured."""
PAGE_TIMEOUT_S = 5.0
OCR_PAGE_TIMEOUT_S = 20.0

LimitFailure = (WorkerTimeout, WorkerOutOfMemory, WorkerCrashed)
Progress = Callable[[int, int], None]
T = TypeVar("T")
Pages = TypeVar("Pages", bound=Sequence[RawPage])


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
        raw = [page for converted in ranges for page in converted.pages]
        pages = assemble_pages(raw)
        cut = describe_cut([page.number for page in raw if page.cut])
        notes = (*describe(pages, facts.repaired, self._settings.ocr), *cut, *(r.note for r in ranges if r.note))
        return Reading(choose_title(facts.title, pages, path), pages, notes)

    async def read_plain(self, path: Path, document_id: str, on_pages: Progress | None = None) -> Reading | None:
        """All pages as plain text, within seconds and without notes; None when even that broke a limit.

        Raises `ReadError` for a file that cannot be read at all.
        """
        cache = PageCache(self._settings.data_dir / "pages" / document_id / self.fingerprint)
        facts = await self._inspect(path, cache)

        count = self._make_counter()

        async def read_range(numbers: range) -> list[RawPage]:
            async with self._slots:
                pages = await self._run(read_plain, path, list(numbers), timeout_s=self._timeout_s(len(numbers)))
                return count(pages)

        try:
            ranges = await _read_ranges(read_range, facts.page_count, PLAIN_PAGES, on_pages or _ignore)
        except LimitFailure:
            return None
        pages = assemble_pages([page for part in ranges for page in part])
        return Reading(choose_title(facts.title, pages, path), pages)

    async def look(self, path: Path) -> Facts:
        """What is known of a file before it is converted. Raises `ReadError` when it cannot be read."""
        limit_s = self._settings.read_timeout_s
        return self._check_pages(await self._run(look, path, self._settings.max_file_mb, timeout_s=limit_s))

    def _check_pages(self, facts: Facts) -> Facts:
        if facts.page_count > (limit := self._settings.max_pages):
            raise FileTooLarge(
                f"It has {facts.page_count} pages, more than MAX_PAGES={limit}. Split it or raise that setting."
            )
        return facts

    def forget(self, document_id: str) -> None:
        """Drop what is cached of a document, made by whatever reader. Blocks."""
        shutil.rmtree(self._settings.data_dir / "pages" / document_id, ignore_errors=True)

    async def _inspect(self, path: Path, cache: PageCache) -> Facts:
        kept = await asyncio.to_thread(cache.load_facts)
        if kept is not None and kept.keys() == Facts.__annotations__.keys():
            return self._check_pages(Facts(**kept))
        async with self._slots:
            facts = await self.look(path)
        await asyncio.to_thread(cache.save_facts, asdict(facts))
        return facts

    async def _convert_all(self, path: Path, cache: PageCache, total: int, on_pages: Progress) -> list[Range]:
        count = self._make_counter()

        async def convert_range(numbers: range) -> Range:
            converted = await self._convert_range(path, cache, numbers)
            count(converted.pages)
            return converted

        return await _read_ranges(convert_range, total, RANGE_PAGES, on_pages)

    def _make_counter(self) -> Callable[[Pages], Pages]:
        """What every page of a file passes, until there is more text than is taken."""
        limit_mb, seen = self._settings.max_text_mb, 0

        def count(pages: Pages) -> Pages:
            nonlocal seen
            seen += sum(len(piece.text.encode(errors="replace")) for page in pages for piece in page.pieces)
            if seen > limit_mb << 20:
                raise FileTooLarge(f"Its text has more than MAX_TEXT_MB={limit_mb} MB. Split it or raise that setting.")
            return pages

        return count

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
            kind = WorkerTimeout if isinstance(failure, WorkerTimeout) else ReadError
            raise kind(
                f"{name_pages(numbers)}: {why}, and as plain text too: {failure} Raise READ_TIMEOUT_S or"
                " READ_MEMORY_MB, or print the file to a new PDF and load that."
            ) from None

    async def _convert(self, path: Path, numbers: Sequence[int], mode: Mode) -> tuple[RawPage, ...]:
        language, timeout_s = self._settings.ocr_language, self._timeout_s(len(numbers))
        return tuple(await self._run(convert, path, list(numbers), mode, language, timeout_s=timeout_s))

    async def _run(self, function: Callable[..., T], *args: object, timeout_s: float) -> T:
        return await run_limited(function, *args, timeout_s=timeout_s, memory_mb=self._settings.read_memory_mb)

    def _timeout_s(self, page_count: int) -> float:
        each = OCR_PAGE_TIMEOUT_S if self._settings.ocr == "on" else PAGE_TIMEOUT_S
        return self._settings.read_timeout_s + each * page_count

    def _explain(self, failure: ReadError, numbers: Sequence[int]) -> str:
        if isinstance(failure, WorkerTimeout):
            return f"layout took over {self._timeout_s(len(numbers)):g} s"
        if isinstance(failure, WorkerOutOfMemory):
            return f"layout needed more than {self._settings.read_memory_mb} MB of memory"
        return "layout failed"


async def _read_ranges(read: Callable[[range], Awaitable[T]], total: int, size: int, on_pages: Progress) -> list[T]:
    """What `read` makes of pages 1 to `total`, `size` pages a call, in order; the first failure is raised."""
    done = 0

    async def read_one(numbers: range) -> T:
        nonlocal done
        result = await read(numbers)
        done += len(numbers)
        on_pages(done, total)
        return result

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(read_one(numbers)) for numbers in _cut(total, size)]
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]


def _cut(total: int, size: int) -> Iterator[range]:
    return (range(start, min(start + size, total + 1)) for start in range(1, total + 1, size))


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

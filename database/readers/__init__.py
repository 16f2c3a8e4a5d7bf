"""Turns files into pages. `DocumentReader` hands out the work; processes of their own do it."""

import asyncio
import contextlib
import shutil
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TypeVar

import psutil

from database.documents import Reading
from database.errors import FileTooLarge, ReadError
from database.formats import FORMATS
from database.machine import LOAD_NICENESS, count_processors
from database.readers.cache import PageCache, Range
from database.readers.fingerprints import make_fingerprints
from database.readers.image import look_at_image
from database.readers.looking import look as look_inside
from database.readers.opening import Facts, check_file
from database.readers.pdf import Mode, convert, warm_up
from database.readers.pieces import RawPage, assemble_pages
from database.readers.plain import look, read_plain
from database.readers.reporting import choose_title, describe, describe_cut, name_pages
from database.readers.whole import WholeReader, find_cached
from database.readers.worker import WorkerCrashed, WorkerOutOfMemory, WorkerTimeout, run_limited
from database.settings import IndexSettings

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
        self._whole = WholeReader(settings, self._slots)
        self.fingerprints = make_fingerprints(settings)
        """Of each format, what decides which pages a file gives."""
        self.fingerprint = self.fingerprints["pdf"]

    async def warm_up(self) -> None:
        """Load what converts PDFs, which the first one would wait for. What fails here is told there."""
        with contextlib.suppress(ReadError):
            await self._run(warm_up, timeout_s=self._settings.read_timeout_s)

    async def read(self, path: Path, document_id: str, on_pages: Progress | None = None) -> Reading:
        """All pages of the file, converted or from the cache; `on_pages(done, total)` as they come.

        Raises `ReadError` that says what is wrong with the file and what to do.
        """
        format_name, cache = await self._find_format(path, document_id)
        if not FORMATS[format_name].drawn:
            return await self._read_whole(path, format_name, cache, on_pages or _ignore)
        facts = await self._inspect(path, cache)
        ranges = await self._convert_all(path, cache, facts.page_count, on_pages or _ignore)
        raw = [page for converted in ranges for page in converted.pages]
        pages = assemble_pages(raw)
        cut = describe_cut([page.number for page in raw if page.cut])
        told = describe(pages, facts.repaired, self._settings.ocr, format_name)
        notes = (*told, *cut, *(r.note for r in ranges if r.note))
        return Reading(choose_title(facts.title, pages, path), pages, notes, format_name)

    async def read_plain(self, path: Path, document_id: str, on_pages: Progress | None = None) -> Reading | None:
        """All pages as plain text, within seconds and without notes; None when even that broke a limit.

        Raises `ReadError` for a file that cannot be read at all.
        """
        format_name, cache = await self._find_format(path, document_id)
        if not FORMATS[format_name].drawn:
            return replace(await self._read_whole(path, format_name, cache, on_pages or _ignore), notes=())
        facts = await self._inspect(path, cache)

        count = self._make_counter()

        async def read_range(numbers: range) -> list[RawPage]:
            async with self._slots:
                limit_s = self._timeout_s(len(numbers))
                pages = await self._run(read_plain, path, list(numbers), timeout_s=limit_s, niceness=LOAD_NICENESS)
                return count(pages)

        try:
            ranges = await _read_ranges(read_range, facts.page_count, PLAIN_PAGES, on_pages or _ignore)
        except LimitFailure:
            return None
        pages = assemble_pages([page for part in ranges for page in part])
        return Reading(choose_title(facts.title, pages, path), pages, format=format_name)

    async def look(self, path: Path, name: str = "") -> Facts:
        """What is known of a file, called `name` if not as its path tells, before it is converted.
        Raises `ReadError` when it cannot be read."""
        limit_mb, limit_s = self._settings.max_file_mb, self._settings.read_timeout_s
        start = await asyncio.to_thread(check_file, path, limit_mb)
        if start in ("zip", "text"):
            return await self._run(look_inside, path, name or path.name, limit_mb, timeout_s=limit_s)
        found = look if start == "pdf" else look_at_image
        return self._check_pages(await self._run(found, path, limit_mb, timeout_s=limit_s))

    async def find_format(self, path: Path, name: str = "") -> str:
        """The format of a file, by what it holds. Raises `ReadError`."""
        start = await asyncio.to_thread(check_file, path, self._settings.max_file_mb)
        return start if start in ("pdf", "image") else (await self.look(path, name)).format

    async def _find_format(self, path: Path, document_id: str) -> tuple[str, PageCache]:
        """The format of a document, and where its pages are cached."""
        folder = self._settings.data_dir / "pages" / document_id
        name = await asyncio.to_thread(find_cached, folder, self.fingerprints) or await self.find_format(path)
        return name, PageCache(folder / self.fingerprints[name])

    async def _read_whole(self, path: Path, format_name: str, cache: PageCache, on_pages: Progress) -> Reading:
        reading = await self._whole.read(path, format_name, cache)
        on_pages(len(reading.pages), len(reading.pages))
        return reading

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
        if kept is not None and kept.keys() | {"format"} == Facts.__annotations__.keys():
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
        return tuple(
            await self._run(convert, path, list(numbers), mode, language, timeout_s=timeout_s, niceness=LOAD_NICENESS)
        )

    async def _run(self, function: Callable[..., T], *args: object, timeout_s: float, niceness: int = 0) -> T:
        limit_mb = self._settings.read_memory_mb
        return await run_limited(function, *args, timeout_s=timeout_s, memory_mb=limit_mb, niceness=niceness)

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
    free_mb: int = psutil.virtual_memory().available // 2**20
    with contextlib.suppress(OSError, ValueError):  # a container may have less
        free_mb = min(free_mb, int(Path("/sys/fs/cgroup/memory.max").read_text()) // 2**20)
    return max(1, min(count_processors(), free_mb // WORKER_MB))


def _ignore(done: int, total: int) -> None:
    """Nobody asked for progress."""


__all__ = ["DocumentReader"]

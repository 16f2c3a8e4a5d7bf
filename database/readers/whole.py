"""Reads documents that have no pages of their own: one call to a worker gives all of their sections."""

import asyncio
import importlib
from pathlib import Path
from typing import Protocol

from database.documents import Reading
from database.errors import ReadError
from database.formats import FORMATS
from database.readers.cache import PageCache, Range
from database.readers.opening import Facts
from database.readers.pieces import assemble_pages
from database.readers.reporting import choose_title, describe, describe_cut
from database.readers.sections import Limits, Sections
from database.readers.worker import WorkerCrashed, WorkerOutOfMemory, WorkerTimeout, run_limited
from database.settings import IndexSettings

MB_TIMEOUT_S = 10.0
"""Added to READ_TIMEOUT_S for each megabyte: a sheet of a million rows takes minutes."""


class SectionReader(Protocol):
    """What a module of a format without pages is to others. It is called in a worker process, may open
    `path` alone, and imports its libraries inside functions; a function `preload` imports them ahead."""

    def read(self, path: Path, limits: Limits) -> Sections:
        """The sections of the file. Raises `ReadError`."""
        ...


def load_reader(format_name: str) -> SectionReader:
    """The reader of a format without pages."""
    reader: SectionReader = importlib.import_module(f"database.readers.{FORMATS[format_name].module}")
    return reader


class WholeReader:
    """Reads with `slots` shared with others."""

    def __init__(self, settings: IndexSettings, slots: asyncio.Semaphore) -> None:
        self._settings, self._slots = settings, slots
        self._limits = Limits(settings.max_file_mb, settings.max_pages, settings.max_text_mb)

    async def read(self, path: Path, format_name: str, cache: PageCache) -> Reading:
        """All sections of the file, converted or from the cache. Raises `ReadError`."""
        facts, kept = await self._load(cache) or await self._convert(path, format_name, cache)
        pages = assemble_pages(kept.pages)
        unit = FORMATS[format_name].unit
        notes = [
            *describe(pages, facts.repaired, self._settings.ocr, format_name),
            *filter(None, kept.note.split("\n")),
        ]
        notes += describe_cut([page.number for page in kept.pages if page.cut], unit)
        # A sheet's name is seldom what the file is about.
        title = choose_title(facts.title, () if unit == "sheet" else pages, path)
        return Reading(title, pages, tuple(notes), format_name)

    async def _load(self, cache: PageCache) -> tuple[Facts, Range] | None:
        facts = await asyncio.to_thread(cache.load_facts)
        if facts is None or facts.keys() != Facts.__annotations__.keys():
            return None
        kept = await asyncio.to_thread(cache.load_range, range(1, facts["page_count"] + 1))
        return (Facts(**facts), kept) if kept else None

    async def _convert(self, path: Path, format_name: str, cache: PageCache) -> tuple[Facts, Range]:
        async with self._slots:
            sections = await self._run(path, format_name)
        facts = Facts(len(sections.pages), sections.title, False, format_name)
        kept = Range(tuple(sections.pages), "\n".join(sections.notes))
        await asyncio.to_thread(cache.save_range, range(1, facts.page_count + 1), kept)
        await asyncio.to_thread(cache.save_facts, _as_dict(facts))
        return facts, kept

    async def _run(self, path: Path, format_name: str) -> Sections:
        settings, reader = self._settings, load_reader(format_name)
        size_mb = (await asyncio.to_thread(path.stat)).st_size / 2**20
        timeout_s = settings.read_timeout_s + MB_TIMEOUT_S * size_mb
        try:
            return await run_limited(
                reader.read, path, self._limits, timeout_s=timeout_s, memory_mb=settings.read_memory_mb
            )
        except (WorkerTimeout, WorkerOutOfMemory, WorkerCrashed) as failure:
            kind = WorkerTimeout if isinstance(failure, WorkerTimeout) else ReadError
            raise kind(
                f"{failure} Raise READ_TIMEOUT_S or READ_MEMORY_MB, split the file, or export it as PDF."
            ) from None


def _as_dict(facts: Facts) -> dict[str, object]:
    return {name: getattr(facts, name) for name in Facts.__annotations__}


def find_cached(folder: Path, fingerprints: dict[str, str]) -> str:
    """The format of which pages of a document are cached below `folder`; empty for none. Blocks."""
    return next((name for name, made_by in fingerprints.items() if PageCache(folder / made_by).load_facts()), "")

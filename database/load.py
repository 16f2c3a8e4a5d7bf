"""Loading: compare files with the index, read what is new, publish it, forget what is gone.

Every document is published by one write, so a load that is killed leaves only finished documents
and the next load does the rest.
"""

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from database.belonging import Moves, Rules, read_rules, write_moves, write_rules
from database.build import Progress, work_through
from database.changes import find_changes, full_path
from database.documents import Contents, Document, IndexRecord, Name
from database.embedders import Embedder
from database.errors import ReadError, SettingsError
from database.files import drop_leftovers, find_files
from database.index import check_record, describe_index, fits, make_record
from database.ingest import Ingester, open_index
from database.plan import KEPT, Job, Labels, Plan, make_plan, without
from database.reindex import Rebuilder, find_source
from database.report import Reporter, Summary
from database.settings import IndexSettings
from database.stores import Store

if TYPE_CHECKING:
    from database.web.loading import Pages


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """How to load. `paths` are absolute files or folders."""

    paths: Sequence[Path]
    dry_run: bool = False
    retry: bool = False
    reindex: bool = False
    collection: str | None = None
    """What the names below `paths` belong to from now on; None for what they did."""
    pages: "Pages | None" = None
    """What addresses gave."""


class Loader:
    """Loads files into one open store; the caller sees to it that no other load runs."""

    def __init__(self, settings: IndexSettings, store: Store, embedder: Embedder, reporter: Reporter):
        self._store, self._embedder, self._reporter = store, embedder, reporter
        self._data_dir = settings.data_dir
        self._ingester = Ingester(settings, store, embedder)
        self._documents: dict[str, Document] = {}
        self._rules, self._moves = Rules(), Moves()
        self._label = Labels()

    async def load(self, options: LoadOptions) -> Summary:
        """Bring the index up to date with `options.paths`. Raises `AcervoError` when nothing can be done."""
        started = time.monotonic()
        rebuilt = None if options.dry_run else await self._rebuild(options.reindex)
        record = await self._read_record(options)
        documents = await self._store.list_documents()
        if options.reindex and options.dry_run:
            documents = [replace(d, state="queued", version="") for d in documents]
        self._rules = (await read_rules(self._store)).given(options.paths, options.collection)
        self._moves = self._rules.move(documents, options.paths)
        self._documents = {d.id: d for d in documents} | self._moves.documents
        plan, summary = await self._make_plan(options)
        self._tell_rebuilt(rebuilt or [], summary)
        if not options.dry_run:
            await self._ingester.originals.put_missing(self._documents)
            await self._carry_out(plan, record, summary)
        summary.seconds = time.monotonic() - started
        return summary

    async def _read_record(self, options: LoadOptions) -> IndexRecord | None:
        record = await self._store.read_index()
        if record and not options.dry_run:
            check_record(record, self._embedder)
            await self._store.prepare(record)
        return record

    async def _rebuild(self, wanted: bool) -> list[Document]:
        """Rebuild the index if that is wanted, or was begun with these settings and not finished."""
        unfinished = await self._store.read_next()
        begun = unfinished is not None and fits(unfinished, self._embedder)
        if not (wanted or begun) or await self._store.read_index() is None:
            await self._store.drop_old()
            return []
        await self._embedder.open()
        self._label = Labels(name for document in await self._store.list_documents() for name in document.names)

        async def make(document: Document) -> tuple[Document, Contents]:
            kept = await self._ingester.originals.find(document.id)
            return await self._build(Job(document, await asyncio.to_thread(find_source, document, kept)))

        with self._reporter.running():
            rebuilder = Rebuilder(self._store, make, self._ingester.versions, self._ingester.builder.known)
            return await rebuilder.rebuild(make_record(self._embedder))

    def _tell_rebuilt(self, rebuilt: Sequence[Document], summary: Summary) -> None:
        for document in rebuilt:
            self._count(document, summary)
        named = {self._name(Job(document, None)) for document in rebuilt}
        summary.reread = sorted(named | {*summary.reread})
        summary.unchanged = [name for name in summary.unchanged if name not in named]

    async def _make_plan(self, options: LoadOptions) -> tuple[Plan, Summary]:
        missing = [str(path) for path in options.paths if not path.exists()]
        if missing:
            raise SettingsError(f"There is no {', '.join(missing)}. Name files or folders that exist, or set PDF_DIR.")
        found, closed = await asyncio.to_thread(find_files, options.paths, self._data_dir)
        files = self._rules.place(found)
        if options.pages:
            files += options.pages.find_files(self._documents.values(), options.collection)
        changes = find_changes(self._documents.values(), files, options.paths)
        # What cannot be opened now, or lies in a folder that cannot, is not gone.
        changes.removed = [(d, n) for d, n in changes.removed if not any(map(full_path(n).is_relative_to, closed))]
        known = [name for document in self._documents.values() for name in document.names]
        self._label = Labels([*known, *(file.name for file in files)])
        plan = make_plan(changes, self._documents, self._ingester.versions, options.retry, self._label)
        added, changed = ([self._label(f.name) for f in fresh] for fresh in (changes.added, changes.changed))
        summary = Summary(
            added=[label for label in added if label not in plan.skipped],
            changed=[label for label in changed if label not in plan.skipped],
            removed=[self._label(name) for _, name in changes.removed],
            moved=sorted(self._label(name) for name in self._moves.names),
            unchanged=plan.unchanged,
            reread=plan.reread,
            skipped=_name_closed(closed, options.paths)
            | dict(options.pages.failed if options.pages else ())
            | plan.skipped,
            excluded=[self._label(file.name) for file in changes.excluded],
            dry_run=options.dry_run,
        )
        return plan, summary

    async def _carry_out(self, plan: Plan, record: IndexRecord | None, summary: Summary) -> None:
        await write_rules(self._store, self._rules)
        await write_moves(self._store, self._moves)
        if plan.jobs:
            await self._embedder.open()
            record = await open_index(self._store, self._embedder)
        if record is None or not (plan.jobs or plan.adopted or plan.removed or not record.settled):
            return
        await self._store.write_index(replace(record, settled=False))
        await asyncio.to_thread(drop_leftovers, self._data_dir)
        await self._adopt(plan.adopted)
        if plan.jobs:
            with self._reporter.running():
                await self._work_through(plan.jobs, summary)
            await self._store.wait_until_searchable([job.document.id for job in plan.jobs])
        for document, name in plan.removed:
            await self._drop_name(document.id, name)
        await self._store.sweep()
        await describe_index(self._store, record)

    async def _adopt(self, jobs: Sequence[Job]) -> None:
        # All names are given before any is taken: files that swapped their names keep their documents.
        for job in jobs:
            await self._put(job.document)
        for job in jobs:
            await self._drop_replaced(job)

    async def _work_through(self, jobs: Sequence[Job], summary: Summary) -> None:
        async def one(job: Job) -> None:
            try:
                await self._make(job, summary)
            except ReadError as error:
                await self._skip(job, str(error), summary)

        await work_through(jobs, one)

    async def _make(self, job: Job, summary: Summary) -> None:
        document = await self._ingester.publish(*await self._build(job))
        self._documents[document.id] = document
        await self._drop_replaced(job)
        self._count(document, summary)

    async def _build(self, job: Job) -> tuple[Document, Contents]:
        """A document as it is published. Raises `ReadError`."""
        shown = _Shown(self._reporter, self._name(job))
        document, contents = await self._ingester.make(job.document, job.source, shown)
        self._reporter.finished(shown.name, f"{document.page_count} pages, {document.chunk_count} chunks")
        return document, contents

    def _count(self, document: Document, summary: Summary) -> None:
        summary.pages += document.page_count
        summary.windows += document.window_count
        if document.notes:
            summary.notes[self._name(Job(document, None))] = list(document.notes)

    async def _skip(self, job: Job, reason: str, summary: Summary) -> None:
        """Record a file that cannot be read. What was loaded before from its place or its bytes stays."""
        known = self._documents.get(job.document.id)
        kept = bool(job.replaced) or (known is not None and known.searchable)
        if not kept:
            self._documents[job.document.id] = await self._ingester.fail(job.document, reason)
        elif known is None:
            await self._ingester.forget(job.document.id)
        summary.skip([self._label(name) for name in job.document.names], reason + KEPT if kept else reason)
        self._reporter.finished(self._name(job), f"skipped: {reason}")

    def _name(self, job: Job) -> str:
        return self._label(job.document.names[0]) if job.document.names else job.document.id

    async def _put(self, document: Document) -> None:
        await self._store.put_document(document)
        self._documents[document.id] = document

    async def _drop_replaced(self, job: Job) -> None:
        """Take the job's names from the documents that had them before."""
        for name in job.replaced:
            for document in [*self._documents.values()]:
                if document.id != job.document.id and without(document, name) != document:
                    await self._drop_name(document.id, name)

    async def _drop_name(self, document_id: str, name: Name) -> None:
        known = await self._store.get_document(document_id)  # somebody may have deleted it in the page meanwhile
        document = await self._ingester.drop_name(known or self._documents[document_id], name)
        if document is None:
            del self._documents[document_id]
        else:
            self._documents[document_id] = document


class _Shown(Progress):
    """Shows the pages of one document."""

    def __init__(self, reporter: Reporter, name: str):
        self._reporter, self.name = reporter, name

    def pages(self, done: int, total: int) -> None:
        self._reporter.pages(self.name, done, total)


def _name_closed(closed: Mapping[Path, str], roots: Sequence[Path]) -> dict[str, str]:
    """What cannot be opened, by its path below the root it was found under, and why."""
    named = {}
    for path, reason in closed.items():
        root = next((root for root in roots if path != root and path.is_relative_to(root)), None)
        shown = path.relative_to(root) if root and len(roots) == 1 else path
        named[os.fsencode(shown).decode(errors="replace")] = reason
    return named

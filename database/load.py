"""Loading: compare files with the index, read what is new, publish it, forget what is gone.

Every document is published by one write, so a load that is killed leaves only finished documents
and the next load does the rest. Loads of several machines into one MongoDB share the work.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from database.belonging import Moves, Rules, read_rules, write_moves, write_rules
from database.build import AT_ONCE
from database.changes import find_changes, full_path
from database.claims import Claims
from database.documents import Contents, Document
from database.embedders import Embedder
from database.errors import ReadError, SettingsError
from database.executors import Workers
from database.executors.handing import HandingIngester
from database.files import drop_leftovers, find_files
from database.index import check_record, describe_index, fits, make_record
from database.ingest import Ingester, open_index
from database.making import Maker
from database.plan import Job, Labels, Plan, make_plan
from database.reindex import Rebuilder, find_source
from database.report import Reporter, Summary
from database.settings import IndexSettings
from database.stores import Store
from database.turns import Turns

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
    """Loads files into one open store; the caller sees to it that no other load runs on this DATA_DIR."""

    def __init__(
        self,
        settings: IndexSettings,
        store: Store,
        embedder: Embedder,
        reporter: Reporter,
        workers: Workers | None = None,
    ):
        """With `workers` these make the documents; otherwise this process does, and its conversion processes."""
        self._store, self._embedder, self._reporter = store, embedder, reporter
        self._data_dir = settings.data_dir
        self._ingester = (
            HandingIngester(settings, store, embedder, workers) if workers else Ingester(settings, store, embedder)
        )
        self._claims = Claims(store, settings.lease_s)
        self._turns = Turns(store, self._claims, reporter.say)
        self._places = workers.places if workers else asyncio.Semaphore(AT_ONCE)
        self._maker = Maker(store, self._ingester, reporter, self._claims, self._turns, self._places)
        self._rules, self._moves = Rules(), Moves()

    async def load(self, options: LoadOptions) -> Summary:
        """Bring the index up to date with `options.paths`. Raises `AcervoError` when nothing can be done."""
        started = time.monotonic()
        if options.dry_run:
            _, summary = await self._look(options)
        else:
            async with self._claims:
                rebuilt = await self._rebuild(options.reindex)
                async with self._turns.present():
                    summary = await self._load(options, rebuilt)
        summary.seconds = time.monotonic() - started
        return summary

    async def _load(self, options: LoadOptions, rebuilt: Sequence[Document]) -> Summary:
        await self._maker.look_around()
        async with self._turns.gate():
            await self._check_index()
        plan, summary = await self._look(options)
        self._tell_rebuilt(rebuilt, summary)
        for document_id in await self._ingester.originals.put_missing(self._maker.documents):
            await self._restore(self._maker.documents[document_id])
        await self._carry_out(plan, summary)
        return summary

    async def _restore(self, document: Document) -> None:
        """Keep an original again that was damaged or lost, from where it was loaded."""
        originals = self._ingester.originals
        if document.whole and (
            source := await asyncio.to_thread(find_source, document, originals.local.place(document.id))
        ):
            with contextlib.suppress(ReadError):  # it has changed
                await self._ingester.keep(document, source)
                await originals.put(document.id)

    async def _look(self, options: LoadOptions) -> tuple[Plan, Summary]:
        documents = await self._store.list_documents()
        if options.reindex and options.dry_run:
            documents = [replace(d, state="queued", version="") for d in documents]
        self._rules = (await read_rules(self._store)).given(options.paths, options.collection)
        self._moves = self._rules.move(documents, options.paths)
        self._maker.documents = {d.id: d for d in documents} | self._moves.documents
        return await self._make_plan(options)

    async def _check_index(self) -> None:
        record = await self._store.read_index()
        if record:
            check_record(record, self._embedder)
            await self._store.prepare(record)

    async def _rebuild(self, wanted: bool) -> list[Document]:
        """Rebuild the index if that is wanted, or was begun with these settings and not finished."""
        async with self._turns.gate():
            unfinished = await self._store.read_next()
            begun = unfinished is not None and fits(unfinished, self._embedder)
            if not (wanted or begun) or await self._store.read_index() is None:
                await self._store.drop_old()
                return []
        await self._embedder.open()
        self._maker.label = Labels(name for document in await self._store.list_documents() for name in document.names)

        async def make(document: Document) -> tuple[Document, Contents]:
            kept = await self._ingester.originals.find(document.id)
            return await self._maker.build(Job(document, await asyncio.to_thread(find_source, document, kept)))

        with self._reporter.running():
            known = self._ingester.builder.known
            rebuilder = Rebuilder(self._store, make, self._ingester.versions, known, self._claims, self._turns)
            return await rebuilder.rebuild(make_record(self._embedder), self._places)

    def _tell_rebuilt(self, rebuilt: Sequence[Document], summary: Summary) -> None:
        for document in rebuilt:
            self._maker.count(document, summary)
        named = {self._maker.name(Job(document, None)) for document in rebuilt}
        summary.reread = sorted(named | {*summary.reread})
        summary.unchanged = [name for name in summary.unchanged if name not in named]

    async def _make_plan(self, options: LoadOptions) -> tuple[Plan, Summary]:
        missing = [str(path) for path in options.paths if not path.exists()]
        if missing:
            raise SettingsError(f"There is no {', '.join(missing)}. Name files or folders that exist, or set PDF_DIR.")
        found, closed = await asyncio.to_thread(find_files, options.paths, self._data_dir)
        files = self._rules.place(found)
        if options.pages:
            files += options.pages.find_files(self._maker.documents.values(), options.collection)
        changes = find_changes(self._maker.documents.values(), files, options.paths)
        # What cannot be opened now, or lies in a folder that cannot, is not gone.
        changes.removed = [(d, n) for d, n in changes.removed if not any(map(full_path(n).is_relative_to, closed))]
        known = [name for document in self._maker.documents.values() for name in document.names]
        self._maker.label = Labels([*known, *(file.name for file in files)])
        plan = make_plan(changes, self._maker.documents, self._ingester.versions, options.retry, self._maker.label)
        added, changed = ([self._maker.label(f.name) for f in fresh] for fresh in (changes.added, changes.changed))
        summary = Summary(
            added=[label for label in added if label not in plan.skipped],
            changed=[label for label in changed if label not in plan.skipped],
            removed=[self._maker.label(name) for _, name in changes.removed],
            moved=sorted(self._maker.label(name) for name in self._moves.names),
            unchanged=plan.unchanged,
            reread=plan.reread,
            skipped=_name_closed(closed, options.paths)
            | dict(options.pages.failed if options.pages else ())
            | plan.skipped,
            excluded=[self._maker.label(file.name) for file in changes.excluded],
            dry_run=options.dry_run,
        )
        return plan, summary

    async def _carry_out(self, plan: Plan, summary: Summary) -> None:
        if plan.jobs:
            await self._ingester.warm_up()
        async with self._turns.gate():
            if not await self._begin(plan):
                return
        await asyncio.to_thread(drop_leftovers, self._data_dir)
        if plan.jobs:
            with self._reporter.running():
                await self._maker.make_all(plan.jobs, summary)
            await self._store.wait_until_searchable([job.document.id for job in plan.jobs])
        await self._turns.await_signs()
        async with self._turns.leave() as alone:
            for document, name in plan.removed:
                await self._maker.drop_name(document.id, name)
            if alone:
                await self._store.sweep()
                await self._turns.forget_claims()
            if record := await self._store.read_index():
                await describe_index(self._store, record, settled=alone)

    async def _begin(self, plan: Plan) -> bool:
        """Whether there is anything to do to documents; if so the index is marked as unsettled."""
        await write_rules(self._store, self._rules)
        await write_moves(self._store, self._moves)
        record = await (open_index(self._store, self._embedder) if plan.jobs else self._store.read_index())
        if record is None or not (plan.jobs or plan.adopted or plan.removed or not record.settled):
            return False
        await self._store.write_index(replace(record, settled=False))
        await self._maker.adopt(plan.adopted)
        return True


def _name_closed(closed: Mapping[Path, str], roots: Sequence[Path]) -> dict[str, str]:
    """What cannot be opened, by its path below the root it was found under, and why."""
    named = {}
    for path, reason in closed.items():
        root = next((root for root in roots if path != root and path.is_relative_to(root)), None)
        shown = path.relative_to(root) if root and len(roots) == 1 else path
        named[os.fsencode(shown).decode(errors="replace")] = reason
    return named

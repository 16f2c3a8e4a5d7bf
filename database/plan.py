"""What a load has to do, worked out before anything is touched. Pure."""

import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from database.changes import Changes, FoundFile, full_path
from database.documents import WEB, Document, Name


@dataclass(frozen=True, slots=True)
class Job:
    """One document to read. `source` is its file, or None when only the kept original is left;
    `replaced` are the names that point to other bytes in the index until now."""

    document: Document
    source: Path | None
    replaced: tuple[Name, ...] = ()


class Labels:
    """What reports call a file: its path below its root, or the whole path where others share that."""

    def __init__(self, names: Iterable[Name] = ()):
        places = {full_path(name): name.path for name in names}
        self._counts = Counter(places.values())

    def __call__(self, name: Name) -> str:
        """The label of one name."""
        return name.path if name.root == WEB or self._counts[name.path] < 2 else str(full_path(name))


UNFINISHED = ("queued", "text", "layout")
"""States of documents that the next load makes ready."""
KEPT = " (the version loaded before still answers)"
"""Follows the reason why a changed file was skipped."""


@dataclass(slots=True)
class Plan:
    """`adopted` are documents known already that only get further names; `skipped` maps files to the old reason."""

    jobs: list[Job] = field(default_factory=list)
    adopted: list[Job] = field(default_factory=list)
    removed: list[tuple[Document, Name]] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    unchanged: list[str] = field(default_factory=list)
    reread: list[str] = field(default_factory=list)
    label: Labels = field(default_factory=Labels)


@dataclass(frozen=True, slots=True)
class Versions:
    """What would make contents now: `contents` as a whole, `reader` alone."""

    contents: str
    reader: str
    others: Mapping[str, "Versions"] = field(default_factory=dict)
    """Of formats other than PDF."""

    def of(self, document: Document) -> "Versions":
        """Those of this document's format."""
        return self.others.get(document.format, self)


def make_plan(
    changes: Changes, documents: Mapping[str, Document], versions: Versions, retry: bool, label: Labels | None = None
) -> Plan:
    """Turn changes into jobs. `retry` reads failed and incomplete documents again; `label` names files."""
    plan = Plan(removed=list(changes.removed), label=label or Labels())
    for document_id, files in _by_document([*changes.added, *changes.changed]).items():
        names = tuple(file.name for file in files)
        known = documents.get(document_id)
        document = known or Document(document_id, "", (), files[0].size, added_at=time.time())
        replaced = tuple(file.name for file in files if file in changes.changed)
        job = Job(replace(document, names=join_names(document.names, names)), files[0].source, replaced)
        if known is None or _wants_reading(known, versions, retry):
            plan.jobs.append(job)
        elif known.state == "failed":
            _adopt_failed(plan, known, names, replaced)
        else:
            plan.adopted.append(job)
    _plan_known(plan, changes.unchanged, documents, versions, retry)
    return plan


def _adopt_failed(plan: Plan, known: Document, names: Sequence[Name], replaced: Sequence[Name]) -> None:
    """Further names of bytes that could not be read before; what they replace stays as it is."""
    new = tuple(name for name in names if name not in replaced)
    plan.skipped.update({plan.label(name): known.reason for name in new})
    plan.skipped.update({plan.label(name): known.reason + KEPT for name in replaced})
    if new:
        plan.adopted.append(Job(replace(known, names=join_names(known.names, new)), None))


def _plan_known(
    plan: Plan,
    files: Sequence[FoundFile],
    documents: Mapping[str, Document],
    versions: Versions,
    retry: bool,
) -> None:
    planned = {job.document.id for job in plan.jobs}
    for document_id, same in _by_document(files).items():
        document = documents[document_id]
        if document_id in planned:
            continue
        if _wants_reading(document, versions, retry):
            plan.jobs.append(Job(document, same[0].source))
            plan.reread.append(plan.label(same[0].name))
        elif document.state == "failed":
            plan.skipped.update({plan.label(file.name): document.reason for file in same})
        else:
            plan.unchanged.extend(plan.label(file.name) for file in same)
    planned = {job.document.id for job in plan.jobs}
    for document in documents.values():
        if document.state in UNFINISHED and document.id not in planned:
            plan.jobs.append(Job(document, None))
            plan.reread.append(document.name)


def _wants_reading(document: Document, versions: Versions, retry: bool) -> bool:
    if document.state == "failed":
        return retry or document.version != versions.of(document).reader
    # Pages without text may have some under another OCR setting or reader.
    incomplete = bool(document.notes) and (retry or document.version != versions.of(document).contents)
    return document.state in UNFINISHED or incomplete


def _by_document(files: Iterable[FoundFile]) -> dict[str, list[FoundFile]]:
    grouped: dict[str, list[FoundFile]] = {}
    for file in files:
        grouped.setdefault(file.document_id, []).append(file)
    return grouped


def join_names(old: tuple[Name, ...], new: tuple[Name, ...]) -> tuple[Name, ...]:
    """All names of both, one for each place: that of `old` where both have it."""
    places = {full_path(name) for name in old}
    return old + tuple(name for name in new if full_path(name) not in places)


def without(document: Document, name: Name) -> Document:
    """The document without one of its names."""
    gone = full_path(name)
    return replace(document, names=tuple(n for n in document.names if full_path(n) != gone))


def exclude(document: Document, excluded: bool = True, collections: Collection[str] | None = None) -> Document:
    """The document with its names in these collections (None: all) deleted, or restored."""
    names = (
        replace(name, excluded=excluded) if collections is None or name.collection in collections else name
        for name in document.names
    )
    return replace(document, names=tuple(names))

"""Which files are new, changed, removed or as before. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePath

from database.documents import Document, Name


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file on disk: its name below a root and what its bytes hash to."""

    name: Name
    document_id: str
    size: int


@dataclass(slots=True)
class Changes:
    """What a load has to do."""

    added: list[FoundFile] = field(default_factory=list)
    changed: list[FoundFile] = field(default_factory=list)
    unchanged: list[FoundFile] = field(default_factory=list)
    removed: list[tuple[Document, Name]] = field(default_factory=list)


def full_path(name: Name) -> PurePath:
    """Where a name points; two names of one place (by different roots) are the same name."""
    return PurePath(name.root, name.path)


def find_changes(documents: Iterable[Document], files: Iterable[FoundFile], scopes: Iterable[PurePath]) -> Changes:
    """Compare the store's names with the files found below `scopes` (absolute folders or files).

    Only names below a scope can count as removed: loading one folder leaves the others alone.
    """
    known = {full_path(name): (document, name) for document in documents for name in document.names}
    changes, seen, given = Changes(), set(), list(scopes)
    for file in files:
        place = full_path(file.name)
        seen.add(place)
        if place not in known:
            changes.added.append(file)
        elif known[place][0].id != file.document_id:
            changes.changed.append(file)
        else:
            changes.unchanged.append(file)
    for place, pair in known.items():
        if place not in seen and any(place.is_relative_to(scope) for scope in given):
            changes.removed.append(pair)
    return changes

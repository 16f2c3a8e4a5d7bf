"""Which files are new, changed, removed or as before. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from urllib.parse import quote

from database.documents import WEB, Document, Name


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file on disk: its name below a root and what its bytes hash to."""

    name: Name
    document_id: str
    size: int
    copy: Path | None = None
    """Where its bytes lie, unless its name says so."""

    @property
    def source(self) -> Path:
        """Where its bytes can be read."""
        return self.copy or Path(full_path(self.name))


@dataclass(slots=True)
class Changes:
    """What a load has to do."""

    added: list[FoundFile] = field(default_factory=list)
    changed: list[FoundFile] = field(default_factory=list)
    unchanged: list[FoundFile] = field(default_factory=list)
    removed: list[tuple[Document, Name]] = field(default_factory=list)
    excluded: list[FoundFile] = field(default_factory=list)
    """At places where a person deleted a document: whatever bytes are there, they are not wanted."""


def full_path(name: Name) -> PurePath:
    """Where a name points; two names of one place (by different roots) are the same name.

    An address is one place in each collection, and no two spellings of one are taken for the same.
    """
    if name.root == WEB:
        return PurePath(WEB, name.collection, quote(name.path, safe=""))
    return PurePath(name.root, name.path)


def find_changes(documents: Iterable[Document], files: Iterable[FoundFile], scopes: Iterable[PurePath]) -> Changes:
    """Compare the store's names with the files found below `scopes` (absolute folders or files).

    Only names below a scope can count as removed: loading one folder leaves the others alone.
    """
    known = _holders(documents)
    changes, seen, given = Changes(), set(), list(scopes)
    for file in files:
        place = full_path(file.name)
        seen.add(place)
        if place in known and any(name.excluded for _, name in known[place].values()):
            changes.excluded.append(file)
        elif place not in known:
            changes.added.append(file)
        elif known[place].keys() == {file.document_id}:
            changes.unchanged.append(file)
        else:  # also when a load was killed between publishing new bytes and dropping the old ones
            changes.changed.append(file)
    for place, held in known.items():
        if place not in seen and any(place.is_relative_to(scope) for scope in given):
            changes.removed.extend(held.values())
    return changes


def _holders(documents: Iterable[Document]) -> dict[PurePath, dict[str, tuple[Document, Name]]]:
    """For each place the documents, by id, that have a name there."""
    holders: dict[PurePath, dict[str, tuple[Document, Name]]] = {}
    for document in documents:
        for name in document.names:
            holders.setdefault(full_path(name), {})[document.id] = (document, name)
    return holders

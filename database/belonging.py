"""Which collection a name belongs to: what a collection may be called, and what a load remembers of folders.

Each path that was loaded with `--collection` is an entry of the store's books, so that later loads
keep it. Of a file the nearest such path counts: itself, its folder, or one further up.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath

from database.changes import FoundFile, full_path
from database.documents import Document, Name, Record
from database.errors import WrongCollection
from database.stores import Store

KIND = "root"
"""Of the books' entries; their ids are absolute paths."""
MAX_CHARS = 64

_ALLOWED = re.compile(rf"(?!\s)[\w -]{{1,{MAX_CHARS}}}(?<!\s)")
_MARKS = re.compile(r"[^\W_]")


def check_collection(given: str) -> str:
    """A collection's name in NFC; "" is the one of everything that nobody put elsewhere. Raises `WrongCollection`."""
    name = unicodedata.normalize("NFC", given)
    # Vowel signs, of which words of many scripts are made, are no letters to `re`.
    plain = "".join("x" if unicodedata.category(c)[0] == "M" else c for c in name)
    if name and not (_ALLOWED.fullmatch(plain) and name.isprintable() and _MARKS.search(plain)):
        raise WrongCollection(
            f"{given[:100]!r} cannot be the name of a collection. Use 1 to {MAX_CHARS} letters (of any script), "
            "digits, spaces, - and _, with a letter or digit among them and no space at either end."
        )
    return name


@dataclass(frozen=True)
class Rules:
    """The collections of paths. Pure."""

    by_path: Mapping[PurePath, str] = field(default_factory=dict)

    def given(self, paths: Iterable[PurePath], collection: str | None) -> "Rules":
        """With this collection for these paths; None leaves everything as it is."""
        return self if collection is None else Rules({**self.by_path, **dict.fromkeys(paths, collection)})

    def collection_of(self, name: Name) -> str:
        """What a name on disk belongs to."""
        place = full_path(name)
        return next((self.by_path[path] for path in (place, *place.parents) if path in self.by_path), "")

    def place(self, files: Iterable[FoundFile]) -> list[FoundFile]:
        """Files with the collections of their names."""
        return [replace(f, name=replace(f.name, collection=self.collection_of(f.name))) for f in files]

    def move(self, documents: Iterable[Document], scopes: Sequence[PurePath]) -> "Moves":
        """What has names below `scopes` that belong elsewhere by now."""
        moves = Moves()
        for document in documents:
            names = tuple(self._moved(name, scopes) for name in document.names)
            if names != document.names:
                moves.documents[document.id] = replace(document, names=names)
                moves.names.extend(set(names) - set(document.names))
        return moves

    def _moved(self, name: Name, scopes: Sequence[PurePath]) -> Name:
        below = any(full_path(name).is_relative_to(scope) for scope in scopes)
        return replace(name, collection=self.collection_of(name)) if below else name


@dataclass(frozen=True)
class Moves:
    """Documents by id as they are after moving, and the names that moved."""

    documents: dict[str, Document] = field(default_factory=dict)
    names: list[Name] = field(default_factory=list)


async def read_rules(store: Store) -> Rules:
    """What earlier loads were told."""
    by_path: dict[PurePath, str] = {}
    after = ""
    while records := await store.list_records(KIND, after=after):
        by_path |= {PurePath(record.id): str(record.data["collection"]) for record in records}
        after = records[-1].id
    return Rules(by_path)


async def write_rules(store: Store, rules: Rules) -> None:
    """Remember rules, as far as they are not known."""
    known = (await read_rules(store)).by_path
    for path, collection in rules.by_path.items():
        if known.get(path) != collection:
            record = await store.get_record(KIND, str(path)) or Record(KIND, str(path), {})
            await store.put_record(replace(record, data={"collection": collection}))


async def write_moves(store: Store, moves: Moves) -> None:
    """Move names of documents, which may have changed otherwise meanwhile."""
    collections = {full_path(name): name.collection for name in moves.names}
    for document in await store.get_documents([*moves.documents]):
        names = [replace(n, collection=collections.get(full_path(n), n.collection)) for n in document.names]
        await store.put_names(document.id, names)

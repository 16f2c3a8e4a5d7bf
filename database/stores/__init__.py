"""Where the index lives: one protocol, one file for each store, and the factory."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Protocol

from database.documents import (
    Candidates,
    Chunk,
    Contents,
    Counts,
    Document,
    IndexRecord,
    Name,
    Page,
    Record,
    SearchQuery,
    Vector,
    Window,
)
from database.settings import IndexSettings


class Generation(Protocol):
    """Contents of all documents, made by one embedder, chunker and analyser, with their index record.

    Every `Store` is the one that answers; `Store.open_next` gives the one that is made beside it.
    """

    async def wait_until_searchable(self, document_ids: Sequence[str]) -> None:
        """Return when searches find these documents' windows (MongoDB lags; SQLite does not)."""

    async def write_index(self, record: IndexRecord) -> None:
        """Replace the index record."""

    async def list_documents(self) -> list[Document]:
        """Every document, excluded and failed ones included, ordered by id."""

    async def put_document(self, document: Document) -> None:
        """Write a record alone (queued or failed, or other names); contents stay as they are."""

    async def publish(self, document: Document, contents: Contents) -> None:
        """Write contents under `document.version`, then the record (the commit), then drop what
        other versions left. Readers see the old whole or the new whole. Repeating is harmless.
        Contents without vectors are found by words and grams only."""

    async def sample_windows(self, limit: int) -> list[Window]:
        """The `limit` windows with the smallest ids. Ids are hashes, so this is a fixed random
        sample, the same on every store."""


class Files(Protocol):
    """Originals of documents, kept in the store for every machine. All methods may raise `StoreError`."""

    async def put(self, document_id: str, path: Path, ending: str) -> None:
        """Keep the file at `path`, whole or not at all, unless it is kept; copies of it will end so."""

    async def fetch(self, document_id: str, find_place: Callable[[str], Path]) -> Path | None:
        """Write a document's original to where `find_place` wants a file with its ending; None without
        any. Raises `ReadError` for one that is damaged."""

    async def find(self, document_ids: Collection[str] | None = None) -> set[str]:
        """Which of these documents (None: of all) have their originals here."""

    async def drop(self, document_id: str) -> None:
        """Forget a document's original."""

    async def find_old(self) -> set[str]:
        """Documents whose originals are here for an hour or longer."""

    async def sweep(self) -> None:
        """Drop what killed writers left, once it is an hour old."""


class Store(Generation, Protocol):
    """Documents, pages, chunks and windows, and the views that search windows and pages.

    A document's record is the commit: searches and reads see only windows, chunks and pages of
    the version that its record names, and only of documents with a visible name. All methods may
    raise `StoreError` or one of its kinds; none blocks the event loop.
    """

    kind: str
    """"sqlite" or "mongodb"."""
    files: Files | None
    """Where originals are kept for every machine; None in a store that is one machine's."""

    async def open(self) -> None:
        """Connect and create what is missing (collections, tables, ordinary indexes)."""

    async def aclose(self) -> None:
        """Release everything."""

    async def check(self) -> None:
        """Return when searches can be answered; raise `StoreError` saying what to do otherwise."""

    async def prepare(self, record: IndexRecord) -> None:
        """Make searching possible for this dimension (MongoDB: create the search indexes)."""

    async def read_index(self) -> IndexRecord | None:
        """The index record, or None in a fresh store."""

    async def get_document(self, document_id: str) -> Document | None:
        """One document by id."""

    async def get_documents(self, document_ids: Sequence[str]) -> list[Document]:
        """Those of these documents that there are, ordered by id."""

    async def read_whole(self, document_id: str) -> tuple[Document, Contents | None] | None:
        """A document, searchable or not, and its contents if some were published, both of one moment."""

    async def put_names(self, document_id: str, names: Sequence[Name]) -> Document | None:
        """Give a document these names and nothing else, whatever is being published meanwhile; its
        record, or None when there is none."""

    async def remove_document(self, document_id: str) -> None:
        """Make it unfindable at once (the record goes first), then drop its contents."""

    async def sweep(self) -> int:
        """Drop contents that no record names (left by a killed load); how many windows went."""

    async def get_page(self, document_id: str, number: int) -> Page | None:
        """One page of the published version."""

    async def get_chunks(self, chunk_ids: Sequence[str]) -> list[Chunk]:
        """Published chunks in the order asked; unknown ids are left out."""

    async def search(self, query: SearchQuery) -> Candidates:
        """Each view's best windows, or pages by their first windows, of visible, published documents
        that the filters leave, best first, ties by window id."""

    async def read_vectors(self, document_id: str) -> dict[str, Vector]:
        """The vectors of a document's windows by their texts."""

    async def count(self) -> Counts:
        """Searchable documents, their chunks and windows."""

    async def read_next(self) -> IndexRecord | None:
        """The record of the generation that is being made beside the one that answers, if one is."""

    async def open_next(self, record: IndexRecord) -> Generation:
        """The generation that `record` describes, as yet unseen: the unfinished one if it has the
        same `made_by`, which is dropped otherwise, or else an empty one. Its `put_document` and
        `publish` leave names alone and pass over documents that have been removed meanwhile."""

    async def switch(self) -> None:
        """Let the next generation answer, whole and at once. Names are those of now; documents that
        it lacks are queued. The one before is no longer seen."""

    async def drop_old(self) -> bool:
        """Drop what the generations before the one that answers left; whether there was anything."""

    async def get_record(self, kind: str, record_id: str) -> Record | None:
        """One entry of the books, which no generation of the index touches."""

    async def list_records(self, kind: str, *, after: str = "", limit: int = 1000) -> list[Record]:
        """At most `limit` entries of a kind with ids past `after`, by id."""

    async def put_record(self, record: Record) -> Record:
        """Insert an entry of revision 0, or replace the one whose revision is `record.revision`;
        the entry with its new revision. Raises `RecordConflict` when the store has another one."""

    async def remove_record(self, kind: str, record_id: str) -> bool:
        """Forget an entry; whether there was one."""

    async def claim_record(self, kind: str, holder: str, lease_s: float, now: float) -> Record | None:
        """Give the first entry by id that is open, due and not leased to `holder` for `lease_s`
        seconds from `now`, atomically: two claimers never get the same one. None without any."""


def make_store(settings: IndexSettings) -> Store:
    """The store that `MONGODB_URI` chooses: MongoDB when set, the embedded one when empty."""
    if settings.mongodb_uri:
        from database.stores.mongo import MongoStore

        return MongoStore(settings)
    from database.stores.sqlite import SqliteStore

    return SqliteStore(settings.data_dir / "index.sqlite")


__all__ = ["Files", "Name", "Store", "make_store"]

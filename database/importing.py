"""`--import`: what an export holds into a store, as far as it is not there."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from database.archive import Archive, open_archive, require_room
from database.backup import Carried
from database.documents import Contents, Document, IndexRecord, Vector
from database.errors import ArchiveError, IndexMismatch
from database.index import check_schema, describe_index
from database.originals import KeptOriginals
from database.plan import join_names
from database.stores import Store
from database.transfer import BOOK, FORMAT, KINDS, MEMBERS, RECORD, STORED, VERSION, Stored, read

MAX_JSON = 1 << 30
"""Bytes of one document without its vectors."""


async def bring_in(store: Store, data_dir: Path, path: Path) -> Carried:
    """Add what the file at `path` holds to an open store, as far as it is not there. The caller holds the
    lock of loads. Raises `AcervoError`.

    Documents come one after the other, each whole, so that an importing that was killed is finished by
    the next. What the store has already stays: names are added, entries of the books are left alone.
    """
    with open_archive(path, FORMAT, VERSION, MEMBERS) as archive:
        require_room(data_dir, sum(map(archive.size, archive.names)))
        record = await _open_index(store, read(RECORD, archive.about.get("index"), path))
        importer = _Importer(store, KeptOriginals(data_dir, store.files), archive)
        imported = Carried()
        for name in archive.names:
            if name.endswith(".json") and name.startswith("documents/"):
                await importer.add_document(name, imported)
        for name in archive.names:
            if name.startswith("books/"):
                await importer.add_entries(name)
    await store.wait_until_searchable([document.id for document in await store.list_documents()])
    await store.sweep()
    await describe_index(store, record)
    return imported


async def _open_index(store: Store, record: IndexRecord) -> IndexRecord:
    """The record of the store's index, which is made like the exported one where there is none."""
    known = await store.read_index()
    if await store.read_next() is not None:
        raise IndexMismatch("The index is being rebuilt. First let `python database/main.py` finish that.")
    if known is not None:
        check_schema(known)
        if record.schema != known.schema:
            raise IndexMismatch(
                "The export was made by another version of Acervo. Import into an empty store, and type "
                "`python database/main.py --reindex` then, which keeps the vectors."
            )
    if known is not None and known.made_by != record.made_by:
        raise IndexMismatch(
            f"The export was made by {record.embedder} and {record.chunker}, this index by {known.embedder} and "
            f"{known.chunker}. Import into an empty store, or rebuild this one with the same EMBEDDER."
        )
    opened = replace(known or replace(record, generation=1), settled=False)
    await store.write_index(opened)
    await store.prepare(opened)
    return opened


class _Importer:
    """Brings the members of one archive into one store."""

    def __init__(self, store: Store, originals: KeptOriginals, archive: Archive):
        self._store, self._originals, self._archive = store, originals, archive
        self._files = {Path(name).stem: name for name in archive.names if name.startswith("files/")}

    async def add_document(self, name: str, imported: Carried) -> None:
        """Bring in a document: its original, then contents and record, as far as they are missing."""
        stored = self._read_document(name)
        document = stored.document
        kept = self._keep_original(document.id)
        await self._originals.put(document.id)
        imported.documents += 1
        imported.originals += kept
        imported.missing.extend([] if kept else [document.id])
        known = await self._store.get_document(document.id)
        names = join_names(known.names, document.names) if known else document.names
        if known is not None and (not stored.contents or _is_ahead(known, document)):
            if names != known.names:
                await self._store.put_names(document.id, names)
            return
        document = replace(document, names=names, added_at=known.added_at if known else document.added_at)
        if stored.contents:
            vectors = self._read_vectors(name, stored)
            contents = Contents(stored.pages, stored.chunks, stored.windows, vectors, stored.page_terms)
            await self._store.publish(document, contents)
        else:
            await self._store.put_document(document)

    async def add_entries(self, name: str) -> None:
        """Bring in entries of the books that are not there."""
        for record in read(BOOK, self._archive.read(name), self._archive.path):
            if record.kind in KINDS and await self._store.get_record(record.kind, record.id) is None:
                await self._store.put_record(replace(record, holder="", lease_until=0.0, revision=0))

    def _read_document(self, name: str) -> Stored:
        if self._archive.size(name) > MAX_JSON:
            raise ArchiveError(f"{self._archive.path}: {name} is larger than a document can be.")
        stored = read(STORED, self._archive.read(name), self._archive.path)
        if f"documents/{stored.document.id}.json" != name:
            raise ArchiveError(f"{self._archive.path}: {name} is of another document.")
        return stored

    def _read_vectors(self, name: str, stored: Stored) -> Vector | None:
        if not stored.dimension:
            return None
        rows = np.frombuffer(self._archive.read(name.replace(".json", ".f32")), "<f4").astype(np.float32)
        if rows.size != stored.dimension * len(stored.windows):
            raise ArchiveError(f"{self._archive.path}: the vectors of {name} are not those of its windows.")
        return rows.reshape(len(stored.windows), stored.dimension)

    def _keep_original(self, document_id: str) -> bool:
        """Whether the original is kept by now."""
        kept = self._originals.local.path(document_id)
        name = self._files.get(document_id, "")
        if name and not kept.is_file():
            kept = self._originals.local.place(document_id, Path(name).suffix)
        offered = name and self._archive.digest(name) == document_id
        if offered and not (kept.is_file() and kept.stat().st_size == self._archive.size(name)):
            self._archive.copy(name, kept)
        return kept.is_file()


def _is_ahead(known: Document, document: Document) -> bool:
    """Whether the store has at least what the file has of a document."""
    return known.whole and (known.state == "ready" or known.state == document.state)

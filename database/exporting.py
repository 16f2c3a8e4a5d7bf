"""`--export`: everything that a store holds into one file, whose format `transfer.py` tells."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from database.archive import ArchiveWriter, write_archive
from database.backup import Carried
from database.errors import AcervoError, ReadError
from database.index import check_schema
from database.originals import KeptOriginals
from database.stores import Store
from database.transfer import BOOK, BOOK_ROWS, FORMAT, KINDS, STORED, VERSION, Stored


async def export(store: Store, data_dir: Path, path: Path, force: bool = False) -> Carried:
    """Write all of an open store to `path`. Raises `AcervoError`; then nothing is left there."""
    record = await store.read_index()
    if record is None:
        raise AcervoError("There is nothing to export yet: no documents are loaded.")
    check_schema(record)
    about = {"format": FORMAT, "version": VERSION, "store": store.kind, "index": asdict(record)}
    originals, exported = KeptOriginals(data_dir, store.files), Carried()
    with write_archive(path, about, force) as archive:
        for document in await store.list_documents():
            await _export_document(archive, store, originals, document.id, exported)
        for kind in KINDS:
            await _export_book(archive, store, kind)
        if (now := await store.read_index()) is None or now.generation != record.generation:
            raise AcervoError("The index was rebuilt while it was exported. Export it again.")
    return exported


async def _export_document(
    archive: ArchiveWriter, store: Store, originals: KeptOriginals, document_id: str, exported: Carried
) -> None:
    try:
        async with originals.borrow(document_id) as path:
            kept = archive.add_original(path, document_id)
    except (FileNotFoundError, ReadError):
        kept = False
    # Read after its original: what is there no more by now was deleted, and its original with it.
    found = await store.read_whole(document_id)
    if found is None:
        return
    document, contents = found
    archive.add(f"documents/{document_id}.json", STORED.dump_json(Stored.of(document, contents)))
    if contents is not None and contents.vectors is not None:
        archive.add(f"documents/{document_id}.f32", np.ascontiguousarray(contents.vectors, "<f4").tobytes())
    exported.documents += 1
    exported.originals += kept
    exported.missing.extend([] if kept else [document_id])


async def _export_book(archive: ArchiveWriter, store: Store, kind: str) -> None:
    number, after = 0, ""
    while records := await store.list_records(kind, after=after, limit=BOOK_ROWS):
        entries = [replace(record, holder="", lease_until=0.0, revision=0) for record in records]
        archive.add(f"books/{kind}/{number:06}.json", BOOK.dump_json(entries))
        number, after = number + 1, records[-1].id

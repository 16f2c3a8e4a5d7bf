"""One document from its file to the index: keep the original, read, build, publish by stages.

    received ─► text    plain text of all pages, found by words and grams within seconds
             ─► layout  pages with headings and tables, found by words and grams
             ─► ready   with vectors

The loader goes straight to the last stage; the server's queue publishes each. Both end with the same contents.
"""

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from database import analysis, chunking
from database.build import SILENT, Builder, Progress
from database.documents import Contents, Document, IndexRecord, Name, Reading, Record, make_title
from database.embedders import Embedder
from database.formats import format_of, kept_ending
from database.index import check_dimension, check_record, make_record
from database.originals import KeptOriginals
from database.plan import Versions, exclude, join_names, without
from database.readers import DocumentReader
from database.readers.opening import read_start
from database.settings import IndexSettings
from database.stores import Store
from database.unbroken import unbroken

ERASURE = "erasure"
"""The kind of the books' entries that name deleted documents, by their ids, and the collections of the
names that were deleted."""


def erased_from(record: Record) -> tuple[str, ...] | None:
    """The collections that an entry of kind ERASURE names; None, as older versions wrote it, for all."""
    collections = record.data.get("collections")
    return None if collections is None else tuple(collections)


class Ingester:
    """Puts documents into one open store with one open embedder."""

    def __init__(self, settings: IndexSettings, store: Store, embedder: Embedder):
        self._store, self._embedder = store, embedder
        self.reader = DocumentReader(settings)
        self.originals = KeptOriginals(settings.data_dir, store.files)
        self.builder = Builder(embedder)
        self.versions = make_versions(self.reader.fingerprints, embedder.name)

    async def warm_up(self) -> None:
        """Open the embedder and, side by side, load what the first documents would wait for. Raises `EmbedderError`."""
        await asyncio.gather(self._embedder.open(), self.reader.warm_up(), asyncio.to_thread(self.builder.warm_up))

    async def make(
        self, document: Document, source: Path | None = None, progress: Progress = SILENT
    ) -> tuple[Document, Contents]:
        """A document as it is published in the end; `source` is copied unless the original is kept
        already. Raises `ReadError`, `EmbedderError`."""
        original = await self.keep(document, source)
        draft, contents = await self._outline(document, original, progress)
        return await self._complete(draft, contents, progress)

    async def make_by_stages(self, document: Document, progress: Progress) -> Document:
        """Publish a document whose original is kept: text, layout, ready. Stages that it has are left out."""
        original = await self.originals.find(document.id)
        await self.make_text(document, progress)
        draft, contents = await self._outline(document, original, progress)
        if document.state not in ("layout", "ready"):
            staged = self._staged(draft, "layout")
            await progress.published(await self.publish(staged, contents, named=True))
        ready = await self.publish(*await self._complete(draft, contents, progress), named=True)
        await progress.published(ready)
        return ready

    async def make_text(self, document: Document, progress: Progress) -> None:
        """Publish the first stage of a document that has none yet."""
        if document.whole:
            return
        original = await self.originals.find(document.id)
        reading = await self.reader.read_plain(original, document.id, lambda done, total: progress.pages(0, total))
        if reading is not None:
            await self._publish_text(document, name_reading(reading, document, original), progress)

    async def publish(self, document: Document, contents: Contents, named: bool = False) -> Document:
        """Publish under the names that the document has by now, to which those of `document` are added, unless it was
        `named` before: what was taken from it since then stays away. Cancelling waits for the end."""
        return await unbroken(self._publish(document, contents, named))

    async def _publish(self, document: Document, contents: Contents, named: bool) -> Document:
        known = await self._store.get_document(document.id)
        if known is not None:
            names = known.names if named else join_names(known.names, document.names)
            document = replace(document, names=names)
        await self.originals.put(document.id)
        await self._store.publish(document, contents)
        if erasure := await self._store.get_record(ERASURE, document.id):  # somebody deleted it meanwhile
            document = exclude(document, collections=erased_from(erasure))
            await self._store.put_names(document.id, document.names)
        return document

    async def fail(self, document: Document, reason: str) -> Document:
        """Record that a document cannot be read."""
        known = document if document.version else replace(document, format=format_of(document.name))
        failed = replace(known, state="failed", reason=reason, version=self.versions.of(known).reader)
        failed = replace(failed, title=failed.title or make_title(document.name))
        await self.originals.put(failed.id)
        await self._store.put_document(failed)
        return failed

    async def drop_name(self, document: Document, name: Name) -> Document | None:
        """Take a name from a document; without any left it is forgotten, and the result is None."""
        document = without(document, name)
        if document.names:
            await self._store.put_names(document.id, document.names)
            return document
        # The record goes last: what is killed in between is found again and finished.
        await self.forget(document.id)
        await self._store.remove_document(document.id)
        return None

    async def forget(self, document_id: str) -> None:
        """Drop the original of a document and what is cached of it."""
        await self.originals.drop(document_id)
        await asyncio.to_thread(self.reader.forget, document_id)

    async def keep(self, document: Document, source: Path | None = None) -> Path:
        """Where the original lies, to which `source` is copied unless it is there. Raises `ReadError`."""
        if source is None:
            return await self.originals.find(document.id)
        ending = await self.find_ending(source)
        return await self.originals.keep(source, document.id, ending)

    async def adopt(self, part: Path, document_id: str, name: str) -> None:
        """Take over a file in DATA_DIR, called `name`, whose bytes are known to hash to this id. Raises `ReadError`."""
        ending = await self.find_ending(part, name)
        await self.originals.adopt(part, document_id, ending)

    async def send(self, part: Path, document_id: str, name: str) -> None:
        """Let the store have a file that `adopt` will take over. Raises `ReadError`, `StoreError`."""
        await self.originals.send(part, document_id, await self.find_ending(part, name))

    async def find_ending(self, source: Path, name: str = "") -> str:
        """How the original of a file, called `name` if not as its path tells, is to end. Raises `ReadError`."""
        format_name = await self.reader.find_format(source, name)
        return kept_ending(format_name, await asyncio.to_thread(read_start, source))

    async def _publish_text(self, document: Document, reading: Reading, progress: Progress) -> None:
        draft, contents = await self.builder.outline(document, reading)
        if contents.windows:
            draft = self._staged(replace(draft, state="text"), "text")
            await progress.published(await self.publish(draft, contents, named=True))

    async def _outline(self, document: Document, original: Path, progress: Progress) -> tuple[Document, Contents]:
        reading = await self.reader.read(original, document.id, progress.pages)
        return await self.builder.outline(document, name_reading(reading, document, original))

    async def _complete(self, draft: Document, contents: Contents, progress: Progress) -> tuple[Document, Contents]:
        document, contents = await self.builder.complete(draft, contents, progress)
        return replace(document, version=self.versions.of(document).contents), contents

    def _staged(self, draft: Document, stage: str) -> Document:
        return replace(draft, version=f"{self.versions.of(draft).contents}-{stage}")


async def open_index(store: Store, embedder: Embedder) -> IndexRecord:
    """The record of the index, which is made when there is none. The embedder is open.

    Raises `IndexMismatch` or another `StoreError`.
    """
    record = await store.read_index()
    if record is not None:
        check_record(record, embedder)
    else:
        record = make_record(embedder)
        await store.write_index(record)
    await store.prepare(record)
    check_dimension(record, embedder)
    return record


def make_versions(readers: Mapping[str, str], embedder: str) -> Versions:
    """The versions of what these readers, by formats, and this embedder make."""
    made = {name: _version(reader, embedder) for name, reader in readers.items()}
    return replace(made["pdf"], others=made)


def _version(reader: str, embedder: str) -> Versions:
    made_by = (reader, chunking.FINGERPRINT, analysis.FINGERPRINT, embedder)
    return Versions(hashlib.sha256("\0".join(made_by).encode()).hexdigest()[:16], reader)


def name_reading(reading: Reading, document: Document, original: Path) -> Reading:
    """A reading whose title, where the pages gave none, is the document's own name and not its copy's."""
    return replace(reading, title=make_title(document.name)) if reading.title == original.stem else reading

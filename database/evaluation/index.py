"""The index that questions are put to: a throw-away one made from a corpus, or the present one.

With a folder to keep it in, converted pages and the index stay, so that the next evaluation of the
same corpus begins at once. Whatever decides what an index holds is part of its name there.
"""

import hashlib
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from database import analysis, chunking
from database.build import Builder
from database.documents import Document, Name, Reading
from database.embedders import Embedder, make_embedder
from database.errors import QuestionsError
from database.evaluation.bounded import run_bounded
from database.evaluation.corpus import Corpus, PassageCorpus, PassageDocument, PdfCorpus
from database.index import SCHEMA, describe_index, make_record
from database.load import Loader, LoadOptions
from database.lock import load_lock
from database.readers import DocumentReader
from database.report import Reporter
from database.rerankers import Reranker, make_reranker
from database.settings import IndexSettings
from database.stores import Store, make_store

AT_ONCE = 4
"""Documents made of passages at the same time."""
DATABASE = "acervo_eval_"
"""Throw-away databases on MongoDB begin with this."""
VERSION = "1"
"""Of the contents that are made of passages."""


@dataclass(frozen=True, slots=True)
class Index:
    """An open index. `skipped` are files that could not be read, with the reasons."""

    store: Store
    embedder: Embedder
    reranker: Reranker | None
    documents: Sequence[Document]
    skipped: dict[str, str]
    seconds: float = 0.0
    """That loading took."""

    @property
    def made_by(self) -> dict[str, str]:
        """What decides what the index holds, and in which order it is found."""
        reranker = self.reranker.name if self.reranker else ""
        made_by = {"store": self.store.kind, "embedder": self.embedder.name, "reranker": reranker}
        return made_by | {"chunker": chunking.FINGERPRINT, "analyser": analysis.FINGERPRINT}


@asynccontextmanager
async def open_present(settings: IndexSettings) -> AsyncIterator[Index]:
    """The index that the settings name. Raises `QuestionsError` when nothing is loaded."""
    async with _open(settings, settings) as (store, embedder, reranker):
        documents = await store.list_documents() if await store.read_index() else []
        if not any(document.searchable for document in documents):
            raise QuestionsError("Nothing is loaded. Load documents with `make load`, or name a --corpus.")
        await embedder.open()
        yield Index(store, embedder, reranker, documents, {})


@asynccontextmanager
async def open_throwaway(
    settings: IndexSettings, corpus: Corpus, folder: Path, keep: bool, reporter: Reporter
) -> AsyncIterator[Index]:
    """An index of `corpus` in `folder`, or in a database of its own on the MongoDB that the settings name.

    That database is dropped at the end unless it is to be kept; the folder is the caller's.
    """
    started = time.monotonic()
    name = _name_index(settings, corpus) + ("" if keep else secrets.token_hex(4))
    cache = settings.model_copy(update={"data_dir": folder, "mongodb_db": f"{DATABASE}{name}"})
    home = cache.model_copy(update={"data_dir": folder / f"index-{name}"})
    async with (
        load_lock(home.data_dir, reporter.say),
        _dropped(home, keep),
        _open(home, cache) as (store, embedder, reranker),
    ):
        skipped: dict[str, str] = {}
        if isinstance(corpus, PdfCorpus):
            loader = Loader(cache, store, embedder, reporter)
            skipped = (await loader.load(LoadOptions(corpus.paths))).skipped
            await embedder.open()
        else:
            await embedder.open()
            await _load_passages(corpus, store, embedder)
        yield Index(store, embedder, reranker, await store.list_documents(), skipped, time.monotonic() - started)


@asynccontextmanager
async def _open(home: IndexSettings, cache: IndexSettings) -> AsyncIterator[tuple[Store, Embedder, Reranker | None]]:
    """The store and what searches it; the embedder is opened when something is to be embedded."""
    store, embedder, reranker = make_store(home), make_embedder(cache), make_reranker(cache)
    try:
        await store.open()
        if reranker is not None:
            await reranker.open()
        yield store, embedder, reranker
    finally:
        if reranker is not None:
            await reranker.aclose()
        await embedder.aclose()
        await store.aclose()


@asynccontextmanager
async def _dropped(settings: IndexSettings, keep: bool) -> AsyncIterator[None]:
    """Drop the throw-away database, if there is one, on the way out."""
    try:
        yield
    finally:
        if settings.mongodb_uri and not keep:
            from database.stores.mongo_client import Connection

            connection = Connection(settings)
            await connection.open()
            database = connection.database
            await connection.call(lambda: database.client.drop_database(database.name))
            connection.close()


def _name_index(settings: IndexSettings, corpus: Corpus) -> str:
    """16 hex digits that change with the corpus and with all that decides what its index holds."""
    reader = DocumentReader(settings).fingerprint
    made_by = (corpus.key, str(SCHEMA), VERSION, settings.embedder, chunking.FINGERPRINT, analysis.FINGERPRINT, reader)
    return hashlib.sha256("\0".join(made_by).encode()).hexdigest()[:16]


async def _load_passages(corpus: PassageCorpus, store: Store, embedder: Embedder) -> None:
    """Publish what is not there yet, as a load does with files."""
    record = await store.read_index()
    if record is not None and record.settled:
        return
    record = replace(record or make_record(embedder), settled=False)
    await store.write_index(record)
    await store.prepare(record)
    builder = Builder(embedder)

    async def publish(passages: PassageDocument) -> None:
        reading = Reading(passages.title, passages.pages)
        size = sum(len(page.text.encode()) for page in passages.pages)
        document = Document(passages.id, passages.title, (Name("passages", passages.name),), size)
        document, contents = await builder.build(document, reading)
        await store.publish(replace(document, version=VERSION), contents)

    await run_bounded(AT_ONCE, publish, corpus.documents)
    await store.wait_until_searchable([document.id for document in corpus.documents])
    await describe_index(store, record)

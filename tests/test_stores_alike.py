"""Both stores put the same passages first: a generated corpus, asked through each."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from database.analysis import find_common, grams, query_terms
from database.documents import Chunk, Contents, Document, Filters, Name, Page, SearchQuery, Window
from database.fusion import fuse
from database.page_terms import asked_pairs, make_page_terms
from database.settings import IndexSettings
from database.stores import Store
from database.stores.mongo import MongoStore
from database.stores.sqlite import SqliteStore
from tests.fakes.mongod import FakeMongod
from tests.store_documents import RECORD, digest, publish, unit_vectors

DOCUMENTS, PAGES, WINDOWS_A_PAGE, QUESTIONS, TOP = 8, 5, 6, 40, 5
ALIKE = 0.95

RANDOM = np.random.default_rng(11)
SYLLABLES = [a + b for a in "bcdlmnprst" for b in ("a", "e", "io", "or")]
WORDS = ["".join(RANDOM.choice(SYLLABLES, size)) for size in RANDOM.integers(1, 5, 1500)]


def draw(count: int) -> str:
    """Words of which few are frequent and most rare."""
    return " ".join(WORDS[int(n) % len(WORDS)] for n in RANDOM.zipf(1.3, count))


def make_document(number: int) -> tuple[Document, Contents]:
    """Pages of windows of unequal length; every third document has no vectors."""
    document_id = digest(number)
    texts = [[draw(n) for n in RANDOM.integers(6, 40, WINDOWS_A_PAGE)] for _ in range(PAGES)]
    pages = [Page(n, "\n".join(rows), "text") for n, rows in enumerate(texts, 1)]
    places = [(page, row) for page, rows in enumerate(texts, 1) for row in rows]
    keys = [digest(number, n)[:32] for n in range(len(places))]
    chunks = [
        Chunk(f"c{key}", document_id, page, n, "", row, 0, 9)
        for n, (key, (page, row)) in enumerate(zip(keys, places, strict=True))
    ]
    windows = [
        Window(key, f"c{key}", document_id, page, "", row, row, " ".join(grams(row)))
        for key, (page, row) in zip(keys, places, strict=True)
    ]
    vectors = unit_vectors(document_id, len(windows)) if number % 3 else None
    document = Document(
        document_id, f"report {number}", (Name("pdf", f"{number}.pdf"),), 1, "xx", PAGES, state="ready", version="v1"
    )
    document = replace(document, window_count=len(windows), chunk_count=len(chunks))
    return document, Contents(pages, chunks, windows, vectors, make_page_terms(pages, "", ""))


def make_queries(corpus: list[tuple[Document, Contents]]) -> Iterator[SearchQuery]:
    """Some words of a passage, one of them mistyped, beside words from anywhere; common ones left out."""
    windows = [window for _, contents in corpus for window in contents.windows]
    common = [frozenset(find_common([getattr(w, view) for w in windows], 0.1)) for view in ("words", "grams")]
    for number in range(QUESTIONS):
        words = [*RANDOM.choice(windows[int(RANDOM.integers(len(windows)))].words.split(), 5), *draw(3).split()]
        asked = " ".join(words[1:]) + f" {words[0]}x"
        terms = query_terms(asked.split(), common[0]), query_terms(grams(asked), common[1])
        filters = Filters(first_page=2, last_page=4) if number % 4 == 0 else Filters()
        pairs = asked_pairs(asked, "", common[0])
        yield SearchQuery(unit_vectors(asked, 1)[0], *terms, filters, pairs=pairs)


@asynccontextmanager
async def open_filled(store: Store, corpus: list[tuple[Document, Contents]]) -> AsyncIterator[Store]:
    await store.open()
    await store.prepare(RECORD)
    await store.write_index(RECORD)
    await publish(store, *corpus)
    yield store
    await store.aclose()


@pytest.mark.timeout(300)
async def test_both_stores_put_the_same_passages_first(tmp_path: Path) -> None:
    corpus = [make_document(number) for number in range(DOCUMENTS)]
    shared, differing = [], []
    async with FakeMongod() as server:
        mongo = MongoStore(IndexSettings.load(mongodb_uri=server.uri, data_dir=tmp_path))
        sqlite = SqliteStore(tmp_path / "index.sqlite")
        async with open_filled(sqlite, corpus), open_filled(mongo, corpus):
            for query in make_queries(corpus):
                found = [await store.search(query) for store in (sqlite, mongo)]
                first, second = ([row[0] for row in fuse(candidates)[:TOP]] for candidates in found)
                shared.append(len({*first} & {*second}) / TOP)
                differing.append(first[0] != second[0])
    assert np.mean(shared) >= ALIKE
    assert np.mean(differing) <= 1 - ALIKE

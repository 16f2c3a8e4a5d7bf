"""What every store must give of a document as a whole: all that was published, in its order, seen or not."""

from dataclasses import replace

import numpy as np

from database.documents import Contents, Document, Name, Page
from database.stores import Store
from tests.store_documents import digest, make_document, publish
from tests.views_contract import with_pages


async def check(store: Store, document: Document, contents: Contents) -> None:
    """Assert that a document comes back with these contents."""
    found = await store.read_whole(document.id)
    assert found is not None and found[0] == document and found[1] is not None
    given, vectors = replace(found[1], vectors=None), found[1].vectors
    assert given == replace(contents, vectors=None)
    if contents.vectors is None or not len(contents.windows):
        assert vectors is None
    else:
        assert vectors is not None and vectors.dtype == np.float32
        assert np.array_equal(vectors, np.asarray(contents.vectors))


class WholesContract:
    """Inherited by the contract of stores."""

    async def test_all_of_a_document_comes_back_in_its_order(self, store: Store) -> None:
        document, contents = with_pages(make_document("a", [f"gato {n}" for n in range(7)]))
        # A chunk of several windows, whose ids say nothing of their order.
        twice = [replace(w, id=digest("second", w.id)[:32], text=w.text + " more") for w in contents.windows]
        windows = [w for pair in zip(contents.windows, twice, strict=True) for w in pair]
        vectors = np.repeat(np.asarray(contents.vectors), 2, axis=0)[::-1].copy()
        contents = replace(contents, windows=windows, vectors=vectors)
        await publish(store, (replace(document, window_count=len(windows)), contents))
        await check(store, replace(document, window_count=len(windows)), contents)

    async def test_also_what_no_search_finds(self, store: Store) -> None:
        document, contents = with_pages(make_document("a", ["gato", "rato"]))
        names = (Name("pdf", "a.pdf", excluded=True, collection="board"),)
        await publish(store, (document, contents))
        await store.put_names(document.id, names)
        await check(store, replace(document, names=names), contents)

    async def test_without_vectors_or_without_text(self, store: Store) -> None:
        plain, contents = with_pages(make_document("a", ["gato", "rato"]))
        contents = replace(contents, vectors=None)
        await store.publish(replace(plain, state="text"), contents)
        await check(store, replace(plain, state="text"), contents)
        scan, nothing = make_document("scan", [])
        nothing = replace(nothing, pages=[Page(1, "", "nothing"), Page(2, "", "nothing")], page_terms=[])
        await store.publish(scan, nothing)
        await check(store, scan, nothing)

    async def test_where_nothing_is_published(self, store: Store) -> None:
        failed = Document(digest("f"), "", (Name("pdf", "f.pdf"),), 1, state="failed", reason="damaged", version="r1")
        await store.put_document(failed)
        assert await store.read_whole(failed.id) == (failed, None)
        assert await store.read_whole(digest("unknown")) is None
        document, contents = make_document("a", ["gato"])
        await store.publish(document, contents)
        await store.put_document(replace(document, version="v2"))
        assert await store.read_whole(document.id) == (replace(document, version="v2"), None)

"""What every store must do. A test class inherits `StoreContract` and provides `open_store`.

Nothing here knows a store's insides: documents are made of a few words and of seeded vectors, and
what a search must find is worked out with numpy.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import numpy as np
import pytest

from database.documents import (
    Block,
    Counts,
    Document,
    Filters,
    Name,
    Page,
)
from database.errors import StoreError
from database.stores import Store
from tests.collections_contract import CollectionsContract
from tests.generations_contract import GenerationsContract
from tests.records_contract import RecordsContract
from tests.store_documents import (
    RECORD,
    ask,
    digest,
    found_anywhere,
    ids,
    make_document,
    publish,
    unit_vectors,
    window_ids,
)
from tests.views_contract import ViewsContract
from tests.wholes_contract import WholesContract

OpenStore = Callable[[], Awaitable[Store]]

ODD_TEXT = "Ação “é” ﬁm\u2028segunda linha\u2029 \U0001f600 \x0b fim\r\n"


class StoreContract(RecordsContract, GenerationsContract, ViewsContract, CollectionsContract, WholesContract):
    """Inherit it and provide the fixture `open_store`: a function that gives a new, opened store
    object on the same data at each call, and whose stores are closed (and data dropped) after the test."""

    @pytest.fixture
    def open_store(self) -> OpenStore:
        raise NotImplementedError("the inheriting class provides open_store")

    @pytest.fixture
    async def fresh(self, open_store: OpenStore) -> Store:
        """An opened store that nothing has been written to."""
        return await open_store()

    @pytest.fixture
    async def store(self, fresh: Store) -> Store:
        """A store that documents can be published to."""
        await fresh.prepare(RECORD)
        await fresh.write_index(RECORD)
        return fresh

    # Opening, and the index record

    async def test_a_fresh_store_is_empty(self, fresh: Store) -> None:
        assert await fresh.read_index() is None
        assert await fresh.list_documents() == []
        assert await fresh.count() == Counts(0, 0, 0)
        assert await fresh.get_document(digest("a")) is None
        assert await fresh.get_page(digest("a"), 1) is None
        assert await fresh.get_chunks(["nothing"]) == []
        assert await fresh.sample_windows(5) == []
        assert await fresh.sweep() == 0
        found = await fresh.search(ask("word", vector=unit_vectors("q", 1)[0], grams=("word",)))
        assert (ids(found.vector), ids(found.words), ids(found.grams)) == ([], [], [])

    async def test_a_prepared_store_passes_its_check(self, store: Store) -> None:
        await store.check()
        await store.prepare(RECORD)
        await store.check()

    async def test_index_record_round_trip(self, fresh: Store, open_store: OpenStore) -> None:
        await fresh.write_index(RECORD)
        assert await fresh.read_index() == RECORD
        changed = replace(RECORD, generation=7, common_words=("de", "ação"), common_grams=("ação", "de a"))
        await fresh.write_index(changed)
        assert await fresh.read_index() == changed
        assert await (await open_store()).read_index() == changed

    # Documents, pages, chunks

    async def test_records_come_back_as_they_were(self, store: Store) -> None:
        document, contents = make_document("relatório", ["um texto", "outro"])
        names = (Name("pdf", "ção/a b.pdf"), Name("uploads", "x.pdf", excluded=True))
        document = replace(document, names=names, title=ODD_TEXT)
        await store.publish(document, contents)
        failed = Document(digest("broken"), "broken", (Name("pdf", "b.pdf"),), 9, state="failed", reason="não abre")
        await store.put_document(failed)
        assert await store.get_document(document.id) == document
        assert await store.get_document(failed.id) == failed
        assert await store.list_documents() == sorted([document, failed], key=lambda d: d.id)

    async def test_pages_come_back_as_they_were(self, store: Store) -> None:
        document, contents = make_document("a", ["x"])
        blocks = (Block(0, 3, (0.1, 0.25, 99.75, 100.125), "table"), Block(4, 9, (1.0, 2.0, 3.0, 4.0)))
        pages = [Page(1, ODD_TEXT, "text", 595.25, 842.0, blocks), Page(2, "", "nothing")]
        await store.publish(replace(document, page_count=2), replace(contents, pages=pages))
        assert await store.get_page(document.id, 1) == pages[0]
        assert await store.get_page(document.id, 2) == pages[1]
        assert await store.get_page(document.id, 3) is None
        assert await store.get_page(digest("other"), 1) is None

    async def test_chunks_come_back_in_the_order_asked(self, store: Store) -> None:
        first, contents = make_document("a", [ODD_TEXT, "dois", "três", "quatro"])
        other, other_contents = make_document("b", ["cinco"])
        await store.publish(first, contents)
        await store.publish(other, other_contents)
        wanted = [contents.chunks[2], other_contents.chunks[0], contents.chunks[0]]
        asked = [wanted[0].id, "unknown", wanted[1].id, wanted[2].id]
        assert await store.get_chunks(asked) == wanted
        assert await store.get_chunks([]) == []

    # Searching

    async def test_vector_scores_are_raw_cosines(self, store: Store) -> None:
        sizes = {"a": 7, "b": 230, "c": 1}
        pairs = [make_document(key, [f"{key} {i}" for i in range(size)]) for key, size in sizes.items()]
        await publish(store, *pairs)
        query = unit_vectors("question", 1)[0]
        expected = {w.id: float(v @ query) for _, c in pairs for w, v in zip(c.windows, c.vectors, strict=True)}
        found = (await store.search(ask(vector=query, limit=300))).vector
        assert {c.window_id: c.score for c in found} == pytest.approx(expected, abs=1e-3)
        assert [expected[i] for i in ids(found)] == pytest.approx(sorted(expected.values(), reverse=True), abs=1e-5)
        chunk_of = {w.id: w.chunk_id for _, c in pairs for w in c.windows}
        assert all(c.chunk_id == chunk_of[c.window_id] for c in found)

    @pytest.mark.parametrize("view", ["words", "grams"])
    async def test_text_views_find_best_first(self, store: Store, view: str) -> None:
        texts = ["gato preto come peixe", "gato branco", "cavalo branco corre muito", "peixe", "nada aqui"]
        document, contents = make_document("a", texts)
        noise = make_document("b", [f"enchimento número{i} qualquer" for i in range(20)])
        await publish(store, (document, contents), noise)
        terms = ("gato", "preto") if view == "words" else ("gato", "pret", "reto")
        query = ask(*terms) if view == "words" else ask(grams=terms)
        found = getattr(await store.search(query), view)
        assert ids(found) == [contents.windows[0].id, contents.windows[1].id]
        assert found[0].score > found[1].score > 0

    async def test_rare_words_and_short_windows_count_more(self, store: Store) -> None:
        texts = ["comum raro", "comum", "comum outro", "comum de um texto bem mais longo que os outros"]
        document, contents = make_document("a", texts)
        await publish(store, (document, contents), make_document("b", ["nada"] * 9))
        found = (await store.search(ask("comum", "raro"))).words
        order = [0, 1, 2, 3]
        assert ids(found) == [contents.windows[i].id for i in order]
        assert found[0].score > 2 * found[1].score

    async def test_unknown_terms_find_nothing(self, store: Store) -> None:
        await publish(store, make_document("a", ["gato preto"]))
        found = await store.search(ask("zebra", grams=("zebr", 'ze"r', "*", "AND", "(")))
        assert (ids(found.words), ids(found.grams)) == ([], [])

    async def test_empty_views_are_not_searched(self, store: Store) -> None:
        await publish(store, make_document("a", ["gato preto"]))
        found = await store.search(ask("gato"))
        assert (len(found.vector), len(found.words), len(found.grams)) == (0, 1, 0)
        found = await store.search(ask(vector=unit_vectors("q", 1)[0]))
        assert (len(found.vector), len(found.words), len(found.grams)) == (1, 0, 0)

    async def test_limit(self, store: Store) -> None:
        document, contents = make_document("a", [f"gato {i}" for i in range(9)])
        await publish(store, (document, contents))
        query = unit_vectors("question", 1)[0]
        best = np.argsort(-(contents.vectors @ query))[:4]
        found = await store.search(ask("gato", vector=query, grams=("gato",), limit=4))
        assert ids(found.vector) == [contents.windows[i].id for i in best]
        assert len(found.words) == len(found.grams) == 4

    async def test_ties_are_ordered_by_id(self, store: Store) -> None:
        document, contents = make_document("a", ["gato preto"] * 6)
        same = np.repeat(contents.vectors[:1], 6, axis=0)
        await publish(store, (document, replace(contents, vectors=same)))
        found = await store.search(ask("gato", vector=same[0], grams=("gato",)))
        expected = sorted(window_ids(contents))
        assert ids(found.vector) == ids(found.words) == ids(found.grams) == expected

    async def test_a_filter_keeps_every_window_of_its_documents(self, store: Store) -> None:
        wanted, contents = make_document("wanted", [f"gato e mais enchimento número {i}" for i in range(12)])
        query = unit_vectors("question", 1)[0]
        away = np.asarray(contents.vectors - 3 * query, dtype=np.float32)
        contents = replace(contents, vectors=away / np.linalg.norm(away, axis=1, keepdims=True))
        crowd, crowd_contents = make_document("crowd", ["gato gato"] * 250)
        close = np.repeat(query[None, :], 250, axis=0)
        second = make_document("second", ["gato"])
        await publish(store, (wanted, contents), (crowd, replace(crowd_contents, vectors=close)), second)
        asked = ask("gato", vector=query, grams=("gato",), only=(wanted.id,), limit=20)
        found = await store.search(asked)
        assert set(ids(found.vector)) == set(ids(found.words)) == set(ids(found.grams)) == window_ids(contents)
        found = await store.search(replace(asked, filters=Filters((wanted.id, second[0].id))))
        both = window_ids(contents) | window_ids(second[1])
        assert set(ids(found.vector)) == set(ids(found.words)) == both
        found = await store.search(replace(asked, filters=Filters((digest("absent"),))))
        assert (ids(found.vector), ids(found.words), ids(found.grams)) == ([], [], [])

    # Who is visible

    async def test_a_document_is_visible_through_any_name_not_excluded(self, store: Store) -> None:
        document, contents = make_document("a", ["gato preto", "rato"])
        await publish(store, (document, contents), make_document("b", ["outro"]))
        hidden = replace(document, names=(Name("pdf", "a.pdf", True), Name("uploads", "a.pdf", True)))
        await store.put_document(hidden)
        assert await found_anywhere(store, document, contents) == set()
        assert await store.get_page(document.id, 1) is None
        assert await store.get_chunks([contents.chunks[0].id]) == []
        assert await store.count() == Counts(1, 1, 1)
        assert await store.get_document(document.id) == hidden
        await store.put_document(replace(document, names=(*hidden.names, Name("pdf", "copy.pdf"))))
        assert await found_anywhere(store, document, contents) == window_ids(contents)
        assert await store.get_page(document.id, 1) == contents.pages[0]

    @pytest.mark.parametrize("state", ["queued", "failed"])
    async def test_only_ready_documents_are_found(self, store: Store, state: str) -> None:
        document, contents = make_document("a", ["gato preto", "rato"])
        await publish(store, (document, contents), make_document("b", ["outro"]))
        await store.put_document(replace(document, state=state))  # type: ignore[arg-type]
        assert await found_anywhere(store, document, contents) == set()
        assert await store.get_chunks([contents.chunks[0].id]) == []
        assert await store.count() == Counts(1, 1, 1)
        await store.put_document(document)
        assert await found_anywhere(store, document, contents) == window_ids(contents)

    async def test_hidden_documents_do_not_crowd_out_the_others(self, store: Store) -> None:
        query = unit_vectors("question", 1)[0]
        crowd, crowd_contents = make_document("crowd", ["gato"] * 60)
        crowd_contents = replace(crowd_contents, vectors=np.repeat(query[None, :], 60, axis=0))
        shown, contents = make_document("shown", ["gato com texto bem mais longo"] * 4)
        await publish(store, (crowd, crowd_contents), (shown, contents))
        await store.put_document(replace(crowd, names=(Name("pdf", "crowd.pdf", True),)))
        found = await store.search(ask("gato", vector=query, grams=("gato",), limit=4))
        assert set(ids(found.vector)) == set(ids(found.words)) == set(ids(found.grams)) == window_ids(contents)

    async def test_putting_a_record_keeps_its_contents(self, store: Store) -> None:
        document, contents = make_document("a", ["gato preto"])
        await publish(store, (document, contents))
        renamed = replace(document, names=(Name("pdf", "new.pdf"),), title="New")
        await store.put_document(renamed)
        assert await store.get_document(document.id) == renamed
        assert await store.get_chunks([contents.chunks[0].id]) == list(contents.chunks)
        assert await found_anywhere(store, document, contents) == window_ids(contents)

    async def test_names_alone_are_put(self, store: Store) -> None:
        document, contents = make_document("a", ["gato preto"])
        assert await store.put_names(document.id, document.names) is None
        assert await store.list_documents() == []
        await publish(store, (document, contents))
        hidden = (Name("pdf", "a.pdf", True), Name("uploads", "b.pdf", True))
        assert await store.put_names(document.id, hidden) == replace(document, names=hidden)
        assert await store.get_document(document.id) == replace(document, names=hidden)
        assert await found_anywhere(store, document, contents) == set()
        await store.put_names(document.id, [*hidden, Name("pdf", "c.pdf")])
        assert await found_anywhere(store, document, contents) == window_ids(contents)
        assert await store.get_page(document.id, 1) == contents.pages[0]

    # Publishing, removing, sweeping

    async def test_a_new_version_replaces_the_whole(self, store: Store) -> None:
        old, old_contents = make_document("a", ["gato velho", "rato velho", "pato velho", "velho"])
        new, new_contents = make_document("a", ["gato novo", "rato novo"], version="v2")
        await publish(store, (old, old_contents), make_document("b", ["outro"]))
        await publish(store, (new, new_contents))
        assert await found_anywhere(store, old, old_contents) == set()
        assert await found_anywhere(store, new, new_contents) == window_ids(new_contents)
        assert await store.count() == Counts(2, 3, 3)
        assert await store.get_chunks([old_contents.chunks[0].id]) == []
        assert await store.get_page(new.id, 1) == new_contents.pages[0]
        assert await store.get_page(new.id, 2) is None
        assert await store.sweep() == 0

    async def test_a_version_may_keep_ids_of_the_one_before(self, store: Store) -> None:
        old, contents = make_document("a", ["gato", "rato"])
        await publish(store, (old, contents))
        new = replace(old, version="v2")
        changed = [replace(contents.chunks[0], heading="changed"), contents.chunks[1]]
        await publish(store, (new, replace(contents, chunks=changed)))
        assert await store.get_chunks([c.id for c in changed]) == changed
        assert await found_anywhere(store, new, contents) == window_ids(contents)
        assert await store.count() == Counts(1, 2, 2)

    async def test_publishing_twice_is_harmless(self, store: Store) -> None:
        pair = make_document("a", ["gato", "rato", "pato"])
        await publish(store, pair)
        await publish(store, pair)
        found = await store.search(ask("gato", vector=pair[1].vectors[0]))
        assert sorted(ids(found.vector)) == sorted(window_ids(pair[1]))
        assert len(found.words) == 1
        assert await store.count() == Counts(1, 3, 3)
        assert len(await store.sample_windows(10)) == 3
        assert await store.sweep() == 0

    async def test_a_document_without_text_can_be_published(self, store: Store) -> None:
        document, contents = make_document("scan", [])
        contents = replace(contents, pages=[Page(1, "", "nothing")])
        await publish(store, (replace(document, page_count=1), contents))
        assert await store.count() == Counts(1, 0, 0)
        assert await store.get_page(document.id, 1) == contents.pages[0]

    async def test_windows_without_vectors_are_found_by_words_and_grams(self, store: Store) -> None:
        plain, contents = make_document("a", ["gato preto", "rato"])
        other, other_contents = make_document("b", ["gato branco", "pato"])
        first = (replace(plain, state="text"), replace(contents, vectors=None))
        await publish(store, first, (other, other_contents))
        query = ask("gato", vector=unit_vectors("q", 1)[0], grams=("gato",))
        found = await store.search(query)
        gatos = {contents.windows[0].id, other_contents.windows[0].id}
        assert set(ids(found.words)) == set(ids(found.grams)) == gatos
        assert set(ids(found.vector)) == window_ids(other_contents)
        assert await store.get_chunks([contents.chunks[1].id]) == [contents.chunks[1]]
        assert await store.count() == Counts(2, 4, 4)
        assert len(await store.sample_windows(9)) == 4
        await publish(store, (replace(plain, version="v2"), contents))
        found = await store.search(query)
        assert set(ids(found.words)) == set(ids(found.grams)) == gatos
        assert set(ids(found.vector)) == window_ids(contents) | window_ids(other_contents)

    async def test_the_first_vectors_may_come_later(self, store: Store) -> None:
        document, contents = make_document("a", ["gato preto", "rato"])
        await publish(store, (document, replace(contents, vectors=None)))
        found = await store.search(ask("rato", vector=contents.vectors[0]))
        assert (ids(found.vector), ids(found.words)) == ([], [contents.windows[1].id])
        await publish(store, (replace(document, version="v2"), contents))
        found = await store.search(ask(vector=contents.vectors[0]))
        assert set(ids(found.vector)) == window_ids(contents)

    async def test_removing_works_at_once(self, store: Store) -> None:
        document, contents = make_document("a", ["gato preto", "rato"])
        kept = make_document("b", ["gato"])
        await publish(store, (document, contents), kept)
        await store.remove_document(document.id)
        assert await found_anywhere(store, document, contents) == set()
        assert await found_anywhere(store, *kept) == window_ids(kept[1])
        assert await store.get_document(document.id) is None
        assert await store.get_page(document.id, 1) is None
        assert await store.get_chunks([contents.chunks[0].id]) == []
        assert await store.count() == Counts(1, 1, 1)
        assert await store.sweep() == 0
        await store.remove_document(document.id)
        await publish(store, (document, contents))
        assert await found_anywhere(store, document, contents) == window_ids(contents)

    async def test_sweep_drops_what_no_record_names(self, store: Store) -> None:
        document, contents = make_document("a", ["gato", "rato", "pato"])
        kept = make_document("b", ["gato"])
        await publish(store, (document, contents), kept)
        await store.put_document(replace(document, version="v2"))
        assert await found_anywhere(store, document, contents) == set()
        assert await store.sweep() == 3
        assert await store.sweep() == 0
        await store.put_document(document)
        assert await found_anywhere(store, document, contents) == set()
        assert await store.get_chunks([c.id for c in contents.chunks]) == []
        assert await store.get_page(document.id, 1) is None
        assert await found_anywhere(store, *kept) == window_ids(kept[1])

    async def test_samples_are_the_smallest_ids_of_published_windows(self, store: Store) -> None:
        document, contents = make_document("a", [f"gato {i}" for i in range(9)])
        hidden, hidden_contents = make_document("h", [f"rato {i}" for i in range(9)])
        await store.publish(document, contents)
        await store.publish(hidden, hidden_contents)
        await store.put_document(replace(hidden, state="failed"))
        ordered = sorted(contents.windows, key=lambda w: w.id)
        assert await store.sample_windows(4) == ordered[:4]
        assert await store.sample_windows(100) == ordered

    async def test_vectors_of_another_dimension_are_refused(self, store: Store) -> None:
        document, contents = make_document("a", ["gato", "rato"])
        await publish(store, (document, contents))
        other, other_contents = make_document("b", ["pato"])
        with pytest.raises(StoreError, match=r"(?s)(5.*\b8|\b8.*5)"):
            await store.publish(other, replace(other_contents, vectors=unit_vectors("b", 1, dimension=5)))
        assert await store.count() == Counts(1, 2, 2)
        with pytest.raises(StoreError, match=r"(?s)(5.*\b8|\b8.*5)"):
            await store.search(ask(vector=unit_vectors("q", 1, dimension=5)[0]))

    async def test_each_window_needs_its_vector(self, store: Store) -> None:
        document, contents = make_document("a", ["gato", "rato"])
        with pytest.raises(StoreError):
            await store.publish(document, replace(contents, vectors=contents.vectors[:1]))
        assert await store.count() == Counts(0, 0, 0)

    async def test_vectors_come_back_by_text(self, store: Store) -> None:
        document, contents = make_document("a", ["gato", "rato"])
        plain = make_document("b", ["pato"])
        await publish(store, (document, contents), (plain[0], replace(plain[1], vectors=None)))
        found = await store.read_vectors(document.id)
        assert contents.vectors is not None and [*found] == [window.text for window in contents.windows]
        assert np.array_equal(np.stack([*found.values()]), contents.vectors)
        assert await store.read_vectors(plain[0].id) == {}

    # Several readers and writers

    async def test_a_reader_sees_the_old_or_the_new_whole(self, store: Store) -> None:
        old, old_contents = make_document("a", [f"gato velho {i}" for i in range(400)])
        new, new_contents = make_document("a", [f"gato novo {i}" for i in range(500)], version="v2")
        await publish(store, (old, old_contents))
        wholes = [(window_ids(c),) * 2 for c in (old_contents, new_contents)]
        query = ask("gato", vector=unit_vectors("q", 1)[0], limit=600)
        replacing = asyncio.create_task(store.publish(new, new_contents))
        reads = 0
        while not replacing.done() or reads < 3:
            found = await store.search(query)
            assert (set(ids(found.vector)), set(ids(found.words))) in wholes
            reads += 1
        await replacing
        await store.wait_until_searchable([new.id])
        assert set(ids((await store.search(query)).words)) == window_ids(new_contents)

    async def test_a_version_that_keeps_ids_never_hides_them(self, store: Store) -> None:
        old, contents = make_document("a", [f"gato {i}" for i in range(60)])
        await publish(store, (old, contents))
        new = replace(old, version="v2", title="New")
        replacing = asyncio.create_task(store.publish(new, contents))
        asked = [chunk.id for chunk in contents.chunks]
        while not replacing.done():
            assert await store.get_chunks(asked) == list(contents.chunks)
            assert set(ids((await store.search(ask("gato"))).words)) == window_ids(contents)
            assert await store.get_page(old.id, 20) == contents.pages[19]
        await replacing
        assert await store.get_document(old.id) == new

    async def test_two_stores_see_each_others_writes(self, store: Store, open_store: OpenStore) -> None:
        other = await open_store()
        first, second = make_document("a", ["gato preto"]), make_document("b", ["gato branco", "rato"])
        await publish(store, first)
        assert await found_anywhere(other, *first) == window_ids(first[1])
        await publish(other, second)
        assert await found_anywhere(store, *second) == window_ids(second[1])
        assert await store.count() == await other.count() == Counts(2, 3, 3)
        changed = make_document("a", ["gato novo"], version="v2")
        await publish(other, changed)
        assert await found_anywhere(store, *first) == set()
        assert await found_anywhere(store, *changed) == window_ids(changed[1])
        await store.remove_document(second[0].id)
        assert await found_anywhere(other, *second) == set()

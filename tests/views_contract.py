"""What every store's views of whole pages, and every store's filters, must do."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from database.documents import Candidate, Contents, Document, Filters, PageTerms, SearchQuery
from database.stores import Store
from tests.store_documents import ask, digest, ids, make_document, publish, unit_vectors, window_ids

VIEWS = ("vector", "words", "grams", "page_words", "page_grams", "heads")


def with_pages(pair: tuple[Document, Contents]) -> tuple[Document, Contents]:
    """The same document found by its pages, too: by the words of all their windows, and by the first as head."""
    document, contents = pair
    terms = []
    for page in contents.pages:
        own = [window for window in contents.windows if window.page == page.number]
        words, grams = (" ".join(getattr(w, name) for w in own) for name in ("words", "grams"))
        terms.append(PageTerms(page.number, words, grams, own[0].grams))
    return document, replace(contents, page_terms=terms)


def pages(found: Sequence[Candidate]) -> list[tuple[str, int]]:
    """Where the candidates stand, in order."""
    return [(candidate.document_id, candidate.page) for candidate in found]


def everything(filters: Filters = Filters()) -> SearchQuery:  # noqa: B008
    """A question that every view has an answer to in every window with the word "gato"."""
    return replace(ask("gato", vector=unit_vectors("question", 1)[0], grams=("gato",)), filters=filters)


class ViewsContract:
    """Inherited by the contract of stores."""

    async def test_pages_are_found_as_a_whole_by_their_first_windows(self, store: Store) -> None:
        document, contents = with_pages(make_document("a", ["gato", "preto", "dorme", "gato", "gato", "ladra"]))
        await publish(store, (document, contents), with_pages(make_document("b", ["outro", "gato"])))
        found = await store.search(ask("preto", "dorme", grams=("ladr", "adra")))
        assert ids(found.page_words) == [contents.windows[0].id]
        assert ids(found.page_grams) == [contents.windows[3].id]
        assert pages(found.page_words) == [(document.id, 1)] and pages(found.page_grams) == [(document.id, 2)]
        assert found.heads == [], "what stands further down a page is not its head"
        assert found.page_words[0].chunk_id == contents.chunks[0].id
        assert pages((await store.search(ask("gato", grams=("gato",)))).heads) == [(document.id, 1), (document.id, 2)]

    async def test_every_candidate_says_where_it_stands(self, store: Store) -> None:
        document, contents = with_pages(make_document("a", [f"gato {i}" for i in range(7)]))
        await publish(store, (document, contents))
        found = await store.search(everything())
        places = {window.id: (window.document_id, window.page) for window in contents.windows}
        for view in VIEWS:
            candidates = getattr(found, view)
            assert candidates and all(places[c.window_id] == (c.document_id, c.page) for c in candidates)

    async def test_page_scores_are_those_of_pages(self, store: Store) -> None:
        """A rare word weighs by how few pages have it and how long they are, not by windows."""
        texts = ["gato", "um", "dois", "gato", "gato", "gato", "cão", "três", "quatro"]
        document, contents = with_pages(make_document("a", texts))
        await publish(store, (document, contents), with_pages(make_document("b", ["cinco"] * 9)))
        assert pages((await store.search(ask("gato"))).page_words) == [(document.id, 2), (document.id, 1)]

    async def test_neighbouring_words_are_looked_for_in_pages_alone(self, store: Store) -> None:
        document, contents = with_pages(make_document("a", ["gato preto gato_preto", "preto gato", "gato preto"]))
        away, elsewhere = with_pages(make_document("b", ["preto gato preto_gato", "gato", "preto"]))
        await publish(store, (document, contents), (away, elsewhere))
        found = await store.search(replace(ask("gato", "preto"), pairs=("preto_gato",)))
        assert pages(found.page_words) == [(away.id, 1), (document.id, 1)]
        found = await store.search(replace(ask("pato"), pairs=("gato_preto",)))
        assert pages(found.page_words) == [(document.id, 1)] and found.words == []

    async def test_heavy_terms_are_left_to_the_views_of_pages(self, store: Store) -> None:
        document, contents = with_pages(make_document("a", ["gato", "preto", "dorme"]))
        await publish(store, (document, contents))
        found = await store.search(replace(ask("gato", "preto", grams=("gato", "dorm")), heavy=frozenset({"gato"})))
        assert ids(found.words) == [contents.windows[1].id] and ids(found.grams) == [contents.windows[2].id]
        assert ids(found.page_words) == ids(found.page_grams) == ids(found.heads) == [contents.windows[0].id]
        found = await store.search(replace(ask("gato"), heavy=frozenset({"gato"})))
        assert ids(found.words) == [contents.windows[0].id], "nothing else is left"

    async def test_pages_follow_their_document(self, store: Store) -> None:
        old, old_contents = with_pages(make_document("a", ["gato", "preto"]))
        await publish(store, (old, old_contents), with_pages(make_document("b", ["outro"])))
        new, new_contents = with_pages(make_document("a", ["pato", "branco"], version="v2"))
        await publish(store, (new, new_contents))
        found = await store.search(ask("preto", "branco", grams=("pato", "gato")))
        assert ids(found.page_words) == ids(found.page_grams) == ids(found.heads) == [new_contents.windows[0].id]
        await store.remove_document(new.id)
        found = await store.search(ask("preto", "branco", grams=("pato", "gato")))
        assert [*found.page_words, *found.page_grams, *found.heads] == []

    async def test_pages_of_documents_without_vectors_are_found(self, store: Store) -> None:
        document, contents = with_pages(make_document("a", ["gato", "preto", "dorme"]))
        await publish(store, (document, replace(contents, vectors=None)))
        found = await store.search(everything())
        assert found.vector == [] and ids(found.page_words) == ids(found.heads) == [contents.windows[0].id]

    @pytest.mark.parametrize(
        ("filters", "expected"),
        [
            (Filters(first_page=2), "p2 p3 e2 e3"),
            (Filters(last_page=1), "p1 e1"),
            (Filters(first_page=2, last_page=2), "p2 e2"),
            (Filters(first_page=4), ""),
            (Filters(languages=("en",)), "e1 e2 e3"),
            (Filters(languages=("en", "pt"), last_page=1), "p1 e1"),
            (Filters(languages=("fr",)), ""),
            (Filters(added_from=2000), "e1 e2 e3"),
            (Filters(added_until=2000), "p1 p2 p3"),
            (Filters(added_from=1000, added_until=2000, first_page=3), "p3"),
            (Filters(documents=(digest("p"),), first_page=2, languages=("pt",)), "p2 p3"),
            (Filters(documents=(digest("p"),), languages=("en",)), ""),
        ],
    )
    async def test_filters_hold_in_every_view(self, store: Store, filters: Filters, expected: str) -> None:
        await self._publish_two(store)
        found = await store.search(everything(filters))
        keys = {digest("p"): "p", digest("e"): "e"}
        for view in VIEWS:
            seen = {f"{keys[document]}{page}" for document, page in pages(getattr(found, view))}
            assert seen == set(expected.split()), view

    async def test_filters_come_before_the_limit(self, store: Store) -> None:
        _, rest = await self._publish_two(store)
        crowd, contents = with_pages(make_document("crowd", ["gato gato"] * 60))
        await publish(store, (replace(crowd, language="de"), contents))
        asked = replace(everything(Filters(languages=("en",), first_page=2)), limit=6)
        found = await store.search(asked)
        wanted = {window.id for window in rest.windows if window.page > 1}
        assert set(ids(found.vector)) == set(ids(found.words)) == set(ids(found.grams)) == wanted

    async def _publish_two(self, store: Store) -> tuple[Contents, Contents]:
        first, contents = with_pages(make_document("p", [f"gato {i}" for i in range(9)]))
        second, others = with_pages(make_document("e", [f"gato {i} cat" for i in range(9)]))
        second = replace(second, language="en", added_at=2000.0)
        others = replace(others, windows=[replace(window, language="en") for window in others.windows])
        await publish(store, (replace(first, added_at=1000.0), contents), (second, others))
        assert window_ids(contents).isdisjoint(window_ids(others))
        return contents, others

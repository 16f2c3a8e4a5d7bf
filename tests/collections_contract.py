"""What every store must do about collections: searches see documents by their visible names' alone."""

from dataclasses import replace

import pytest

from database.documents import Filters, Name
from database.stores import Store
from tests.store_documents import digest, make_document, publish
from tests.views_contract import VIEWS, everything, with_pages

NAMES = {
    "plain": (Name("pdf", "plain.pdf"),),
    "board": (Name("pdf", "board.pdf", collection="board"),),
    "both": (Name("pdf", "both.pdf"), Name("uploads", "board/both.pdf", collection="board")),
    "left": (Name("pdf", "left.pdf"), Name("uploads", "board/left.pdf", excluded=True, collection="board")),
    "gone": (Name("uploads", "board/gone.pdf", excluded=True, collection="board"),),
    "hr": (Name("pdf", "hr.pdf", collection="Рабочие – ção"),),
}


async def find(store: Store, collections: tuple[str, ...] | None, **others: object) -> str:
    """The keys of the documents found, the same in every view."""
    found = await store.search(everything(replace(Filters(collections=collections), **others)))  # type: ignore[arg-type]
    keys = {digest(key): key for key in NAMES}
    (seen,) = {frozenset(keys[c.document_id] for c in getattr(found, view)) for view in VIEWS}
    return " ".join(sorted(seen))


class CollectionsContract:
    """Inherited by the contract of stores."""

    @pytest.mark.parametrize(
        ("collections", "expected"),
        [
            (None, "board both hr left plain"),
            ((), ""),
            (("",), "both left plain"),
            (("board",), "board both"),
            (("board", "Рабочие – ção"), "board both hr"),
            (("", "board", "Рабочие – ção", "nobody's"), "board both hr left plain"),
            (("Board", "boar", "board "), ""),
        ],
    )
    async def test_searches_see_collections_in_every_view(
        self, store: Store, collections: tuple[str, ...] | None, expected: str
    ) -> None:
        await self._publish_all(store)
        assert await find(store, collections) == expected

    async def test_collections_come_before_the_limit(self, store: Store) -> None:
        await self._publish_all(store)
        crowd = [with_pages(make_document(f"crowd {n}", ["gato gato"] * 9)) for n in range(3)]
        await publish(store, *crowd)
        asked = replace(everything(Filters(collections=("board",))), limit=3)
        found = await store.search(asked)
        for view in VIEWS:
            assert {c.document_id for c in getattr(found, view)} == {digest("board"), digest("both")}, view

    async def test_other_filters_hold_beside_collections(self, store: Store) -> None:
        await self._publish_all(store)
        assert await find(store, ("board",), documents=(digest("both"), digest("plain"))) == "both"
        assert await find(store, ("board",), languages=("fr",)) == ""
        assert await find(store, ("board",), first_page=2) == ""

    async def test_names_move_at_once_and_with_them_what_is_found(self, store: Store) -> None:
        await self._publish_all(store)
        moved = tuple(replace(name, collection="hr") for name in NAMES["board"])
        document = await store.put_names(digest("board"), moved)
        assert document is not None and document.names == moved
        assert await find(store, ("board",)) == "both"
        assert await find(store, ("hr",)) == "board"
        await store.put_names(digest("board"), [replace(name, excluded=True) for name in moved])
        assert await find(store, ("hr",)) == ""
        await store.put_document(replace(document, names=NAMES["board"]))
        assert await find(store, ("board",)) == "board both"
        await store.remove_document(digest("board"))
        assert await find(store, ("board",)) == "both"

    async def _publish_all(self, store: Store) -> None:
        pairs = [with_pages(make_document(key, ["gato", "gato preto"])) for key in NAMES]
        await publish(store, *((replace(d, names=NAMES[k]), c) for (d, c), k in zip(pairs, NAMES, strict=True)))

"""What every store must do with a generation made beside the one that answers."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from database.documents import Counts, Document, IndexRecord, Name
from database.errors import GenerationGone, StoreError
from database.stores import Generation, Store
from tests.store_documents import (
    Pair,
    ask,
    digest,
    found_anywhere,
    ids,
    make_document,
    publish,
    unit_vectors,
    window_ids,
)

NEW = IndexRecord(schema=1, embedder="other", dimension=4, chunker="c2", analyser="a2")


def make_new(key: str, *texts: str) -> Pair:
    """A document as the new embedder makes it."""
    document, contents = make_document(key, texts, "v2")
    return document, replace(contents, vectors=unit_vectors(key, len(texts), NEW.dimension))


async def fill(generation: Generation, *pairs: Pair) -> None:
    """Publish to it and wait."""
    for document, contents in pairs:
        await generation.publish(document, contents)
    await generation.wait_until_searchable([document.id for document, _ in pairs])


class GenerationsContract:
    """Needs the fixtures `store` and `open_store` of `StoreContract`."""

    async def test_a_generation_is_unseen_until_the_switch(self, store: Store) -> None:
        old, new = make_document("a", ["gato velho", "rato"]), make_new("a", "gato novo")
        await publish(store, old)
        assert await store.read_next() is None
        generation = await store.open_next(NEW)
        await fill(generation, new)
        await generation.write_index(replace(NEW, generation=2, common_words=("de",)))
        assert await store.read_next() == replace(NEW, generation=2, common_words=("de",))
        assert await generation.list_documents() == [new[0]]
        assert await generation.sample_windows(9) == list(new[1].windows)
        index = await store.read_index()
        assert index is not None and index.generation == 1
        assert await store.get_document(old[0].id) == old[0]
        assert await store.count() == Counts(1, 2, 2)
        assert await found_anywhere(store, *old) == window_ids(old[1])
        assert ids((await store.search(ask("novo"))).words) == []
        assert await store.get_chunks([new[1].chunks[0].id]) == []
        assert await store.sweep() == 0
        await store.switch()
        assert await store.read_index() == replace(NEW, generation=2, common_words=("de",))
        assert await store.read_next() is None
        assert await store.get_document(old[0].id) == new[0]
        assert await store.count() == Counts(1, 1, 1)
        assert await found_anywhere(store, *new) == window_ids(new[1])
        assert ids((await store.search(ask("velho"))).words) == []
        assert await store.get_chunks([old[1].chunks[0].id, new[1].chunks[0].id]) == [new[1].chunks[0]]
        assert await store.get_page(new[0].id, 1) == new[1].pages[0]

    async def test_the_old_one_goes_and_the_next_follows(
        self, store: Store, open_store: Callable[[], Awaitable[Store]]
    ) -> None:
        assert not await store.drop_old()
        for number in range(3):
            key = f"round {number}"
            generation = await store.open_next(replace(NEW, chunker=key))
            pair = make_new("a", key)
            await store.put_document(Document(pair[0].id, "", pair[0].names, 1))
            await fill(generation, pair)
            await store.switch()
            assert await store.drop_old()
            assert not await store.drop_old()
            assert await found_anywhere(store, *pair) == window_ids(pair[1])
            assert await store.sweep() == 0
        other = make_new("b", "gato")
        await publish(store, other)
        again = await open_store()
        record = await again.read_index()
        assert record is not None and (record.generation, record.chunker) == (4, "round 2")
        assert await found_anywhere(again, *other) == window_ids(other[1])
        assert await again.count() == Counts(2, 2, 2)

    async def test_names_are_those_of_the_switch(self, store: Store) -> None:
        pairs = [make_document(key, ["gato"]) for key in ("seen", "hidden", "gone")]
        await publish(store, *pairs)
        generation = await store.open_next(NEW)
        made = [make_new(key, "gato") for key in ("seen", "hidden", "gone")]
        await fill(generation, *made)
        names = (Name("pdf", "a.pdf", excluded=True), Name("uploads", "b.pdf", excluded=True))
        await store.put_document(replace(pairs[1][0], names=names))
        await store.remove_document(pairs[2][0].id)
        await generation.publish(*made[2])
        await generation.put_document(made[2][0])
        await store.switch()
        assert set(ids((await store.search(ask("gato"))).words)) == window_ids(made[0][1])
        assert {d.id: d.names for d in await store.list_documents()} == {
            made[0][0].id: made[0][0].names,
            made[1][0].id: names,
        }
        assert await store.get_chunks([made[2][1].chunks[0].id]) == []
        assert await store.count() == Counts(1, 1, 1)
        await store.put_document(replace(made[1][0], names=made[1][0].names))
        assert await found_anywhere(store, *made[1]) == window_ids(made[1][1])

    async def test_what_it_lacks_waits_to_be_read(self, store: Store) -> None:
        lacking, failed = make_document("a", ["gato"]), Document(digest("f"), "", (Name("pdf", "f.pdf"),), 1)
        unread = make_document("u", ["rato"])
        failed = replace(failed, state="failed", reason="not a PDF", version="r1")
        await publish(store, lacking, unread)
        await store.put_document(failed)
        generation = await store.open_next(NEW)
        await generation.put_document(replace(unread[0], state="failed", reason="damaged", version="r1"))
        await store.switch()
        assert await store.get_document(failed.id) == failed
        assert await store.get_document(lacking[0].id) == replace(lacking[0], state="queued", version="")
        assert (await store.get_document(unread[0].id) or failed).reason == "damaged"
        assert await store.count() == Counts(0, 0, 0)
        assert await found_anywhere(store, *make_new("a", "gato")) == set()
        assert len(await store.list_documents()) == 3
        await store.drop_old()
        assert len(await store.list_documents()) == 3

    async def test_an_unfinished_one_goes_on(self, store: Store, open_store: Callable[[], Awaitable[Store]]) -> None:
        await publish(store, make_document("a", ["gato"]), make_document("b", ["rato"]))
        new = make_new("a", "gato")
        await fill(await store.open_next(NEW), new)
        again = await (await open_store()).open_next(replace(NEW, languages=("pt",)))
        assert await again.list_documents() == [new[0]]
        await fill(again, make_new("b", "rato"), new)
        other = await store.open_next(replace(NEW, embedder="third", dimension=5))
        assert await other.list_documents() == []
        third = replace(new[1], vectors=unit_vectors("third", 1, 5))
        await fill(other, (new[0], third))
        with pytest.raises(StoreError):
            await other.publish(*make_new("b", "rato"))
        await store.switch()
        found = await store.search(ask("gato", vector=unit_vectors("third", 1, 5)[0]))
        assert set(ids(found.vector)) == set(ids(found.words)) == window_ids(third)

    async def test_readers_see_one_generation_or_the_other(self, store: Store) -> None:
        keys = "abcd"
        old = [make_document(key, [f"gato {key} {i}" for i in range(25)]) for key in keys]
        await publish(store, *old)
        vectors = {1: unit_vectors("q", 1)[0], 2: unit_vectors("q", 1, NEW.dimension)[0]}
        wholes = {1: {i for _, c in old for i in window_ids(c)}, 2: set[str]()}
        making = True

        async def make() -> None:
            nonlocal making
            generation = await store.open_next(NEW)
            for key in keys:
                pair = make_new(key, *(f"gato novo {key} {i}" for i in range(20)))
                wholes[2] |= window_ids(pair[1])
                await fill(generation, pair)
            await store.switch()
            await store.drop_old()
            making = False

        async def read() -> set[int]:
            seen = set()
            while making or 2 not in seen:
                record = await store.read_index()
                assert record is not None
                now = record.generation
                try:
                    found = await store.search(replace(ask("gato", vector=vectors[now]), generation=now))
                except GenerationGone:
                    continue
                assert set(ids(found.words)) == set(ids(found.vector)) == wholes[now]
                seen.add(now)
            return seen

        _, *seen = await asyncio.wait_for(asyncio.gather(make(), read(), read()), 60)
        assert seen == [{1, 2}, {1, 2}]

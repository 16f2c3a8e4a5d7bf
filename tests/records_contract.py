"""What the books of every store must do; `StoreContract` inherits it."""

import asyncio
from dataclasses import replace

import pytest

from database.documents import IndexRecord, Record
from database.errors import RecordConflict
from database.stores import Store

NOW = 1_800_000_000.0
DATA = {"name": "relatório \U0001f600", "a.b": {"$set": [1, 2.5, None, True]}, "big": 2**70, "": "\ud800"}


async def put(store: Store, *ids: str, kind: str = "job", **fields: object) -> list[Record]:
    """Insert entries."""
    return [await store.put_record(replace(Record(kind, i, {"of": i}), **fields)) for i in ids]  # type: ignore[arg-type]


def ids_of(records: list[Record]) -> list[str]:
    """Their ids, in order."""
    return [record.id for record in records]


class RecordsContract:
    """Needs the fixtures `store` and `open_store` of `StoreContract`."""

    async def test_entries_come_back_as_they_were(self, store: Store) -> None:
        record = Record("feedback", "1", DATA, True, NOW + 0.25, "me", NOW + 0.5, NOW)
        written = await store.put_record(record)
        assert written == replace(record, revision=1)
        assert await store.get_record("feedback", "1") == written
        assert await store.get_record("job", "1") is None
        assert await store.get_record("feedback", "2") is None

    async def test_an_entry_is_replaced_by_who_read_it_last(self, store: Store) -> None:
        (first,) = await put(store, "1")
        second = await store.put_record(replace(first, data={"n": 2}))
        assert (second.revision, second.data) == (2, {"n": 2})
        with pytest.raises(RecordConflict):
            await store.put_record(replace(first, data={"n": 3}))
        with pytest.raises(RecordConflict):
            await put(store, "1")
        with pytest.raises(RecordConflict):
            await store.put_record(Record("job", "none", {}, revision=1))
        assert await store.get_record("job", "1") == second
        assert await store.get_record("job", "none") is None

    async def test_of_two_writers_one_wins(self, store: Store, open_store: object) -> None:
        (read,) = await put(store, "1")
        other: Store = await open_store()  # type: ignore[operator]
        writing = [s.put_record(replace(read, data={"by": n})) for n, s in enumerate([store, other] * 3)]
        outcomes = await asyncio.gather(*writing, return_exceptions=True)
        won = [outcome for outcome in outcomes if isinstance(outcome, Record)]
        assert len(won) == 1
        assert sum(isinstance(outcome, RecordConflict) for outcome in outcomes) == 5
        assert await store.get_record("job", "1") == won[0]

    async def test_entries_are_listed_by_id_and_in_parts(self, store: Store) -> None:
        await put(store, "b", "a", "d", "c", "é")
        await put(store, "a1", kind="jobs")
        assert ids_of(await store.list_records("job")) == ["a", "b", "c", "d", "é"]
        assert ids_of(await store.list_records("job", limit=2)) == ["a", "b"]
        assert ids_of(await store.list_records("job", after="b", limit=2)) == ["c", "d"]
        assert await store.list_records("job", after="é") == []
        assert await store.list_records("none") == []

    async def test_a_removed_entry_is_gone(self, store: Store) -> None:
        await put(store, "1", "2")
        assert await store.remove_record("job", "1")
        assert not await store.remove_record("job", "1")
        assert ids_of(await store.list_records("job")) == ["2"]
        assert (await put(store, "1"))[0].revision == 1

    async def test_the_first_free_entry_is_claimed(self, store: Store) -> None:
        await put(store, "done")
        await put(store, "later", open=True, due_at=NOW + 10)
        await put(store, "other", kind="erasure", open=True)
        (first, _) = await put(store, "b", "c", open=True, due_at=NOW)
        claimed = await store.claim_record("job", "me", 60, NOW)
        assert claimed == replace(first, holder="me", lease_until=NOW + 60, revision=2)
        assert await store.get_record("job", "b") == claimed
        with pytest.raises(RecordConflict):
            await store.put_record(first)
        again = [await store.claim_record("job", "you", 60, NOW) for _ in range(2)]
        assert [record and record.id for record in again] == ["c", None]
        later = await store.claim_record("job", "you", 60, NOW + 10)
        assert later is not None and later.id == "later"

    async def test_a_lease_ends(self, store: Store) -> None:
        await put(store, "1", open=True)
        await store.claim_record("job", "me", 60, NOW)
        assert await store.claim_record("job", "you", 60, NOW + 59) is None
        taken = await store.claim_record("job", "you", 60, NOW + 60)
        assert taken is not None and (taken.holder, taken.lease_until) == ("you", NOW + 120)
        await store.put_record(replace(taken, open=False))
        assert await store.claim_record("job", "me", 60, NOW + 500) is None

    async def test_a_lease_from_before_the_clock_was_set_back_holds_nothing_up(self, store: Store) -> None:
        await put(store, "1", open=True)
        await store.claim_record("job", "me", 60, NOW + 3600)
        taken = await store.claim_record("job", "you", 60, NOW)
        assert taken is not None and (taken.holder, taken.lease_until) == ("you", NOW + 60)
        assert await store.claim_record("job", "me", 60, NOW - 60) is None  # the clocks of two machines differ so much
        again = await store.claim_record("job", "me", 60, NOW - 61)
        assert again is not None and again.is_free(NOW, 60) and not again.is_free(NOW - 30, 60)

    async def test_claimers_never_get_the_same_entry(self, store: Store, open_store: object) -> None:
        await put(store, *(f"{n:02}" for n in range(12)), open=True)
        stores: list[Store] = [store, await open_store()]  # type: ignore[operator]
        claims = await asyncio.gather(*(stores[n % 2].claim_record("job", f"{n}", 60, NOW) for n in range(20)))
        got = sorted(record.id for record in claims if record)
        assert got == [f"{n:02}" for n in range(12)]

    async def test_the_books_outlive_generations_and_reopening(self, store: Store, open_store: object) -> None:
        (kept,) = await put(store, "1", open=True)
        await store.open_next(IndexRecord(1, "other", 4, "c", "a"))
        await store.switch()
        await store.drop_old()
        assert await store.get_record("job", "1") == kept
        again: Store = await open_store()  # type: ignore[operator]
        assert await again.list_records("job") == [kept]

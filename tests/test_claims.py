"""Claims and turns of several processes on one MongoDB, and of one on the embedded store."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from database.claims import MAKING, Claim, Claims, Closed
from database.errors import ClaimLost
from database.settings import IndexSettings
from database.stores import Store, make_store
from database.turns import PRESENT, Turns
from tests.fakes.mongod import FakeMongod
from tests.server import serve
from tests.uploading import finish, make_bytes, start, until, wait_for

LEASE_S = 1.5


@pytest.fixture
async def mongod() -> AsyncIterator[FakeMongod]:
    async with FakeMongod(lag_s=0.01, text_lag_s=0.01) as mongod:
        yield mongod


@pytest.fixture
async def stores(mongod: FakeMongod) -> AsyncIterator[Callable[[], Awaitable[Store]]]:
    """Opens the MongoDB as another process does."""
    async with AsyncExitStack() as stack:

        async def open_store() -> Store:
            store = make_store(await asyncio.to_thread(IndexSettings.load, mongodb_uri=mongod.uri))
            await store.open()
            stack.push_async_callback(store.aclose)
            return store

        yield open_store


async def taken(claims: Claims, record_id: str = "d", past: str = "") -> Claim:
    claim = await claims.take(record_id, past=past)
    assert isinstance(claim, Claim)
    return claim


async def test_of_many_one_gets_it(stores: Callable[[], Awaitable[Store]]) -> None:
    others = [Claims(await stores(), LEASE_S) for _ in range(3)]
    outcomes = await asyncio.gather(*(claims.take("d") for claims in [*others, *others]))
    assert len([claim for claim in outcomes if isinstance(claim, Claim)]) == 1
    assert outcomes.count(None) == 5


async def test_it_is_kept_while_its_holder_lives_and_taken_over_after(stores: Callable[[], Awaitable[Store]]) -> None:
    mine, yours = Claims(await stores(), LEASE_S), Claims(await stores(), 0.1)
    async with mine:
        claim = await taken(mine)
        for _ in range(20):
            assert await yours.take("d") is None, "also by who is less patient"
            await asyncio.sleep(LEASE_S / 10)
        assert mine._renewing is not None
        mine._renewing.cancel()
        async with asyncio.timeout(20), yours.hold("d") as theirs:
            with pytest.raises(ClaimLost):
                await claim.renew()
            await claim.release()
            await theirs.renew()  # what its old holder does concerns it no more


async def test_nobody_compares_clocks(stores: Callable[[], Awaitable[Store]]) -> None:
    """A holder whose clock is a day behind, or ahead, keeps its claim."""
    mine, yours = Claims(store := await stores(), LEASE_S), Claims(await stores(), LEASE_S)
    claim = await taken(mine)
    for offset in (-86400, 86400):
        record = await store.get_record(MAKING, "d")
        assert record is not None
        claim._record = await store.put_record(replace(record, lease_until=record.lease_until + offset))
        assert await yours.take("d") is None


async def test_what_is_done_is_known(stores: Callable[[], Awaitable[Store]]) -> None:
    mine, yours = Claims(await stores(), LEASE_S), Claims(store := await stores(), LEASE_S)
    claim = await taken(mine)
    await claim.close("is damaged.")
    await mine.end(claim)
    closed = await yours.take("d")
    assert isinstance(closed, Closed) and closed.reason == "is damaged."
    again = await taken(yours, past=closed.by)
    await again.close("is damaged.")
    assert isinstance(await mine.take("d", past=closed.by), Closed), "it was closed once more"
    other = await taken(yours, "other")
    await other.finish()
    assert [record.id for record in await store.list_records(MAKING)] == ["d"]
    await taken(mine, "other")


async def test_who_leaves_gives_up_what_is_not_done(stores: Callable[[], Awaitable[Store]]) -> None:
    async with Claims(await stores(), 3600) as mine:
        await taken(mine)
    await taken(Claims(await stores(), LEASE_S))


async def test_alone_waits_for_all_others_and_keeps_new_ones_out(stores: Callable[[], Awaitable[Store]]) -> None:
    told: list[str] = []
    store = await stores()
    async with Claims(store, LEASE_S) as mine, Claims(await stores(), LEASE_S) as yours:
        my_turn, your_turn = Turns(store, mine, told.append), Turns(await stores(), yours, told.append)
        order: list[str] = []

        async def be_alone() -> None:
            async with my_turn.alone():
                order.append("alone")
                await asyncio.sleep(0.5)
                order.append("not alone")

        async def publish() -> None:
            async with your_turn.present():
                order.append("present")
                async with your_turn.leave() as alone:
                    order.append(f"left {alone}")

        async with your_turn.present():
            waiting = asyncio.create_task(be_alone())
            await until(lambda: bool(told))
            await asyncio.sleep(0.5)  # it has looked again
            assert not order and "writes to this index" in told[0]
        async with asyncio.timeout(20):
            while not order:  # noqa: ASYNC110
                await asyncio.sleep(0)
        await asyncio.gather(waiting, publish())
        assert order == ["alone", "not alone", "present", "left True"]
        assert await store.list_records(PRESENT) == []


async def test_who_was_killed_is_not_waited_for_for_ever(stores: Callable[[], Awaitable[Store]]) -> None:
    store = await stores()
    assert await Claims(store, LEASE_S).take("dead", PRESENT), "which nobody renews"
    async with Claims(store, LEASE_S) as mine:
        turns = Turns(store, mine, print)
        async with turns.present(), turns.leave() as alone:
            assert not alone, "who leaves at once cannot know"
        async with asyncio.timeout(30), turns.alone():
            assert await store.list_records(PRESENT) == []


async def test_who_was_killed_just_now_is_known_to_be_gone(stores: Callable[[], Awaitable[Store]]) -> None:
    store = await stores()
    async with Claims(store, LEASE_S) as mine:
        turns = Turns(store, mine, (told := []).append)
        async with turns.present():
            assert await Claims(store, LEASE_S).take("dead", PRESENT), "which nobody renews"
            async with asyncio.timeout(30):
                await turns.await_signs()
            assert "a sign" in told[0]
            async with turns.leave() as alone:
                assert alone and await store.list_records(PRESENT) != []
        assert await store.list_records(PRESENT) == []


async def test_the_living_do_not_wait_for_each_other(stores: Callable[[], Awaitable[Store]]) -> None:
    async def publish(claims: Claims) -> bool:
        turns = Turns(await stores(), claims, print)
        async with turns.present():
            await together.wait()
            await turns.await_signs()
            async with turns.leave() as alone:
                return alone

    together = asyncio.Barrier(3)
    async with AsyncExitStack() as stack, asyncio.timeout(30):  # less than a third of the lease
        three = [await stack.enter_async_context(Claims(await stores(), 3600)) for _ in range(3)]
        assert sorted(await asyncio.gather(*map(publish, three))) == [False, False, True]


async def test_a_server_leaves_to_a_loader_what_that_one_is_at(
    stores: Callable[[], Awaitable[Store]], mongod: FakeMongod, tmp_path: Path
) -> None:
    file = make_bytes(tmp_path)
    document = hashlib.sha256(file).hexdigest()
    async with Claims(await stores(), 60) as loader, serve(tmp_path / "data", mongodb_uri=mongod.uri) as served:
        claim = await taken(loader, document)
        job = await start(served.client, "a.pdf", file)
        await wait_for(served.client, job, lambda job: bool(job["state"] == "running"))
        await asyncio.sleep(1)
        assert document not in list_read(tmp_path / "data")
        await loader.end(claim)
        assert (await finish(served.client, job))["state"] == "done"
        assert document in list_read(tmp_path / "data")
        assert isinstance(await loader.take(document), Claim), "and it is free again"


async def test_a_server_settles_the_index_after_one_that_was_killed(
    stores: Callable[[], Awaitable[Store]], mongod: FakeMongod, tmp_path: Path
) -> None:
    store = await stores()

    async def is_settled() -> bool:
        record = await store.read_index()
        return record is not None and record.settled and record.languages == ("pt",)

    async def is_left_to_other() -> bool:
        return [record.id for record in await store.list_records(PRESENT)] == ["other"]

    async def live() -> None:
        while True:
            await other.renew()
            await asyncio.sleep(0.2)

    other = await Claims(store, 2).take("other", PRESENT)
    assert isinstance(other, Claim)
    async with serve(tmp_path / "data", mongodb_uri=mongod.uri, lease_s=2) as served:
        living = asyncio.create_task(live())
        try:
            job = await start(served.client, "a.pdf", make_bytes(tmp_path))
            assert (await finish(served.client, job))["state"] == "done"
            await until(is_left_to_other)
            assert not await is_settled()
        finally:
            living.cancel()
        async with asyncio.timeout(30):
            await until(is_settled)


def list_read(data: Path) -> list[str]:
    """The documents of which pages were read."""
    return [path.name for path in data.glob("pages/*")]


async def test_the_embedded_store_needs_none(tmp_path: Path) -> None:
    store = make_store(await asyncio.to_thread(IndexSettings.load, data_dir=tmp_path))
    await store.open()
    try:
        async with Claims(store, LEASE_S) as claims:
            turns = Turns(store, claims, print)
            async with turns.present():
                claim = await taken(claims)
                assert await claims.take("d") is None, "tasks of one process take turns, too"
                await claim.renew()
                await claims.end(claim)
                await taken(claims)
                async with turns.leave() as alone:
                    assert alone
        assert not [*await store.list_records(MAKING), *await store.list_records(PRESENT)]
    finally:
        await store.aclose()

"""Users, sessions and keys: the same on both stores."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from app.access.api_keys import Keys
from app.access.passwords import Passwords
from app.access.sessions import MAX_SESSIONS, Sessions
from app.access.shared_limits import KIND as SHARED
from app.access.shared_limits import SharedLimit
from app.access.users import Users
from app.errors import BadRequest, Conflict, Forbidden, NotFound, TooManyRequests
from database.errors import WrongCollection
from database.settings import IndexSettings
from database.stores import Store, make_store
from tests.accounts import FAST, PASSWORD
from tests.fakes.mongod import FakeMongod

pytestmark = pytest.mark.usefixtures("strict_loop")


@pytest.fixture(params=["sqlite", "mongodb"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with FakeMongod() as mongod:
        uri = mongod.uri if request.param == "mongodb" else ""
        settings = await asyncio.to_thread(IndexSettings.load, data_dir=tmp_path / "data", mongodb_uri=uri)
        store = make_store(settings)
        await store.open()
        yield store
        await store.aclose()


async def read_everything(store: Store) -> str:
    kinds = ("user", "session", "key", "secret")
    return json.dumps([r.data | {"id": r.id} for kind in kinds for r in await store.list_records(kind)])


async def test_users(store: Store) -> None:
    users = Users(store, Passwords(FAST))
    assert await users.is_empty()
    ana = await users.add("Ana", PASSWORD, "admin")
    leo = await users.add("ＬＥＯ", PASSWORD, "reader", ["board", "café"])
    assert (ana.name, ana.collections, ana.display_name) == ("ana", None, "Ana")
    assert (leo.name, leo.collections) == ("leo", ("board", "café"))
    assert [user.name for user in await users.list()] == ["ana", "leo"] and not await users.is_empty()
    for taken in ("ANA", "ana", "Ａna"):
        with pytest.raises(Conflict):
            await users.add(taken, PASSWORD, "reader")
    changed = await users.change("leo", role="admin", display_name="Leonor")
    assert (changed.role, changed.collections, changed.display_name) == ("admin", None, "Leonor")
    assert (await users.change("leo", role="reader", collections=[])).collections == ()
    assert PASSWORD not in await read_everything(store)
    await users.remove("Leo")
    for gone in (users.remove("leo"), users.get("leo"), users.change("leo", role="admin")):
        with pytest.raises(NotFound):
            await gone


@pytest.mark.parametrize("name", ["", " ", "a b", "a/b", "../a", "a" * 65, "\ud800", "a\x00", "-a", "a\u202eb"])
async def test_names_that_cannot_be(store: Store, name: str) -> None:
    users = Users(store, Passwords(FAST))
    with pytest.raises(BadRequest):
        await users.add(name, PASSWORD, "reader")
    assert await users.verify(name, PASSWORD) is None
    assert await users.is_empty()


async def test_passwords(store: Store) -> None:
    users = Users(store, Passwords(FAST))
    for bad in ("", "123456789", "x" * 1001):
        with pytest.raises(BadRequest):
            await users.add("ana", bad, "admin")
    with pytest.raises(WrongCollection):
        await users.add("ana", PASSWORD, "reader", ["../x"])
    await users.add("ana", PASSWORD, "admin")
    assert await users.verify("ANA", PASSWORD) == await users.get("ana")
    for name, password in (("ana", PASSWORD + " "), ("ana", ""), ("bob", PASSWORD), ("ana", "x" * 2000)):
        assert await users.verify(name, password) is None
    await users.set_password("ana", "another password")
    assert await users.verify("ana", PASSWORD) is None and await users.verify("ana", "another password")


async def test_a_hash_of_other_parameters_is_made_anew_at_the_next_login(store: Store) -> None:
    await Users(store, Passwords(FAST)).add("ana", PASSWORD, "admin")
    stronger = Users(store, Passwords(PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)))
    before = (await store.get_record("user", "ana")).data["password"]  # type: ignore[union-attr]
    assert await stronger.verify("ana", "wrong password") is None
    assert (await store.get_record("user", "ana")).data["password"] == before  # type: ignore[union-attr]
    assert await stronger.verify("ana", PASSWORD)
    after = (await store.get_record("user", "ana")).data["password"]  # type: ignore[union-attr]
    assert "t=2" in after and "t=1" in before and await stronger.verify("ana", PASSWORD)


async def test_sessions(store: Store) -> None:
    sessions = Sessions(store, 1)
    first, second = await sessions.start("ana", "Firefox" * 99, "10.0.0.1"), await sessions.start("ana")
    other = await sessions.start("leo")
    found = await sessions.find(first)
    assert found and (found.user, found.address, len(found.agent)) == ("ana", "10.0.0.1", 200)
    assert found.expires_at == pytest.approx(found.created_at + 3600)
    token = first.rpartition(".")[0]
    for tampered in (token, f"{token}.", f"{token}.{second.rpartition('.')[2]}", first[1:], f"x{first}", "", "é", "."):
        assert await sessions.find(tampered) is None
    assert token not in await read_everything(store)
    assert not await sessions.end("leo", found.id) and await sessions.find(first)
    await sessions.end_all("ana", keep=found.id)
    assert await sessions.find(first) and not await sessions.find(second) and await sessions.find(other)
    assert await sessions.end("ana", found.id) and not await sessions.find(first)
    assert await sessions.list("ana") == [] and len(await sessions.list("leo")) == 1


async def test_other_servers_take_the_same_cookies(store: Store) -> None:
    servers = [Sessions(store, 1) for _ in range(4)]
    cookies = await asyncio.gather(*(server.start("ana") for server in servers))
    assert all([await server.find(cookie) for server in servers for cookie in cookies])
    await store.remove_record("secret", "cookies")  # whoever knew it can make no cookie for a new one
    assert await Sessions(store, 1).find(cookies[0]) is None


async def test_sessions_expire_and_are_bounded(store: Store) -> None:
    ended = await Sessions(store, 0).start("ana")
    sessions = Sessions(store, 1)
    assert await sessions.find(ended) is None and await sessions.list("ana") == []
    first = await sessions.start("ana")
    assert len(await store.list_records("session")) == 1, "the expired one is forgotten"
    for _ in range(MAX_SESSIONS):
        await sessions.start("ana")
    assert len(await sessions.list("ana")) == MAX_SESSIONS and await sessions.find(first) is None


async def test_keys(store: Store) -> None:
    keys = Keys(store, 2)
    key, text = await keys.add("ana", "admin", ["ask", "write"], "script")
    secret = text.removeprefix(f"acv_{key.id}_")
    assert len(secret) == 43 and await keys.find(text) == key
    assert (key.scopes, key.label) == (frozenset(("ask", "write")), "script")
    assert secret not in await read_everything(store)
    wrong = "A" if text[-1] != "A" else "B"
    for other in (text[:-1], text[:-1] + wrong, text + "A", text.replace("acv", "acw"), "", key.id, "acv__"):
        assert await keys.find(other) is None
    with pytest.raises(Forbidden):
        await keys.add("leo", "reader", ["ask", "write"])
    await keys.add("ana", "admin", ["ask"])
    with pytest.raises(Conflict):
        await keys.add("ana", "admin", ["ask"])
    assert not await keys.remove(key.id, "leo") and await keys.find(text)
    assert await keys.remove(key.id, "ana") and not await keys.find(text) and not await keys.remove(key.id)
    await keys.remove_all("ana")
    assert await keys.list() == []


async def test_a_record_with_another_digest_opens_nothing(store: Store) -> None:
    keys = Keys(store, 2)
    key, text = await keys.add("ana", "admin", ["ask"])
    record = await store.get_record("key", key.id)
    assert record
    await store.put_record(replace(record, data={**record.data, "digest": "0" * 64}))
    assert await keys.find(text) is None


async def test_servers_limit_logins_together(store: Store) -> None:
    """Their clocks differ: one that is ahead does not fill buckets each time anew."""
    now = [1000.0]
    one = SharedLimit(store, 4, "tries", clock=lambda: now[0])
    other = SharedLimit(store, 4, "tries", clock=lambda: now[0] + 3600)
    for limit in (other, one, other, one):
        await limit.take("ana", "here")
    for limit, name in ((one, "ana"), (other, "ana"), (one, "leo"), (other, "leo")):
        with pytest.raises(TooManyRequests):
            await limit.take(name, "here")
    for _ in range(4):
        await one.take("leo", "there")  # nothing was taken of it when the address had none

    now[0] += 15
    await other.take("ana", "elsewhere")
    for limit in (one, other):
        with pytest.raises(TooManyRequests, match="in 15 s"):
            await limit.take("ana", "elsewhere")


async def test_tries_at_the_same_time_are_all_counted(store: Store) -> None:
    limits = [SharedLimit(store, 5, "tries", clock=lambda: 1000.0) for _ in range(2)]
    taken = await asyncio.gather(*(limits[n % 2].take("ana") for n in range(12)), return_exceptions=True)
    assert sum(result is None for result in taken) <= 5 and set(map(type, taken)) <= {type(None), TooManyRequests}
    assert await store.list_records(SHARED)
    await SharedLimit(store, 5, "tries", clock=lambda: 1060.0).take("leo")
    assert len(await store.list_records(SHARED)) == 1, "full buckets are forgotten"

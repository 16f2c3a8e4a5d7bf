"""Logging in and out, what a person changes about themselves, what admins change about others."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
import pytest_asyncio
from argon2 import PasswordHasher

from app.access import gate as gates
from app.access.limits import Limit
from app.access.passwords import Passwords
from app.access.sessions import Sessions
from app.access.users import Users
from app.keys import ENGINE, GATE, SETTINGS
from tests.accounts import PASSWORD, Person, add_people, with_cookie, with_key
from tests.fakes.mongod import FakeMongod
from tests.server import Answer, Served, serve

pytestmark = pytest.mark.usefixtures("strict_loop")
ANYBODY = Person()


@pytest_asyncio.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with serve(tmp_path / "fresh", login_limit=0, trusted_proxies="127.0.0.1") as served:
        yield served


async def call(served: Served, who: Person, method: str, path: str, told: Any = None, **headers: str) -> Answer:
    return await who.send(served, method, path, b"" if told is None else json.dumps(told).encode(), **headers)


async def log_in(served: Served, name: str = "ada", password: str = PASSWORD, **headers: str) -> Answer:
    return await call(served, ANYBODY, "POST", "/login", {"name": name, "password": password}, **headers)


def read_cookie(answer: Answer) -> Any:
    return SimpleCookie(answer.headers["Set-Cookie"])["acervo_session"]


async def enter(served: Served, name: str = "ada", password: str = PASSWORD) -> Person:
    answer = await log_in(served, name, password)
    assert answer.status == 200, answer.body
    return with_cookie(read_cookie(answer).value, served)


async def test_without_users_everybody_may_do_everything(served: Served) -> None:
    me = json.loads((await call(served, ANYBODY, "GET", "/me")).body)
    assert (me["name"], me["role"], me["collections"], me["login"]) == ("", "admin", None, False)
    assert (await call(served, ANYBODY, "GET", "/documents")).status == 200
    assert (await call(served, ANYBODY, "GET", "/me/keys")).status == 409
    assert (await log_in(served)).status == 401


async def test_the_first_user_is_an_admin_and_closes_the_door(served: Served) -> None:
    given = {"name": "Ada", "password": PASSWORD}
    assert (await call(served, ANYBODY, "POST", "/users", {**given, "role": "reader"})).status == 409
    answer = await call(served, ANYBODY, "POST", "/users", given)
    assert answer.status == 201 and json.loads(answer.body)["role"] == "admin"
    assert (await call(served, ANYBODY, "GET", "/documents")).status == 401
    assert (await call(served, ANYBODY, "POST", "/users", given)).status == 401
    ada = await enter(served)
    assert json.loads((await call(served, ada, "GET", "/me")).body)["login"] is True
    assert (await call(served, ada, "POST", "/users", given)).status == 409
    rita = json.loads((await call(served, ada, "POST", "/users", {"name": "rita", "password": PASSWORD})).body)
    assert (rita["role"], rita["collections"]) == ("reader", [""])


async def test_the_cookie_is_out_of_reach(served: Served) -> None:
    await add_people(served)
    cookie = read_cookie(await log_in(served, "ＡＤＡ"))
    assert cookie["httponly"] and cookie["samesite"] == "Lax" and cookie["path"] == "/" and not cookie["secure"]
    assert int(cookie["max-age"]) == served.app[SETTINGS].session_hours * 3600 and not cookie["domain"]
    answer = await log_in(served, X_Forwarded_Proto="https", X_Forwarded_Host="localhost")
    assert read_cookie(answer)["secure"] and "max-age=31536000" in answer.headers["Strict-Transport-Security"]
    assert "Strict-Transport-Security" not in (await log_in(served)).headers


@pytest.mark.parametrize("given", [("ada", "wrong password"), ("nobody", PASSWORD), ("", ""), ("a\x00/", PASSWORD)])
async def test_a_wrong_login_does_not_tell_what_was_wrong(served: Served, given: tuple[str, str]) -> None:
    await add_people(served)
    answer = await log_in(served, *given)
    assert (answer.status, answer.error) == (401, "The name or the password is wrong.")
    assert "Set-Cookie" not in answer.headers and PASSWORD.encode() not in answer.body


class Counting(PasswordHasher):
    """Notes the parameters and the length of each hash that it verifies."""

    verified: ClassVar[list[tuple[str, int]]] = []

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:
        self.verified.append((str(hash).split("$")[3], len(hash)))
        return super().verify(hash, password)


async def test_unknown_names_cost_a_verification_too(served: Served) -> None:
    await add_people(served)
    hasher = Counting(time_cost=1, memory_cost=8, parallelism=1)
    served.app[GATE].users = Users(served.app[ENGINE].store, Passwords(hasher))
    for name in ("ada", "nobody", "no/name"):
        assert (await log_in(served, name, "wrong password")).status == 401
    assert len(hasher.verified) == 3 and len(set(hasher.verified)) == 1


async def test_logging_out_ends_the_session(served: Served) -> None:
    await add_people(served)
    ada, other = await enter(served), await enter(served)
    answer = await call(served, ada, "POST", "/logout")
    assert answer.status == 204 and read_cookie(answer)["max-age"] == "0"
    assert (await call(served, ada, "GET", "/me")).status == 401
    assert (await call(served, ada, "POST", "/logout")).status == 204
    assert (await call(served, other, "GET", "/me")).status == 200


async def test_another_login_at_the_same_browser_ends_the_first(served: Served) -> None:
    await add_people(served)
    ada = await enter(served)
    told = {"name": "rita", "password": PASSWORD}
    answer = await call(served, ada, "POST", "/login", told)
    assert json.loads(answer.body)["name"] == "rita"
    assert (await call(served, ada, "GET", "/me")).status == 401


async def test_another_password_ends_all_other_sessions(served: Served) -> None:
    people = await add_people(served)
    here, there = await enter(served, "rita"), await enter(served, "rita")
    change = {"current_password": PASSWORD, "password": "another password", "display_name": " Rita L. "}
    assert (await call(served, here, "PATCH", "/me", {**change, "current_password": "wrong"})).status == 403
    assert (await call(served, here, "PATCH", "/me", {**change, "password": "short"})).status == 400
    assert (await call(served, there, "GET", "/me")).status == 200
    answer = await call(served, here, "PATCH", "/me", change)
    assert answer.status == 200 and json.loads(answer.body)["display_name"] == "Rita L."
    assert (await call(served, here, "GET", "/me")).status == 200
    for ended in (there, people["rita"]):
        assert (await call(served, ended, "GET", "/me")).status == 401
    assert (await call(served, people["rita read"], "GET", "/documents")).status == 200, "keys go on"
    assert (await log_in(served, "rita")).status == 401
    assert (await log_in(served, "rita", "another password")).status == 200


async def test_sessions_are_listed_and_ended(served: Served) -> None:
    people = await add_people(served)
    here, there = people["rita"], await enter(served, "rita")
    listed = json.loads((await call(served, here, "GET", "/me/sessions")).body)["sessions"]
    assert [session["current"] for session in listed] == [True, False]
    path = f"/me/sessions/{listed[1]['id']}"
    assert (await call(served, people["otto"], "DELETE", path)).status == 404
    assert (await call(served, here, "DELETE", path)).status == 204
    assert (await call(served, there, "GET", "/me")).status == 401


async def test_keys_are_made_shown_once_and_removed(served: Served) -> None:
    people = await add_people(served)
    rita = people["rita"]
    answer = await call(served, rita, "POST", "/me/keys", {"scopes": ["read"], "label": "backup"})
    made = json.loads(answer.body)
    assert (answer.status, answer.headers["Cache-Control"]) == (201, "no-store")
    key = with_key(made["key"])
    assert (await call(served, key, "GET", "/documents")).status == 200
    assert (await call(served, key, "POST", "/me/keys", {})).status == 403
    listed = await call(served, rita, "GET", "/me/keys")
    assert made["id"] in listed.body.decode() and made["key"].encode() not in listed.body
    assert (await call(served, people["otto"], "DELETE", f"/me/keys/{made['id']}")).status == 404
    assert (await call(served, rita, "POST", "/me/keys", {"scopes": ["write"]})).status == 403
    assert (await call(served, rita, "POST", "/me/keys", {"scopes": ["all"]})).status == 400
    assert (await call(served, rita, "DELETE", f"/me/keys/{made['id']}")).status == 204
    assert (await call(served, key, "GET", "/documents")).status == 401


async def test_a_wrong_key_is_not_made_up_for_by_a_cookie(served: Served) -> None:
    people = await add_people(served)
    for sent in ("Bearer acv_x", "Basic YTpi", "", "Bearer"):
        assert (await call(served, people["ada"], "GET", "/me", Authorization=sent)).status == 401


async def test_what_an_admin_changes_counts_at_once(served: Served) -> None:
    people = await add_people(served)
    ada, rita = people["ada"], people["rita"]
    assert (await call(served, rita, "GET", "/users")).status == 403
    assert (await call(served, ada, "PATCH", "/users/RITA", {"role": "admin"})).status == 200
    assert (await call(served, rita, "GET", "/users")).status == 200
    assert (await call(served, rita, "PATCH", "/users/rita", {"role": "reader"})).status == 409
    assert (await call(served, rita, "DELETE", "/users/rita")).status == 409
    changed = await call(served, ada, "PATCH", "/users/rita", {"role": "reader", "collections": ["x"]})
    assert json.loads(changed.body)["collections"] == ["x"] and b"argon2" not in changed.body
    assert json.loads((await call(served, rita, "GET", "/me")).body)["collections"] == ["x"]
    assert (await call(served, ada, "PATCH", "/users/rita", {"password": "another password"})).status == 200
    assert (await call(served, rita, "GET", "/me")).status == 401
    assert (await call(served, ada, "DELETE", "/users/rita")).status == 204
    assert (await call(served, people["rita read"], "GET", "/documents")).status == 401
    assert (await call(served, ada, "DELETE", "/users/rita")).status == 404
    assert (await call(served, ada, "PATCH", "/users/rita", {})).status == 404


async def test_a_namesake_gets_nothing_of_who_had_the_name_before(served: Served) -> None:
    people = await add_people(served)
    await served.app[GATE].users.remove("rita")  # as by a removal that broke off: sessions and keys are left
    given = {"name": "Rita", "password": "another password", "collections": ["x"]}
    assert (await call(served, people["ada"], "POST", "/users", given)).status == 201
    for who in ("rita", "rita ask", "rita read"):
        assert (await call(served, people[who], "GET", "/me")).status == 401
    assert (await log_in(served, "rita", "another password")).status == 200


async def test_nobody_changes_their_own_password_without_knowing_it(served: Served) -> None:
    people = await add_people(served)
    for who in ("ada", "ada admin"):
        answer = await call(served, people[who], "PATCH", "/users/ADA", {"password": "another password"})
        assert answer.status == 409 and "PATCH /me" in answer.error
    assert (await log_in(served, "ada")).status == 200


async def test_who_leaves_while_a_password_changes_leaves_no_session_behind(served: Served) -> None:
    people = await add_people(served)
    sessions = served.app[GATE].sessions
    waiting, going, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    class Slow(Sessions):
        async def end_all(self, user: str, keep: str = "") -> None:
            waiting.set()
            await going.wait()
            await super().end_all(user, keep)
            done.set()

    served.app[GATE].sessions = Slow(sessions._store, 1)
    told = {"password": "another password"}
    changing = asyncio.create_task(call(served, people["ada"], "PATCH", "/users/rita", told))
    await waiting.wait()
    changing.cancel()
    await asyncio.sleep(0.1)  # until the server has noticed
    going.set()
    async with asyncio.timeout(10):
        await done.wait()
    assert not await sessions.list("rita")


async def test_a_user_who_is_added_elsewhere_counts_within_two_seconds(served: Served) -> None:
    assert (await call(served, ANYBODY, "GET", "/documents")).status == 200
    await served.app[GATE].users.add("ada", PASSWORD, "admin")  # as another process does: nothing is told to this one
    assert gates.KNOWN_S <= 2
    await asyncio.sleep(gates.KNOWN_S)
    assert (await call(served, ANYBODY, "GET", "/documents")).status == 401


async def test_logins_and_questions_are_limited(tmp_path: Path) -> None:
    async with serve(tmp_path / "fresh", login_limit=3, ask_limit=2, trusted_proxies="127.0.0.1") as served:
        people = await add_people(served)
        statuses = [(await log_in(served, "ada", X_Forwarded_For=f"10.0.0.{n}")).status for n in range(4)]
        assert statuses == [200, 200, 200, 429]
        answer = await log_in(served, "ada", X_Forwarded_For="10.0.0.9")
        assert 0 < int(answer.headers["Retry-After"]) <= 20 and "Try again" in answer.error
        statuses = [(await log_in(served, f"n{n}", X_Forwarded_For="10.1.0.1")).status for n in range(4)]
        assert statuses == [401, 401, 401, 429]
        for who, other in (("rita", "rita ask"), ("otto", "otto")):
            told = {"prompt": "?"}
            statuses = [(await call(served, people[p], "POST", "/", told)).status for p in (who, other, who)]
            assert 429 not in statuses[:2] and statuses[2] == 429
        rating = {"rating": "up"}
        statuses = [(await call(served, people["ada"], "POST", "/feedback", rating)).status for _ in range(3)]
        assert statuses == [201, 201, 429]


def test_a_limit_fills_again_and_forgets() -> None:
    now = [0.0]
    limit = Limit(2, "tries", clock=lambda: now[0])
    for _ in range(2):
        limit.take("a", "b")
    with pytest.raises(Exception, match="in 30 s"):
        limit.take("a")
    with pytest.raises(Exception, match="tries"):
        limit.take("c", "b")
    limit.take("c")
    limit.take("c")  # nothing was taken of it when `b` had none
    now[0] = 30
    limit.take("a")
    with pytest.raises(Exception, match="tries"):
        limit.take("a")
    for n in range(30_000):
        limit.take(str(n))
    assert len(limit._buckets) <= 20_000


async def test_numbers_for_the_token_and_for_admins(tmp_path: Path) -> None:
    async with serve(tmp_path / "fresh", metrics_token="a long secret") as served:
        people = await add_people(served)
        expected = {"stranger": 401, "rita": 403, "rita ask": 403, "ada": 200, "ada admin": 200, "ada write": 403}
        for name, status in expected.items():
            assert (await call(served, people[name], "GET", "/metrics")).status == status, name
        scraper = Person({"Authorization": "Bearer a long secret"})
        assert (await call(served, scraper, "GET", "/metrics")).status == 200
        assert (await call(served, scraper, "GET", "/users")).status == 401


async def test_a_store_that_is_away_lets_nobody_in(tmp_path: Path) -> None:
    away = {"mongodb_uri": "mongodb://127.0.0.1:9/?directConnection=true", "mongodb_timeout_s": 0.3}
    async with serve(tmp_path, **away, host="0.0.0.0", allowed_hosts="127.0.0.1") as served:
        for path in ("/", "/documents", "/models", "/metrics", "/me", "/users"):
            assert (await call(served, ANYBODY, "GET", path)).status == 503, path
        assert (await call(served, ANYBODY, "GET", "/health")).status == 200
        answer = await call(served, ANYBODY, "GET", "/ready")
        assert (answer.status, json.loads(answer.body)) == (503, {"ready": False})


async def test_a_network_without_users_gets_nothing(tmp_path: Path) -> None:
    """As where the store was away when the server started."""
    async with serve(tmp_path / "fresh", host="0.0.0.0", allowed_hosts="127.0.0.1") as served:
        for method, path in (("GET", "/"), ("GET", "/documents"), ("POST", "/users"), ("GET", "/metrics")):
            answer = await call(served, ANYBODY, method, path)
            assert answer.status == 403 and "users add" in answer.error, path
        assert (await call(served, ANYBODY, "GET", "/health")).status == 200
        assert set(json.loads((await call(served, ANYBODY, "GET", "/ready")).body)) == {"ready"}
    async with serve(tmp_path / "fresh", host="0.0.0.0", allowed_hosts="127.0.0.1", allow_no_login=True) as served:
        assert (await call(served, ANYBODY, "GET", "/documents")).status == 200


async def test_once_there_were_users_an_outage_opens_nothing(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        mongod = FakeMongod()
        async with mongod:
            settings = {"mongodb_uri": mongod.uri, "mongodb_timeout_s": 0.5}
            served = await stack.enter_async_context(serve(tmp_path, **settings))
            people = await add_people(served)
            assert (await call(served, people["ada"], "GET", "/documents")).status == 200
        served.app[GATE].forget_users()
        for who, status in ((ANYBODY, 401), (people["ada"], 503)):
            for path in ("/documents", "/me", "/users"):
                assert (await call(served, who, "GET", path)).status == status


async def test_no_response_tells_versions_and_none_names_the_host_by_itself(served: Served) -> None:
    for path in ("/", "/health", "/documents", "/nothing"):
        answer = await call(served, ANYBODY, "GET", path)
        assert answer.headers["Server"] == "Acervo"
        rebound = await call(served, ANYBODY, "GET", path, Host="evil.example")
        assert rebound.status == 400 and "evil.example" in rebound.error
        forwarded = await call(served, ANYBODY, "GET", path, X_Forwarded_Host="evil.example")
        assert forwarded.status == 400 and "evil.example" in forwarded.error

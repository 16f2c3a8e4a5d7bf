"""People for tests of access: users, their cookies and keys, on a server with two collections."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher

from app.access.gate import Gate
from app.access.passwords import Passwords
from app.access.users import Users
from app.jobs import Job
from app.keys import ENGINE, GATE, LIBRARY
from database.stores.sqlite import SqliteStore
from tests.library import LIGHTHOUSE, make_library
from tests.server import Answer, Served, serve

PASSWORD = "correct horse battery"
FAST = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
BOARD = "board"


@dataclass(frozen=True)
class Person:
    """The headers that somebody sends."""

    headers: Mapping[str, str] = field(default_factory=dict)

    async def send(self, served: Served, method: str, path: str, body: bytes = b"", **more: str) -> Answer:
        """The answer to a request of theirs."""
        sent = {"Content-Type": "application/json"} if body else {}
        headers = {**sent, **self.headers, **{name.replace("_", "-"): value for name, value in more.items()}}
        async with served.client.request(method, path, data=body, headers=headers, allow_redirects=False) as response:
            return Answer(response.status, response.headers, await response.read())


def with_cookie(cookie: str, served: Served) -> Person:
    """A page of the server itself, open in the browser of whoever has the cookie."""
    return Person({"Cookie": f"acervo_session={cookie}", "Origin": str(served.url.origin())})


def with_key(text: str) -> Person:
    """A program."""
    return Person({"Authorization": f"Bearer {text}"})


async def add_people(served: Served) -> dict[str, Person]:
    """An admin, a reader of BOARD and one of documents in no collection; with cookies and keys of all kinds."""
    gate = served.app[GATE]
    gate.users = Users(served.app[ENGINE].store, Passwords(FAST))
    await gate.open_store()
    await gate.users.add("ada", PASSWORD, "admin")
    await gate.users.add("rita", PASSWORD, "reader", [BOARD])
    await gate.users.add("otto", PASSWORD, "reader")
    gate.forget_users()
    people = {name: with_cookie(await gate.sessions.start(name), served) for name in ("ada", "rita", "otto")}
    for scope in ("ask", "read"):
        people[f"rita {scope}"] = with_key((await gate.keys.add("rita", "reader", [scope]))[1])
    for scope in ("write", "admin"):
        people[f"ada {scope}"] = with_key((await gate.keys.add("ada", "admin", [scope]))[1])
    return people | await _add_ended(gate, served) | {"stranger": Person()}


async def _add_ended(gate: Gate, served: Served) -> dict[str, Person]:
    gate.sessions._hours, hours = 0, gate.sessions._hours
    expired = await gate.sessions.start("ada")
    gate.sessions._hours = hours
    revoked = await gate.sessions.start("ada")
    session = await gate.sessions.find(revoked)
    assert session and await gate.sessions.end("ada", session.id)
    key, text = await gate.keys.add("ada", "admin", ["admin"])
    assert await gate.keys.remove(key.id)
    ended = {"expired": expired, "revoked": revoked}
    return {name: with_cookie(cookie, served) for name, cookie in ended.items()} | {"removed key": with_key(text)}


@asynccontextmanager
async def serve_people(data_dir: Path, **settings: Any) -> AsyncIterator[tuple[Served, dict[str, Person]]]:
    """A server over a library of its own, whose lighthouse belongs to BOARD; and who comes to it."""
    library = await make_library(data_dir)
    store = SqliteStore(data_dir / "index.sqlite")
    await store.open()
    light = library.documents[LIGHTHOUSE]
    await store.put_names(light.id, [replace(name, collection=BOARD) for name in light.names])
    await store.aclose()
    async with serve(data_dir, login_limit=0, ask_limit=0, **settings) as served:
        yield served, await add_people(served)


async def add_job(served: Served, name: str, collection: str, user: str = "") -> str:
    """The id of a finished job."""
    job = Job("c" * 64, name, 3, state="cancelled", collection=collection, user=user)
    return (await served.app[LIBRARY].jobs.add(job)).id

"""Every route of the application, as everyone: whoever adds a route finds it here without having to think of it."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
import pytest_asyncio
from yarl import URL

from app.access.policy import POLICY, Need, name_route
from app.application import make_app
from app.keys import ENGINE, TOPICS
from app.settings import ServerSettings
from tests import pdfs
from tests.accounts import BOARD, PASSWORD, Person, add_job, serve_people
from tests.library import HARVEST, LIGHTHOUSE, QUESTION
from tests.server import Answer, Served
from tests.uploading import make_form

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("strict_loop")]

MAY: Mapping[str, frozenset[Need]] = {
    "stranger": frozenset(),
    "expired": frozenset(),
    "revoked": frozenset(),
    "removed key": frozenset(),
    "ada": frozenset(("login", "session", "ask", "read", "write", "admin")),
    "rita": frozenset(("login", "session", "ask", "read")),
    "otto": frozenset(("login", "session", "ask", "read")),
    "rita ask": frozenset(("login", "ask")),
    "rita read": frozenset(("login", "read")),
    "ada write": frozenset(("login", "write")),
    "ada admin": frozenset(("login", "admin")),
}
STRANGERS = [name for name, needs in MAY.items() if not needs]


def list_routes() -> list[tuple[str, str]]:
    """Method and path of every route."""
    routes = make_app(ServerSettings()).router.routes()
    return sorted({name_route(route) for route in routes if route.method != "OPTIONS"})


ROUTES = list_routes()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def everyone(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Served, dict[str, Person]]]:
    async with serve_people(tmp_path_factory.mktemp("walk") / "data", undo_s=600) as everyone:
        yield everyone


def fill(path: str) -> str:
    """An address of the route with ids that nothing has, so that nothing is changed on the way."""
    given = {"id": "f" * 64, "number": "1", "name": "nobody-of-this-name"}
    return re.sub(r"\{(\w+)\}", lambda found: given[found[1]], path)


@pytest.mark.parametrize("name", MAY)
async def test_everyone_at_every_route(everyone: tuple[Served, dict[str, Person]], name: str) -> None:
    served, people = everyone
    assert set(MAY) == set(people) and len(ROUTES) > 30
    for method, path in ROUTES:
        need = POLICY[method, path]
        if (method, path) == ("POST", "/logout"):
            continue  # it would end the session
        answer = await people[name].send(served, method, fill(path))
        told = f"{name}: {method} {path}: {answer.status} {answer.body[:200]!r}"
        if need in (None, "anybody") or need in MAY[name]:
            assert answer.status not in (401, 403, 303), told
        elif not MAY[name]:
            assert answer.status == (303 if path in ("/", "/profile") and method == "GET" else 401), told
        else:
            assert answer.status == 403, told


async def read(served: Served, person: Person, path: str) -> dict[str, object]:
    answer = await person.send(served, "GET", path)
    assert answer.status == 200, answer.body
    return dict(json.loads(answer.body))


async def find_ids(served: Served) -> dict[str, str]:
    documents = await served.app[ENGINE].store.list_documents()
    return {document.name: document.id for document in documents}


async def test_collections_hold_in_every_route(everyone: tuple[Served, dict[str, Person]]) -> None:
    served, people = everyone
    ids = await find_ids(served)
    seen = {"ada": {LIGHTHOUSE, HARVEST}, "rita": {LIGHTHOUSE}, "otto": {HARVEST}}
    for name, names in seen.items():
        person = people[name]
        listed = (await read(served, person, "/documents"))["documents"]
        assert {d["name"] for d in listed} - {"broken.pdf"} == names  # type: ignore[attr-defined]
        collections = {c["name"] for c in (await read(served, person, "/collections"))["collections"]}  # type: ignore[attr-defined]
        assert collections == {BOARD if n == LIGHTHOUSE else "" for n in names}
        topics = (await read(served, person, "/topics"))["topics"]
        assert {t["name"] for t in topics} <= names  # type: ignore[attr-defined]
        for document in (LIGHTHOUSE, HARVEST):
            for part in ("file", "pages/1.png"):
                answer = await person.send(served, "GET", f"/documents/{ids[document]}/{part}")
                assert answer.status == (200 if document in names else 404), (name, document, part)
    assert {collections for collections, *_ in served.app[TOPICS]} == {None, (BOARD,), ("",)}


async def ask(served: Served, person: Person, **fields: object) -> Answer:
    return await person.send(served, "POST", "/", json.dumps({"prompt": QUESTION, **fields}).encode())


async def test_an_answer_cites_what_the_asker_may_see_alone(everyone: tuple[Served, dict[str, Person]]) -> None:
    served, people = everyone
    ids = await find_ids(served)
    evil = [{}, {"filters": {"collections": [BOARD, ""]}}, {"filters": {"documents": [ids[LIGHTHOUSE]]}}]
    for fields in evil:
        answer = await ask(served, people["otto"], **fields)
        assert answer.status == 200
        assert {source["name"] for source in answer.lines[0]["sources"]} <= {HARVEST}
        assert LIGHTHOUSE.encode() not in answer.body and b"em 1887" not in answer.body and "1887" not in answer.text
    for name in ("ada", "rita", "rita ask"):
        answer = await ask(served, people[name])
        assert answer.lines[0]["sources"][0]["name"] == LIGHTHOUSE and "1887" in answer.text


async def test_jobs_belong_to_collections(everyone: tuple[Served, dict[str, Person]]) -> None:
    served, people = everyone
    job = await add_job(served, "minutes.pdf", BOARD, "ada")
    listed = (await read(served, people["ada"], "/jobs"))["jobs"]
    assert [(j["id"], j["user"]) for j in listed] == [(job, "ada")]  # type: ignore[attr-defined]
    answer = await people["ada write"].send(served, "GET", f"/jobs/{job}")
    assert answer.status == 200 and answer.lines[-1]["state"] == "cancelled"


async def test_feedback_is_everybodys_own(everyone: tuple[Served, dict[str, Person]]) -> None:
    served, people = everyone

    async def rate(name: str, **fields: object) -> str:
        body = json.dumps({"rating": "up", "note": name, **fields}).encode()
        answer = await people[name].send(served, "POST", "/feedback", body)
        assert answer.status == 201
        return str(json.loads(answer.body)["id"])

    async def read_all(name: str) -> list[tuple[str, str]]:
        return [(e["user"], e["note"]) for e in (await people[name].send(served, "GET", "/feedback")).lines]

    mine = await rate("rita")
    assert await rate("rita ask", id=mine) == mine
    assert await rate("otto", id=mine) != mine
    await rate("otto", id=mine, rating="")
    assert await read_all("rita") == [("rita", "rita ask")] and await read_all("otto") == [("otto", "otto")]
    assert await read_all("ada") == [("rita", "rita ask"), ("otto", "otto")]
    await rate("rita", id=mine, rating="")
    assert await read_all("rita") == []


@pytest.mark.parametrize("name", STRANGERS)
async def test_strangers_learn_whether_it_is_ready_and_nothing_else(
    everyone: tuple[Served, dict[str, Person]], name: str
) -> None:
    served, people = everyone
    answer = await people[name].send(served, "GET", "/ready")
    assert (answer.status, json.loads(answer.body)) == (200, {"ready": True})
    assert set(json.loads((await people["rita"].send(served, "GET", "/ready")).body)) > {"ready", "store"}


async def test_the_page_leads_to_the_login(everyone: tuple[Served, dict[str, Person]]) -> None:
    served, people = everyone
    async with served.client.get("/?q=a%26b", allow_redirects=False) as response:
        assert response.status == 303
        target = URL(response.headers["Location"])
        assert (target.path, target.host, target.query["next"]) == ("/login", None, "/?q=a%26b")
    assert (await people["rita"].send(served, "GET", "/")).status == 200


async def test_pages_of_other_origins_cannot_use_the_cookie(everyone: tuple[Served, dict[str, Person]]) -> None:
    served, people = everyone
    other = "http://localhost:4200"
    assert (await people["ada"].send(served, "GET", "/documents", Origin=other)).status == 401
    assert (await people["ada"].send(served, "POST", "/", b'{"prompt": "x"}', Origin=other)).status == 401
    body = json.dumps({"name": "ada", "password": PASSWORD}).encode()
    assert (await people["stranger"].send(served, "POST", "/login", body, Origin=other)).status == 403
    answer = await people["rita ask"].send(served, "POST", "/", json.dumps({"prompt": QUESTION}).encode(), Origin=other)
    assert answer.status == 200 and answer.headers["Access-Control-Allow-Origin"] == other


async def test_a_cookie_changes_nothing_unless_the_browser_says_from_where(
    everyone: tuple[Served, dict[str, Person]],
) -> None:
    served, people = everyone
    bare = Person({"Cookie": people["ada"].headers["Cookie"]})
    statuses = [
        (await bare.send(served, "DELETE", f"/documents/{'f' * 64}", **more)).status
        for more in ({}, {"Sec_Fetch_Site": "cross-site"}, {"Sec_Fetch_Site": "same-site"})
    ]
    assert statuses == [403, 403, 403]
    for site in ("same-origin", "none"):
        assert (await bare.send(served, "DELETE", f"/documents/{'f' * 64}", Sec_Fetch_Site=site)).status == 404
    assert (await bare.send(served, "GET", "/documents")).status == 200


async def test_uploads_carry_their_user(everyone: tuple[Served, dict[str, Person]], tmp_path: Path) -> None:
    served, people = everyone
    data = await asyncio.to_thread(lambda: pdfs.make_pdf(tmp_path / "x.pdf", ["Wax\n\nCandles."]).read_bytes())
    headers = people["ada write"].headers
    async with served.client.post("/documents", data=make_form(("wax.pdf", data)), headers=headers) as response:
        (job,) = (await response.json())["jobs"]
    assert (response.status, job["user"]) == (202, "ada")
    async with served.client.post(
        "/documents", data=make_form(("x.pdf", data)), headers=people["rita"].headers
    ) as refused:
        assert refused.status == 403

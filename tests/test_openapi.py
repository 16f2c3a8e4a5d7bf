"""The description of the interface is whole, and the server does what it says, whatever is sent."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import requests
import schemathesis
from aiohttp import web
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import content_type_conformance, response_schema_conformance, status_code_conformance
from yarl import URL

from app.application import make_app
from app.compat.errors import PREFIX
from app.openapi import make_document
from app.operations import OPERATIONS, Operation
from app.settings import ServerSettings
from tests.deep import DEEP
from tests.fuzzed import LIMIT_S, Fuzzed, server
from tests.library import Library
from tests.server import serve

EXAMPLES = 25 * (1 + DEEP)
MOST_ROUNDS = 40
"""So often at most as many examples are tried until one was taken, which of some operations one in fifty is."""
CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]
PAGES = re.compile(r"/(?:app\.css|favicon\.svg|(?:css|js|lib|docs|access)/\{name\}|docs|login|profile)?$")
NOT_HERE = {
    "/documents": (415,),
    "/gemini": (503,),
    "/jobs/{id}/retry": (409,),
    "/login": (401,),
    "/me": (403,),
    **dict.fromkeys(("/me/keys/{id}", "/me/sessions/{id}", "/users/{name}"), (404,)),
    "/users": (400,),
    "/v1/chat/completions": (404,),
}
"""What the best answers are where there is no key of Google's, no failed job, and nobody guesses right, be it a PDF."""
__all__ = ["server"]
DOCUMENT = make_document(OPERATIONS)


def list_routes(app: web.Application) -> set[tuple[str, str]]:
    """Method and path of every route but those of the pages' files."""
    return {
        (route.method.lower(), route.resource.canonical)
        for route in app.router.routes()
        if route.method not in ("HEAD", "OPTIONS")
        and route.resource is not None
        and not (route.method == "GET" and PAGES.fullmatch(route.resource.canonical))
    }


def test_every_route_is_described_and_no_other() -> None:
    described = {(operation.method, operation.path) for operation in OPERATIONS}
    assert described == list_routes(make_app(ServerSettings.load()))
    assert len(described) == len(OPERATIONS)


def test_it_is_whole() -> None:
    names = [operation["operationId"] for methods in DOCUMENT["paths"].values() for operation in methods.values()]
    assert len(names) == len(set(names)) == len(OPERATIONS)
    used = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(DOCUMENT)))
    assert used == set(DOCUMENT["components"]["schemas"])
    for path, methods in DOCUMENT["paths"].items():
        for operation in methods.values():
            given = {one["name"] for one in operation.get("parameters", []) if one["in"] == "path"}
            assert given == set(re.findall(r"\{(\w+)\}", path))


async def test_it_is_served_with_its_page(library: Library) -> None:
    async with serve(library.data_dir) as served, served.client.get("/openapi.json") as answer:
        assert (answer.status, answer.content_type) == (200, "application/json")
        assert await answer.json() == DOCUMENT
        async with served.client.get("/docs", headers={"Accept-Encoding": "identity"}) as page:
            html = await page.text()
            assert (page.status, page.content_type) == (200, "text/html")
            assert "script-src 'self'" in page.headers["Content-Security-Policy"]
        for address in re.findall(r'(?:src|href)="(/[^"]+)"', html):
            async with served.client.get(address) as part:
                assert part.status == 200, address
        assert not re.search(r"<script(?![^>]*src=)|<style|style=|\son\w+=", html)


def describe(ids: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The description with these ids, by what their paths begin with, in place of any."""
    told = json.loads(json.dumps(DOCUMENT))
    for path, methods in told["paths"].items():
        for operation in methods.values():
            for one in operation.get("parameters", []):
                if one["name"] == "id" and (known := ids.get(path.split("/")[1])):
                    one["schema"] = {"enum": known}
                if one["name"] == "number":
                    one["schema"] = {"enum": [1, 2]}
    return dict(told)


def check_answered(response: schemathesis.Response) -> None:
    """No fault of the program, whatever was sent; 503 is checked to be a documented one."""
    assert response.status_code not in (500, 502, 504), response.text
    if response.status_code >= 400 and response.headers["content-type"] != ["text/plain; charset=utf-8"]:
        told, foreign = response.json(), URL(str(response.request.url)).path.startswith(PREFIX)
        assert "error" in told if foreign else {"error", "status"} <= told.keys() or "ready" in told


ORDERED = sorted(OPERATIONS, key=lambda operation: operation.method == "delete")


@pytest.mark.parametrize("operation", ORDERED, ids=lambda operation: f"{operation.method} {operation.path}")
def test_nothing_undocumented_comes_back(operation: Operation, server: Fuzzed) -> None:
    schemas = [schemathesis.openapi.from_dict(told) for told in (DOCUMENT, describe(server.ids))]
    described = [schema[operation.path][operation.method.upper()] for schema in schemas]
    cases = st.one_of(*(one.as_strategy(generation_mode=mode) for one in described for mode in GenerationMode))
    wanted = {*operation.gives, *NOT_HERE.get(operation.path, ())}
    statuses, session = set(), requests.Session()
    # Logging out is tried by somebody else: it works.
    session.headers.update({} if operation.path == "/logout" else server.headers)

    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
    @given(case=cases)
    def run(case: schemathesis.Case) -> None:
        response = case.call(base_url=server.url, session=session, timeout=LIMIT_S)
        statuses.add(response.status_code)
        check_answered(response)
        case.validate_response(response, checks=CHECKS)

    with session:
        for number in range(MOST_ROUNDS):
            (run if DEEP else seed(number)(run))()
            if statuses & wanted:
                break
    assert statuses & wanted, "nothing was answered, only refused"
    assert requests.get(f"{server.url}/health", timeout=LIMIT_S).json() == {"status": "alive"}

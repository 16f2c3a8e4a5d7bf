"""What holds for every request: one shape of errors, security headers, host names."""

import json
import socket
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from app.logs import take_request_id
from app.middlewares import errors_to_json
from app.security import SECURITY_HEADERS
from tests.library import Library
from tests.server import Served, send, send_raw, serve

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("strict_loop")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(library: Library) -> AsyncIterator[Served]:
    async with serve(library.data_dir, max_body_kb=64, max_prompt_chars=2000) as served:
        yield served


class TestErrors:
    @pytest.mark.parametrize(
        ("method", "path", "status", "told"),
        [
            ("GET", "/nothing", 404, "There is no /nothing here."),
            ("POST", "/documents/x", 404, "There is no /documents/x here."),
            ("PUT", "/", 405, "/ answers GET, HEAD, OPTIONS, POST, not PUT."),
            ("GET", "/gemini", 405, "/gemini answers OPTIONS, POST, not GET."),
            ("POST", "/health", 405, "/health answers GET, HEAD, not POST."),
            ("OPTIONS", "/documents", 405, "/documents answers GET, HEAD, POST, not OPTIONS."),
        ],
    )
    async def test_routes_and_methods_that_are_not_there(
        self, served: Served, method: str, path: str, status: int, told: str
    ) -> None:
        answer = await send(served, method, path)
        assert (answer.status, answer.error) == (status, told)
        assert ("Allow" in answer.headers) == (status == 405)

    @pytest.mark.parametrize("path", ["/", "/gemini"])
    @pytest.mark.parametrize(
        ("body", "told"),
        [
            (b"", "Invalid JSON"),
            (b"{", "Invalid JSON"),
            (b"[]", "should be an object"),
            (b'{"question": "?"}', "prompt: Field required"),
            (b'{"prompt": 1}', "prompt: Input should be a valid string"),
            (b'{"prompt": "  "}', "prompt: The question is empty"),
            (b'{"prompt": "?", "top_k": 1000}', "top_k"),
            (b'{"prompt": "?", "parametro": ' + b"[" * 20_000 + b"]" * 20_000 + b"}", "recursion limit"),
            (b'{"prompt": "' + b"a" * 2001 + b'"}', "at most 2000 are taken (MAX_PROMPT_CHARS)"),
            (json.dumps({"prompt": "?", "history": [{"role": "user", "content": "x"}] * 101}).encode(), "at most 100"),
        ],
    )
    async def test_wrong_requests_are_explained(self, served: Served, path: str, body: bytes, told: str) -> None:
        answer = await send(served, "POST", path, body)
        assert answer.status == 400 and told in answer.error

    async def test_a_large_body_is_refused(self, served: Served) -> None:
        answer = await send(served, "POST", "/", b'{"prompt": "?", "parametro": "' + b"a" * 65536 + b'"}')
        assert answer.status == 413 and "larger than 64 kB" in answer.error and "MAX_BODY_KB" in answer.error

    async def test_a_large_body_of_unknown_length_is_refused(self, served: Served) -> None:
        head = b"POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        status, body = await send_raw(served, head + b"10000\r\n" + b"a" * 65536 + b"\r\n1\r\na\r\n0\r\n\r\n")
        assert status == 413 and b"MAX_BODY_KB" in body

    async def test_a_body_that_is_not_what_it_says_is_refused(self, served: Served) -> None:
        head = b"POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Encoding: gzip\r\n"
        status, body = await send_raw(served, head + b"Content-Length: 3\r\n\r\nabc")
        assert status == 400 and b"plain JSON" in body

    async def test_a_body_that_never_comes_is_not_waited_for(self, library: Library) -> None:
        async with serve(library.data_dir, body_timeout_s=0.3) as served:
            status, body = await send_raw(served, b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{")
        assert status == 408 and b"0.3 seconds (BODY_TIMEOUT_S)" in body

    async def test_a_fault_of_ours_is_logged_and_not_shown(self, caplog: pytest.LogCaptureFixture) -> None:
        async def fail(request: web.Request) -> web.Response:
            raise KeyError("secret detail")

        request = make_mocked_request("GET", "/")
        request_id = take_request_id(request)
        answer = await errors_to_json(request, fail)
        assert isinstance(answer, web.Response) and answer.text
        message = "The server failed unexpectedly; its log says why."
        assert json.loads(answer.text) == {"error": message, "status": 500, "request": request_id}
        assert "secret detail" in caplog.text

    @pytest.mark.parametrize("path", ["/", "/health", "/documents", "/nothing"])
    async def test_every_answer_has_the_security_headers(self, served: Served, path: str) -> None:
        answer = await send(served, "GET", path)
        assert {name: answer.headers[name] for name in SECURITY_HEADERS} == dict(SECURITY_HEADERS)

    @pytest.mark.parametrize("path", ["/js/app.js", "/app.css"])
    async def test_parts_of_the_page_carry_what_a_browser_obeys_on_them(self, served: Served, path: str) -> None:
        headers = (await send(served, "GET", path)).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


class TestHosts:
    @pytest.mark.parametrize("host", ["localhost", "localhost:8000", "LOCALHOST", "127.0.0.1", "127.0.0.1:1"])
    async def test_own_names(self, served: Served, host: str) -> None:
        assert (await send(served, "GET", "/health", Host=host)).status == 200

    @pytest.mark.parametrize(
        "host", ["evil.example", "evil.example:8000", "", "localhost.", "localhost.evil.example", "[::1]", "::1", "a@b"]
    )
    @pytest.mark.parametrize(("method", "path"), [("GET", "/health"), ("GET", "/nothing"), ("POST", "/")])
    async def test_other_names_get_nothing(self, served: Served, host: str, method: str, path: str) -> None:
        answer = await send(served, method, path, Host=host)
        assert answer.status == 400 and "ALLOWED_HOSTS" in answer.error

    async def test_no_name_at_all_is_not_looked_up(self, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(socket, "getfqdn", lambda: "localhost")
        status, body = await send_raw(served, b"GET /health HTTP/1.0\r\n\r\n")
        assert status == 400 and b"ALLOWED_HOSTS" in body

    async def test_an_absolute_address_counts_as_host(self, served: Served) -> None:
        request = b"GET http://evil.example/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        status, body = await send_raw(served, request)
        assert status == 400 and b"ALLOWED_HOSTS" in body

    async def test_more_names_may_be_set(self, library: Library) -> None:
        given = {"allowed_hosts": "[::1], Box.LOCAL,, 10.0.0.7", "host": "192.168.1.5", "embedder": "ollama:none"}
        async with serve(library.data_dir, **given) as served:
            for host in ("[::1]", "[::1]:8000", "box.local:80", "BOX.local", "10.0.0.7", "192.168.1.5:8000"):
                assert (await send(served, "GET", "/health", Host=host)).status == 200, host
            for host in ("localhost", "[::2]", "local", "*"):
                assert (await send(served, "GET", "/health", Host=host)).status == 400, host

    async def test_a_star_means_any(self, library: Library) -> None:
        async with serve(library.data_dir, allowed_hosts="*", embedder="ollama:none") as served:
            assert (await send(served, "GET", "/health", Host="anything.example")).status == 200

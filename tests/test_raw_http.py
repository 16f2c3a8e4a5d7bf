"""Whatever bytes reach the port: an answer of HTTP or a closed connection, and the next request is answered."""

import re
import socket
import time
from collections.abc import Sequence

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from yarl import URL

from tests.deep import DEEP
from tests.fuzzed import LIMIT_S, Fuzzed, server

__all__ = ["server"]
EXAMPLES = 100 * (1 + DEEP)
GIVEN = settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
QUIET_S = 0.25
"""How long a server that waits for more is waited for."""
COOKIE = b"Cookie: SESSION"
"""Stands for that of a session, as ID stands for the id of a document."""

METHODS = st.sampled_from(
    [b"GET", b"POST", b"DELETE", b"HEAD", b"OPTIONS", b"PUT", b"CONNECT", b"get", b"\xc3\x89", b""]
)
TARGETS = st.sampled_from(
    [
        *(b"/", b"/gemini", b"/documents", b"/jobs", b"/feedback", b"*", b"//", b"/\xff", b"", b"http://evil.example/"),
        *(
            b"/js/../../README.md",
            b"/js/%2e%2e/%2e%2e/app/settings.py",
            b"/css/..%2f..%2f.env",
            b"/lib/%00",
            b"/docs/..//",
        ),
        *(b"/documents/%s/file" % (b"0" * 64), b"/documents/ID/file", b"/documents/ID/pages/999999.png"),
        *(b"/documents/ID/pages/1.png?zoom=1e999", b"/documents/ID/pages/1.png?zoom=nan&highlight=%ff&highlight"),
        *(b"/documents/ID/pages/0.png", b"/jobs/%ff", b"/jobs/" + b"a" * 65, b"/" + b"a" * 9_000, b"/?" + b"&" * 5_000),
    ]
)
HEADERS = st.lists(
    st.sampled_from(
        [
            *(
                b"Host: evil.example",
                b"Host:",
                b"Host: [::1",
                b"Origin: null",
                b"Origin: http://evil.example",
                b": x",
                b"X",
            ),
            *(b"Content-Length: -1", b"Content-Length: 99999999999", b"Content-Length: 5", b"Content-Length: 1, 2"),
            *(b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: x"),
            *(
                b"Content-Encoding: gzip",
                b"Content-Encoding: br",
                b"Content-Encoding: deflate",
                b"Expect: 100-continue",
            ),
            *(
                b"Content-Type: application/json",
                b"Content-Type: multipart/form-data; boundary=x",
                b"Content-Type: \xff",
            ),
            *(b"Content-Type: multipart/form-data", b"Content-Type: multipart/mixed; boundary=" + b"y" * 80),
            *(b"Range: bytes=-1", b"Range: bytes=5-1", b"Range: bytes=0-0,1-1", b"Range: bytes=9e9-", b"Range: \xff"),
            *(b"If-None-Match: *", b'If-None-Match: "', b"If-Modified-Since: \xff", b"If-Range: x", b"Accept: \xff"),
            *(b"Connection: Upgrade\r\nUpgrade: websocket", b"Cookie: \xff=\x01", b"X-Request-ID: \xff\r\n folded"),
            *(b"Accept-Encoding: " + b"gzip, " * 900, b"X-A: " + b"a" * 9_000, b"Authorization: Bearer \xff"),
        ]
    ),
    max_size=4,
)
PART = b"--x\r\nContent-Disposition: form-data; name=f; filename=%s\r\n\r\n%s\r\n"
BODIES = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.sampled_from(
            [
                *(
                    b"{}",
                    b'{"prompt": "\xff"}',
                    b'{"prompt": "\\ud800"}',
                    b"[" * 5_000,
                    b'{"prompt": 1e999}',
                    b"0\r\n\r\n",
                ),
                *(b"--x\r\n", b"--x--\r\n", b"\r\n\r\n", b"Content-Type: multipart/mixed; boundary=z\r\n\r\n--z\r\n"),
                *(PART % (b"a.pdf", b"%PDF-1.7"), PART % (b'"../../a"', b"x"), PART % (b"", b""), PART % (b"\0", b"")),
                *(
                    b"FFFFFFFFFFFFFFFFF\r\n",
                    b"5\r\nabcde\r\n",
                    b"-1\r\n",
                    b"--x\r\n" + b"X: " + b"a" * 20_000 + b"\r\n",
                ),
            ]
        ),
    ),
    max_size=5,
).map(b"".join)


def build(method: bytes, target: bytes, headers: Sequence[bytes], body: bytes) -> bytes:
    """A request that has a host and a length unless something else is said of them."""
    given_names = {line.partition(b":")[0].lower() for line in headers}
    lines = [*headers]
    if b"host" not in given_names:
        lines.append(b"Host: localhost")
    if b"cookie" not in given_names:
        lines.append(COOKIE)
    if not given_names & {b"content-length", b"transfer-encoding"}:
        lines.append(b"Content-Length: %d" % len(body))
    return b"%s %s HTTP/1.1\r\n%s\r\n\r\n%s" % (method, target, b"\r\n".join(lines), body)


REQUESTS = st.one_of(st.binary(max_size=200), st.builds(build, METHODS, TARGETS, HEADERS, BODIES))


def send(url: str, data: bytes, quiet_s: float = QUIET_S) -> bytes:
    """What comes back until the server closes or says nothing more for a while."""
    address, answer = URL(url), b""
    with socket.create_connection((address.host, address.port), LIMIT_S) as connection:
        connection.settimeout(LIMIT_S)
        try:
            connection.sendall(data)
            connection.settimeout(quiet_s)
            while (part := connection.recv(1 << 16)) and len(answer) < 1 << 20:
                answer += part
        except (TimeoutError, ConnectionError):
            pass
    return answer


def check_alive(url: str) -> None:
    assert requests.get(f"{url}/health", timeout=LIMIT_S).json() == {"status": "alive"}


def test_any_bytes(server: Fuzzed) -> None:
    @GIVEN
    @given(REQUESTS)
    def run(data: bytes) -> None:
        data = data.replace(b"ID", server.ids["documents"][0].encode())  # before the cookie, in which it may be, too
        data = data.replace(COOKIE, b"Origin: http://localhost\r\nCookie: " + server.headers["Cookie"].encode())
        answer = send(server.url, data)
        assert not answer or re.match(rb"HTTP/1\.[01] (?:100|[23]\d\d|4\d\d|503) ", answer), answer[:500]
        assert b"Traceback" not in answer and b"root:" not in answer

    run()
    check_alive(server.url)


@pytest.mark.parametrize(
    "path", ["/js/../../README.md", "/js/..%2f..%2fapp/settings.py", "/lib/../.env", "/docs/%2e%2e/x"]
)
def test_no_path_leaves_the_pages(path: str, server: Fuzzed) -> None:
    answer = send(server.url, b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path.encode())
    assert answer.startswith((b"HTTP/1.1 404 ", b"HTTP/1.1 401 ")) and b"import" not in answer


NAMES = [
    *(
        "../../../etc/passwd",
        "..\\..\\x.pdf",
        "/etc/cron.d/x",
        "C:\\Windows\\x.pdf",
        "CON.pdf",
        "nul",
        "a\x00b.pdf",
        ".",
        "..",
    ),
    *(
        "é" * 200 + ".pdf",
        "文" * 300,
        "ملف.pdf",
        "a\u202efdp.exe",
        "\u200b",
        "x" * 5_000,
        "a;b=c.pdf",
        "%2e%2e%2fx.pdf",
        "😀.pdf",
    ),
    *(" .pdf", "-rf", "$(id).pdf", "<img src=x>.pdf", "a\r\nX-Evil: 1.pdf", "\ud800.pdf", ""),
]


@pytest.mark.parametrize("number", range(len(NAMES)))
def test_names_in_any_script(number: int, server: Fuzzed) -> None:
    name = NAMES[number].encode(errors="surrogatepass").replace(b'"', b"%22")
    body = b'--x\r\nContent-Disposition: form-data; name="f"; filename="' + name + b'"\r\n\r\n\x00\x01\x02\r\n--x--\r\n'
    cookie = server.headers["Cookie"].encode() + b"\r\nOrigin: http://localhost"
    head = (
        b"POST /documents HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\nCookie: "
        + cookie
        + b"\r\n"
    )
    answer = send(server.url, head + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body, 5)
    assert re.match(rb"HTTP/1.1 4(?:15|00) ", answer), answer
    for refused in re.findall(rb'"refused": \[{"name": "([^"]*)"', answer):
        assert b"/" not in refused and b"\\\\" not in refused and not refused.startswith(b"."), answer
    assert b"X-Evil" not in answer.partition(b"\r\n\r\n")[0]


def test_a_body_that_never_comes_holds_nobody_up(server: Fuzzed) -> None:
    address = URL(server.url)
    waiting = [socket.create_connection((address.host, address.port)) for _ in range(60)]
    try:
        for number, connection in enumerate(waiting):
            path = (b"/", b"/documents", b"/feedback")[number % 3]
            connection.sendall(
                b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x" % path
            )
            connection.sendall(b"\r\nContent-Length: 1000\r\n\r\n" if number % 2 else b"\r\n")
        started = time.monotonic()
        check_alive(server.url)
        assert time.monotonic() - started < LIMIT_S / 2
    finally:
        for connection in waiting:
            connection.close()

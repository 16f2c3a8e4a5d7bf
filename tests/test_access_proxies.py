"""What is believed of proxies, the table of routes, what collections leave, and TLS; without a server."""

import ssl
import subprocess
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from app.access.limits import group_address
from app.access.policy import POLICY, Unlisted, check_policy
from app.access.principal import ALL_SCOPES, NOBODY, Principal
from app.access.proxies import Client, read_client
from app.access.visible import check_job, narrow, restrict
from app.application import make_app
from app.errors import NotFound
from app.jobs import Job
from app.settings import ServerSettings
from app.tls import make_ssl_context
from database.documents import Filters
from database.errors import SettingsError

TRUSTED = "10.0.0.0/8, 192.168.1.1, ::1"


def see(remote: str, **headers: str) -> Client:
    """Where a request comes from that `remote` hands on."""
    sent = {"Host": "inside:8000"} | {f"X-Forwarded-{name}": value for name, value in headers.items()}
    request = make_mocked_request("GET", "/", headers=sent).clone(remote=remote, scheme="http")
    return read_client(request, ServerSettings(trusted_proxies=TRUSTED).trusted_networks)


@pytest.mark.parametrize(
    ("sent", "address"),
    [
        ("", "10.0.0.1"),
        ("203.0.113.7", "203.0.113.7"),
        ("1.1.1.1, 203.0.113.7", "203.0.113.7"),
        ("1.1.1.1, 203.0.113.7, 10.2.3.4, 192.168.1.1", "203.0.113.7"),
        ("127.0.0.1, 203.0.113.7:4711", "203.0.113.7"),
        ("10.9.9.9, 10.8.8.8", "10.9.9.9"),
        ("203.0.113.7, nonsense", "10.0.0.1"),
        ("nonsense, 10.8.8.8", "10.8.8.8"),
        ("[2001:db8::1]:99", "2001:db8::1"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
    ],
)
def test_the_nearest_hop_that_is_no_trusted_proxy(sent: str, address: str) -> None:
    assert see("10.0.0.1", For=sent).address == address


def test_scheme_and_host_are_those_that_the_outermost_proxy_was_asked_by() -> None:
    assert see("10.0.0.1", Proto="https", Host="a.example") == Client("10.0.0.1", "https", "a.example")
    assert see("10.0.0.1") == Client("10.0.0.1", "http", "inside:8000")
    assert see("10.0.0.1", For="1.1.1.1", Proto="https, http").scheme == "http", "the client wrote the first itself"
    assert see("10.0.0.1", For="1.1.1.1, 10.0.0.2", Proto="https, http").scheme == "https"
    assert see("10.0.0.1", Proto="javascript").scheme == "http"


@pytest.mark.parametrize("wrong", ["proxy.example", "10.0.0.0/33", "*"])
def test_a_proxy_is_an_address(wrong: str) -> None:
    with pytest.raises(SettingsError, match="TRUSTED_PROXIES"):
        ServerSettings.load(trusted_proxies=wrong)


def test_addresses_of_one_household_count_as_one() -> None:
    assert group_address("2001:db8:1:2::5") == group_address("2001:db8:1:2:ffff::9") == "2001:db8:1:2::/64"
    assert group_address("::ffff:10.0.0.1") == group_address("10.0.0.1") != group_address("10.0.0.2")
    assert group_address("unix") == "unix"


def test_a_route_of_which_nobody_said_who_may_use_it_is_not_served() -> None:
    check_policy(make_app(ServerSettings()))
    app = web.Application()

    async def handle(request: web.Request) -> web.Response:
        return web.Response()

    app.router.add_get("/backdoor", handle)
    with pytest.raises(Unlisted, match="backdoor"):
        check_policy(app)


def test_nothing_but_this_is_open_to_strangers() -> None:
    files = {
        "/app.css",
        "/favicon.svg",
        "/css/{name}",
        "/js/{name}",
        "/lib/{name}",
        "/access/{name}",
        "/docs",
        "/docs/{name}",
    }
    opened = {path for (_, path), need in POLICY.items() if need in (None, "anybody")}
    assert opened == files | {"/health", "/ready", "/login", "/logout", "/openapi.json", "/api/version"}


def make_certificate(folder: Path, *more: str) -> dict[str, str]:
    paths = {"tls_cert": str(folder / "cert.pem"), "tls_key": str(folder / "key.pem")}
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-days", "2", "-subj", "/CN=localhost", *more]
    command += ["-keyout", paths["tls_key"], "-out", paths["tls_cert"]]
    subprocess.run(command, check=True, capture_output=True)
    return paths


def test_a_certificate_is_used(tmp_path: Path) -> None:
    assert make_ssl_context(ServerSettings()) is None
    context = make_ssl_context(ServerSettings(**make_certificate(tmp_path, "-nodes")))  # type: ignore[arg-type]
    assert context and context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_a_certificate_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    good = make_certificate(tmp_path, "-nodes")
    (tmp_path / "locked").mkdir()
    locked = make_certificate(tmp_path / "locked", "-passout", "pass:secret")
    wrong: list[tuple[dict[str, str], str]] = [
        ({"tls_cert": good["tls_cert"]}, "belong together"),
        ({**good, "tls_key": str(tmp_path / "none")}, "TLS_KEY=.*no such file"),
        ({**good, "tls_key": locked["tls_key"]}, "cannot be used"),
        ({**good, "tls_cert": good["tls_key"]}, "cannot be used"),
        (locked, "password"),
    ]
    for given, told in wrong:
        with pytest.raises(SettingsError, match=told):
            make_ssl_context(ServerSettings(**given))  # type: ignore[arg-type]


BOARD = Principal("leo", "reader", ("board",), ALL_SCOPES, "session")
"""Somebody who may write in one collection alone; no role is like that yet, and the rules hold all the same."""


def test_what_somebody_asks_for_is_narrowed_to_what_they_see() -> None:
    assert narrow(None, BOARD) == narrow(("board", "other", ""), BOARD) == ("board",)
    assert narrow(("other",), BOARD) == () and narrow((), BOARD) == ()
    assert narrow(None, NOBODY) is None and narrow(("other",), NOBODY) == ("other",)
    assert restrict(Filters(first_page=2), BOARD) == Filters(first_page=2, collections=("board",))
    assert restrict(Filters(), NOBODY) == Filters()


def test_jobs_of_other_collections_are_not_there() -> None:
    mine, other = Job("d", "a.pdf", 1, collection="board"), Job("d", "a.pdf", 1)
    assert check_job(mine, BOARD) == mine and check_job(other, NOBODY) == other
    with pytest.raises(NotFound):
        check_job(other, BOARD)

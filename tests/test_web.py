"""Fetching addresses: what is fetched, what is refused before a connection is made, and what goes wrong on the way."""

import asyncio
import hashlib
import ipaddress
import socket
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from database.errors import (
    EmptyFile,
    FileTooLarge,
    ReadError,
    SettingsError,
    Unreachable,
    WrongAddress,
    WrongFormat,
)
from database.settings import IndexSettings
from database.web.addresses import MAX_CHARS, read_address
from database.web.allowed import check_target, is_public, read_allowed
from database.web.fetch import MAX_REDIRECTS, Fetcher
from database.web.guard import Guard
from database.web.receiving import Fetched
from tests.fakes.site import Hosts, Page, Site, pack, redirect

PDF = b"%PDF-1.7 " + bytes(range(256)) * 40
NOTHING = read_allowed("")


@pytest_asyncio.fixture
async def site() -> AsyncIterator[Site]:
    async with Site() as site:
        site.pages["/a.pdf"] = Page(PDF)
        yield site


async def fetch(
    site: Site, *addresses: str, folder: Path, resolver: Hosts | None = None, **given: Any
) -> list[Fetched]:
    """What these addresses give, one after the other; a path is one of the site."""
    given = {"url_allow": f"127.0.0.1:{site.port}", "max_file_mb": 1, "url_timeout_s": 20, **given}
    settings = IndexSettings.load(**given)
    async with Fetcher(settings, folder, resolver) as fetcher:
        return [await fetcher.fetch(a if "://" in a else site.url + a) for a in addresses]


async def refuse(site: Site, address: str, kind: type[ReadError], *words: str, folder: Path, **given: Any) -> None:
    """Assert that an address is refused so, and that nothing of it is left."""
    with pytest.raises(kind) as raised:
        await fetch(site, address, folder=folder, **given)
    assert type(raised.value) is kind
    for word in words:
        assert word in str(raised.value)
    assert not await asyncio.to_thread(lambda: [p for p in folder.rglob("*") if p.is_file()])


class TestFetching:
    async def test_a_file_arrives_as_it_is(self, site: Site, tmp_path: Path) -> None:
        site.pages["/packed.pdf?v=1"] = pack(PDF)
        plain, packed = await fetch(site, "/a.pdf#page=2", "/packed.pdf?v=1", folder=tmp_path)
        digest = hashlib.sha256(PDF).hexdigest()
        assert (plain.address, plain.document_id, plain.size) == (f"{site.url}/a.pdf", digest, len(PDF))
        assert (packed.address, packed.document_id) == (f"{site.url}/packed.pdf?v=1", digest)
        assert plain.path.read_bytes() == packed.path.read_bytes() == PDF

    async def test_nothing_is_told_about_whoever_asks(self, site: Site, tmp_path: Path, monkeypatch: Any) -> None:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        site.pages["/cookie"] = Page(PDF, headers={"Set-Cookie": "a=b"})
        await fetch(site, "/cookie", "/a.pdf", folder=tmp_path)
        headers = [{name.lower(): value for name, value in sent.items()} for _, sent in site.requests]
        assert len(headers) == 3 and all(sent["user-agent"] == "Acervo" for sent in headers)
        told = {name for sent in headers for name in sent}
        assert told <= {"host", "user-agent", "accept", "accept-encoding", "connection"}

    async def test_redirects_are_followed(self, site: Site, tmp_path: Path) -> None:
        site.pages["/old"] = redirect("down/../new?x=1#part", 301)
        site.pages["/new?x=1"] = redirect(f"{site.url}/a.pdf", 307)
        (fetched,) = await fetch(site, "/old", folder=tmp_path)
        assert fetched.address == f"{site.url}/a.pdf"

    async def test_so_many_redirects_and_no_more(self, site: Site, tmp_path: Path) -> None:
        for n in range(10):
            site.pages[f"/{n}"] = redirect(f"/{n + 1}")
        await refuse(site, "/0", WrongAddress, f"{MAX_REDIRECTS} times", folder=tmp_path)
        assert len(site.paths) == MAX_REDIRECTS + 1
        site.pages["/5"] = Page(PDF)
        assert await fetch(site, "/0", folder=tmp_path)

    @pytest.mark.parametrize(
        ("page", "kind", "word"),
        [
            (Page(PDF, then="drip"), Unreachable, "URL_TIMEOUT_S"),
            (Page(PDF, then="hang"), Unreachable, "URL_TIMEOUT_S"),
            (Page(PDF, then="break"), Unreachable, "broke off"),
            (Page(PDF, headers={"Content-Length": "999999"}), Unreachable, "broke off"),
            (Page(PDF, headers={"Content-Length": str(2 << 20)}, then="hang"), FileTooLarge, "MAX_FILE_MB=1"),
            (Page(PDF, then="flood"), FileTooLarge, "MAX_FILE_MB=1"),
            (pack(bytes(300 << 20)), FileTooLarge, "MAX_FILE_MB=1"),
            (Page(pack(PDF).body[:-9], headers=pack(PDF).headers), Unreachable, "cut off"),
            (Page(PDF, headers={"Content-Encoding": "gzip"}), Unreachable, "packed"),
            (Page(PDF, headers={"Content-Encoding": "br"}), Unreachable, "'br'"),
            (Page(b""), EmptyFile, "0 bytes"),
            (Page(PDF, "video/mp4"), WrongFormat, "video/mp4"),
            (Page(PDF, "application/zip; a=b"), WrongFormat, "application/zip"),
            (Page(b"no", status=404), Unreachable, "404"),
            (Page(b"no", status=403), WrongAddress, "login"),
            (Page(b"no", status=503), Unreachable, "503"),
            (Page(PDF, status=206), Unreachable, "206"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    async def test_what_goes_wrong(
        self, site: Site, tmp_path: Path, page: Page, kind: type[ReadError], word: str
    ) -> None:
        site.pages["/x"] = page
        limit_s = 1 if word == "URL_TIMEOUT_S" else 20
        await refuse(site, "/x", kind, word, folder=tmp_path, url_timeout_s=limit_s)

    async def test_a_body_of_no_type_or_another_is_judged_by_its_bytes(self, site: Site, tmp_path: Path) -> None:
        site.pages |= {"/1": Page(PDF, ""), "/2": Page(PDF, "application/octet-stream"), "/3": Page(PDF, "text/html")}
        assert len(await fetch(site, "/1", "/2", "/3", folder=tmp_path)) == 3

    async def test_nobody_there(self, site: Site, tmp_path: Path) -> None:
        hosts = Hosts()
        await refuse(site, "http://127.0.0.1:1/", Unreachable, "reached", folder=tmp_path, url_allow="127.0.0.1")
        await refuse(site, "http://none.test/", Unreachable, "no host none.test", folder=tmp_path, resolver=hosts)
        https = f"https://127.0.0.1:{site.port}/"
        await refuse(site, https, Unreachable, "TLS", folder=tmp_path)


class TestRobots:
    @pytest.mark.parametrize(
        ("robots", "fetched"),
        [
            (Page(b"User-agent: *\nDisallow: /b", "text/plain"), True),
            (Page(b"User-agent: *\nDisallow: /", "text/plain"), False),
            (Page(b"User-agent: other\nDisallow: /\n\nUser-agent: acervo\nDisallow:\n", "text/plain"), True),
            (Page(b"\xff\xfe\x00" * 999, "text/plain"), True),
            (Page(b"#" * (2 << 20), "text/plain"), True),
            (Page(status=401), True),
            (redirect("/rules"), False),
            (redirect("/robots.txt"), True),
        ],
        ids=["elsewhere", "everything", "another", "garbage", "long", "401", "redirected", "loop"],
    )
    async def test_are_respected(self, site: Site, tmp_path: Path, robots: Page, fetched: bool) -> None:
        site.pages["/rules"] = Page(b"User-agent: *\nDisallow: /a", "text/plain")
        site.robots = robots
        if fetched:
            assert await fetch(site, "/a.pdf", folder=tmp_path)
        else:
            await refuse(site, "/a.pdf", WrongAddress, "robots.txt", folder=tmp_path)
            assert "/a.pdf" not in site.paths

    async def test_are_asked_once_and_hold_after_redirects(self, site: Site, tmp_path: Path) -> None:
        site.robots = Page(b"User-agent: *\nDisallow: /private", "text/plain")
        await fetch(site, "/a.pdf", "/a.pdf", folder=tmp_path)
        assert [path for path, _ in site.requests].count("/robots.txt") == 1
        site.pages["/in"] = redirect("/private/x")
        folder = tmp_path / "other"
        await refuse(site, "/in", WrongAddress, "robots.txt", folder=folder)
        assert "/private/x" not in site.paths

    @pytest.mark.parametrize("robots", [Page(status=500), Page(then="hang"), Page(then="break")])
    async def test_that_cannot_be_read_refuse(self, site: Site, tmp_path: Path, robots: Page) -> None:
        site.robots = robots
        await refuse(site, "/a.pdf", Unreachable, folder=tmp_path, url_timeout_s=1)
        assert site.paths == []

    async def test_that_lead_inside_are_not_followed(self, site: Site, tmp_path: Path) -> None:
        async with Site("127.0.0.2") as inside:
            site.robots = redirect(f"{inside.url}/rules")
            await refuse(site, "/a.pdf", WrongAddress, "127.0.0.2", folder=tmp_path)
            assert inside.requests == []


PRIVATE = [
    *("127.0.0.1", "127.1", "127.0.0.1.", "0", "0.0.0.0", "2130706433", "0x7f000001", "0x7f.1", "017700000001"),
    *("0177.0.0.1", "127.000.000.001", "１２７.0.0.1", "127。0。0。1", "①27.0.0.1"),
    *("localhost", "LOCALHOST.", "localhost.", "ip6-localhost"),
    *("[::1]", "[::]", "[0:0::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[::1%25lo]"),
    *("[64:ff9b::127.0.0.1]", "[64:ff9b:1::1]", "[2002:7f00:1::]", "[2001:0:7f00:1::]", "[fe80::1%25lo]", "[fec0::1]"),
    *("10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "169.254.169.254", "192.0.0.1", "198.18.0.1"),
    *(
        "224.0.0.1",
        "239.1.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "192.88.99.1",
        "203.0.113.1",
        "168.63.129.16",
        "192.0.0.192",
    ),
    *("[fc00::1]", "[fd00:ec2::254]", "[ff02::1]", "[ff0e::1]", "[2001:db8::1]", "[100::1]", "[3fff::1]"),
]


NOT_CANONICAL = {"127.0.0.1.", "127.1", "0", "2130706433", "017700000001", "0177.0.0.1", "127.000.000.001"}
"""Refused as what they are spelled like, before anybody is asked where they lead."""


class TestRefused:
    @pytest.mark.parametrize("host", PRIVATE)
    async def test_hosts_that_are_not_public(self, site: Site, tmp_path: Path, host: str) -> None:
        """However they are written: nothing is connected to. Some resolvers do not know all of the names."""
        kinds = (WrongAddress, Unreachable) if host[-1] == "." or "local" in host else WrongAddress
        with pytest.raises(kinds) as raised:
            await fetch(site, f"http://{host}:{site.port}/a.pdf", folder=tmp_path, url_allow="", url_timeout_s=5)
        if isinstance(raised.value, WrongAddress) and "%" not in host and host not in NOT_CANONICAL:
            assert "not on the public internet" in str(raised.value)
        assert site.requests == []

    @pytest.mark.parametrize("host", [host for host in PRIVATE if host[0].isascii()])
    async def test_redirects_to_them(self, site: Site, tmp_path: Path, host: str) -> None:
        async with Site("127.0.0.2") as door:
            door.pages["/in"] = redirect(f"http://{host}:{site.port}/a.pdf")
            with pytest.raises(ReadError):
                await fetch(door, "/in", folder=tmp_path, url_allow="127.0.0.2", url_timeout_s=5)
            assert door.paths == ["/in"] and site.requests == []

    @pytest.mark.parametrize("to", ["http://a:b@127.0.0.1:{}/a.pdf", "file:///etc/passwd", "//a@127.0.0.1:{}/a.pdf"])
    async def test_redirects_that_would_log_in_or_open_files(self, site: Site, tmp_path: Path, to: str) -> None:
        site.pages["/in"] = redirect(to.format(site.port))
        await refuse(site, "/in", WrongAddress, folder=tmp_path)
        assert site.paths == ["/in"]

    @pytest.mark.parametrize(
        "addresses",
        [["127.0.0.1"], ["::1"], ["10.1.2.3"], ["93.184.216.34", "127.0.0.1"], ["::ffff:127.0.0.1"], ["fe80::1%lo"]],
    )
    async def test_names_that_lead_to_them(self, site: Site, tmp_path: Path, addresses: Sequence[str]) -> None:
        address, hosts = f"http://public.test:{site.port}/a.pdf", Hosts(public_test=addresses)
        await refuse(site, address, WrongAddress, "URL_ALLOW", folder=tmp_path, resolver=hosts, url_allow="")
        assert site.requests == []

    async def test_a_name_that_is_rebound_is_refused_when_it_is(self, site: Site, tmp_path: Path) -> None:
        """Each connection goes to what its one answer said: there is nothing between the check and the connection."""
        async with Site("127.0.0.2") as outside:
            answers = iter([["127.0.0.2"], ["127.0.0.1"]])
            hosts = Hosts(rebound_test=lambda: next(answers))
            address = f"http://rebound.test:{outside.port}/a.pdf"
            given = {"resolver": hosts, "url_allow": "127.0.0.2/32"}
            await refuse(site, address, WrongAddress, "127.0.0.1", folder=tmp_path, **given)
            assert [path for path, _ in outside.requests] == ["/robots.txt"] and len(hosts.asked) == 2
            assert site.requests == []

    async def test_every_connection_is_resolved_once(self, site: Site, tmp_path: Path) -> None:
        hosts = Hosts(site_test=["127.0.0.1"])
        address = f"http://site.test:{site.port}/a.pdf"
        (fetched,) = await fetch(site, address, folder=tmp_path, resolver=hosts, url_allow="site.test")
        assert fetched.address == address and len(hosts.asked) == len(site.requests) == 2

    @pytest.mark.parametrize(
        "address",
        [
            "ftp://example.org/a.pdf",
            "file:///etc/passwd",
            "gopher://127.0.0.1/",
            "javascript://example.org/%0aalert(1)",
            "http://",
            "http:///a",
            "http:example.org",
            "https://user@example.org/",
            "https://user:secret@example.org/",
            "http://example.org\\@127.0.0.1/",
            "http://exa mple.org/",
            "http://example.org/\r\nX: y",
            "http://exam\u200bple.org/",
            "http://example.org:99999/",
            "http://example.org:0/",
            "http://example.org:x/",
            "http://[::1/",
            "https://example.org/" + "x" * MAX_CHARS,
            "https://" + "é" * MAX_CHARS,
            "https://" + "a" * 300 + ".org",
            "https://" + "a" * 64 + ".org/",
            "https://a..b/",
            "https://xn--/",
            "",
        ],
    )
    def test_what_is_no_address(self, address: str) -> None:
        with pytest.raises(WrongAddress):
            read_address(address, NOTHING)

    @pytest.mark.parametrize("port", [1, 22, 25, 3306, 6379, 9200, 27017])
    def test_ports_that_serve_something_else(self, port: int) -> None:
        with pytest.raises(WrongAddress, match=f"name db.test:{port} in URL_ALLOW"):
            check_target("db.test", port, "93.184.216.34", NOTHING)
        check_target("db.test", port, "93.184.216.34", read_allowed(f"db.test:{port}"))

    async def test_sockets_to_what_was_not_checked(self) -> None:
        guard = Guard(NOTHING, Hosts(public_test=["93.184.216.34"]))
        (found,) = await guard.resolve("public.test", 443)
        guard.make_socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", (found["host"], 443))).close()
        for where in (("93.184.216.34", 80), ("127.0.0.1", 443)):
            with pytest.raises(PermissionError):
                guard.make_socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", where))


class TestAllowed:
    @pytest.mark.parametrize(
        ("entries", "host", "port", "ip", "lets"),
        [
            ("intranet.test", "INTRANET.test.", 8000, "10.0.0.1", True),
            ("intranet.test", "www.intranet.test", 80, "10.0.0.1", False),
            ("intranet.test:8000", "intranet.test", 8000, "10.0.0.1", True),
            ("intranet.test:8000", "intranet.test", 80, "10.0.0.1", False),
            ("10.0.0.0/8, ::1", "any.test", 81, "10.9.9.9", True),
            ("10.0.0.0/8", "any.test", 80, "11.0.0.1", True),
            ("10.0.0.0/8", "any.test", 80, "192.168.0.1", False),
            ("127.0.0.1", "any.test", 80, "::ffff:127.0.0.1", True),
            ("[::1]:8000", "::1", 8000, "::1", True),
            ("[::1]:8000", "::1", 80, "::1", False),
            ("", "any.test", 443, "2606:2800:220:1::1", True),
            ("", "any.test", 443, "64:ff9b::5db8:d822", True),
            ("", "any.test", 443, "::ffff:93.184.216.34", False),
        ],
    )
    def test_entries(self, entries: str, host: str, port: int, ip: str, lets: bool) -> None:
        allowed = read_allowed(entries)
        if lets:
            check_target(host, port, ip, allowed)
        else:
            with pytest.raises(WrongAddress):
                check_target(host, port, ip, allowed)

    @pytest.mark.parametrize("entry", ["10.0.0.0/33", "a b", "http://intranet.test", "*", "host:0", "host:x", "-a"])
    def test_an_entry_that_is_none_is_named(self, entry: str) -> None:
        with pytest.raises(SettingsError, match="URL_ALLOW"):
            IndexSettings.load(url_allow=f"127.0.0.1, {entry}")

    @given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
    def test_public_is_never_more_than_the_standard_library_takes_for_it(self, ip: Any) -> None:
        if is_public(ip):
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if str(ip).startswith("64:ff9b::") else ip
            assert inner.is_global and not (inner.is_private or inner.is_loopback or inner.is_multicast)

"""A web site on loopback: pages that a test puts there, and what can go wrong with them.

    async with Site() as site:
        site.pages["/a.pdf"] = Page(b"%PDF-…")

`Hosts` answers for names of hosts as a name server would: give it to whoever resolves.
"""

import asyncio
import gzip
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Self

from aiohttp import hdrs, web
from aiohttp.abc import AbstractResolver, ResolveResult

DRIP_S = 0.02
"""Between the bytes of a slow body."""


@dataclass
class Page:
    """What an address gives. `body` is sent as it is; `then` says what becomes of the response after it."""

    body: bytes = b""
    type: str = "application/pdf"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    then: str = ""
    """drip: a byte at a time, for ever; flood: blocks for ever; break: the connection; hang: nothing more."""


def redirect(to: str, status: int = 302) -> Page:
    """A page that leads elsewhere."""
    return Page(status=status, headers={hdrs.LOCATION: to})


def pack(body: bytes) -> Page:
    """A page packed with gzip."""
    return Page(gzip.compress(body), headers={hdrs.CONTENT_ENCODING: "gzip"})


class Site:
    """The site, at `url` (127.0.0.1) and at `port` of any other name of this machine. `requests` are the paths asked
    for and the headers that came along."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.pages: dict[str, Page] = {}
        self.robots: Page | None = None
        self.requests: list[tuple[str, Mapping[str, str]]] = []
        self.gate: asyncio.Event | None = None
        """Pages, not robots.txt, wait for it."""
        self._host = host

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, 0).start()
        self.port = self._runner.addresses[0][1]
        self.url = f"http://{self._host}:{self.port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    @property
    def paths(self) -> list[str]:
        """What was asked for, without robots.txt."""
        return [path for path, _ in self.requests if path != "/robots.txt"]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.path_qs, dict(request.headers)))
        if request.path == "/robots.txt":
            return await self._send(request, self.robots or Page(b"no", "text/plain", 404))
        if self.gate is not None:
            await self.gate.wait()
        return await self._send(request, self.pages.get(request.path_qs, Page(b"no", "text/plain", 404)))

    async def _send(self, request: web.Request, page: Page) -> web.StreamResponse:
        headers = {hdrs.CONTENT_TYPE: page.type, **page.headers} if page.type else dict(page.headers)
        response = web.StreamResponse(status=page.status, headers=headers)
        if not page.then and hdrs.CONTENT_LENGTH not in headers:
            response.content_length = len(page.body)
        await response.prepare(request)
        await response.write(page.body)
        while page.then == "drip":
            await response.write(b"x")
            await asyncio.sleep(DRIP_S)
        while page.then == "flood":
            await response.write(bytes(1 << 16))
        if page.then == "hang":
            await asyncio.sleep(3600)
        if page.then == "break" and request.transport is not None:
            request.transport.abort()
        return response


class Hosts(AbstractResolver):
    """A name server: the addresses of each name; a function is asked anew each time. `asked` are the names."""

    def __init__(self, **addresses: Sequence[str] | Callable[[], Sequence[str]]):
        self._addresses = {name.replace("_", "."): given for name, given in addresses.items()}
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """As aiohttp's own resolvers. Raises `OSError` for names that nobody knows."""
        self.asked.append(host)
        given = self._addresses.get(host.rstrip("."), ())
        found = given() if callable(given) else given
        if not found:
            raise OSError(socket.EAI_NONAME, "Name or service not known")
        return [_make_result(host, port, address) for address in found]

    async def close(self) -> None:
        """Nothing is open."""


def _make_result(host: str, port: int, address: str) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return {"hostname": host, "host": address, "port": port, "family": family, "proto": 0, "flags": 0}


@contextmanager
def run_site() -> Iterator[Site]:
    """A site in a thread of its own, for tests of programs that have the event loop to themselves."""
    loop, site = asyncio.new_event_loop(), Site()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(site.__aenter__(), loop).result()
        yield site
        asyncio.run_coroutine_threadsafe(site.__aexit__(), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

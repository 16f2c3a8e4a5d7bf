"""One address before several servers, on loopback: `async with Balancer(urls) as balancer:`.

Requests go to them in turn, streamed in both directions as they come. One that cannot be reached is passed over;
`passed` tells which server had which request.
"""

import itertools
from collections.abc import Sequence
from typing import Self

from aiohttp import ClientConnectorError, ClientSession, ClientTimeout, DummyCookieJar, web

from tests.fakes.relay import HOP_BY_HOP


class Balancer:
    """The proxy at `url`. Whoever is asked by it has to trust 127.0.0.1."""

    def __init__(self, upstreams: Sequence[str]) -> None:
        self._upstreams = list(upstreams)
        self._turns = itertools.count()
        self.passed: list[tuple[str, str]] = []
        """Server and path of each request, in order."""
        self.url = ""

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._pass)
        timeout = ClientTimeout(total=None, sock_connect=5)
        self._client = ClientSession(auto_decompress=False, cookie_jar=DummyCookieJar(), timeout=timeout)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = "http://localhost:{}".format(self._runner.addresses[0][1])
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
        await self._client.close()

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        first = next(self._turns)
        for turn in range(len(self._upstreams)):
            upstream = self._upstreams[(first + turn) % len(self._upstreams)]
            try:
                return await self._ask(upstream, request)
            except ClientConnectorError:
                continue
        return web.Response(status=502)

    async def _ask(self, upstream: str, request: web.Request) -> web.StreamResponse:
        headers = [(name, value) for name, value in request.headers.items() if name.title() not in HOP_BY_HOP]
        headers.append(("X-Forwarded-For", request.remote or ""))
        url, body = f"{upstream}{request.raw_path}", request.content if request.body_exists else None
        async with self._client.request(
            request.method, url, headers=headers, data=body, allow_redirects=False
        ) as found:
            self.passed.append((upstream, request.path))
            response = web.StreamResponse(status=found.status, reason=found.reason)
            for name, value in found.headers.items():
                if name.title() not in HOP_BY_HOP:
                    response.headers.add(name, value)
            if request.method == "HEAD" or found.status in (204, 304):
                await response.prepare(request)
                return response
            await response.prepare(request)
            async for block in found.content.iter_any():
                await response.write(block)
            await response.write_eof()
            return response

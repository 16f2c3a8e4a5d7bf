"""A relay on loopback that stands before a server and cuts its answers off: `async with Relay(url) as relay:`.

Everything passes through it unchanged, but of an answer to `POST /` only as many bytes as `cut` says, which sees
the whole of it. `sent` are the bytes that the browser got of the last one.
"""

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import Self

from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, hdrs, web

ARRIVING_S = 0.3
"""Between the last bytes and a reset, which would overtake them."""
HOP_BY_HOP = {hdrs.CONNECTION, hdrs.TRANSFER_ENCODING, hdrs.CONTENT_LENGTH, hdrs.KEEP_ALIVE}


class Relay:
    """The relay. `cut` is None for whole answers; with `reset` the connection breaks, else the answer just ends."""

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.cut: Callable[[bytes], int] | None = None
        self.reset = False
        self.sent = b""
        self.url = ""

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=1 << 26)
        app.router.add_route("*", "/{path:.*}", self._pass)
        self._client = ClientSession(
            self.upstream, auto_decompress=False, cookie_jar=DummyCookieJar(), timeout=ClientTimeout(total=60)
        )
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = "http://{}:{}".format(*self._runner.addresses[0][:2])
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
        await self._client.close()

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        # The host stays the one that the browser asked for, so that the origin of the page stays the server's own.
        headers = {name: value for name, value in request.headers.items() if name.title() not in HOP_BY_HOP}
        body = await request.read()
        async with self._client.request(
            request.method, request.raw_path, headers=headers, data=body, allow_redirects=False
        ) as found:
            content = await found.read()
            kept = {name: value for name, value in found.headers.items() if name.title() not in HOP_BY_HOP}
            if (request.method, request.path) == ("POST", "/"):
                return await self._cut_off(request, web.StreamResponse(status=found.status, headers=kept), content)
            return web.Response(status=found.status, headers=kept, body=content)

    async def _cut_off(self, request: web.Request, response: web.StreamResponse, content: bytes) -> web.StreamResponse:
        self.sent = content[: self.cut(content)] if self.cut else content
        response.enable_chunked_encoding()
        await response.prepare(request)
        await response.write(self.sent)
        if self.cut and self.reset:
            await asyncio.sleep(ARRIVING_S)
            _reset(request)
        else:
            await response.write_eof()
        return response


def _reset(request: web.Request) -> None:
    """Break the connection as a server that crashes or a network that fails does."""
    assert request.transport
    request.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.transport.abort()

"""Names of hosts become checked network addresses, and nothing else is connected to.

aiohttp connects to what its resolver returned, so that a name cannot mean one machine when it is checked and
another when it is connected to; each socket is looked at once more before it is made.
"""

import errno
import socket
from typing import Any

from aiohttp import ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from database.web.addresses import check_literal
from database.web.allowed import Allowed, check_target


class Guard(AbstractResolver):
    """Resolves with `resolver` (the system's by default). Raises `WrongAddress` when one of the addresses may
    not be connected to."""

    def __init__(self, allowed: Allowed, resolver: AbstractResolver | None = None):
        self._allowed, self._resolver = allowed, resolver or ThreadedResolver()
        self._checked: set[tuple[str, int]] = set()

    def admit(self, url: URL) -> None:
        """Check an address whose host needs no resolving. Raises `WrongAddress`."""
        if check_literal(url, self._allowed):
            self._checked.add((url.raw_host or "", url.port or 0))

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a host, all of them checked. Raises `OSError` when there is no such host."""
        found = await self._resolver.resolve(host, port, family)
        for result in found:
            check_target(host, port, result["host"], self._allowed)
        self._checked.update((result["host"], port) for result in found)
        return found

    def make_socket(self, info: tuple[Any, ...]) -> socket.socket:
        """The socket of one connection. Raises `PermissionError` for what was never checked."""
        family, kind, protocol, _, where = info
        if (where[0], where[1]) not in self._checked:
            raise PermissionError(errno.EACCES, "this address was not checked")
        return socket.socket(family, kind, protocol)

    async def close(self) -> None:
        """Close the resolver below."""
        await self._resolver.close()

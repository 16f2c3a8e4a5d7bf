"""What proxies say of a request: believed from those in TRUSTED_PROXIES alone."""

import ipaddress
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from aiohttp import hdrs, web

from app.keys import SETTINGS
from app.settings import Network

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Client:
    """Where a request began: the address, and how the first trusted proxy was asked."""

    address: str
    scheme: str
    host: str


CLIENT = web.RequestKey("client", Client)


def get_scheme(request: web.Request) -> str:
    """http or https, as the browser spoke it; also for the request as it was before `resolve_client`."""
    client = request.get(CLIENT)
    return client.scheme if client else request.scheme


@web.middleware
async def resolve_client(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Hand on a request as the first trusted proxy got it: its address, scheme and host."""
    networks = request.app[SETTINGS].trusted_networks
    if not networks or not _is_trusted(_parse(request.remote or ""), networks):
        return await handler(request)
    request[CLIENT] = client = read_client(request, networks)
    return await handler(request.clone(remote=client.address, scheme=client.scheme, host=client.host))


def read_client(request: web.Request, networks: Sequence[Network]) -> Client:
    """The nearest hop that is no trusted proxy. What it wrote itself before that counts for nothing."""
    address, passed = request.remote or "", 1
    for hop in reversed(_split(request, hdrs.X_FORWARDED_FOR)):
        if (parsed := _parse(hop)) is None:
            break
        address = str(parsed)
        if not _is_trusted(parsed, networks):
            break
        passed += 1
    scheme = _pick(_split(request, hdrs.X_FORWARDED_PROTO), passed).lower()
    host = _pick(_split(request, hdrs.X_FORWARDED_HOST), passed)
    return Client(address, scheme if scheme in ("http", "https") else request.scheme, host or request.host)


def _split(request: web.Request, header: str) -> list[str]:
    values = [part.strip() for value in request.headers.getall(header, []) for part in value.split(",")]
    return [value for value in values if value]


def _pick(values: Sequence[str], passed: int) -> str:
    """What the outermost of the trusted proxies said, where each adds its own; else the only one."""
    return values[max(len(values) - passed, 0)] if values else ""


def _parse(text: str) -> Address | None:
    """An address as proxies write it, perhaps with a port."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_trusted(address: Address | None, networks: Sequence[Network]) -> bool:
    return address is not None and any(address in network for network in networks)

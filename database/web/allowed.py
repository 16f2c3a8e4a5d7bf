"""Which hosts, networks and ports a connection may be made to. Pure."""

import ipaddress
import re
from dataclasses import dataclass, field

from database.errors import WrongAddress

IP = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

PORTS = frozenset({80, 443, 8080, 8443})
"""Where the web is served. Behind others stand databases, mail and consoles."""
_GLOBAL_V6 = ipaddress.ip_network("2000::/3")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# What `ipaddress` (3.11) takes for global, beside multicast, although it ends elsewhere: tunnels, whose inner
# address is another one; documentation and segment routing; the machines that serve virtual ones in Azure
# and, among what is set aside for protocols, in Oracle's cloud.
_NEVER = tuple(
    map(
        ipaddress.ip_network,
        ("2001::/23", "2002::/16", "3fff::/20", "192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32"),
    )
)
_HOST = re.compile(r"(?!-)[\w-]{1,63}(?:\.[\w-]{1,63})*\.?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Allowed:
    """What URL_ALLOW lets through, each with its port; port 0 stands for every port."""

    hosts: frozenset[tuple[str, int]] = frozenset()
    networks: tuple[tuple[Network, int], ...] = field(default=())

    def lets(self, host: str, port: int, ip: IP) -> bool:
        """Whether an entry names this host, or a network that it lies in."""
        name = host.lower().rstrip(".")
        if (name, port) in self.hosts or (name, 0) in self.hosts:
            return True
        plain = _unwrap(ip)
        return any(plain in network and of_port in (0, port) for network, of_port in self.networks)


def read_allowed(text: str) -> Allowed:
    """Hosts, host:port or networks, separated by commas. Raises `ValueError` naming what is none of them."""
    hosts, networks = set(), []
    for entry in filter(None, (part.strip() for part in text.split(","))):
        host, port = _split_port(entry)
        try:
            networks.append((ipaddress.ip_network(host, strict=False), port))
        except ValueError:
            if not _HOST.fullmatch(host):
                raise ValueError(f"{entry!r} is no host, host:port or network such as 10.0.0.0/8") from None
            hosts.add((host.lower().rstrip("."), port))
    return Allowed(frozenset(hosts), tuple(networks))


def check_target(host: str, port: int, address: str, allowed: Allowed) -> None:
    """Raise `WrongAddress` unless a connection to `address`, found for `host`, may be made."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        raise WrongAddress(f"{host} leads to {address!r}, which is no network address.") from None
    if allowed.lets(host, port, ip):
        return
    if not is_public(ip):
        raise WrongAddress(
            f"{host} is {address}, which is not on the public internet. To load pages from there, name the host "
            "or its network in URL_ALLOW."
        )
    if port not in PORTS:
        raise WrongAddress(f"Port {port} is none that web pages come from. To use it, name {host}:{port} in URL_ALLOW.")


def is_public(ip: IP) -> bool:
    """Whether everybody on the internet reaches this address, and the same machine by it."""
    if isinstance(ip, ipaddress.IPv6Address):
        if ip in _NAT64:  # what names of IPv4 hosts become in networks without IPv4
            return is_public(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF))
        if ip.scope_id or ip not in _GLOBAL_V6:
            return False
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in _NEVER)


def _unwrap(ip: IP) -> IP:
    """An IPv4 address that is written as IPv6, as it is."""
    return (ip.ipv4_mapped or ip) if isinstance(ip, ipaddress.IPv6Address) else ip


def _split_port(entry: str) -> tuple[str, int]:
    host, colon, port = entry.rpartition(":")
    if colon and port.isdecimal() and 0 < int(port) < 1 << 16 and (":" not in host or entry.startswith("[")):
        return host.strip("[]"), int(port)
    return entry.strip("[]"), 0

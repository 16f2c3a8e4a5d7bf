"""Where a model runs: on this machine or elsewhere."""

import ipaddress

LOCAL_NAMES = frozenset({"localhost", "host.docker.internal", "gateway.docker.internal", "ollama"})
"""This machine's names: its own, those Docker gives it inside a container, and the compose service."""


def is_this_machine(host: str) -> bool:
    """Whether `host` is a loopback address or one of `LOCAL_NAMES`. A neighbour in the network is not."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in LOCAL_NAMES

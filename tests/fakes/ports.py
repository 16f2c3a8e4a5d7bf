"""Ports that nobody else gets."""

import socket


def hold_port() -> socket.socket:
    """A socket bound to a free port of 127.0.0.1. Whoever connects there is refused, and no other program is given the
    port while this one is open; the one that knows it can listen there, with SO_REUSEADDR as asyncio's servers do."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    return held

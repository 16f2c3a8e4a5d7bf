"""Ports that nobody else gets."""

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def hold_port() -> Iterator[int]:
    """A free port of 127.0.0.1 where who connects is refused, until somebody listens there with SO_REUSEADDR, as
    asyncio's servers do. On Linux no other program is given it meanwhile; elsewhere none could listen beside it."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        port = int(held.getsockname()[1])
        if sys.platform != "linux":
            held.close()
        yield port

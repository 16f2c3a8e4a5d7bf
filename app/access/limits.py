"""How often somebody may try: buckets of tokens in memory, each filled again at an even pace."""

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NoReturn

from app.errors import TooManyRequests

MAX_BUCKETS = 20_000
"""The one that nobody asked for longest is forgotten first."""


class Limit:
    """At most `per_minute` for each name, all of them at once if need be; 0: no limit."""

    def __init__(self, per_minute: int, what: str, clock: Callable[[], float] = time.monotonic):
        self._per_minute, self._what, self._clock = per_minute, what, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, *names: str) -> None:
        """Take a token of each. Raises `TooManyRequests` when one has none; then none is taken."""
        if not self._per_minute:
            return
        now = self._clock()
        left = {name: self._count(name, now) for name in names}
        if (least := min(left.values())) < 1:
            refuse(least, self._per_minute, self._what)
        for name, tokens in left.items():
            self._buckets[name] = (tokens - 1, now)
            self._buckets.move_to_end(name)
        while len(self._buckets) > MAX_BUCKETS:
            self._buckets.popitem(last=False)

    def _count(self, name: str, now: float) -> float:
        tokens, at = self._buckets.get(name, (float(self._per_minute), now))
        return refill(tokens, now - at, self._per_minute)


def refill(tokens: float, seconds: float, per_minute: int) -> float:
    """What a bucket holds so much later."""
    return min(per_minute, tokens + seconds * per_minute / 60)


def refuse(tokens: float, per_minute: int, what: str) -> NoReturn:
    """Raise `TooManyRequests` for a bucket that holds less than one token."""
    wait_s = math.ceil((1 - tokens) * 60 / per_minute)
    raise TooManyRequests(f"Too many {what}. Try again in {wait_s} s.", wait_s)


def group_address(address: str) -> str:
    """What counts as one sender: an IPv4 address, or the /64 that a household has of IPv6."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return str(parsed)
    return str(parsed.ipv4_mapped or ipaddress.ip_network((int(parsed), 64), strict=False))


def is_loopback(address: str) -> bool:
    """Whether it is this machine; `localhost` is."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"

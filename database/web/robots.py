"""What a site asks programs to leave alone: its robots.txt (RFC 9309)."""

import asyncio
from collections.abc import Awaitable, Callable
from urllib.robotparser import RobotFileParser

from yarl import URL

from database.errors import Unreachable, WrongAddress

AGENT = "Acervo"
MAX_BYTES = 512 << 10
"""What is read of it; the rest is ignored, as the specification allows."""


class Robots:
    """The rules of each site that was asked, kept as long as this. `read` fetches an address: its status, and at
    most so many bytes of its body."""

    def __init__(self, read: Callable[[URL, int], Awaitable[tuple[int, bytes]]]):
        self._read = read
        self._rules: dict[URL, RobotFileParser] = {}

    async def check(self, url: URL) -> None:
        """Raise `WrongAddress` when the site asks not to fetch this, `Unreachable` when it cannot say."""
        site = url.origin()
        if site not in self._rules:
            self._rules[site] = await self._ask(site)
        if not self._rules[site].can_fetch(AGENT, str(url)):
            raise WrongAddress(
                f"The robots.txt of {url.host} asks programs not to fetch this page. Save it in the browser and "
                "load the file."
            )

    async def _ask(self, site: URL) -> RobotFileParser:
        rules = RobotFileParser()
        status, body = await self._read(site / "robots.txt", MAX_BYTES)
        if status >= 500:
            raise Unreachable(
                f"{site.host} cannot say what programs may fetch: its robots.txt gives {status}. Try later."
            )
        lines = body.decode(errors="replace").splitlines() if status < 300 else []
        await asyncio.to_thread(rules.parse, lines)  # as many as a site likes
        return rules

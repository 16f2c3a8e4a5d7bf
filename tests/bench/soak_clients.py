"""The clients of the soak: some read at once, some slowly, some vanish in the middle of an answer."""

import asyncio
import itertools
import json
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import aiohttp

Kind = Literal["normal", "slow", "vanishing"]
KINDS: tuple[Kind, ...] = ("normal",) * 8 + ("slow", "vanishing")
"""Of ten clients."""
QUESTION = "Como adiciono um PDF?"
ARRIVE_S = 15
"""Within these seconds of the start they all come."""
SLOW_S = 1.0
"""A slow client's pause between two reads."""
SLOW_BYTES = 512
SAMPLE = 20
"""Every so manieth line is looked at for its delay."""


@dataclass
class Told:
    """What the clients saw."""

    tokens: dict[int, int] = field(default_factory=dict)
    """By the number of the normal client."""
    delays_s: list[float] = field(default_factory=list)
    """From the model's writing of a line to its arrival."""
    statuses: Counter[int] = field(default_factory=Counter)
    answers: int = 0
    """Complete ones."""
    broken: int = 0
    without_retry_after: int = 0


class Client:
    """One client, asking over and over until `stopping` is set."""

    def __init__(self, number: int, url: str, told: Told, stopping: asyncio.Event):
        self._number, self._url, self._told, self._stopping = number, url, told, stopping
        self._kind = KINDS[number % len(KINDS)]
        self._random = random.Random(number)

    async def run(self) -> None:
        """Ask until it is time to stop; a connection for each client, as browsers have one."""
        await asyncio.sleep(self._random.random() * ARRIVE_S)
        async with aiohttp.ClientSession(read_bufsize=SLOW_BYTES if self._kind == "slow" else 2**16) as session:
            while not self._stopping.is_set():
                wait_s = await self._ask(session)
                await asyncio.sleep(wait_s + self._random.random() / 10)

    async def _ask(self, session: aiohttp.ClientSession) -> float:
        """Seconds to wait before asking again."""
        try:
            async with session.post(self._url, json={"prompt": QUESTION}) as response:
                self._told.statuses[response.status] += 1
                if response.status != 200:
                    self._told.without_retry_after += "Retry-After" not in response.headers
                    return float(response.headers.get("Retry-After", 1))
                await self._read(response)
        except aiohttp.ClientError:
            self._told.broken += 1
        return 0.0

    async def _read(self, response: aiohttp.ClientResponse) -> None:
        leave_after = self._random.randrange(100) if self._kind == "vanishing" else None
        line = b""
        for count in itertools.count():
            if count == leave_after or self._stopping.is_set():
                response.close()
                return
            if not (next_line := await response.content.readline(max_line_length=2**20)):
                break
            line = next_line
            self._note(count, line)
            if self._kind == "slow":
                await asyncio.sleep(SLOW_S)
        complete = json.loads(line).get("done") is True
        self._told.answers += complete
        self._told.broken += not complete

    def _note(self, count: int, line: bytes) -> None:
        if self._kind == "normal":
            self._told.tokens[self._number] = self._told.tokens.get(self._number, 0) + 1
            if count % SAMPLE == SAMPLE - 1 and b'"checks"' not in line:
                written = datetime.fromisoformat(json.loads(line)["created_at"])
                self._told.delays_s.append(time.time() - written.timestamp())

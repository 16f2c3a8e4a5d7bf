"""Very many readers of streams, in a process of its own: `python -m tests.bench.crowd URL BODY PID --steps 100,250`.

At each step it has so many streams open, waits until all flow, reads for a while and prints a line of JSON: the
delays of the tokens, and how busy it was itself. It stops where the delays are past the limit.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Self
from urllib.parse import urlsplit

import psutil

from tests.bench.paced import MODULUS, now_us, read_stamps
from tests.bench.rows import percentile
from tests.bench.runs import cpu_s

SETTLE_S, HOLD_S = 1.0, 6.0
OPEN_TIMEOUT_S = 180.0
ATTEMPTS = 3
"""At each step: what else the machine does may disturb one."""
AT_ONCE = 8
"""Questions that are asked and have no token yet."""


@dataclass(frozen=True, slots=True)
class Step:
    """What was seen with `streams` open. `busy` is the reader's share of its processor, `server_busy` that of
    the watched program."""

    streams: int
    flowing: int
    tokens: int
    median_ms: float
    late_ms: float
    """99 of 100 tokens were quicker."""
    busy: float
    server_cpu_us: float
    """Processor time of the watched program for a token."""
    server_busy: float


class Reader(asyncio.Protocol):
    """Asks once and reads for ever."""

    def __init__(self, request: bytes, delays_us: list[int]) -> None:
        self._request, self._delays_us = request, delays_us
        self.transport: asyncio.Transport | None = None
        self.flowing = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        # A stamp that is cut by the end of `data` is not counted; one in thousands is.
        if stamps := read_stamps(data):
            now = now_us()
            self._delays_us.extend((now - stamp) % MODULUS for stamp in stamps)
            if not self.flowing.done():
                self.flowing.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if not self.flowing.done():
            self.flowing.set_exception(ConnectionError("the stream ended before its first token"))


class Crowd:
    """Readers of one address."""

    def __init__(self, url: str, body: str, watched: psutil.Process) -> None:
        self._watched = watched
        parts = urlsplit(url)
        self._address = parts.hostname or "", parts.port or 80
        head = f"POST {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
        self._request = f"{head}Content-Length: {len(body.encode())}\r\n\r\n{body}".encode()
        self._delays_us: list[int] = []
        self._readers: list[Reader] = []
        self._opening = asyncio.Semaphore(AT_ONCE)

    async def measure(self, streams: int) -> Step:
        """Open what is missing, settle, and read for a while."""
        async with asyncio.timeout(OPEN_TIMEOUT_S):
            await asyncio.gather(*(self._open() for _ in range(streams - len(self._readers))))
        await asyncio.sleep(SETTLE_S)
        self._delays_us.clear()
        started, used, watched_s = time.monotonic(), time.process_time(), cpu_s(self._watched)
        await asyncio.sleep(HOLD_S)
        spent, busy_s, delays = time.monotonic() - started, time.process_time() - used, [*self._delays_us]
        watched_s = cpu_s(self._watched) - watched_s
        flowing = sum(reader.transport is not None for reader in self._readers)
        late = [percentile(delays, share) / 1000 if delays else float("inf") for share in (0.5, 0.99)]
        each_us = 1e6 * watched_s / max(1, len(delays))
        return Step(streams, flowing, len(delays), *late, busy_s / spent, each_us, watched_s / spent)

    async def _open(self) -> None:
        async with self._opening:
            loop = asyncio.get_running_loop()
            _, reader = await loop.create_connection(lambda: Reader(self._request, self._delays_us), *self._address)
            self._readers.append(reader)
            await reader.flowing

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for reader in self._readers:
            if reader.transport:
                reader.transport.abort()


async def main(url: str, body: str, pid: int, steps: Sequence[int], limit_ms: float) -> None:
    """Measure steps until one is past the limit however often it is tried."""
    async with Crowd(url, body, psutil.Process(pid)) as crowd:
        for streams in steps:
            for _ in range(ATTEMPTS):
                step = await crowd.measure(streams)
                print(json.dumps(asdict(step)), flush=True)
                if in_time := step.late_ms <= limit_ms and step.flowing >= streams:
                    break
            if not in_time:
                break


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("body")
    parser.add_argument("pid", type=int, help="of the program whose processor time is told")
    parser.add_argument("--steps", type=lambda text: [int(part) for part in text.split(",")], default=[100])
    parser.add_argument("--limit-ms", type=float, default=100)
    parser.add_argument("--core", type=int, help="run on this processor only")
    given = parser.parse_args()
    if given.core is not None:
        psutil.Process().cpu_affinity([given.core])
    asyncio.run(main(given.url, given.body, given.pid, given.steps, given.limit_ms))

"""A model that writes at a steady pace to very many clients: `python -m tests.bench.paced --rate 20`.

Every token carries the moment at which it was written, spelt with letters, so that a reader can tell its
delay. Streams take turns on a wheel, are never all written to at once, and end when their reader goes.
"""

import argparse
import asyncio
import re
import time
from typing import Any

import psutil
from aiohttp import web

from tests.fakes.ollama import FakeModel, FakeOllama
from tests.fakes.ollama_wire import as_chunk, token_line

SLOTS = 25
"""Of the wheel."""
DIGITS = "abcdefghijklmnop"
STAMP = re.compile(rb"q([a-p]{10})")
SENTENCE = 12
"""Tokens of a sentence, as in an answer."""
MODULUS = 16**10


def spell(moment_us: int) -> str:
    """A moment in microseconds as a word of eleven letters that no language has."""
    return "q" + "".join(DIGITS[int(digit, 16)] for digit in f"{moment_us % MODULUS:010x}")


def read_stamps(data: bytes) -> list[int]:
    """The moments, in microseconds, that whole stamps in `data` spell."""
    return [int(letters.translate(_VALUES), 16) for letters in STAMP.findall(data)]


def now_us() -> int:
    """By a clock that all processes share."""
    return time.monotonic_ns() // 1000 % MODULUS


_VALUES = bytes.maketrans(DIGITS.encode(), b"0123456789abcdef")


class PacedOllama(FakeOllama):
    """A fake Ollama whose answers never end."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self._period_s = 1 / rate
        self._wheel: list[dict[asyncio.Transport, int]] = [{} for _ in range(SLOTS)]
        head, _, tail = token_line("llama3.1:8b", "@").partition(b"@")
        self._head, self._tail = head, tail

    async def write_forever(self) -> None:
        """Turn the wheel."""
        step_s, due = self._period_s / SLOTS, time.monotonic()
        while True:
            for slot in self._wheel:
                self._write(slot)
                due += step_s
                await asyncio.sleep(max(0.0, due - time.monotonic()))

    def _write(self, slot: dict[asyncio.Transport, int]) -> None:
        for transport, count in slot.items():
            mark = ". " if count % SENTENCE == 0 else " "
            line = self._head + (spell(now_us()) + mark).encode() + self._tail
            transport.write(as_chunk(line))
            slot[transport] = count + 1

    async def _stream(self, request: web.Request, model: FakeModel, body: dict[str, Any]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        slot, transport = min(self._wheel, key=len), request.transport
        assert isinstance(transport, asyncio.Transport)
        slot[transport] = 1
        try:
            await asyncio.Event().wait()
        finally:
            del slot[transport]
        return response


async def main(rate: float) -> None:
    """Serve until ended."""
    fake = PacedOllama(rate)
    await fake.start()
    print(fake.url, flush=True)
    await fake.write_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=20)
    parser.add_argument("--core", type=int, help="run on this processor only")
    given = parser.parse_args()
    if given.core is not None:
        psutil.Process().cpu_affinity([given.core])
    asyncio.run(main(given.rate))

"""Opening once: many who ask, failures, and those who leave."""

import asyncio

import pytest

from app.opening import Opening
from database.errors import StoreUnavailable


class Part:
    """Opens slowly, the first `failures` times in vain."""

    def __init__(self, failures: int = 0) -> None:
        self.failures, self.tries = failures, 0

    async def open(self) -> None:
        self.tries += 1
        await asyncio.sleep(0.02)
        if self.tries <= self.failures:
            raise StoreUnavailable("away")


async def test_many_who_ask_open_it_once() -> None:
    part = Part()
    opening = Opening(part.open)
    await asyncio.gather(*(opening() for _ in range(10)))
    await opening()
    assert part.tries == 1 and opening.done


async def test_a_failure_is_shared_and_then_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    part = Part(failures=1)
    opening = Opening(part.open)
    failed = await asyncio.gather(*(opening() for _ in range(10)), return_exceptions=True)
    assert [type(error) for error in failed] == [StoreUnavailable] * 10 and part.tries == 1
    monkeypatch.setattr(opening, "_retry_at", 0.0)
    await opening()
    assert part.tries == 2


async def test_one_who_leaves_does_not_close_it_for_the_others() -> None:
    part = Part()
    opening = Opening(part.open)
    first, second = asyncio.create_task(opening()), asyncio.create_task(opening())
    await asyncio.sleep(0)
    first.cancel()
    await second
    assert opening.done

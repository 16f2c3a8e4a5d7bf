"""The circuit breaker: a model that fails again and again is left alone, and found again when it is well."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from app.errors import ModelError, ModelRefused, ModelUnavailable
from app.events import Service, Token, Usage
from app.llms import ChatRequest
from app.llms.breaker import LOOK_S, Breaker, Guarded, ModelResting
from tests.llm_contract import make_request, read_answer


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Moody:
    """A model that does as its switches say."""

    model, generative, num_ctx = "moody", True, 4096
    service = Service("moody", "", local=True)
    error: ModelError | None = None
    late_error: ModelError | None = None
    check_error: ModelError | None = None
    check_s = 0.0
    asked = checked = 0

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()

    async def check(self) -> None:
        self.checked += 1
        await asyncio.sleep(self.check_s)
        if self.check_error:
            raise self.check_error

    def count_tokens(self, text: str) -> int:
        return len(text)

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Token | Usage]:
        self.asked += 1
        if self.error:
            raise self.error
        await self.gate.wait()
        yield Token("a")
        await asyncio.sleep(0)
        if self.late_error:
            raise self.late_error
        yield Usage()

    async def aclose(self) -> None:
        pass


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def moody() -> Moody:
    return Moody()


@pytest.fixture
def guarded(moody: Moody, clock: Clock) -> Guarded:
    return Guarded(moody, Breaker(3, 2.0, clock))


def test_it_opens_rests_longer_each_time_and_closes(clock: Clock) -> None:
    breaker = Breaker(2, 2.0, clock)
    breaker.fail()
    assert breaker.admit() and not breaker.open
    for rest_s in (2, 4, 8, 16, 32, 60, 60):
        breaker.fail()
        breaker.fail()  # one that began earlier makes it no longer
        assert breaker.resting_s == rest_s and not breaker.admit()
        clock.now += rest_s
        assert breaker.admit() and not breaker.admit(), "one at a time may try"
    breaker.leave()
    assert breaker.admit()
    breaker.succeed()
    assert breaker.admit() and breaker.admit()
    breaker.fail()
    breaker.fail(wait_s=30)
    assert breaker.resting_s == 30, "as long as the service asks for"


async def fail(guarded: Guarded, times: int) -> ModelError:
    """The last of so many failures."""
    for _ in range(times):
        with pytest.raises(ModelError) as caught:
            await read_answer(guarded)
    return caught.value


async def test_a_dead_model_is_not_asked_until_it_is_well(guarded: Guarded, moody: Moody, clock: Clock) -> None:
    moody.error = moody.check_error = ModelUnavailable("Start it.")
    assert not isinstance(await fail(guarded, 3), ModelResting)
    error = await fail(guarded, 5)
    assert isinstance(error, ModelResting) and "Start it. It failed 3 times" in str(error) and moody.asked == 3
    clock.now += 2
    assert isinstance(await fail(guarded, 1), ModelResting)
    assert (moody.asked, moody.checked) == (3, 1), "it is looked at before it is asked"
    clock.now += 4
    moody.error = moody.check_error = None
    assert (await read_answer(guarded))[0] == "a" and await guarded.resting() == ""
    moody.error = ModelError("x")
    assert not isinstance(await fail(guarded, 2), ModelResting), "it counts anew"


async def test_no_question_waits_for_the_look_at_a_service_that_hangs(
    guarded: Guarded, moody: Moody, clock: Clock
) -> None:
    moody.error = ModelError("x")
    await fail(guarded, 3)
    moody.check_s = 3600
    clock.now += 2
    async with asyncio.timeout(LOOK_S * 40):
        for _ in range(4):
            assert isinstance(await fail(guarded, 1), ModelResting)
    assert moody.checked == 1 and moody.asked == 3
    await guarded.aclose()


async def test_one_question_tries_and_the_others_pass(guarded: Guarded, moody: Moody, clock: Clock) -> None:
    moody.error = ModelError("x")
    await fail(guarded, 3)
    moody.error = None
    clock.now += 2
    moody.gate.clear()
    trying = asyncio.create_task(read_answer(guarded))
    while moody.asked < 4:  # noqa: ASYNC110
        await asyncio.sleep(0)
    assert "Another question" in str(await fail(guarded, 3)) and moody.asked == 4
    moody.gate.set()
    assert (await trying)[0] == (await read_answer(guarded))[0] == "a"


async def test_what_one_question_did_wrong_tells_nothing_of_the_model(guarded: Guarded, moody: Moody) -> None:
    moody.error = ModelRefused("too long")
    await fail(guarded, 10)
    assert moody.asked == 10


async def test_what_breaks_off_midway_is_not_dead(guarded: Guarded, moody: Moody) -> None:
    moody.late_error = ModelError("x")
    await fail(guarded, 5)
    assert moody.asked == 5


async def test_an_answer_that_is_left_counts_neither_way(guarded: Guarded, moody: Moody) -> None:
    moody.error = ModelError("x")
    await fail(guarded, 2)
    moody.error = None
    async with aclosing(guarded.stream(make_request())) as stream:
        await anext(stream)
    moody.error = ModelError("x")
    await fail(guarded, 1)
    assert isinstance(await fail(guarded, 1), ModelResting)

"""A circuit breaker for each model: one that begins no answer again and again is left alone for a while.

Michael Nygard, "Release It!"; https://martinfowler.com/bliki/CircuitBreaker.html. Closed, it counts failures in
a row; open, nothing is asked; once it has rested, the service is looked at while nobody waits for it, and
then one question at a time may try.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from app.errors import ModelError, ModelRefused, ModelUnavailable
from app.events import Token, Usage
from app.llms import LLM, ChatRequest
from app.llms.around import Around

FAILURES = 3
"""In a row, after which a model is not asked."""
REST_S, LONGEST_REST_S = 2.0, 60.0
"""The first rest; each further one is twice as long."""
LOOK_S = 0.3
"""A question waits so long for the look at a service: one that is well again answers sooner."""


class ModelResting(ModelUnavailable):
    """Nothing was asked: the breaker of the model is open."""


class Breaker:
    """The state of one model. Pure but for the clock (seconds)."""

    def __init__(
        self, failures: int = FAILURES, rest_s: float = REST_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit, self._first_rest_s, self._clock = failures, rest_s, clock
        self._rest_s, self._until = rest_s, 0.0
        self._trying = False
        self.failed = 0
        """In a row."""

    @property
    def open(self) -> bool:
        """Whether only a question that tries may go through."""
        return self.failed >= self._limit

    @property
    def resting_s(self) -> float:
        """Seconds until one may try."""
        return max(0.0, self._until - self._clock()) if self.open else 0.0

    def admit(self) -> bool:
        """Whether a question may go through now. One that may must end in `succeed`, `fail` or `leave`."""
        if not self.open:
            return True
        if self._trying or self.resting_s:
            return False
        self._trying = True
        return True

    def succeed(self) -> None:
        """A whole answer came."""
        self.failed, self._rest_s, self._trying = 0, self._first_rest_s, False

    def leave(self) -> None:
        """It is not known how it would have ended."""
        self._trying = False

    def fail(self, wait_s: float = 0) -> None:
        """No answer came; `wait_s` is what the service asked for. Those that fail together make one rest."""
        self.failed, self._trying = self.failed + 1, False
        if self.open and not self.resting_s:
            self._until = self._clock() + max(self._rest_s, wait_s)
            self._rest_s = min(2 * self._rest_s, LONGEST_REST_S)


class Guarded(Around):
    """A model behind its breaker."""

    def __init__(self, inner: LLM, breaker: Breaker | None = None) -> None:
        super().__init__(inner)
        self._breaker = breaker or Breaker()
        self._looking: asyncio.Task[bool] | None = None
        self._why = ""

    async def resting(self) -> str:
        """Why it is not asked now; empty when a question may go to it."""
        breaker = self._breaker
        if not breaker.open or (not breaker.resting_s and await self._look()):
            return ""
        again = f"for another {breaker.resting_s:.0f} s" if breaker.resting_s >= 1 else "before it has been looked at"
        return f"{self._why} It failed {breaker.failed} times in a row and is not asked {again}."

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Token | Usage]:
        """See `LLM.stream`; raises `ModelResting` at once while the breaker is open."""
        if reason := await self.resting():
            raise ModelResting(reason)
        if not self._breaker.admit():
            raise ModelResting(f"{self._why} Another question is trying whether it works again.")
        begun = False
        try:
            async with aclosing(self.inner.stream(request)) as parts:
                async for part in parts:
                    if not begun:
                        begun = True
                        self._breaker.leave()
                    yield part
            self._breaker.succeed()
        except ModelError as error:
            # What breaks off midway is not dead, and what one question did wrong is no failure.
            if not begun and not isinstance(error, ModelRefused):
                self._note(error)
            raise
        finally:
            self._breaker.leave()

    async def aclose(self) -> None:
        """See `LLM.aclose`."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        await super().aclose()

    def _note(self, error: ModelError) -> None:
        self._why, self._looking = str(error), None
        self._breaker.fail(error.retry_after_s)

    async def _look(self) -> bool:
        """Whether the service says that it is well; a slow one is looked at on and on, while questions pass."""
        looking = self._looking = self._looking or asyncio.create_task(self._check())
        done, _ = await asyncio.wait({looking}, timeout=LOOK_S)
        return bool(done) and looking.result()

    async def _check(self) -> bool:
        try:
            await self.inner.check()
        except ModelError as error:
            self._note(error)
            return False
        return True

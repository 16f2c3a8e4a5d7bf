"""The models of a plan, asked in turn until one begins to answer; after its first token there is no other."""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import replace
from typing import Self

from app.errors import BadRequest, ModelError
from app.events import Service, Token, Usage
from app.llms import LLM
from app.llms.breaker import ModelResting
from app.llms.plan import Plan
from app.prompt import Prompt

log = logging.getLogger(__name__)

Fit = Callable[[LLM, Prompt | None], Prompt]
"""The prompt for the window of a model; with the passages of an earlier one at most, so that their numbers stay."""
Ask = Callable[[LLM, Prompt], AsyncGenerator[Token | Usage]]


class Relay:
    """One question on its way through a plan: the parts of its answer, as of `LLM.stream`, by the first model that
    gives a token. Tokens of another model than the first name it. `llm` and `prompt` are those that answer, or try
    to; `asked` every service that the question was really sent to, `passed` the models before.

    No generator: with many streams, each of them on the way of a token is memory that is in no cache.
    """

    __slots__ = ("_ask", "_begun", "_first", "_fit", "_parts", "_rest", "asked", "llm", "other", "passed", "prompt")

    def __init__(self, plan: Plan, fit: Fit, ask: Ask) -> None:
        self.llm = self._first = plan.first
        self.other = ""
        """The model that answers, or tries to, where it is not the one first chosen."""
        self.prompt = fit(plan.first, None)
        self.asked: list[Service] = []
        self.passed = plan.rest.passed
        self._rest, self._fit, self._ask = plan.rest, fit, ask
        self._parts: AsyncGenerator[Token | Usage] | None = None
        self._begun = False

    def __aiter__(self) -> Self:
        return self

    def __anext__(self) -> Awaitable[Token | Usage]:
        if self._begun and self._parts and not self.other:
            return anext(self._parts)
        return self._next()

    async def aclose(self) -> None:
        """Close the model's connection."""
        if self._parts:
            await self._parts.aclose()

    async def _next(self) -> Token | Usage:
        while True:
            if self._parts is None:
                self.asked.append(self.llm.service)
                self._parts = self._ask(self.llm, self.prompt)
            try:
                part = await anext(self._parts)
                if not self._begun:
                    self._note(part)
                return replace(part, model=self.other) if self.other and isinstance(part, Token) else part
            except ModelError as error:
                await self.aclose()
                if isinstance(error, ModelResting):
                    self.asked.pop()
                if self._begun:
                    raise
                failure = error
            self._parts = None
            await self._move_on(failure)

    def _note(self, part: Token | Usage) -> None:
        """Whether an answer begins with `part`. Raises `ModelError` when it ends before it has begun."""
        self._begun = isinstance(part, Token) and bool(part.text)
        if isinstance(part, Usage) and self._rest.more:
            raise ModelError(f"{self.llm.model} gave an empty answer.")

    async def _move_on(self, failure: ModelError) -> None:
        """To the next model whose window takes the question. Raises `ModelError` when there is none."""
        alone = not self._rest.more and not self._rest.passed
        self._rest.pass_over(self.llm.model, failure)
        while llm := await self._rest.next():
            try:
                self.prompt = self._fit(llm, self.prompt)
            except BadRequest as refusal:
                self._rest.pass_over(llm.model, refusal)
                continue
            log.warning("%s is asked in place of %s: %s", llm.model, self.llm.model, failure)
            self.llm, self.other = llm, llm.model if llm is not self._first else ""
            return
        if alone:
            raise failure
        told = "\n".join(f"{one.model}: {one.reason}" for one in self._rest.passed)
        raise ModelError(f"None of the models gave an answer.\n{told}") from failure

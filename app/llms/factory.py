"""Which model answers: the local one when it can, else extracts; Gemini only when asked for."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any, Literal

from app.errors import BadRequest, ModelError, ModelMissing, ModelUnavailable
from app.llms import LLM
from app.llms.gemini import GeminiLLM
from app.llms.ollama import OllamaLLM
from app.settings import ServerSettings

Route = Literal["default", "gemini"]
State = Literal["ready", "untested", "away", "missing", "failed", "off"]

KEEP_S = 5.0
"""A check's result counts this long, and longer after a slow check: six times what it took."""


@dataclass(frozen=True, slots=True)
class ModelState:
    """One model for `/ready`: `what_to_do` is empty when there is nothing to do."""

    name: str
    model: str
    state: State
    what_to_do: str = ""


class Probe:
    """Whether a model can answer: asked once for all who wait, and not again for a few seconds, so
    that a model that is away costs no connection attempt for each question."""

    def __init__(self, llm: LLM, keep_s: float = KEEP_S) -> None:
        self._llm = llm
        self._keep_s = keep_s
        self._asking = asyncio.Lock()
        self._valid_until = 0.0
        self._error: ModelError | None = None

    async def ask(self) -> ModelError | None:
        """Why it cannot answer; None when it can."""
        async with self._asking:
            started = time.monotonic()
            if started >= self._valid_until:
                self._error = await _check(self._llm)
                now = time.monotonic()
                self._valid_until = now + max(self._keep_s, 6 * (now - started))
            return self._error


class Models:
    """All models, opened when first used. `gemini_channel` replaces the one to Google's address."""

    def __init__(
        self, settings: ServerSettings, extractive: LLM, *, gemini_channel: Any = None, keep_s: float = KEEP_S
    ) -> None:
        self._setting = settings.llm
        self._extractive = extractive
        self._ollama = OllamaLLM(settings)
        self._gemini = GeminiLLM(settings, gemini_channel)
        self._probe = Probe(self._ollama, keep_s)
        self._reason = ""

    @property
    def reason(self) -> str:
        """Why no language model answers and what to do about it, when `choose` fell back to extracts
        without being told to; empty otherwise."""
        return self._reason

    async def choose(self, route: Route, wanted: str | None = None) -> LLM:
        """The model for a question on this route, the one named `wanted` if any is. Raises
        `BadRequest` for a name not offered there and `ModelUnavailable` for Gemini without a key;
        LLM=ollama returns Ollama though it be away, so that its own error is shown."""
        if wanted is not None:
            return await self._find(route, wanted)
        if route == "gemini" or self._setting == "gemini":
            await self._gemini.check()
            return self._gemini
        if self._setting == "extractive":
            return self._extractive
        error = await self._probe.ask()
        fall_back = self._setting == "auto" and error is not None
        self._reason = str(error) if fall_back else ""
        return self._extractive if fall_back else self._ollama

    async def _find(self, route: Route, wanted: str) -> LLM:
        """A remote model is not found by its name alone: its route or the setting must ask for it."""
        if route == "gemini" or self._setting == "gemini":
            offered: list[LLM] = [self._gemini]
        else:
            offered = [self._ollama, self._extractive]
        for llm in offered:
            if llm.model == wanted:
                if llm is self._gemini:
                    await llm.check()
                return llm
        names = " or ".join(llm.model for llm in offered)
        raise BadRequest(f"There is no model {wanted!r} for this route; leave `model` out, or name {names}.")

    async def can_answer(self) -> bool:
        """Whether a question on the default route gets an answer, as far as can be told without asking Google."""
        if self._setting == "gemini":
            return self._gemini_state().state == "untested"
        return self._setting != "ollama" or await self._probe.ask() is None

    async def states(self) -> list[ModelState]:
        """What each model can do now. Nothing is sent to Google for it."""
        return [await self._ollama_state(), self._gemini_state(), self._extractive_state()]

    async def aclose(self) -> None:
        """Close every model, the extractive one included."""
        for llm in (self._ollama, self._gemini, self._extractive):
            await llm.aclose()

    async def _ollama_state(self) -> ModelState:
        model = self._ollama.model
        if self._setting not in ("auto", "ollama"):
            return ModelState("ollama", model, "off", f"LLM={self._setting} is set; LLM=auto uses Ollama.")
        error = await self._probe.ask()
        return ModelState("ollama", model, _name_state(error), str(error or ""))

    def _gemini_state(self) -> ModelState:
        try:
            self._gemini.require_key()
        except ModelUnavailable as error:
            state: State = "missing" if self._setting == "gemini" else "off"
            return ModelState("gemini", self._gemini.model, state, str(error))
        return ModelState("gemini", self._gemini.model, "untested")

    def _extractive_state(self) -> ModelState:
        return ModelState("extractive", self._extractive.model, "ready")


async def _check(llm: LLM) -> ModelError | None:
    try:
        await llm.check()
    except ModelError as error:
        return error
    return None


def _name_state(error: ModelError | None) -> State:
    if error is None:
        return "ready"
    if isinstance(error, ModelMissing):
        return "missing"
    return "away" if isinstance(error, ModelUnavailable) else "failed"

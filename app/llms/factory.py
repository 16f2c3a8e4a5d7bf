"""Which model answers: the local one when it can, else extracts; Gemini only when asked for."""

from typing import Any, Literal

from app.errors import ModelUnavailable
from app.llms import LLM
from app.llms.gemini import GeminiLLM
from app.llms.installed import InstalledModels, unknown
from app.llms.kept import KEEP_S
from app.llms.states import ModelState, Offer, State, make_offer, name_state
from app.settings import ServerSettings

Route = Literal["default", "gemini"]


class Models:
    """All models, opened when first used. `gemini_channel` replaces the one to Google's address."""

    def __init__(
        self, settings: ServerSettings, extractive: LLM, *, gemini_channel: Any = None, keep_s: float = KEEP_S
    ) -> None:
        self._setting = settings.llm
        self._extractive = extractive
        self._gemini = GeminiLLM(settings, gemini_channel)
        self._installed = InstalledModels(settings, keep_s)
        self._ollama = self._installed.configured
        self._reason = ""

    @property
    def reason(self) -> str:
        """Why no language model answers and what to do about it, when `choose` fell back to extracts
        without being told to; empty otherwise."""
        return self._reason

    def require_key(self, route: Route) -> None:
        """Raise `ModelUnavailable` at once for a question on Gemini's route without a key."""
        if route == "gemini":
            self._gemini.require_key()

    async def choose(self, route: Route, wanted: str | None = None) -> LLM:
        """The model for a question on this route, the one named `wanted` if any is. Raises
        `BadRequest` for a name that is not there and `ModelUnavailable` for Gemini without a key;
        LLM=ollama returns Ollama though it be away, so that its own error is shown."""
        if wanted is not None:
            return await self._find(route, wanted)
        if route == "gemini" or self._setting == "gemini":
            await self._gemini.check()
            return self._gemini
        if self._setting == "extractive":
            return self._extractive
        error = await self._ollama.ask()
        fall_back = self._setting == "auto" and error is not None
        self._reason = str(error) if fall_back else ""
        return self._extractive if fall_back else self._ollama.llm

    async def _find(self, route: Route, wanted: str) -> LLM:
        """Naming Gemini's model is asking for it; `/gemini` knows no other."""
        if wanted == self._gemini.model:
            await self._gemini.check()
            return self._gemini
        if route == "gemini":
            raise unknown(wanted, [self._gemini.model])
        return self._extractive if wanted == self._extractive.model else await self._installed.find(wanted)

    async def can_answer(self) -> bool:
        """Whether a question on the default route gets an answer, as far as can be told without asking Google."""
        if self._setting == "gemini":
            return self._gemini_state().state == "untested"
        return self._setting != "ollama" or await self._ollama.ask() is None

    async def states(self) -> list[ModelState]:
        """What each model can do now. Nothing is sent to Google for it."""
        return [await self._ollama_state(), self._gemini_state(), self._extractive_state()]

    async def offers(self) -> list[Offer]:
        """Every model that a question may name, and the configured ones that are not there. Nothing is
        sent to Google for it."""
        states = [*await self._installed.states(), (self._gemini, self._gemini_state())]
        default = self._name_default({llm.model for llm, state in states if state.state == "ready"})
        states.append((self._extractive, self._extractive_state()))
        return [make_offer(llm, state, default) for llm, state in states if state.state != "off"]

    async def aclose(self) -> None:
        """Close every model, the extractive one included."""
        for part in (self._installed, self._gemini, self._extractive):
            await part.aclose()

    def _name_default(self, ready: set[str]) -> str:
        """The model that `choose` takes for a question that names none."""
        if self._setting == "gemini":
            return self._gemini.model
        ollama = self._ollama.llm.model
        answers = self._setting == "ollama" or (self._setting == "auto" and ollama in ready)
        return ollama if answers else self._extractive.model

    async def _ollama_state(self) -> ModelState:
        model = self._ollama.llm.model
        if self._setting not in ("auto", "ollama"):
            return ModelState("ollama", model, "off", f"LLM={self._setting} is set; LLM=auto uses Ollama.")
        error = await self._ollama.ask()
        return ModelState("ollama", model, name_state(error), str(error or ""))

    def _gemini_state(self) -> ModelState:
        try:
            self._gemini.require_key()
        except ModelUnavailable as error:
            state: State = "missing" if self._setting == "gemini" else "off"
            return ModelState("gemini", self._gemini.model, state, str(error))
        return ModelState("gemini", self._gemini.model, "untested")

    def _extractive_state(self) -> ModelState:
        return ModelState("extractive", self._extractive.model, "ready")

"""Which model answers: the local one when it can, else extracts; a remote one only when asked for or allowed."""

from typing import Any, Literal

from app.errors import BadRequest, ModelError, ModelUnavailable
from app.llms import LLM
from app.llms.breaker import Guarded, ModelResting
from app.llms.gemini import GeminiLLM
from app.llms.installed import InstalledModels, unknown
from app.llms.kept import KEEP_S
from app.llms.named import NamedModels
from app.llms.plan import Plan, Rest
from app.llms.states import ModelState, Offer, State, make_offer, name_state
from app.settings import ServerSettings

Route = Literal["default", "gemini"]


class Models:
    """All models, opened when first used. `gemini_channel` replaces the one to Google's address."""

    def __init__(
        self, settings: ServerSettings, extractive: LLM, *, gemini_channel: Any = None, keep_s: float = KEEP_S
    ) -> None:
        self._setting = settings.llm
        self._fallback, self._fallback_remote = settings.fallback_names, settings.fallback_remote
        self._system = settings.prompt.system
        self._extractive = extractive
        self._gemini_inner = GeminiLLM(settings, gemini_channel)
        self._gemini = Guarded(self._gemini_inner)
        self._installed = InstalledModels(settings, keep_s)
        self._named = NamedModels(settings, gemini_channel, keep_s)
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
            self._gemini_inner.require_key()

    async def plan(self, route: Route, wanted: str | None = None) -> Plan:
        """The model for a question and, on the default route, those of FALLBACK in its place. Raises as `choose`
        does when there is none."""
        first = wanted or self._name_setting()
        names = [name for name in self._list_fallback() if name != first] if route == "default" else []
        if not names or first == self._extractive.model:
            return Plan(await self.choose(route, wanted), Rest(), self._system)
        rest = Rest(names, self._find_in_place)
        try:
            return Plan(await self._choose_first(route, wanted), rest, self._system)
        except ModelError as error:
            rest.pass_over(first, error)
            found = await rest.next()
            if found is None:
                raise
            return Plan(found, rest, self._system)

    async def choose(self, route: Route, wanted: str | None = None) -> LLM:
        """The model for a question on this route, the one named `wanted` if any is. Raises
        `BadRequest` for a name that is not there and `ModelUnavailable` for Gemini without a key;
        LLM=ollama returns Ollama though it be away, so that its own error is shown."""
        if wanted is not None:
            return await self._find(route, wanted)
        if route == "gemini" or self._setting == "gemini":
            await self._gemini.check()
            return self._gemini
        if self._setting in self._named:
            return self._named[self._setting]
        if self._setting == "extractive":
            return self._extractive
        error = await self._ollama.ask()
        fall_back = self._setting == "auto" and error is not None
        self._reason = str(error) if fall_back else ""
        return self._extractive if fall_back else self._ollama.llm

    async def _choose_first(self, route: Route, wanted: str | None) -> LLM:
        """As `choose`, for a question that has other models to go to: raises where that would wait or give up."""
        if wanted is None and self._setting in ("auto", "ollama") and (error := await self._ollama.ask()):
            raise error.with_traceback(None)
        return await _rested(await self.choose(route, wanted))

    async def _find_in_place(self, name: str) -> LLM:
        """A model of FALLBACK. Raises `ModelError` for one that is dead or must not be asked."""
        name = {"ollama": self._ollama.llm.model, "gemini": self._gemini.model}.get(name, name)
        llm = await self._find("default", name)
        if not llm.service.local and not self._fallback_remote:
            raise ModelUnavailable("It does not run on this machine, and FALLBACK_REMOTE is not set.")
        return await _rested(llm)

    async def _find(self, route: Route, wanted: str) -> LLM:
        """Naming Gemini's model is asking for it; `/gemini` knows no other."""
        if wanted in self._named and route == "default":
            return self._named[wanted]
        if wanted == self._gemini.model:
            await self._gemini.check()
            return self._gemini
        if route == "gemini":
            raise unknown(wanted, [self._gemini.model])
        if wanted in self._named:
            return self._named[wanted]
        return self._extractive if wanted == self._extractive.model else await self._installed.find(wanted)

    async def can_answer(self) -> bool:
        """Whether a question on the default route gets an answer, as far as can be told without asking a
        remote model."""
        if self._setting == "gemini":
            own = self._gemini_state().state == "untested"
        elif self._setting in self._named:
            own = await self._named.can_answer(self._setting)
        else:
            own = self._setting != "ollama" or await self._ollama.ask() is None
        return own or await self._has_fallback()

    async def _has_fallback(self) -> bool:
        for name in self._list_fallback():
            try:
                await self._find_in_place(name)
            except (BadRequest, ModelError):
                continue
            if name not in self._named or await self._named.can_answer(name):
                return True
        return False

    async def states(self) -> list[ModelState]:
        """What each model can do now. Nothing is sent to remote ones for it."""
        named = [state for _, state in await self._named.states()]
        return [await self._ollama_state(), self._gemini_state(), self._extractive_state(), *named]

    async def offers(self) -> list[Offer]:
        """Every model that a question may name, and the configured ones that are not there. Nothing is
        sent to remote ones for it."""
        named = await self._named.states()
        others = [*await self._installed.states(), (self._gemini, self._gemini_state())]
        states = named + [(llm, state) for llm, state in others if llm.model not in self._named]
        default = self._name_default({llm.model for llm, state in states if state.state == "ready"})
        states.append((self._extractive, self._extractive_state()))
        return [make_offer(llm, state, default) for llm, state in states if state.state != "off"]

    async def aclose(self) -> None:
        """Close every model, the extractive one included."""
        for part in (self._installed, self._named, self._gemini, self._extractive):
            await part.aclose()

    def _list_fallback(self) -> list[str]:
        """The names of FALLBACK; LLM=auto ends with extracts as it does without."""
        ends = [self._extractive.model] if self._fallback and self._setting == "auto" else []
        return list(dict.fromkeys([*self._fallback, *ends]))

    def _name_setting(self) -> str:
        """The model that LLM means, whether it is there or not."""
        if self._setting in ("auto", "ollama"):
            return self._ollama.llm.model
        return self._gemini.model if self._setting == "gemini" else self._setting

    def _name_default(self, ready: set[str]) -> str:
        """The model that `choose` takes for a question that names none."""
        meant = self._name_setting()
        return self._extractive.model if self._setting == "auto" and meant not in ready else meant

    async def _ollama_state(self) -> ModelState:
        model = self._ollama.llm.model
        if self._setting not in ("auto", "ollama"):
            return ModelState("ollama", model, "off", f"LLM={self._setting} is set; LLM=auto uses Ollama.")
        error = await self._ollama.ask()
        return ModelState("ollama", model, name_state(error), str(error or ""))

    def _gemini_state(self) -> ModelState:
        try:
            self._gemini_inner.require_key()
        except ModelUnavailable as error:
            state: State = "missing" if self._setting == "gemini" else "off"
            return ModelState("gemini", self._gemini.model, state, str(error))
        return ModelState("gemini", self._gemini.model, "untested")

    def _extractive_state(self) -> ModelState:
        return ModelState("extractive", self._extractive.model, "ready")


async def _rested(llm: LLM) -> LLM:
    """The same model. Raises `ModelResting` while its breaker is open."""
    if isinstance(llm, Guarded) and (reason := await llm.resting()):
        raise ModelResting(reason)
    return llm

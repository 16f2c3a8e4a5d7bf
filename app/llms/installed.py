"""The models in Ollama: the configured one, and any other that is installed once a question names it."""

from collections.abc import Sequence

from app.errors import ModelError, UnknownModel
from app.llms import LLM
from app.llms.breaker import Guarded
from app.llms.catalogue import Catalogue, full_name
from app.llms.kept import KEEP_S, Kept
from app.llms.ollama import OllamaLLM
from app.llms.states import ModelState, name_state
from app.settings import ServerSettings


class Probe:
    """A model, and whether it can answer."""

    def __init__(self, llm: LLM, keep_s: float = KEEP_S) -> None:
        self.llm = llm
        self._kept = Kept(self._check, keep_s)

    async def ask(self) -> ModelError | None:
        """Why it cannot answer; None when it can. Its service is asked every few seconds at most."""
        return await self._kept()

    async def aclose(self) -> None:
        """Close the model's connections."""
        await self._kept.aclose()
        await self.llm.aclose()

    async def _check(self) -> ModelError | None:
        try:
            await self.llm.check()
        except ModelError as error:
            return error
        return None


class InstalledModels:
    """Each model keeps its own connections and what was learned of its window and its tokens."""

    def __init__(self, settings: ServerSettings, keep_s: float = KEEP_S) -> None:
        self._settings, self._keep_s = settings, keep_s
        self._catalogue = Catalogue(settings, keep_s)
        self._probes: dict[str, Probe] = {}
        self.configured = self._probe(settings.ollama_model)

    async def find(self, wanted: str) -> LLM:
        """The installed model of this name. Raises `UnknownModel` that names what there is, or the
        `ModelError` that keeps it from answering."""
        names = await self._catalogue.names()
        if full_name(wanted) not in names:
            raise unknown(wanted, names)
        probe = self._probe(wanted)
        if error := await probe.ask():
            raise error.with_traceback(None)
        return probe.llm

    async def states(self) -> list[tuple[LLM, ModelState]]:
        """The configured model in whatever state, then the others that are installed."""
        error, configured = await self.configured.ask(), self.configured.llm
        states = [(configured, ModelState("ollama", configured.model, name_state(error), str(error or "")))]
        for name in await self._list():
            if name != full_name(configured.model):
                states.append((self._probe(name).llm, ModelState("ollama", name, "ready")))
        return states

    async def aclose(self) -> None:
        """Close every connection."""
        await self._catalogue.aclose()
        for probe in self._probes.values():
            await probe.aclose()

    async def _list(self) -> Sequence[str]:
        try:
            return await self._catalogue.names()
        except ModelError:  # told as the state of the configured model
            return ()

    def _probe(self, name: str) -> Probe:
        key = full_name(name)
        if key not in self._probes:
            llm = OllamaLLM(self._settings.model_copy(update={"ollama_model": name}))
            self._probes[key] = Probe(Guarded(llm), self._keep_s)
        return self._probes[key]


def unknown(wanted: str, offered: Sequence[str]) -> UnknownModel:
    """The error for a name that is not among those `offered`."""
    names = " or ".join(offered) or "none: nothing is installed"
    return UnknownModel(f"There is no model {wanted!r} here. Leave `model` out, or name one of these: {names}.")

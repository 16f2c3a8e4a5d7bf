"""The models of MODELS_FILE, each with its connections and its breaker."""

from typing import Any

from pydantic import SecretStr

from app.llms import LLM
from app.llms.around import Named
from app.llms.breaker import Guarded
from app.llms.gemini import GeminiLLM
from app.llms.installed import Probe
from app.llms.kept import KEEP_S
from app.llms.models_file import Entry
from app.llms.ollama import OllamaLLM
from app.llms.openai import OpenAILLM
from app.llms.states import ModelState, State, name_state
from app.settings import ServerSettings


class NamedModels:
    """By the name of the entry, in the order of the file."""

    def __init__(self, settings: ServerSettings, gemini_channel: Any = None, keep_s: float = KEEP_S) -> None:
        self._entries = {entry.name: entry for entry in settings.models_file.entries}
        self._probes = {
            name: Probe(Guarded(make_model(entry, settings, gemini_channel)), keep_s)
            for name, entry in self._entries.items()
        }

    def __contains__(self, name: object) -> bool:
        return name in self._probes

    def __getitem__(self, name: str) -> LLM:
        return self._probes[name].llm

    async def can_answer(self, name: str) -> bool:
        """Whether this one would, as far as can be told without asking a remote one."""
        return await self._probes[name].ask() is None

    async def states(self) -> list[tuple[LLM, ModelState]]:
        """Each model and what it can do now. Nothing is sent to remote ones for it."""
        return [(probe.llm, await self._state(name, probe)) for name, probe in self._probes.items()]

    async def _state(self, name: str, probe: Probe) -> ModelState:
        error = await probe.ask()
        state: State = name_state(error)
        if state == "ready" and not probe.llm.service.local:
            state = "untested"
        return ModelState(self._entries[name].provider, name, state, str(error or ""))

    async def aclose(self) -> None:
        """Close every connection."""
        for probe in self._probes.values():
            await probe.aclose()


def make_model(entry: Entry, settings: ServerSettings, gemini_channel: Any = None) -> LLM:
    """The model of an entry."""
    if entry.provider == "openai":
        return OpenAILLM(entry, settings)
    own: dict[str, Any] = {"num_ctx": entry.window or settings.num_ctx}
    inner: LLM
    if entry.provider == "ollama":
        own |= {"ollama_model": entry.model, "ollama_host": entry.base_url or settings.ollama_host}
        inner = OllamaLLM(settings.model_copy(update=own))
    else:
        key = SecretStr(settings.models_file.key_of(entry)) if entry.key_env else settings.google_api_key
        own |= {"gemini_model": entry.model, "google_api_key": key}
        inner = GeminiLLM(settings.model_copy(update=own), gemini_channel)
    return Named(inner, entry.name, entry.local, entry.sampling.read())

"""Which models Ollama has installed that can answer; embedding models are left out."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from app.errors import ModelError
from app.llms.kept import KEEP_S, Kept
from app.llms.ollama_client import OllamaClient
from app.llms.ollama_errors import explain
from app.settings import ServerSettings

if TYPE_CHECKING:
    import ollama

AT_ONCE = 8
EMBEDDING_FAMILIES = ("bert", "nomic-bert", "xlm-roberta")
"""For versions of Ollama that tell no capabilities."""


def full_name(name: str) -> str:
    """The name as Ollama lists it: with a tag, `latest` where none is given."""
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


class Catalogue:
    """Asks the server at OLLAMA_HOST, once for all who wait and then not for a few seconds."""

    def __init__(self, settings: ServerSettings, keep_s: float = KEEP_S) -> None:
        self._settings = settings
        self._client = OllamaClient(settings)
        self._kept = Kept(self._ask, keep_s)
        self._chatting: dict[tuple[str, str], bool] = {}
        """Name and digest → whether that model can answer. What a digest names never changes."""

    async def names(self) -> Sequence[str]:
        """The models that can answer, each with its tag. Raises `ModelError` when Ollama does not tell."""
        found = await self._kept()
        if isinstance(found, ModelError):
            raise found.with_traceback(None)
        return found

    async def aclose(self) -> None:
        """Close the connection."""
        await self._kept.aclose()
        await self._client.aclose()

    async def _ask(self) -> Sequence[str] | ModelError:
        client, limit = await self._client.open(), asyncio.Semaphore(AT_ONCE)
        try:
            with explain(self._settings):
                models = [model for model in (await client.list()).models if model.model]
                chatting = await asyncio.gather(*(self._can_chat(client, model, limit) for model in models))
        except ModelError as error:
            return error
        return sorted(str(model.model) for model, chats in zip(models, chatting, strict=True) if chats)

    async def _can_chat(
        self, client: "ollama.AsyncClient", model: "ollama.ListResponse.Model", limit: asyncio.Semaphore
    ) -> bool:
        import ollama

        key = (str(model.model), model.digest or "")
        if key not in self._chatting:
            async with limit:
                try:
                    shown = await client.show(key[0])
                except ollama.ResponseError:  # removed meanwhile, or its file is broken
                    return False
            family = (model.details and model.details.family) or ""
            chats = "completion" in shown.capabilities if shown.capabilities else family not in EMBEDDING_FAMILIES
            self._chatting[key] = chats
        return self._chatting[key]

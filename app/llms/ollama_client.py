"""The `ollama` package's client, which asks about models; answers are read without it."""

import asyncio
from typing import TYPE_CHECKING

from app.settings import ServerSettings

if TYPE_CHECKING:
    import ollama


class OllamaClient:
    """Opened when first needed, CONNECT_TIMEOUT_S to connect and as long to answer."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._client: "ollama.AsyncClient | None" = None

    async def open(self) -> "ollama.AsyncClient":
        """The client, the same until it is closed."""
        if self._client is None:
            self._client = await asyncio.to_thread(self._make)
        return self._client

    def _make(self) -> "ollama.AsyncClient":
        from database.embedders.ollama import make_client

        settings, timeout_s = self._settings, self._settings.connect_timeout_s
        return make_client(
            settings.ollama_host,
            trust_env=settings.ollama_trust_env,
            connect_timeout_s=timeout_s,
            read_timeout_s=timeout_s,
        )

    async def aclose(self) -> None:
        """Close its connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()  # type: ignore[no-untyped-call]

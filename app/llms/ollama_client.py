"""The `ollama` package's client, which asks about models; answers are read without it."""

import asyncio

import ollama

from app.settings import ServerSettings
from database.embedders.ollama import make_client


class OllamaClient:
    """Opened when first needed, CONNECT_TIMEOUT_S to connect and as long to answer."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._client: ollama.AsyncClient | None = None

    async def open(self) -> ollama.AsyncClient:
        """The client, the same until it is closed."""
        if self._client is None:
            timeout_s = self._settings.connect_timeout_s
            self._client = await asyncio.to_thread(
                make_client,
                self._settings.ollama_host,
                trust_env=self._settings.ollama_trust_env,
                connect_timeout_s=timeout_s,
                read_timeout_s=timeout_s,
            )
        return self._client

    async def aclose(self) -> None:
        """Close its connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()  # type: ignore[no-untyped-call]

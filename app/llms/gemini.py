"""Answers from Google's Gemini: the one remote model, used only when asked for and with a key.

Google's libraries take half a second and 80 MB, so they are imported when the first question comes.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

from app.errors import ModelUnavailable
from app.events import Service, Token, Usage
from app.llms import ChatRequest
from app.llms.tokens import Calibration
from app.settings import ServerSettings
from database.tokens import estimate_tokens

if TYPE_CHECKING:
    from app.llms.gemini_client import GeminiClient

HOST = "generativelanguage.googleapis.com"


class GeminiLLM:
    """A Gemini model. `channel` is an open `grpc.aio.Channel` to use in place of Google's address."""

    generative = True

    def __init__(self, settings: ServerSettings, channel: Any = None) -> None:
        self.model = settings.gemini_model
        self.service = Service(name="gemini", host=HOST, local=False)
        self.num_ctx = settings.num_ctx
        self._settings = settings
        self._channel = channel
        self._calibration = Calibration()
        self._opening = asyncio.Lock()
        self._client: GeminiClient | None = None

    async def check(self) -> None:
        """Whether there is a key. Sends nothing: only a question may leave this machine."""
        self.require_key()

    def require_key(self) -> None:
        """Raise `ModelUnavailable` when GOOGLE_API_KEY is empty."""
        if not self._settings.google_api_key.get_secret_value():
            raise ModelUnavailable(
                "Gemini needs a key: set GOOGLE_API_KEY (https://aistudio.google.com/apikey makes one), "
                "or ask the local model."
            )

    def count_tokens(self, text: str) -> int:
        """An upper estimate, corrected by what Gemini reported of earlier prompts."""
        return self._calibration.estimate(text)

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Token | Usage]:
        """Tokens as they arrive, then one `Usage`; see `app.llms.LLM.stream`."""
        self.require_key()
        client = await self._open()
        async with contextlib.aclosing(client.stream(request)) as parts:
            async for part in parts:
                if isinstance(part, Usage):
                    estimated = sum(estimate_tokens(message["content"]) for message in request.messages)
                    self._calibration.observe(estimated, part.prompt_eval_count)
                yield part

    async def aclose(self) -> None:
        """Close the channel to Google, not one that was given."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _open(self) -> "GeminiClient":
        async with self._opening:
            if self._client is None:
                make = await asyncio.to_thread(_import_client)
                self._client = make(self._settings, self._channel)
            return self._client


def _import_client() -> "type[GeminiClient]":
    from app.llms.gemini_client import GeminiClient

    return GeminiClient

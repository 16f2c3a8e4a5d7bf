"""The part of Gemini that needs Google's libraries; `app.llms.gemini` imports it late, in a thread.

google-generativeai's own response object holds each piece back until the next has come and cannot be
cancelled, so the gRPC client below it (`google.ai.generativelanguage`, which it installs) is called.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import Any

import grpc  # type: ignore[import-untyped]
from google.ai import generativelanguage as glm
from google.ai.generativelanguage_v1beta.services.generative_service.transports import (
    GenerativeServiceGrpcAsyncIOTransport,
)
from google.api_core import exceptions as api

from app.errors import ModelError, ModelMissing, ModelRefused, ModelTimeout, ModelUnavailable
from app.events import Token, Usage
from app.llms import ChatRequest, Sampling
from app.settings import ServerSettings

ADDRESS = "generativelanguage.googleapis.com:443"
DONE_REASONS = {"STOP": "stop", "MAX_TOKENS": "length"}
KEY_REASONS = frozenset({"API_KEY_INVALID", "API_KEY_SERVICE_BLOCKED", "API_KEY_IP_ADDRESS_BLOCKED"})
"""`ErrorInfo.reason`s that Google sends with INVALID_ARGUMENT or PERMISSION_DENIED for a bad key."""


class GeminiClient:
    """One channel and the calls on it. Must be made on the event loop that uses it."""

    def __init__(self, settings: ServerSettings, channel: Any = None) -> None:
        self._settings = settings
        self._own_channel = None
        if channel is None:
            channel = self._own_channel = grpc.aio.secure_channel(ADDRESS, grpc.ssl_channel_credentials())
        self._client = glm.GenerativeServiceAsyncClient(
            transport=GenerativeServiceGrpcAsyncIOTransport(channel=channel)
        )

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Token | Usage]:
        """Tokens, then one `Usage`; leaving cancels the call."""
        started, done_reason = time.perf_counter_ns(), ""
        usage = None
        async with contextlib.aclosing(self._responses(request)) as responses:
            async for response in responses:
                usage = response.usage_metadata or usage
                done_reason = _read_reason(response) or done_reason
                for text in _read_texts(response):
                    yield Token(text)
                _refuse_blocked(response)
        if not done_reason:
            raise ModelError("Gemini ended the answer before it was complete. Ask again.")
        total = time.perf_counter_ns() - started
        prompt_count, count = (usage.prompt_token_count, usage.candidates_token_count) if usage else (0, 0)
        yield Usage(done_reason, prompt_count, count, total)

    async def close(self) -> None:
        """Close the channel if it is our own."""
        if self._own_channel is not None:
            await self._own_channel.close()

    async def _responses(self, request: ChatRequest) -> AsyncGenerator[Any]:
        async with self._called(request) as call:
            iterator = aiter(call)
            while True:
                async with asyncio.timeout(self._settings.first_token_timeout_s):
                    response = await anext(iterator, None)
                if response is None:
                    return
                yield response

    @contextlib.asynccontextmanager
    async def _called(self, request: ChatRequest) -> AsyncIterator[Any]:
        """The running call. No deadline for the whole and no retries: with those of the library an
        unreachable server holds a question for ten minutes."""
        key = self._settings.google_api_key.get_secret_value()
        with self._explained():
            async with asyncio.timeout(self._settings.first_token_timeout_s):
                call: Any = await self._client.stream_generate_content(
                    make_body(self._settings.gemini_model, request),
                    retry=None,
                    timeout=None,
                    metadata=[("x-goog-api-key", key)],
                )
            try:
                yield call
            finally:
                call.cancel()

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what Google's client raises into errors that say what to do."""
        try:
            yield
        except api.GoogleAPICallError as error:
            raise self._refused(error) from error
        except TimeoutError as error:
            raise self._too_slow() from error
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # The reader was not cancelled: its channel was closed, which gRPC tells the same way.
            raise ModelError("The connection to Gemini was closed while it answered. Ask again.") from error

    def _too_slow(self) -> ModelTimeout:
        silence_s = self._settings.first_token_timeout_s
        return ModelTimeout(f"Gemini sent nothing for {silence_s:g} s. Ask again, or raise FIRST_TOKEN_TIMEOUT_S.")

    def _refused(self, error: api.GoogleAPICallError) -> ModelError:
        model = self._settings.gemini_model
        if error.reason in KEY_REASONS or isinstance(error, api.Unauthenticated | api.PermissionDenied):
            return ModelUnavailable(
                f"Google refused the key in GOOGLE_API_KEY: {error.message} "
                "Make another at https://aistudio.google.com/apikey, or ask the local model."
            )
        if isinstance(error, api.ResourceExhausted):
            return ModelUnavailable(
                f"The Gemini quota of GOOGLE_API_KEY is used up: {error.message} "
                "Ask again later, or ask the local model."
            )
        if isinstance(error, api.NotFound):
            return ModelMissing(f"Gemini has no model {model}: {error.message} Set GEMINI_MODEL to another.")
        if isinstance(error, api.ServiceUnavailable):
            return ModelUnavailable(
                f"Gemini cannot be reached or is overloaded: {error.message} "
                "Check the network, ask again in a moment, or ask the local model."
            )
        if isinstance(error, api.DeadlineExceeded):
            return self._too_slow()
        return ModelError(f"Gemini refused the question ({type(error).__name__}): {error.message} Ask again.")


def make_body(model: str, request: ChatRequest) -> Any:
    """The request as Gemini takes it: system messages apart, "model" for the assistant."""
    system = [m["content"] for m in request.messages if m["role"] == "system"]
    roles = {"user": "user", "assistant": "model"}
    turns = [(roles[m["role"]], m["content"]) for m in request.messages if m["role"] in roles]
    return glm.GenerateContentRequest(
        model=model if "/" in model else f"models/{model}",
        contents=[glm.Content(role=role, parts=[glm.Part(text=text)]) for role, text in turns],
        generation_config=_make_config(request),
        system_instruction=glm.Content(parts=[glm.Part(text=text) for text in system]) if system else None,
    )


def _make_config(request: ChatRequest) -> Any:
    """Google's library knows no seed."""
    sampling = Sampling(temperature=0) if request.brief else request.sampling
    named = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_output_tokens": sampling.max_tokens,
        "stop_sequences": list(sampling.stop) or None,
    }
    told = {name: value for name, value in named.items() if value is not None}
    return glm.GenerationConfig(**told) if told else None


def _read_texts(response: Any) -> list[str]:
    parts = response.candidates[0].content.parts if response.candidates else []
    return [part.text for part in parts if part.text]


def _read_reason(response: Any) -> str:
    """Why the answer ended, in Ollama's words; empty while it goes on or when it was stopped."""
    finish = response.candidates[0].finish_reason if response.candidates else 0
    return DONE_REASONS.get(getattr(finish, "name", ""), "")


def _refuse_blocked(response: Any) -> None:
    """Raise when Gemini would not answer the prompt, or stopped the answer for another reason than
    that it was complete or long enough. Reasons newer than this library are bare numbers."""
    blocked = response.prompt_feedback.block_reason
    if blocked:
        raise ModelRefused(
            f"Gemini will not answer this prompt ({getattr(blocked, 'name', blocked)}). "
            "Ask in other words, or ask the local model."
        )
    finish = response.candidates[0].finish_reason if response.candidates else 0
    if finish and not _read_reason(response):
        raise ModelRefused(
            f"Gemini stopped its answer ({getattr(finish, 'name', finish)}). "
            "Ask in other words, or ask the local model."
        )

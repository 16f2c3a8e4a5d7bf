"""A loopback Gemini: a real gRPC server with the one method that Acervo calls, in Google's own types."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Self

import grpc
from google.ai import generativelanguage as glm
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

# The last channel to be collected would else wait for gRPC's thread to end, within whatever test runs by then.
grpc.aio.init_grpc_aio()

SERVICE = "google.ai.generativelanguage.v1beta.GenerativeService"
ANSWER = "O acervo responde com base nos documentos [1]. A página citada mostra o trecho [2]."


@dataclass
class Switches:
    """What can go wrong, or merely differ, from one answer to the next."""

    answer: str = ANSWER
    token_delay_s: float = 0
    silence_after: int | None = None
    """Falls silent for good after so many pieces."""
    code: grpc.StatusCode | None = None
    """Fails with this status …"""
    fail_after: int = 0
    """… after so many pieces."""
    block_reason: int = 0
    finish_reason: int = 1
    """STOP; 0 ends the stream without any."""
    key: str = "a-key"
    """Any other is refused as Google does."""


class FakeGemini:
    """The server, at `address` (host:port). `requests` are what it was asked, in order."""

    def __init__(self, models: tuple[str, ...] = ("gemini-2.5-flash",), **switches: Any) -> None:
        self.models = models
        self.switches = Switches(**switches)
        self.requests: list[Any] = []
        self.open_streams = self.finished_streams = self.cancelled_streams = 0
        self.address = ""

    async def __aenter__(self) -> Self:
        self._server = grpc.aio.server()
        handler = grpc.unary_stream_rpc_method_handler(
            self._stream,
            request_deserializer=glm.GenerateContentRequest.deserialize,
            response_serializer=glm.GenerateContentResponse.serialize,
        )
        handlers = grpc.method_handlers_generic_handler(SERVICE, {"StreamGenerateContent": handler})
        self._server.add_generic_rpc_handlers((handlers,))
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        await self._server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop(grace=None)

    async def wait_idle(self, timeout_s: float = 20) -> None:
        """Return when no stream is open; `TimeoutError` otherwise."""
        async with asyncio.timeout(timeout_s):
            while self.open_streams:  # noqa: ASYNC110
                await asyncio.sleep(0.005)

    async def _stream(self, request: Any, context: Any) -> AsyncIterator[Any]:
        self.requests.append(request)
        self.open_streams += 1
        try:
            async for response in self._responses(request, context):
                yield response
            self.finished_streams += 1
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled_streams += 1
            raise
        finally:
            self.open_streams -= 1

    async def _responses(self, request: Any, context: Any) -> AsyncIterator[Any]:
        await self._refuse(request, context)
        switches = self.switches
        if switches.block_reason:
            feedback = glm.GenerateContentResponse.PromptFeedback(block_reason=switches.block_reason)
            yield glm.GenerateContentResponse(prompt_feedback=feedback)
            return
        pieces = switches.answer.split(" ")
        for n, piece in enumerate(pieces):
            if switches.silence_after == n:
                await asyncio.sleep(3600)
            if switches.code and switches.fail_after == n:
                await context.abort(switches.code, f"{switches.code.name} it is.")
            yield self._piece(f" {piece}" if n else piece)
            await asyncio.sleep(switches.token_delay_s)
        if switches.finish_reason:
            yield self._piece("", switches.finish_reason, len(pieces), _count_prompt(request))

    async def _refuse(self, request: Any, context: Any) -> None:
        key = dict(context.invocation_metadata()).get("x-goog-api-key")
        if key != self.switches.key:
            message = "API key not valid. Please pass a valid API key."
            await context.abort_with_status(_make_status(grpc.StatusCode.INVALID_ARGUMENT, message, "API_KEY_INVALID"))
        if request.model.removeprefix("models/") not in self.models:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"{request.model} is not found for API version v1beta.")

    def _piece(self, text: str, finish_reason: int = 0, tokens: int = 0, prompt_tokens: int = 0) -> Any:
        content = glm.Content(role="model", parts=[glm.Part(text=text)] if text else [])
        usage = glm.GenerateContentResponse.UsageMetadata(
            prompt_token_count=prompt_tokens, candidates_token_count=tokens, total_token_count=prompt_tokens + tokens
        )
        candidate = glm.Candidate(content=content, finish_reason=finish_reason)
        return glm.GenerateContentResponse(candidates=[candidate], usage_metadata=usage)


def _count_prompt(request: Any) -> int:
    texts = [part.text for content in [request.system_instruction, *request.contents] for part in content.parts]
    return sum(map(len, texts)) // 3


def _make_status(code: grpc.StatusCode, message: str, reason: str) -> Any:
    """A status with Google's machine-readable reason in its details."""
    detail = any_pb2.Any()
    detail.Pack(error_details_pb2.ErrorInfo(reason=reason, domain="googleapis.com"))
    return rpc_status.to_status(status_pb2.Status(code=code.value[0], message=message, details=[detail]))

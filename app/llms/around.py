"""A model behind another one that changes a part of it."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from app.events import Service, Token, Usage
from app.llms import LLM, ChatRequest, Sampling


class Around:
    """An `LLM` that does all as the one inside does."""

    def __init__(self, inner: LLM) -> None:
        self.inner = inner
        self.model: str = inner.model
        self.service: Service = inner.service
        self.generative: bool = inner.generative

    @property
    def num_ctx(self) -> int:
        """See `LLM.num_ctx`."""
        return self.inner.num_ctx

    async def check(self) -> None:
        """See `LLM.check`."""
        await self.inner.check()

    def count_tokens(self, text: str) -> int:
        """See `LLM.count_tokens`."""
        return self.inner.count_tokens(text)

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Token | Usage]:
        """See `LLM.stream`."""
        async with aclosing(self.inner.stream(request)) as parts:
            async for part in parts:
                yield part

    async def aclose(self) -> None:
        """See `LLM.aclose`."""
        await self.inner.aclose()


class Named(Around):
    """The same model under another name, at the place that it is said to run at, with sampling of its own."""

    def __init__(self, inner: LLM, name: str, local: bool | None, sampling: Sampling) -> None:
        super().__init__(inner)
        self.model = name
        self.service = Service(name, inner.service.host, inner.service.local if local is None else local)
        self._sampling = sampling

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Token | Usage]:
        """The upstream's own lines would name the model otherwise, so only their text is passed on."""
        asked = replace(request, sampling=request.sampling.over(self._sampling))
        async with aclosing(self.inner.stream(asked)) as parts:
            async for part in parts:
                yield replace(part, line=None) if isinstance(part, Token) else part

"""What every language model must do. Inherit `LLMContract`, define the fixture `llm`, and override
`wait_idle` where there is an upstream. The model must have at least three tokens to say to
`make_request()`, and must need some time between them if it has an upstream."""

import asyncio
import contextlib
from collections.abc import Sequence

import pytest

from app.errors import ModelError
from app.events import Token, Usage
from app.llms import LLM, ChatRequest, Message
from database.documents import Chunk, Document, Hit, Name

PASSAGES = (
    "O Acervo responde a perguntas sobre documentos em PDF. Cada resposta cita o documento e a página.",
    "The index is kept in one SQLite file. It is rebuilt when the embedder changes.",
)


def make_hits(passages: Sequence[str] = PASSAGES) -> list[Hit]:
    """One hit for each passage, each on a page of its own, best first."""
    document = Document(id="d" * 64, title="Guia", names=(Name("pdf", "guia.pdf"),), size=1, state="ready", version="v")
    chunks = [Chunk(f"c{n}", document.id, n + 1, n, "", text, 0, len(text)) for n, text in enumerate(passages)]
    return [Hit(chunk, document, 1 - 0.1 * n) for n, chunk in enumerate(chunks)]


def make_request(question: str = "O que o Acervo cita em cada resposta?", num_ctx: int = 4096) -> ChatRequest:
    """A question with two numbered sources, fitted to nothing: it is short."""
    hits = make_hits()
    sources = "\n\n".join(f"[{n}] {hit.chunk.text}" for n, hit in enumerate(hits, 1))
    messages: list[Message] = [
        {"role": "system", "content": f"Answer from these sources only.\n\n{sources}"},
        {"role": "user", "content": "Olá"},
        {"role": "assistant", "content": "Olá! Pergunte."},
        {"role": "user", "content": question},
    ]
    return ChatRequest(question, messages, hits, "pt", num_ctx)


async def read_answer(llm: LLM, request: ChatRequest | None = None) -> tuple[str, Usage]:
    """The whole answer; fails unless it is tokens and then exactly one `Usage`."""
    async with contextlib.aclosing(llm.stream(request or make_request())) as stream:
        *tokens, usage = [part async for part in stream]
    assert isinstance(usage, Usage)
    texts = [token.text for token in tokens if isinstance(token, Token)]
    assert len(texts) == len(tokens)
    return "".join(texts), usage


async def read_until_error(llm: LLM) -> tuple[str, ModelError]:
    """What arrived before the stream failed, and how it failed."""
    texts = []
    with pytest.raises(ModelError) as failure:
        async with contextlib.aclosing(llm.stream(make_request())) as stream:
            async for part in stream:
                assert isinstance(part, Token)
                texts.append(part.text)
    return "".join(texts), failure.value


class LLMContract:
    """Run on every model."""

    async def wait_idle(self) -> None:
        """Return when the upstream has no open stream; raise `TimeoutError` when it keeps one."""

    async def test_says_who_it_is(self, llm: LLM) -> None:
        assert llm.model and llm.service.name and llm.num_ctx >= 512

    async def test_checks_out(self, llm: LLM) -> None:
        await llm.check()

    async def test_streams_tokens_then_exactly_one_usage(self, llm: LLM) -> None:
        text, usage = await read_answer(llm)
        assert text.strip()
        assert usage.done_reason == "stop"

    async def test_answers_twice_and_at_the_same_time(self, llm: LLM) -> None:
        answers = await asyncio.gather(*(read_answer(llm) for _ in range(3)))
        assert len({text for text, _ in answers}) == 1
        assert (await read_answer(llm))[0] == answers[0][0]

    async def test_closing_midway_closes_the_upstream(self, llm: LLM) -> None:
        stream = llm.stream(make_request())
        assert isinstance(await anext(stream), Token)
        await stream.aclose()
        await self.wait_idle()

    async def test_cancelling_the_reader_closes_the_upstream(self, llm: LLM) -> None:
        started = asyncio.Event()

        async def read() -> None:
            async with contextlib.aclosing(llm.stream(make_request())) as stream:
                async for _ in stream:
                    started.set()
                    await asyncio.sleep(0.01)

        task = asyncio.create_task(read())
        await started.wait()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await self.wait_idle()

    async def test_answers_again_after_an_answer_was_left(self, llm: LLM) -> None:
        async with contextlib.aclosing(llm.stream(make_request())) as stream:
            await anext(stream)
        assert (await read_answer(llm))[0].strip()

    def test_counts_tokens_as_an_upper_estimate(self, llm: LLM) -> None:
        assert llm.count_tokens("") == 0
        text = "A receita líquida foi de R$ 1.234,56 em 2023."
        assert len(text) / 4 <= llm.count_tokens(text) <= len(text)
        assert llm.count_tokens(text * 10) >= 9 * llm.count_tokens(text)

    async def test_closes_twice_and_unused(self, llm: LLM) -> None:
        await llm.aclose()
        await llm.aclose()

"""Vectors from a model in Ollama, in batches over HTTP."""

import asyncio
import contextlib
import math
from collections.abc import Iterator, Sequence

import httpx
import numpy as np
import ollama

from database.documents import Vector
from database.embedders.tasks import find_languages, find_prefixes
from database.errors import EmbedderError
from database.settings import hide_login
from database.tokens import estimate_tokens

BATCH = 32
"""Texts in one request: enough to keep a GPU busy, small enough to be interrupted."""
CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 300.0
"""One batch, and before the first one the model's way from disk into memory."""
MAX_TOKENS = 2048
"""The window asked for, so that a model trained on more does not fill memory that the chat model needs."""

MARGIN = 1.1
MIN_RATIO, MAX_RATIO = 0.3, 2.5
"""Bounds of what is believed of the server's token counts, as shares of our estimate."""

PROBES = (
    "The report describes the company's results, risks and obligations during the last financial year.",
    "O relatório descreve os resultados, os riscos e as obrigações da empresa durante o último exercício.",
    "| 2023 | R$ 1.234,56 | (7,8)% | 31/12/2022 | 12,345,678 |\n| 2024 | R$ 9.876,54 | 3,2% |",
)
"""Embedded once at the start, to learn how small this model cuts text."""


def make_client(host: str, *, trust_env: bool, connect_timeout_s: float, read_timeout_s: float) -> ollama.AsyncClient:
    """A client without the package's surprises: no proxy on the way to this machine unless
    `trust_env` says so, time limits, more than 100 connections. Reads certificates from disk: call
    it in a thread."""
    timeout = httpx.Timeout(read_timeout_s, connect=connect_timeout_s)
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
    return ollama.AsyncClient(host=host, trust_env=trust_env, timeout=timeout, limits=limits)


class OllamaEmbedder:
    """An embedding model in Ollama. The dimension and the longest text are asked of the server."""

    def __init__(
        self, host: str, model: str, *, trust_env: bool = False, keep_alive: str | float | None = None
    ) -> None:
        self.name = f"ollama:{model}"
        self.max_tokens = MAX_TOKENS
        self._host, self._model, self._trust_env = host, model, trust_env
        self._address, self._keep_alive = hide_login(host), keep_alive
        self._for_passages, self._for_questions = find_prefixes(model)
        self.languages = find_languages(model)
        self._client: ollama.AsyncClient | None = None
        self._context = MAX_TOKENS
        self._dimension = 0
        self._ratio = 1.0

    async def open(self) -> None:
        """Learn the longest text, the dimension and the model's way with tokens from the server."""
        if self._client is None:
            self._client = await asyncio.to_thread(
                make_client,
                self._host,
                trust_env=self._trust_env,
                connect_timeout_s=CONNECT_TIMEOUT_S,
                read_timeout_s=READ_TIMEOUT_S,
            )
        self._context = min(MAX_TOKENS, await self._ask_context())
        self._dimension, ratios = 0, []
        for probe in PROBES:
            answer = await self._ask([probe])
            self._dimension = len(answer.embeddings[0])
            ratios.append((answer.prompt_eval_count or 0) / estimate_tokens(probe))
        self._ratio = min(MARGIN * max(ratios), MAX_RATIO) if min(ratios) > MIN_RATIO else 1.0
        self.max_tokens = self._context - self.count_tokens(self._for_passages)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()  # type: ignore[no-untyped-call]
            self._client = None

    @property
    def dimension(self) -> int:
        """Length of the vectors; known once open."""
        if not self._dimension:
            raise EmbedderError(f"The embedder {self.name} is not open yet.")
        return self._dimension

    def count_tokens(self, text: str) -> int:
        """An upper estimate in this model's tokens."""
        return math.ceil(self._ratio * estimate_tokens(text))

    async def embed(self, texts: Sequence[str]) -> Vector:
        """Vectors of passages, shape (len(texts), dimension); asked for in batches, in turn."""
        prefixed = [self._for_passages + text for text in texts]
        batches = [await self._embed_batch(prefixed[i : i + BATCH]) for i in range(0, len(prefixed), BATCH)]
        return np.concatenate(batches) if batches else np.empty((0, self.dimension), np.float32)

    async def embed_query(self, text: str) -> Vector:
        """The vector of a question, shape (dimension,)."""
        row: Vector = (await self._embed_batch([self._for_questions + text]))[0]
        return row

    async def _embed_batch(self, texts: list[str]) -> Vector:
        answer = await self._ask(texts)
        lengths = {len(row) for row in answer.embeddings}
        if len(answer.embeddings) != len(texts) or lengths != {self.dimension}:
            raise self._wrong(f"{len(texts)} texts gave {len(answer.embeddings)} vectors of {sorted(lengths)} numbers")
        vectors = np.asarray(answer.embeddings, dtype=np.float32)
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not np.isfinite(norms).all() or not norms.all():
            raise self._wrong("a vector is zero or not finite")
        normed: Vector = vectors / norms
        return normed

    async def _ask(self, texts: list[str]) -> ollama.EmbedResponse:
        options = {"num_ctx": self._context}
        with self._explained():
            return await self._open_client().embed(
                self._model, texts, truncate=False, options=options, keep_alive=self._keep_alive
            )

    async def _ask_context(self) -> int:
        """The window that the model was trained on, or MAX_TOKENS where the server does not say."""
        with self._explained():
            info = (await self._open_client().show(self._model)).modelinfo or {}
        lengths = [n for key, n in info.items() if key.endswith(".context_length") and isinstance(n, int)]
        return min(lengths, default=MAX_TOKENS)

    def _open_client(self) -> ollama.AsyncClient:
        if self._client is None:
            raise EmbedderError(f"The embedder {self.name} is not open.")
        return self._client

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what the client raises into `EmbedderError`s that say what to do."""
        try:
            yield
        except ollama.ResponseError as error:
            raise self._refused(error) from error
        except (ConnectionError, httpx.TransportError) as error:
            raise EmbedderError(
                f"No Ollama answers at {self._address} ({type(error).__name__}), and EMBEDDER={self.name} needs it. "
                "Start it with `ollama serve`, or set OLLAMA_HOST to its address."
            ) from error
        except ValueError as error:  # not JSON, or JSON of another shape
            raise self._wrong("the answer is not in Ollama's format") from error

    def _refused(self, error: ollama.ResponseError) -> EmbedderError:
        if error.status_code == 404:
            return EmbedderError(
                f"Ollama at {self._address} has no model {self._model}. Fetch it with `ollama pull {self._model}`."
            )
        if error.status_code == 400:
            return self._wrong(f"{error.error} (texts of at most {self.max_tokens} tokens were promised)")
        return EmbedderError(
            f"Ollama could not run the embedder {self._model}: {error.error}. "
            "If memory is short, stop other models with `ollama stop`, or set EMBEDDER=minilm and load again."
        )

    def _wrong(self, what: str) -> EmbedderError:
        return EmbedderError(
            f"The embedder {self.name} at {self._address} answered wrongly: {what}. "
            "Check that the model is made for embedding, and that OLLAMA_HOST names an Ollama server."
        )

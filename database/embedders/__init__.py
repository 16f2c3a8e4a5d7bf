"""Text to vectors: one protocol, one file for each embedder, and the factory."""

from collections.abc import Sequence
from typing import Protocol

from database.documents import Vector
from database.errors import SettingsError
from database.settings import IndexSettings


class Embedder(Protocol):
    """Turns texts into L2-normalised float32 vectors. Methods raise `EmbedderError`."""

    name: str
    """As the setting EMBEDDER spells it; stored in the index record."""
    languages: frozenset[str]
    """That it was made for, ISO 639-1; empty for many. Others are searched with less trust in its vectors."""
    max_tokens: int
    """The longest text it sees whole, in its own tokens, special ones included."""

    async def open(self) -> None:
        """Load the model, or ask the service for the dimension."""

    async def aclose(self) -> None:
        """Release everything."""

    @property
    def dimension(self) -> int:
        """Length of its vectors; known once open."""
        ...

    def count_tokens(self, text: str) -> int:
        """Tokens of `text` without special ones; an upper estimate where no tokenizer is at hand."""
        ...

    async def embed(self, texts: Sequence[str]) -> Vector:
        """Vectors of passages, shape (len(texts), dimension)."""
        ...

    async def embed_query(self, text: str) -> Vector:
        """The vector of a question, shape (dimension,)."""
        ...


def make_embedder(settings: IndexSettings) -> Embedder:
    """The embedder that `EMBEDDER` names: `minilm` or `ollama:MODEL`."""
    kind, _, model = settings.embedder.partition(":")
    if kind == "minilm" and not model:
        from database.embedders.minilm import MiniLMEmbedder

        return MiniLMEmbedder(settings.data_dir / "models")
    if kind == "ollama" and model:
        from database.embedders.ollama import OllamaEmbedder

        return OllamaEmbedder(
            settings.ollama_host, model, trust_env=settings.ollama_trust_env, keep_alive=settings.keep_alive
        )
    raise SettingsError(f"EMBEDDER={settings.embedder!r}: write minilm or ollama:MODEL, for example ollama:bge-m3")

"""A second, slower look at the best passages: one protocol, one file for each reranker, the factory."""

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from database.documents import Hit
from database.settings import ROOT, IndexSettings

CANDIDATES = 30
"""Passages that are looked at again."""


class Reranker(Protocol):
    """Reads question and passage together. Methods raise `RerankerError`."""

    name: str

    async def open(self) -> None:
        """Load the model."""

    async def aclose(self) -> None:
        """Release everything."""

    async def score(self, question: str, texts: Sequence[str]) -> NDArray[np.float32]:
        """How well each text answers the question, 0 to 1, shape (len(texts),)."""
        ...


async def rerank(reranker: Reranker, question: str, hits: Sequence[Hit]) -> list[Hit]:
    """`hits` in the reranker's order, under its scores; equal ones keep their order."""
    scores = await reranker.score(question, [hit.chunk.text for hit in hits])
    parts = [{**hit.parts, "rerank": float(score)} for hit, score in zip(hits, scores, strict=True)]
    scored = [replace(hit, score=part["rerank"], parts=part) for hit, part in zip(hits, parts, strict=True)]
    return sorted(scored, key=lambda hit: -hit.score)


def make_reranker(settings: IndexSettings) -> Reranker | None:
    """The cross-encoder in the folder that RERANKER names, or None when it is empty."""
    if not settings.reranker:
        return None
    from database.rerankers.cross_encoder import CrossEncoder

    return CrossEncoder(ROOT / os.path.expanduser(settings.reranker))

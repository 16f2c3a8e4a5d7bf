"""The vectors of the embedded store, in memory, searched exactly.

At 100,000 windows of 384 dimensions one question costs about 10 ms and finds every neighbour.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from database.documents import Candidate, Vector


@dataclass(frozen=True, slots=True)
class VectorRows:
    """One document's windows: `vectors[i]` belongs to window `ids[i]` of chunk `chunks[i]`."""

    ids: Sequence[str]
    chunks: Sequence[str]
    vectors: Vector


class VectorMatrix:
    """One float32 matrix over all searchable documents. Not thread-safe: replace, never change."""

    def __init__(self, documents: dict[str, VectorRows]):
        self._spans: dict[str, tuple[int, int]] = {}
        self.ids: list[str] = []
        self.chunks: list[str] = []
        for document_id, rows in documents.items():
            self._spans[document_id] = (len(self.ids), len(self.ids) + len(rows.ids))
            self.ids.extend(rows.ids)
            self.chunks.extend(rows.chunks)
        parts = [rows.vectors for rows in documents.values() if len(rows.ids)]
        self._vectors: Vector = np.concatenate(parts) if parts else np.zeros((0, 0), np.float32)

    @property
    def dimension(self) -> int:
        """Length of one vector; 0 when there is none."""
        return int(self._vectors.shape[1])

    def rows(self, document_id: str) -> VectorRows:
        """One document's rows; its vectors are a view of the matrix, not a copy."""
        start, end = self._spans[document_id]
        return VectorRows(self.ids[start:end], self.chunks[start:end], self._vectors[start:end])

    def search(self, vector: Vector, documents: Sequence[str], limit: int) -> list[Candidate]:
        """The best `limit` windows by cosine, of `documents` only when there are any, ties by id."""
        places = self._places(documents)
        scores = (self._vectors if places is None else self._vectors[places]) @ vector if self.ids else np.zeros(0)
        best = np.argpartition(-scores, limit)[:limit] if len(scores) > limit else np.arange(len(scores))
        found = [
            Candidate(self.ids[row], self.chunks[row], float(score))
            for row, score in zip(best if places is None else places[best], scores[best], strict=True)
        ]
        return sorted(found, key=lambda c: (-c.score, c.window_id))

    def _places(self, documents: Sequence[str]) -> NDArray[np.intp] | None:
        """Row numbers of `documents`; None for all rows, which spares the copy."""
        if not documents:
            return None
        spans = [np.arange(*self._spans[d]) for d in documents if d in self._spans]
        return np.concatenate([*spans, np.zeros(0, np.intp)]).astype(np.intp)

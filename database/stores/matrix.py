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
    """One document's windows: `vectors[i]` belongs to window `ids[i]` of chunk `chunks[i]` on page `pages[i]`."""

    ids: Sequence[str]
    chunks: Sequence[str]
    pages: Sequence[int]
    vectors: Vector


class VectorMatrix:
    """One float32 matrix over all searchable documents. Not thread-safe: replace, never change."""

    def __init__(self, documents: dict[str, VectorRows]):
        self._spans: dict[str, tuple[int, int]] = {}
        self.ids: list[str] = []
        self._chunks: list[str] = []
        self._documents: list[str] = []
        for document_id, rows in documents.items():
            self._spans[document_id] = (len(self.ids), len(self.ids) + len(rows.ids))
            self.ids.extend(rows.ids)
            self._chunks.extend(rows.chunks)
            self._documents.extend([document_id] * len(rows.ids))
        self._pages = np.fromiter((page for rows in documents.values() for page in rows.pages), np.int32)
        parts = [rows.vectors for rows in documents.values() if len(rows.ids)]
        self._vectors: Vector = np.concatenate(parts) if parts else np.zeros((0, 0), np.float32)

    @property
    def dimension(self) -> int:
        """Length of one vector; 0 when there is none."""
        return int(self._vectors.shape[1])

    def rows(self, document_id: str) -> VectorRows:
        """One document's rows; its vectors are a view of the matrix, not a copy."""
        start, end = self._spans[document_id]
        pages = self._pages[start:end].tolist()
        return VectorRows(self.ids[start:end], self._chunks[start:end], pages, self._vectors[start:end])

    def search(
        self,
        vector: Vector,
        limit: int,
        documents: Sequence[str] | None = None,
        first: int = 0,
        last: int | None = None,
    ) -> list[Candidate]:
        """The best `limit` windows by cosine, of these documents and pages only, ties by id."""
        places = self._places(documents, first, last)
        scores = (self._vectors if places is None else self._vectors[places]) @ vector if self.ids else np.zeros(0)
        best = np.argpartition(-scores, limit)[:limit] if len(scores) > limit else np.arange(len(scores))
        found = [
            Candidate(self.ids[row], self._chunks[row], float(score), self._documents[row], int(self._pages[row]))
            for row, score in zip(best if places is None else places[best], scores[best], strict=True)
        ]
        return sorted(found, key=lambda c: (-c.score, c.window_id))

    def _places(self, documents: Sequence[str] | None, first: int, last: int | None) -> NDArray[np.intp] | None:
        """Row numbers of what may be found; None for all rows, which spares the copy."""
        places = None
        if documents is not None:
            spans = [np.arange(*self._spans[d]) for d in documents if d in self._spans]
            places = np.concatenate([*spans, np.zeros(0, np.intp)]).astype(np.intp)
        if first > 1 or last is not None:
            pages = self._pages if places is None else self._pages[places]
            inside = np.flatnonzero((pages >= first) & (pages <= (np.inf if last is None else last)))
            places = inside if places is None else places[inside]
        return places

"""The documents of one moment, searched: vectors exactly, terms by BM25. Pure; not thread-safe to make, but to search.

At 100,000 windows of 384 dimensions the vectors cost about 10 ms and every neighbour is found.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from database.documents import Candidate, Vector
from database.stores.bm25 import View
from database.stores.postings import Mask
from database.stores.segments import OF_WINDOWS, VIEWS, Segment, add_up, find_live

Best = tuple[NDArray[np.int64], NDArray[np.floating]]
"""Numbers of windows, and their scores."""
_NOTHING: Best = (np.zeros(0, np.int64), np.zeros(0, np.float32))
FEW = 4
"""Vectors are copied to be searched where fewer than one in so many may be found."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a search may find: `documents` by id, or all when None, and their pages from `first` to `last`."""

    documents: Collection[str] | None = None
    first: int = 0
    last: int | None = None


class Snapshot:
    """Never changed: the next moment makes another one, with the same segments for the most part."""

    def __init__(self, segments: Sequence[Segment], wanted: Mapping[str, int], seen: Collection[str]):
        """`wanted` are the publications of all documents, `seen` those of them that searches may find. Only
        documents that are `wanted` count in what rows are compared with, whether they are `seen` or not."""
        self.segments = tuple(segments)
        live = [find_live(part, wanted) for part in segments]
        self._live = [None if mask.all() else mask for mask in live]
        self._seen = [
            mask & np.fromiter((document in seen for document in part.documents), np.bool_)
            for part, mask in zip(segments, live, strict=True)
        ]
        self._bases = add_up(np.array([part.windows for part in segments], np.int64))
        self._firsts = self._gather([part.firsts for part in segments])
        self._embedded = self._gather([part.embedded for part in segments])
        self._everything = self._find_rows(self._seen)
        self._views = {name: self._make_view(name) for name in VIEWS}

    def search_vectors(self, vector: Vector, limit: int, scope: Scope) -> list[Candidate]:
        """The best windows by cosine, ties by id. `vector` must be as long as those here are."""
        allowed = self._find_allowed(scope)
        found, at = [_NOTHING], 0
        for part in self.segments:
            windows = self._embedded[at : at + len(part.vectors)]
            scores = _multiply(part.vectors, vector, None if allowed is None else allowed[windows])
            rows = _find_best(scores, limit, -np.inf)
            found.append((windows[rows], scores[rows]))
            at += len(windows)
        return self._name_best(found, limit)

    @property
    def dimension(self) -> int:
        """Length of the vectors that searches may find; 0 when there are none."""
        for part, seen in zip(self.segments, self._seen, strict=True):
            if np.repeat(seen, np.diff(part.starts))[part.embedded].any():
                return int(part.vectors.shape[1])
        return 0

    def search_terms(self, name: str, terms: Sequence[str], limit: int, scope: Scope) -> list[Candidate]:
        """The best windows, or first windows of pages, of one view; ties by id."""
        allowed = self._find_allowed(scope)
        found, at = [_NOTHING], 0
        for scores in self._views[name].score(terms):
            upto = at + len(scores)
            if allowed is not None:
                scores[~(allowed[at:upto] if name in OF_WINDOWS else allowed[self._firsts[at:upto]])] = 0
            rows = _find_best(scores, limit, 0)
            found.append((rows + at if name in OF_WINDOWS else self._firsts[at:upto][rows], scores[rows]))
            at = upto
        return self._name_best(found, limit)

    def _name_best(self, found: Sequence[Best], limit: int) -> list[Candidate]:
        """The best of what parts found, best first, ties by id."""
        windows, scores = (np.concatenate(column) for column in zip(*found, strict=True))
        rows = _find_best(scores, limit, -np.inf)
        return self._name(windows[rows], scores[rows], limit)

    def _gather(self, windows: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
        """Numbers of windows within each segment as numbers among all."""
        shifted = [part + base for part, base in zip(windows, self._bases, strict=False)]
        return np.concatenate([np.zeros(0, np.int64), *shifted])

    def _make_view(self, name: str) -> View:
        starts = [part.starts if name in OF_WINDOWS else part.page_starts for part in self.segments]
        live = [
            None if mask is None else np.repeat(mask, np.diff(start))
            for mask, start in zip(self._live, starts, strict=True)
        ]
        return View([part.views[name] for part in self.segments], live)

    def _find_rows(self, documents: Sequence[Mask]) -> Mask | None:
        """The windows of these documents; None for all."""
        if all(mask.all() for mask in documents):
            return None
        return np.concatenate(
            [np.repeat(mask, np.diff(part.starts)) for part, mask in zip(self.segments, documents, strict=True)]
        )

    def _find_allowed(self, scope: Scope) -> Mask | None:
        """The windows that may be found; None for all."""
        allowed = self._everything
        if scope.documents is not None:
            chosen = frozenset(scope.documents)
            allowed = self._find_rows(
                [
                    mask & np.fromiter((document in chosen for document in part.documents), np.bool_)
                    for part, mask in zip(self.segments, self._seen, strict=True)
                ]
            )
        if scope.first > 1 or scope.last is not None:
            pages = np.concatenate([np.zeros(0, np.int32), *(part.pages for part in self.segments)])
            inside = (pages >= scope.first) & (pages <= (np.inf if scope.last is None else scope.last))
            allowed = inside if allowed is None else allowed & inside
        return allowed

    def _name(self, windows: NDArray[np.int64], scores: NDArray[np.floating], limit: int) -> list[Candidate]:
        """The `limit` best of these windows, best first, ties by id."""
        numbers = np.searchsorted(self._bases, windows, "right") - 1
        found = []
        for number in np.unique(numbers):
            part, chosen = self.segments[number], numbers == number
            rows = windows[chosen] - self._bases[number]
            owners = np.searchsorted(part.starts, rows, "right") - 1
            columns = (part.ids[rows], part.chunks[rows], scores[chosen], owners, part.pages[rows])
            for id_, chunk, score, owner, page in zip(*(column.tolist() for column in columns), strict=True):
                found.append((-score, id_, chunk, part.documents[owner], page))
        return [
            Candidate(id_.decode(), chunk.decode(), -score, document, page)
            for score, id_, chunk, document, page in sorted(found)[:limit]
        ]


def _multiply(vectors: Vector, vector: Vector, allowed: Mask | None) -> NDArray[np.float32]:
    """Cosines; minus infinity where nothing is `allowed`."""
    if allowed is None and len(vectors):
        return _dot(vectors, vector)
    scores = np.full(len(vectors), -np.inf, np.float32)
    if allowed is None or not allowed.any():
        return scores
    many = FEW * np.count_nonzero(allowed) > len(vectors)
    scores[allowed] = _dot(vectors, vector)[allowed] if many else _dot(vectors[allowed], vector)
    return scores


def _dot(vectors: Vector, vector: Vector) -> NDArray[np.float32]:
    # Not `@`: memory is the limit with one thread already, and BLAS has several wait for one another, which takes ten
    # times as long on a busy machine.
    return np.asarray(np.vecdot(vectors, vector), np.float32)


def _find_best(scores: NDArray[np.floating], limit: int, above: float) -> NDArray[np.intp]:
    """Rows of the `limit` best scores `above` the least, and of all that are as good as the last of them."""
    found = np.flatnonzero(scores > above)
    if len(found) <= limit:
        return found
    values = scores[found]
    least = np.partition(values, len(values) - limit)[len(values) - limit]
    return np.asarray(found[values >= least], np.intp)

"""How well rows answer to terms, by BM25 as SQLite's FTS5 reckons it. Pure numpy.

For a term in `n` of `N` rows, `f` times in this one of `D` terms, where rows have `A` on average, a row gets
`idf · f (k1 + 1) / (f + k1 (1 - b + b D / A))` with `idf = max(log((N - n + 0.5) / (n + 0.5)), 1e-6)`.
https://sqlite.org/fts5.html#the_bm25_function
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from database.stores.postings import Mask, Postings
from database.stores.terms import hash_terms

K1, B, LEAST_IDF = 1.2, 0.75, 1e-6


class View:
    """The posting lists of all rows at one moment, in parts. Rows that are not `live` (None: all are) count nowhere."""

    def __init__(self, parts: Sequence[Postings], live: Sequence[Mask | None]):
        self._parts, self._live = parts, live
        lengths = [part.lengths if mask is None else part.lengths[mask] for part, mask in zip(parts, live, strict=True)]
        self._rows = sum(map(len, lengths))
        average = sum(int(part.sum()) for part in lengths) / max(1, self._rows) or 1.0
        self._norms = [K1 * ((1 - B) + B * part.lengths / average) for part in parts]

    def score(self, terms: Sequence[str]) -> Iterator[NDArray[np.float64]]:
        """The scores of each part's rows; 0 where no term stands."""
        keys = hash_terms(terms)
        found = [part.find(keys) for part in self._parts]
        having = np.zeros(len(keys), np.int64)
        for (sizes, rows, _), mask in zip(found, self._live, strict=True):
            having += sizes if mask is None else _count_live(sizes, mask[rows])
        rarity = np.array([self._rarity(n) for n in having.tolist()])
        for (sizes, rows, counts), norms in zip(found, self._norms, strict=True):
            weights = counts * (K1 + 1) / (counts + norms[rows]) * np.repeat(rarity, sizes)
            # Added in the order of the terms, as FTS5 does, so that equal rows have equal scores.
            yield np.bincount(rows, weights, len(norms)).astype(np.float64, copy=False)

    def _rarity(self, having: int) -> float:
        rarity = math.log((self._rows - having + 0.5) / (having + 0.5))
        return rarity if rarity > 0 else LEAST_IDF


def _count_live(sizes: NDArray[np.int64], live: Mask) -> NDArray[np.int64]:
    upto = np.concatenate([np.zeros(1, np.int64), np.cumsum(live)])
    ends = np.cumsum(sizes)
    return np.asarray(upto[ends] - upto[ends - sizes], np.int64)

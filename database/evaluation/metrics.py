"""Rankings to figures with intervals. Pure.

Relevance is binary. MRR and nDCG look at the first DEPTH places; nDCG is as Järvelin and Kekäläinen
(2002) define it. Intervals are percentile bootstrap intervals over questions (Efron, 1979).
"""

import math
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DEPTH = 10
"""Places that MRR and nDCG look at."""
RESAMPLES = 2000
SEED = 1
LOW, HIGH = 2.5, 97.5
"""Percentiles of a 95 % interval."""

Values = NDArray[np.float64]
"""One figure for each question."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over questions and its 95 % interval."""

    mean: float
    low: float
    high: float


def score_recall(relevant: Collection[Hashable], ranking: Sequence[Hashable], k: int) -> float:
    """1 when a right place is among the first `k`, else 0."""
    return float(any(place in relevant for place in ranking[:k]))


def score_reciprocal_rank(relevant: Collection[Hashable], ranking: Sequence[Hashable], depth: int = DEPTH) -> float:
    """1 over the rank of the first right place; 0 when none is among the first `depth`."""
    return next((1 / rank for rank, place in enumerate(ranking[:depth], 1) if place in relevant), 0.0)


def score_gain(relevant: Collection[Hashable], ranking: Sequence[Hashable], wanted: int, depth: int = DEPTH) -> float:
    """nDCG: discounted gain of the right places over that of a ranking with all `wanted` ones first."""
    gain = sum(1 / math.log2(rank + 1) for rank, place in enumerate(ranking[:depth], 1) if place in relevant)
    return gain / sum(1 / math.log2(rank + 1) for rank in range(1, min(wanted, depth) + 1))


def score_all(
    questions: Sequence[tuple[Collection[Hashable], int]], rankings: Sequence[Sequence[Hashable]], ks: Sequence[int]
) -> dict[str, Values]:
    """Every figure of every question, by the figures' names. A question is its right places in the index
    and how many are right in all; `rankings[i]` holds distinct places, best first."""
    rows = list(zip(questions, rankings, strict=True))
    recalls = {f"recall@{k}": [score_recall(right, ranked, k) for (right, _), ranked in rows] for k in ks}
    ranks = [score_reciprocal_rank(right, ranked) for (right, _), ranked in rows]
    gains = [score_gain(right, ranked, wanted) for (right, wanted), ranked in rows]
    figures = recalls | {f"mrr@{DEPTH}": ranks, f"ndcg@{DEPTH}": gains}
    return {name: np.array(values) for name, values in figures.items()}


def estimate(values: Values) -> Estimate:
    """Mean and bootstrap interval; the same values always give the same interval."""
    if not len(values):
        return Estimate(0.0, 0.0, 0.0)
    rows = np.random.default_rng(SEED).integers(0, len(values), (RESAMPLES, len(values)))
    low, high = np.percentile(values[rows].mean(axis=1), (LOW, HIGH))
    return Estimate(float(values.mean()), float(low), float(high))


def estimate_all(values: Mapping[str, Values]) -> dict[str, Estimate]:
    """`estimate` of each figure."""
    return {name: estimate(each) for name, each in values.items()}


def estimate_lead(values: Mapping[str, Values], others: Mapping[str, Values]) -> dict[str, Estimate]:
    """How far `values` lie above `others` on the same questions: question by question, so that the
    interval is that of the difference."""
    return {name: estimate(each - others[name]) for name, each in values.items()}

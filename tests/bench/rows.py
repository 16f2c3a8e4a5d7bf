"""One line of the report."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured, the baseline of the same run, and their ratio; empty where there is none."""

    what: str
    measured: str
    baseline: str = ""
    ratio: str = ""
    note: str = ""


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of `values` lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

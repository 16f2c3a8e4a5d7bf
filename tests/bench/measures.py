"""One figure of the report, beside the figure of something else in the same run. Pure.

A ratio says how many times better the first is: above 1 Acervo is better, below 1 the other one is.
"""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from tests.bench.rows import Row


@dataclass(frozen=True, slots=True)
class Measure:
    """What was measured. `value` is in `unit`, as is `base`, which is what `against` names."""

    what: str
    value: float | None
    unit: str = ""
    against: str = ""
    base: float | None = None
    more_is_better: bool = False
    note: str = ""
    key: str = ""
    """What a plot finds it by: a name, or a name and a size as in "search:1000"."""

    @property
    def ratio(self) -> float | None:
        """How many times better than `base`; None where there is nothing to compare."""
        if not self.value or not self.base:
            return None
        return self.value / self.base if self.more_is_better else self.base / self.value

    def row(self) -> Row:
        """As it is printed."""
        shown = "–" if self.value is None else f"{round_off(self.value)} {self.unit}".strip()
        base = "" if self.base is None else f"{round_off(self.base)} {self.unit}".strip()
        against = ": ".join(filter(None, (self.against, base)))
        ratio = "" if self.ratio is None else round_off(self.ratio)
        return Row(self.what, shown, against, ratio, self.note)

    def to_json(self) -> dict[str, Any]:
        """As it is kept, its ratio for readers."""
        return asdict(self) | {"ratio": self.ratio}

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> Self:
        """What `to_json` gave."""
        return cls(**{name: value for name, value in kept.items() if name != "ratio"})


def left_out(what: str, why: str) -> Measure:
    """A line for what could not be measured."""
    return Measure(what, None, note=why)


def round_off(value: float) -> str:
    """Three figures that matter, never as a power of ten; larger numbers whole."""
    if not value:
        return "0"
    decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{decimals}f}"


def fit_exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """The `e` of values ≈ c · sizes^e: the slope of the straight line through their logarithms (least squares).

    0: no growth; 1: twice the size, twice the value. Needs two different sizes, all above 0.
    """
    return statistics.linear_regression([math.log(s) for s in sizes], [math.log(v) for v in values]).slope


def alternate(repetitions: int, *measured: Callable[[], float]) -> list[float]:
    """The median of each, measured in turns, so that what else the machine does meets all alike."""
    rounds = [[measure() for measure in measured] for _ in range(repetitions)]
    return [statistics.median(column) for column in zip(*rounds, strict=True)]

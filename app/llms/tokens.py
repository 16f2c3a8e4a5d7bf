"""From the general estimate of a prompt's tokens to that of one model, learned from its reports."""

import math
from collections import deque

from database.tokens import estimate_tokens

MARGIN = 1.05
LOWEST, HIGHEST = 0.45, 2.5
"""No tokenizer is further from the estimate than this on real prompts; a report below is no count of a prompt."""
SHORTEST = 200
"""Estimated tokens. What the chat template adds would weigh too much in a shorter prompt."""


class Calibration:
    """Learns how many tokens of a model one estimated token is.

    Ollama reports `prompt_eval_count` after each answer. When the beginning of the prompt is still
    in its cache some versions report only the rest, or nothing, so a low report proves little: the
    highest of the last `remembered` ratios counts, and those below `LOWEST` are ignored. Until
    `needed` reports have come the ratio only rises, never falls below 1.
    """

    def __init__(self, remembered: int = 32, needed: int = 3) -> None:
        self._ratios: deque[float] = deque(maxlen=remembered)
        self._needed = needed

    @property
    def ratio(self) -> float:
        """The factor that `estimate` applies."""
        highest = MARGIN * max(self._ratios, default=0.0)
        return highest if len(self._ratios) >= self._needed else max(1.0, highest)

    def estimate(self, text: str) -> int:
        """An upper estimate of the model's tokens for `text`."""
        return math.ceil(estimate_tokens(text) * self.ratio)

    def observe(self, estimated: int, reported: int) -> None:
        """Learn from one prompt: its texts' tokens by `estimate_tokens`, and the model's own report."""
        if estimated >= SHORTEST and reported >= LOWEST * estimated:
            self._ratios.append(min(reported / estimated, HIGHEST))

"""What became of one answer, counted while it is written."""

import time
from dataclasses import dataclass, field
from typing import Literal

Outcome = Literal["complete", "failed", "refused", "left", "stopped"]


@dataclass(slots=True)
class Tally:
    """`left` until it is known better: a client that goes away ends an answer anywhere."""

    outcome: Outcome = "left"
    model: str = ""
    """Empty when the answer failed before a model was chosen."""
    tokens: int = 0
    first_token_s: float = 0.0
    """Seconds from the request to the first token; 0 when none came."""
    started_at: float = field(default_factory=time.perf_counter)

    def token(self) -> None:
        """One more token."""
        if not self.tokens:
            self.first_token_s = time.perf_counter() - self.started_at
        self.tokens += 1

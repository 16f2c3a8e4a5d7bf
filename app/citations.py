"""Which sources an answer really cites. Pure."""

import re
from collections.abc import Sequence

_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
_CITED = re.compile(r"\[\s*(\d{1,3}(?:\s*[,;]\s*\d{1,3})*)\s*\]")


def find_citations(answer: str, sources: int) -> Sequence[int]:
    """The source numbers in `answer` ([1], [2][3], [1, 4]) between 1 and `sources`, ascending.

    Brackets in code are not citations.
    """
    text = _CODE.sub(" ", answer) if "`" in answer else answer
    numbers = {int(n) for group in _CITED.findall(text) for n in re.findall(r"\d+", group)}
    return sorted(n for n in numbers if 1 <= n <= sources)

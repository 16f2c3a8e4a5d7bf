"""Which sources an answer cites."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.citations import find_citations


@pytest.mark.parametrize(
    ("answer", "cited"),
    [
        ("", []),
        ("One [1].", [1]),
        ("Two [2][3].", [2, 3]),
        ("A list [1, 4] and [2;3].", [1, 2, 3, 4]),
        ("Spaces [ 1 ,2 ].", [1, 2]),
        ("Order [3] then [1], again [3].", [1, 3]),
        ("A range [1-3] or [1–3] is none.", []),
        ("Out of range [0] [5] [99] [2].", [2]),
        ("A year [2023] is none, nor [1234567].", []),
        ("Words [one], [1a], [a1], [], [ ].", []),
        ("Code `a[1]` and `[2]`, but [3].", [3]),
        ("```python\nx[1]\n```\nand [2]", [2]),
        ("```\nnever closed [1]", []),
        ("A lone ` tick [1] and\nanother ` on the next line.", [1]),
        ("Escaped \\[1\\] is the document's own.", []),
        ("A link [1](http://example.org) counts.", [1]),
    ],
)
def test_finds_what_is_cited(answer: str, cited: list[int]) -> None:
    assert find_citations(answer, 4) == cited


@given(st.text(st.sampled_from("[]0123456789,; `\na"), max_size=200), st.integers(0, 50))
def test_never_names_a_source_that_is_not_there(answer: str, sources: int) -> None:
    cited = find_citations(answer, sources)
    assert list(cited) == sorted(set(cited)) and all(1 <= n <= sources for n in cited)


@given(st.lists(st.integers(1, 9), max_size=20), st.sampled_from(["", " ", " text "]))
def test_finds_all_of_many(numbers: list[int], between: str) -> None:
    assert find_citations(between.join(f"[{n}]" for n in numbers), 9) == sorted(set(numbers))

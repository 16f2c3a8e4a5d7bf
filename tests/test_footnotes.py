"""Footnotes: names of documents are shown as they are, whatever they hold."""

import pytest

from app.footnotes import escape_markdown


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("relatório anual_2023.pdf, p. 4", "relatório anual_2023.pdf, p. 4"),
        ("![](https://elsewhere.example/x).pdf", r"!\[\](https://elsewhere.example/x).pdf"),
        ("<img src=x> `a`\n# b\\", r"\<img src=x\> \`a\` # b\\"),
    ],
)
def test_a_name_makes_no_markup(name: str, shown: str) -> None:
    assert escape_markdown(name) == shown

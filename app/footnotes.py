"""Where the numbers in an answer lead, in plain text and in no language. Pure."""

import re
from collections.abc import Mapping, Sequence

from app.events import Sources
from database.documents import Hit
from database.formats import FORMATS

SIGNS: Mapping[str, str] = {"page": "p. ", "section": "§ ", "slide": "#", "sheet": "#"}
"""Before the number of a page, by what it is called."""


def name_place(hit: Hit) -> str:
    """Document and place of a passage: "report.pdf, p. 4"; of a web page its address."""
    document = hit.document
    return f"{document.url or document.name}, {SIGNS[FORMATS[document.format].unit]}{hit.chunk.page}"


def list_places(opening: Sources, citations: Sequence[int]) -> list[str]:
    """A line for each passage cited; for each one found where nothing relevant was."""
    return [f"[{n}] {place}" for n, place in _find_places(opening, citations)]


def make_footnotes(opening: Sources, citations: Sequence[int]) -> str:
    """What to append to an answer, as Markdown; empty without passages."""
    lines = [f"- [{n}] {escape_markdown(place)}" for n, place in _find_places(opening, citations)]
    return "\n\n---\n" + "\n".join(lines) if lines else ""


def escape_markdown(text: str) -> str:
    """The same in one line and shown as it is: a name makes no link, picture or element."""
    return re.sub(r"[\\`<>\[\]]", r"\\\g<0>", " ".join(text.split()))


def _find_places(opening: Sources, citations: Sequence[int]) -> list[tuple[int, str]]:
    numbers = citations if opening.relevant else range(1, len(opening.hits) + 1)
    return [(n, name_place(opening.hits[n - 1])) for n in numbers]

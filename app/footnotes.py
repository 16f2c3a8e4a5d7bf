"""Where the numbers in an answer lead, in plain text and in no language. Pure."""

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
    numbers = citations if opening.relevant else range(1, len(opening.hits) + 1)
    return [f"[{n}] {name_place(opening.hits[n - 1])}" for n in numbers]


def make_footnotes(opening: Sources, citations: Sequence[int]) -> str:
    """What to append to an answer, as Markdown; empty without passages."""
    places = list_places(opening, citations)
    return "\n\n---\n" + "\n".join(f"- {place}" for place in places) if places else ""

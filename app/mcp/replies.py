"""What the tools answer, as models: clients get their schemas. Pure."""

from collections.abc import Sequence

from pydantic import BaseModel

from database.documents import Document, Hit
from database.formats import FORMATS


class Passage(BaseModel):
    """A passage and where it stands."""

    n: int
    document: str
    name: str
    title: str
    page: int
    unit: str
    score: float
    text: str


class Passages(BaseModel):
    """`relevant` is false where these are merely the nearest ones."""

    relevant: bool
    passages: list[Passage]


class Answer(BaseModel):
    """An answer whose numbers in brackets are those of `sources`; `citations` are the ones it uses."""

    answer: str
    model: str
    relevant: bool
    citations: list[int]
    sources: list[Passage]


class Listed(BaseModel):
    """A document."""

    document: str
    name: str
    title: str
    collection: str
    language: str
    pages: int
    unit: str
    state: str


class Listing(BaseModel):
    """Documents by name, from the one asked for on; `total` of all."""

    total: int
    documents: list[Listed]


class PageShown(BaseModel):
    """The text of a page, as Markdown."""

    document: str
    name: str
    page: int
    page_count: int
    unit: str
    text: str


def describe_hits(hits: Sequence[Hit]) -> list[Passage]:
    """Passages numbered from 1."""
    return [
        Passage(
            n=number,
            document=hit.document.id,
            name=hit.document.name,
            title=hit.document.title,
            page=hit.chunk.page,
            unit=FORMATS[hit.document.format].unit,
            score=round(hit.score, 4),
            text=hit.chunk.text,
        )
        for number, hit in enumerate(hits, 1)
    ]


def describe_document(document: Document) -> Listed:
    """A document in a list."""
    return Listed(
        document=document.id,
        name=document.name,
        title=document.title,
        collection=document.collection,
        language=document.language,
        pages=document.page_count,
        unit=FORMATS[document.format].unit,
        state=document.state,
    )

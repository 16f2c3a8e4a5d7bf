"""What a person could ask first: headings of loaded documents under which a search finds its way back.

A heading is proposed only when searching for it, in the whole collection, leads to the passage that
stands under it: a question about it can be answered then. The page makes questions of them.
"""

import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass

from database.analysis import detect_language, normalise
from database.chunking import HEADING_JOIN
from database.documents import Document, Filters, Hit
from database.retrieval import Retriever

LOOKED_AT = 8
"""Documents, newest first; each costs a search, and one more for each heading that is tried."""
PASSAGES, TRIED = 12, 4
"""Of a document: passages whose headings are looked at, and headings that are tried."""
LENGTHS, WORDS = range(10, 71), range(2, 10)
"""Characters and words of headings that make a question."""
_NUMBERING = re.compile(r"^(?:[\divxlc]{1,4}[.)]|\d+(?:\.\d+)*\.?)\s+|\s*[:.…]+$", re.IGNORECASE)
_PROSE = re.compile(r"[^\W\d_].*[^\W\d_?]\??$")
"""Begins and ends with a letter, or with a question mark: no figures, codes and torn lines."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A heading of a document, and the page on which it is treated."""

    document: str
    name: str
    heading: str
    page: int


async def find_topics(
    retriever: Retriever,
    documents: Sequence[Document],
    limit: int,
    collections: tuple[str, ...] | None = None,
    language: str = "",
) -> list[Topic]:
    """At most `limit` topics, of as many documents as possible, for somebody who sees these collections
    (None: all); those of passages in `language` (ISO 639-1) come first. Raises `AcervoError`."""
    newest = sorted(documents, key=lambda document: -document.added_at)[:LOOKED_AT]
    topics: list[Topic] = []
    async with AsyncExitStack() as stack:
        waiting = [
            await stack.enter_async_context(aclosing(_find(retriever, document, collections, language)))
            for document in newest
        ]
        while waiting and len(topics) < limit:
            topic = await anext(source := waiting.pop(0), None)
            if topic is not None:
                topics.append(topic)
                waiting.append(source)
    return topics


async def _find(
    retriever: Retriever, document: Document, collections: tuple[str, ...] | None, language: str
) -> AsyncGenerator[Topic]:
    own_alone, seen = Filters(documents=(document.id,), collections=collections), Filters(collections=collections)
    own = await retriever.search(document.title or document.name, PASSAGES, own_alone)
    hits = sorted(own.hits, key=lambda hit: bool(language) and detect_language(hit.chunk.text) != language)
    for heading, hit in list(pick_headings(hits).items())[:TRIED]:
        found = await retriever.search(heading, 1, seen)
        if found.relevant and found.hits and _is_same_place(found.hits[0], hit):
            yield Topic(document.id, document.name, heading, hit.chunk.page)


def pick_headings(hits: Sequence[Hit]) -> dict[str, Hit]:
    """The innermost headings that could be asked about, each with the first passage under it. Pure."""
    picked: dict[str, Hit] = {}
    for hit in hits:
        heading = _NUMBERING.sub("", hit.chunk.heading.split(HEADING_JOIN)[-1].strip())
        same_as_title = normalise(heading) == normalise(hit.document.title)
        fits = len(heading) in LENGTHS and len(heading.split()) in WORDS and _PROSE.match(heading)
        if fits and not same_as_title:
            picked.setdefault(heading.capitalize() if heading.isupper() else heading, hit)
    return picked


def _is_same_place(hit: Hit, other: Hit) -> bool:
    return (hit.document.id, hit.chunk.heading) == (other.document.id, other.chunk.heading)

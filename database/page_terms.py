"""Pages to the terms by which they are found as a whole. Pure.

What a question asks for is often spread over a page, where no window holds it all; and of a page in
a long report its first lines say best what it is about ("Consolidated balance sheets").
"""

from collections.abc import Iterable

from database.analysis import grams, words
from database.chunking import clean
from database.documents import Page, PageTerms

HEAD_CHARS = 400
"""Characters that are a page's head. An index does not remember it: change `index.SCHEMA` with it."""


def make_page_terms(pages: Iterable[Page], language: str) -> list[PageTerms]:
    """The terms of every page that has text."""
    cleaned = ((page.number, clean(page.text)) for page in pages)
    return [
        PageTerms(
            page=number,
            words=" ".join(words(text, language)),
            grams=" ".join(grams(text)),
            head=" ".join(grams(text[:HEAD_CHARS])),
        )
        for number, text in cleaned
        if text
    ]

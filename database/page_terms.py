"""Pages to the terms by which they are found as a whole. Pure.

What a question asks for is often spread over a page, where no window holds it all; and of a page in
a long report its first lines say best what it is about ("Consolidated balance sheets"). A page is
found by its document's title, too, as windows are, and by words that stand beside each other.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from database.analysis import grams, words
from database.chunking import clean
from database.documents import Page, PageTerms
from database.grammar import small_stems

HEAD_CHARS = 400
"""Characters that are a page's head. An index does not remember it: change `index.SCHEMA` with it."""


def make_page_terms(pages: Iterable[Page], title: str, language: str) -> list[PageTerms]:
    """The terms of every page that has text, in a document of this title."""
    cleaned = ((page.number, clean(page.text)) for page in pages)
    return [_make_terms(number, text, title, language) for number, text in cleaned if text]


def _make_terms(number: int, text: str, title: str, language: str) -> PageTerms:
    titled = f"{title}\n{text}"
    found = words(titled, language)
    return PageTerms(
        page=number,
        words=" ".join([*found, *pair(found, language)]),
        grams=" ".join(grams(titled)),
        head=" ".join(grams(text[:HEAD_CHARS])),
    )


def pair(found: Sequence[str], language: str) -> list[str]:
    """Each two words that follow each other, small ones left out, as one term. `found`: as `words` gives them."""
    telling = [word for word in found if word not in small_stems(language)]
    return [f"{first}_{second}" for first, second in pairwise(telling)]

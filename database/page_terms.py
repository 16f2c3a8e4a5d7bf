"""Pages to the terms by which they are found as a whole. Pure.

What a question asks for is often spread over a page, where no window holds it all; and of a page in
a long report its first lines say best what it is about ("Consolidated balance sheets"). A page is
found by its document's title, too, as windows are, and by words that stand beside each other.
"""

from collections.abc import Iterable
from itertools import pairwise

from database.analysis import grams, query_terms, split_words, stem, words
from database.chunking import clean
from database.documents import Page, PageTerms
from database.grammar import GRAMMARS, small_words

HEAD_CHARS = 400
"""Characters that are a page's head. An index does not remember it: change `index.SCHEMA` with it."""
LONGEST = 40
"""Characters of a word in a pair. Text without blanks is one long word, which pairs would hold twice more."""


def make_page_terms(pages: Iterable[Page], title: str, language: str) -> list[PageTerms]:
    """The terms of every page that has text, in a document of this title."""
    cleaned = ((page.number, clean(page.text)) for page in pages)
    return [_make_terms(number, text, title, language) for number, text in cleaned if text]


def _make_terms(number: int, text: str, title: str, language: str) -> PageTerms:
    titled = f"{title}\n{text}"
    return PageTerms(
        page=number,
        words=" ".join([*words(titled, language), *pair(title, language), *pair(text, language)]),
        grams=" ".join(grams(titled)),
        head=" ".join(grams(text[:HEAD_CHARS])),
    )


def pair(text: str, language: str) -> list[str]:
    """Each two stemmed words that follow each other, as one term; small words do not part them, where
    those of `language` are known. Words longer than LONGEST are no words: they have no pairs."""
    telling = [word for word in split_words(text) if word not in small_words(language)]
    return [
        f"{stem(first, language)}_{stem(second, language)}"
        for first, second in pairwise(telling)
        if len(first) <= LONGEST and len(second) <= LONGEST
    ]


def asked_pairs(question: str, language: str, common: frozenset[str]) -> tuple[str, ...]:
    """The distinct pairs that pages are searched for. In a language whose small words are not known, words that
    are `common` in the index stand for them: two of those are no pair that tells anything."""
    found = pair(question, language)
    small = frozenset() if language in GRAMMARS else common
    return query_terms([each for each in found if not small.issuperset(each.split("_"))], frozenset())

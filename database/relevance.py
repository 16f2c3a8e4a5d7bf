"""Whether what was found has anything to do with the question. Pure.

Scores of a search are relative to the best passage, so the best of nothing looks like a good one.
What tells is how much of the question the passages hold: of its rarer words and 4-grams, the share
that one of the first passages has. Measured with questions about other documents
(docs/retrieval.md); independent of the embedder.
"""

from collections.abc import Collection, Sequence

from database.analysis import grams, normalise, words
from database.documents import Hit, SearchQuery

ENOUGH = 0.35
"""Share of the question under which nothing relevant was found."""
PASSAGES = 5
"""So many of the best passages are looked at."""
FEW_TERMS = 3
"""Questions with fewer words of their own ("what is this about?") tell too little to be refused."""


def measure_coverage(query: SearchQuery, hits: Sequence[Hit]) -> float:
    """The largest share of the question's terms, 0 to 1, that one of the best passages holds: the mean of
    words and 4-grams. 1 for a question that has too few terms to tell."""
    if len(query.words) < FEW_TERMS:
        return 1.0
    return max((_cover(query, hit) for hit in hits[:PASSAGES]), default=0.0)


def is_relevant(coverage: float, language: str, languages: Collection[str], enough: float = ENOUGH) -> bool:
    """Whether `coverage` is enough. A question in a language that no document has shares too few words
    with any of them to be judged by words."""
    return coverage >= enough or language not in languages


def _cover(query: SearchQuery, hit: Hit) -> float:
    text = normalise(f"{hit.document.title} {hit.chunk.heading} {hit.chunk.text}")
    held_words, held_grams = set(words(text, hit.document.language)), set(grams(text))
    return (_share(query.words, held_words) + _share(query.grams, held_grams)) / 2


def _share(terms: Sequence[str], held: set[str]) -> float:
    return sum(term in held for term in terms) / len(terms) if terms else 0.0

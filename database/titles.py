"""How well a question names a document: what file names and titles say that pages do not. Pure.

Pages of a report seldom repeat whose report it is and of which year; its file name does. Names are
written together ("BESTBUY_2019"), questions apart ("Best Buy in FY2019"): neighbouring words of the
question are also taken as one, and figures are taken out of words.
"""

import math
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import PurePosixPath

from database.analysis import split_words, stem
from database.documents import Document
from database.grammar import GRAMMARS, small_words

SHORT = 2
"""Parts of a word that are shorter tell nothing."""

_PART = re.compile(r"\d+|[^\W\d_]+")


def match_titles(
    question: str, language: str, documents: Sequence[Document], common: Collection[str]
) -> dict[str, float]:
    """For each document that `question` names, by id, how well: 0 to 1.

    Words count by how few of `documents` have them in a name or title. Those that are `common` in the index do
    not count unless they have a content of their own: windows carry their document's title, so that the
    name of a document that is large, or one of few, is common, too. A name counts by the share of it that
    is in the question, squared, so that a chance word of a long one counts for little, and by how telling
    the words are next to those of the best document.
    """
    asked = _question_terms(question, language) - _tell_nothing(question, language, common)
    labels = {document.id: [*_labels(document)] for document in documents}
    held = Counter(term for own in labels.values() for term in frozenset[str]().union(*own))
    weights = {term: _rarity(len(labels), count) for term, count in held.items()}
    # One word that only one document has: less evidence than that is never taken for certainty.
    most = max([_rarity(len(labels), 1), *(_weigh(asked & label, weights) for own in labels.values() for label in own)])
    scores = {i: max((_score(asked, label, weights, most) for label in own), default=0.0) for i, own in labels.items()}
    return {document_id: score for document_id, score in scores.items() if score > 0}


def _tell_nothing(question: str, language: str, common: Collection[str]) -> frozenset[str]:
    """Of the common words those without a content; all of them in a language whose small words are not known."""
    if language not in GRAMMARS:
        return frozenset(common)
    small = small_words(language)
    return frozenset(stem(word, language) for word in split_words(question) if word in small).intersection(common)


def _score(asked: Collection[str], label: frozenset[str], weights: Mapping[str, float], most: float) -> float:
    whole, matched = _weigh(label, weights), _weigh(label.intersection(asked), weights)
    return (matched / whole) ** 2 * matched / most if whole > 0 and most > 0 else 0.0


def _weigh(terms: Collection[str], weights: Mapping[str, float]) -> float:
    return math.fsum(weights[term] for term in terms)


def _rarity(documents: int, count: int) -> float:
    return math.log(1 + (documents - count + 0.5) / (count + 0.5))


def _labels(document: Document) -> Iterator[frozenset[str]]:
    """The terms of each visible name and of the title."""
    names = [PurePosixPath(name.path).stem for name in document.names if not name.excluded]
    for label in dict.fromkeys((*names, document.title)):
        if terms := _label_terms(label, document.language):
            yield terms


@lru_cache(maxsize=20_000)
def _label_terms(label: str, language: str) -> frozenset[str]:
    return frozenset(_terms(split_words(label), language))


def _question_terms(question: str, language: str) -> set[str]:
    found = split_words(question)
    pairs = (stem(first + second, language) for first, second in pairwise(found))
    return {*_terms(found, language), *pairs}


def _terms(found: Sequence[str], language: str) -> Iterator[str]:
    for word in found:
        yield stem(word, language)
        parts = _PART.findall(word)
        if len(parts) > 1:
            yield from (stem(part, language) for part in parts if len(part) >= SHORT)

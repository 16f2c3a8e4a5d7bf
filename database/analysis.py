"""Text to search terms: the same words and 4-grams whatever store holds them. Pure.

Words are folded first (NFKC, lower case, accents off) and then stemmed by Snowball, so that a
question typed without accents meets the same stems. Character 4-grams of the folded text forgive
typos and meet cognates of other languages.
Snowball: https://snowballstem.org
"""

import re
import threading
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, lru_cache
from typing import Any

FINGERPRINT = "fold-stem-4gram/2"
"""Changes whenever the same text would give other terms; an index remembers it."""

STEMMERS = {
    "pt": "portuguese",
    "en": "english",
    "es": "spanish",
    "fr": "french",
    "de": "german",
    "it": "italian",
}
GRAM = 4
COMMON_SHARE = 0.10
"""Terms in more than this share of the windows are dropped from questions: they cost most of the
time of a search and decide little of it."""
QUERY_TERMS = 256
"""Terms of a kind (words, pairs, 4-grams) that a question has; no one of 1,700 real questions has more than 169. The
cost of a search grows faster than their number: on 50,000 windows 3,000 take 15 s, 256 take 1 s."""

_STEMMING = threading.Lock()
"""A stemmer keeps the word it works on, and documents are analysed in several threads."""
_LOADING = threading.Lock()
"""Loading the model of languages takes a second; threads that need it at the same time wait for the first."""

_WORD = re.compile(r"[^\W_]+")
_WHOLE = {"œ": "oe", "æ": "ae", "ß": "ss", "ø": "o", "ł": "l", "đ": "d"}
"""Letters that Unicode does not take apart, as they are typed where the keyboard has none of them."""


def normalise(text: str) -> str:
    """NFKC: ligatures, full-width forms and the like become plain letters. For searching only."""
    return unicodedata.normalize("NFKC", text)


def fold(text: str) -> str:
    """NFKC, lower case, accents off, and letters such as "œ" as they are typed without them ("oe")."""
    if text.isascii():
        return text.lower()
    # NFKC once more at the end: decomposing may part what compatibility forms had joined.
    apart = unicodedata.normalize("NFKD", text).lower()
    for character in set(apart):
        if character in _WHOLE or unicodedata.combining(character):
            apart = apart.replace(character, _WHOLE.get(character, ""))
    return unicodedata.normalize("NFKC", apart)


@cache
def _stemmer(language: str) -> Any:
    import snowballstemmer

    return snowballstemmer.stemmer(STEMMERS[language])


@lru_cache(maxsize=100_000)
def stem(word: str, language: str) -> str:
    """A folded word's stem; one with a figure, or of an unknown language, as it is."""
    if language not in STEMMERS or any(c.isdigit() for c in word):
        return word
    with _STEMMING:
        return str(_stemmer(language).stemWord(word))


def split_words(text: str) -> list[str]:
    """Folded words in order, with repetitions."""
    return _WORD.findall(fold(text))


def words(text: str, language: str) -> list[str]:
    """Folded, stemmed words in order, with repetitions. An unknown language is not stemmed."""
    return [stem(word, language) for word in split_words(text)]


def grams(text: str) -> list[str]:
    """Character 4-grams of the folded words in order; a word begins and ends with an underscore."""
    return [gram for word in split_words(text) for gram in _word_grams(word)]


@lru_cache(maxsize=100_000)
def _word_grams(word: str) -> tuple[str, ...]:
    padded = f"_{word}_"
    return tuple(padded[i : i + GRAM] for i in range(max(1, len(padded) - GRAM + 1)))


def query_terms(terms: Iterable[str], common: frozenset[str]) -> tuple[str, ...]:
    """At most QUERY_TERMS distinct terms in order, without the common ones unless nothing else is left."""
    distinct = tuple(dict.fromkeys(terms))
    telling = tuple(t for t in distinct if t not in common) or distinct
    # Whoever pastes a passage asks before or after it.
    half = QUERY_TERMS // 2
    return telling if len(telling) <= QUERY_TERMS else telling[:half] + telling[-half:]


def find_common(rows: Sequence[str], share: float = COMMON_SHARE) -> tuple[str, ...]:
    """Terms that stand in more than `share` of `rows` (each a space-joined list of terms), sorted.

    Fewer than 100 rows say nothing about shares: then no term is common.
    """
    if len(rows) < 100:
        return ()
    counts = Counter(term for row in rows for term in set(row.split()))
    return tuple(sorted(term for term, n in counts.items() if n > share * len(rows)))


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    whole = LanguageIdentifier.from_model_file(MODEL_FILE)
    whole.set_languages(list(STEMMERS))
    # A new identifier of the six languages alone: the whole model would stay in memory otherwise.
    return LanguageIdentifier(
        whole.nb_ptc, whole.nb_pc, whole.nb_classes, whole.tk_nextmove, whole.tk_output, tk_row=whole.tk_row
    )


def detect_language(text: str, among: Iterable[str] = STEMMERS) -> str:
    """The likeliest language of `text`, one of `among` (ISO 639-1), or "" when there is none.

    A question is compared with the languages that the index holds, so that a short one is not
    taken for a language that nobody loaded.
    """
    candidates = [language for language in among if language in STEMMERS]
    if len(candidates) < 2:
        return candidates[0] if candidates else ""
    with _LOADING:
        identifier = _identifier()
    ranked: Iterator[tuple[str, float]] = iter(identifier.rank(text))
    return next(language for language, _ in ranked if language in candidates)

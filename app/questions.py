"""Questions taken apart: words, what ties one to the question before, and the things that it names. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from database.analysis import fold
from database.grammar import GRAMMARS, Grammar

FRAGMENT = 6
"""Words that a question without a word that asks may have to be a mere piece of one."""

_WORD = re.compile(r"[^\W_]+")
_FRAME = re.compile(
    r"\W*(?:(?:and|but|so)\s+)?(?:what|how)\s+about\b|\W*(?:y\s+)?qu[eé]\s+(?:tal|hay\s+de)\b|\W*(?:e\s+)?que\s+tal\b"
    r"|\W*(?:et\s+)?qu['’]en\s+est[- ]il\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a question: in small letters, folded, and where it stands."""

    raw: str
    folded: str
    start: int
    end: int
    named: bool
    """Begins with a capital letter though it does not begin the question."""

    @property
    def number(self) -> bool:
        """Whether a digit is in it."""
        return any(c.isdigit() for c in self.raw)


@dataclass(frozen=True, slots=True)
class Parsed:
    """A question as words, without what ties it to the one before ("and", "what about").

    `tied` tells that there was such a tie; `framed`, that it was a phrase that asks nothing by itself.
    """

    text: str
    words: Sequence[Word]
    grammar: Grammar
    tied: bool = False
    framed: bool = False

    def is_small(self, word: Word) -> bool:
        """Whether `word` has no content of its own."""
        return word.folded in self.grammar.small and not word.named

    def is_content(self, word: Word) -> bool:
        """Whether `word` tells what the question is about; figures do not."""
        return not word.number and not self.is_small(word)

    @property
    def content(self) -> list[Word]:
        """The words that tell what it is about."""
        return [word for word in self.words if self.is_content(word)]

    @property
    def asks(self) -> bool:
        """Whether it has a word that asks."""
        return not self.framed and any(self.grammar.has("asking", word.raw) for word in self.words)

    @property
    def fragment(self) -> bool:
        """Whether it is a mere piece of a question: "in 2022", "the profit"."""
        return not self.asks and 0 < len(self.words) <= FRAGMENT


def read_words(text: str) -> list[Word]:
    """The words of `text` in order."""
    found = enumerate(_WORD.finditer(text))
    return [Word(m[0].lower(), fold(m[0]), m.start(), m.end(), n > 0 and m[0][0].isupper()) for n, m in found]


def guess_grammar(text: str, before: str = "") -> Grammar:
    """The grammar that knows most small words of `text`; of those that know equally many, of `before`."""

    def count(words: Sequence[Word], grammar: Grammar) -> int:
        return sum((word.folded in grammar.small) + (word.raw in grammar.spelt) for word in words)

    words, earlier = read_words(text), read_words(before)
    return max(GRAMMARS.values(), key=lambda grammar: (count(words, grammar), count(earlier, grammar)))


def parse(text: str, before: str = "") -> Parsed:
    """Take a question apart, in the language of it and of the question before."""
    frame = _FRAME.match(text)
    start, grammar = frame.end() if frame else 0, guess_grammar(text, before)
    words, tied = [word for word in read_words(text) if word.start >= start], bool(frame)
    while words and grammar.has("connectors", words[0].raw):
        words, tied = words[1:], True
    return Parsed(text, words, grammar, tied, bool(frame))


def find_phrases(question: Parsed) -> list[list[Word]]:
    """What a question names, cut before each preposition: "a receita", "da Vale", "em 2021"."""
    phrases: list[list[Word]] = [[]]
    for word in question.words:
        if word.raw in question.grammar.families:
            phrases.append([])
        phrases[-1].append(word)
    cut = [_without_verb(question, phrase) for phrase in phrases]
    return [phrase for phrase in cut if any(not question.is_small(word) for word in phrase)]


def _without_verb(question: Parsed, phrase: list[Word]) -> list[Word]:
    """A phrase from its preposition, its article or, without any, its first word of content on."""
    asks = any(question.grammar.has("asking", word.raw) for word in phrase)
    if phrase and phrase[0].raw in question.grammar.families and not asks:
        return phrase
    articles = [n for n, word in enumerate(phrase[1:], 1) if question.grammar.has("determiners", word.raw)]
    first = next((n for n, word in enumerate(phrase) if not question.is_small(word)), 0)
    if phrase and question.grammar.has("determiners", phrase[0].raw) and not articles and first == 1:
        return phrase
    return phrase[articles[-1] if articles else first :]


def trim_phrase(question: Parsed, phrase: list[Word], kind: str) -> list[Word]:
    """A phrase up to the end of what it names: "[a Petrobras] lucrou", "[o farol] foi construído"."""
    if kind == "name":
        return phrase[: max(n for n, word in enumerate(phrase) if word.named) + 1]
    first = next(n for n, word in enumerate(phrase) if question.is_content(word))
    end = next((n for n in range(first, len(phrase)) if question.is_small(phrase[n])), len(phrase))
    return phrase[:end]


def kind_of(question: Parsed, phrase: Sequence[Word]) -> Literal["figure", "name", "noun"]:
    """What a phrase names."""
    content = [word for word in phrase if question.is_content(word)]
    if not content:
        return "figure"
    return "name" if any(word.named for word in content) else "noun"

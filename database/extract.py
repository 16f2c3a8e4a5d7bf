"""The sentences of the passages found that answer a question best, without a language model. Pure.

Scores as measured on Portuguese questions: likeness of the embedding, share of the question's words
and of its 4-grams that the sentence holds, and the passage's rank.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from database.analysis import grams, words
from database.documents import Vector

PASSAGES = 5
SENTENCES = 3
WEIGHT_VECTOR, WEIGHT_WORDS, WEIGHT_GRAMS, WEIGHT_RANK = 0.3, 0.5, 1.0, -0.2

_END = re.compile(r"(?<![.!?…])[.!?…]++(?:\s?[\"”’»)\]])*+\s++(?=[\"“‘«(\[*_]*[A-ZÀ-ÖØ-Þ0-9])")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(])(?:[A-Za-z]|art|arts|inc|n|nº|no|nos|p|pp|pág|págs|fl|fls|fig|figs|sr|sra|srs|exmo|dr|dra|prof|profa|mr|mrs|ms|mme|mlle|"
    r"st|vs|cf|ex|etc|al|ed|vol|cap|tab|corp|co|ltd|ltda|approx|av|tel|séc|obs|par|jan|feb|fev|mar|apr|abr|jun|"
    r"jul|aug|ago|sep|sept|set|oct|out|nov|dec|dez|u\.s|e\.g|i\.e|d\.c)\.$",
    re.IGNORECASE,
)
_LONGEST_ABBREVIATION = 12
"""Characters, with what is around it: there is no need to look for one further from the end."""
_LIST_NUMBER = re.compile(r"[-*+\s]*(?:\d+\.)+$")
_RULE = re.compile(r"^\|[ \t:|-]++$")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of passage number `passage` (from 0). A table row carries its table's header."""

    passage: int
    text: str
    header: str = ""

    @property
    def quote(self) -> str:
        """The sentence as Markdown; a row stands under its header."""
        return f"{self.header}\n{self.text}\n" if self.header else self.text


def split_passage(passage: int, text: str) -> Iterator[Sentence]:
    """The sentences and table rows of a passage in order; headings and rulers are left out."""
    header, before = "", ""
    for line in [*map(str.strip, text.split("\n")), ""]:
        if before and not _RULE.match(line):  # a row, for no ruler under it makes it a header
            yield Sentence(passage, before, header)
        if _RULE.match(line):
            header = f"{before}\n{line}".strip()
        elif not line.startswith("|"):
            header = ""
            if not line.startswith("#"):
                yield from (Sentence(passage, part) for part in _split_line(line))
        before = line if line.startswith("|") and not _RULE.match(line) else ""


def ends_abbreviated(text: str) -> bool:
    """Whether the stop at the end of `text` belongs to an abbreviation or a number in a list."""
    return bool(_ABBREVIATION.search(text, len(text) - _LONGEST_ABBREVIATION) or _LIST_NUMBER.match(text))


def _split_line(line: str) -> Iterator[str]:
    start = 0
    for match in _END.finditer(line):
        if not ends_abbreviated(line[start : match.end()].rstrip()):
            yield line[start : match.end()].strip()
            start = match.end()
    if line[start:].strip():
        yield line[start:].strip()


def split_passages(texts: Sequence[str]) -> list[Sentence]:
    """The sentences of the first PASSAGES texts, each wording once."""
    found = [s for n, text in enumerate(texts[:PASSAGES]) for s in split_passage(n, text)]
    return list({sentence.text: sentence for sentence in reversed(found)}.values())[::-1]


def choose_sentences(
    question: str, language: str, sentences: Sequence[Sentence], likeness: Vector, count: int = SENTENCES
) -> list[Sentence]:
    """The `count` best sentences, best first. `likeness[i]` is the cosine of question and sentence i."""
    asked_words, asked_grams = set(words(question, language)), set(grams(question))
    scored = [
        (
            WEIGHT_VECTOR * float(likeness[i])
            + WEIGHT_WORDS * _share(asked_words, words(sentence.text, language))
            + WEIGHT_GRAMS * _share(asked_grams, grams(f"{sentence.header} {sentence.text}"))
            + WEIGHT_RANK * sentence.passage,
            -i,
        )
        for i, sentence in enumerate(sentences)
    ]
    return [sentences[-at] for _, at in sorted(scored, reverse=True)[:count]]


def _share(asked: set[str], held: Sequence[str]) -> float:
    return len(asked.intersection(held)) / len(asked) if asked else 0.0

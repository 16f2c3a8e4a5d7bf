"""The names in a sentence, and whether they stand in a text. Pure.

A name is one or more capitalised words in the middle of a sentence, or an acronym. Found is told by
folded words that begin alike, so that an inflected or translated form still counts.
"""

import re
from dataclasses import dataclass

from database.analysis import fold

_TOKEN = re.compile(r"[^\W_][\w'’&.-]*[^\W_]|[^\W_]")
_OPENS = re.compile(r"[.!?:;(\[{\"“”«»‘|/*_#—–-]\s*$")
CONNECTORS = frozenset(
    """de da do das dos del della di du des la las los le les e y et and of the for van von der den""".split()  # noqa: SIM905
)
"""Small words inside a name."""
PLAIN = frozenset(
    """january february march april may june july august september october november december
    monday tuesday wednesday thursday friday saturday sunday
    i the a an in on at it this that these those for and but however therefore according yes no none
    source sources document documents page pages table figure note section
    fonte fontes documento documentos pagina paginas tabela figura nota secao sim nao segundo conforme o os as um uma
    fuente fuentes tabla seccion si segun el la los las un una
    tableau oui non selon le les une des dans pour""".split()  # noqa: SIM905
)
"""Words that a sentence's structure capitalises, or that name nothing of the source."""
SHARED = 0.6
"""Share of a word's beginning that a word of the source must have to be a form of it."""
FORM = 5
"""Letters that two forms of a word must at least share."""


_NUMERAL = re.compile(r"[IVXLC]+(?:e|er|ème)?")


@dataclass(frozen=True, slots=True)
class NamedText:
    """The words of a text in which names are looked for, and what its words' first letters spell."""

    words: frozenset[str]
    beginnings: frozenset[str]
    initials: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> "NamedText":
        """Fold and index `text`."""
        ordered = _words(text)
        words = frozenset(ordered)
        initials = ("".join(w[0] for w in ordered), "".join(w[0] for w in ordered if w not in CONNECTORS))
        return cls(words, frozenset(word[:FORM] for word in words if len(word) >= FORM), initials)

    def holds(self, word: str) -> bool:
        """Whether the folded `word` or another form of it is there."""
        if word in self.words or word + "s" in self.words or word.removesuffix("s") in self.words:
            return True
        if len(word) < FORM or word[:FORM] not in self.beginnings:
            return False
        need = max(FORM, round(SHARED * len(word)))
        return any(other.startswith(word[:need]) for other in self.words)

    def abbreviates(self, name: tuple[str, ...]) -> bool:
        """Whether the acronym of `name` is there, or the words that the acronym `name` stands for."""
        if len(name) > 2:
            return "".join(word[0] for word in name) in self.words
        return len(name) == 1 and 2 < len(name[0]) < FORM + 2 and any(name[0] in spelt for spelt in self.initials)


def find_names(sentence: str, known: frozenset[str] = frozenset()) -> list[tuple[str, ...]]:
    """Names in order, each as its folded words; words in `known` (folded) belong to none."""
    if sentence.lstrip()[1:].islower():  # most sentences have one capital, where they begin
        return []
    names: list[list[str]] = []
    going_on, end = False, 0
    for match in _TOKEN.finditer(sentence):
        between, end = sentence[end : match.start()], match.end()
        going_on = going_on and not between.strip()
        capitalised = not match[0].islower() and _is_capitalised(match[0], sentence[: match.start()])
        if not capitalised and not going_on:  # most words neither begin a name nor join one
            continue
        folded, parts = fold(match[0]), _words(match[0])
        told = folded in PLAIN or known.issuperset(parts)
        if capitalised and not told:
            if not going_on:
                names.append([])
            names[-1].extend(word for word in parts if word not in CONNECTORS)
            going_on = True
        else:
            going_on = going_on and folded in CONNECTORS
    return [tuple(name) for name in names if name]


def is_named(name: tuple[str, ...], text: NamedText) -> bool:
    """Whether more than half of the name's words stand in `text`, or its acronym, or what it abbreviates."""
    return 2 * sum(map(text.holds, name)) > len(name) or text.abbreviates(name)


def _words(text: str) -> list[str]:
    """Without single letters, such as what an apostrophe leaves."""
    return [word for word in re.findall(r"[^\W_]+", fold(text)) if len(word) > 1]


def _is_capitalised(token: str, before: str) -> bool:
    if not any(c.isupper() for c in token) or _NUMERAL.fullmatch(token):
        return False
    if sum(c.isupper() for c in token) >= 2:
        return True  # an acronym, or a name such as McDonald
    opens = not _TOKEN.search(before) or _OPENS.search(before)
    return token[0].isupper() and not opens

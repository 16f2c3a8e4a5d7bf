"""Whether what an answer states stands in the passages it cites: figures and names, sentence by sentence.

No model is asked. A sentence is unsupported when one of its figures, or one of its names, is in none
of the passages that it cites; without a citation of its own it is held against the next one of its
paragraph, and where there is none against every passage. What cannot be told is not marked.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from app.citations import find_citations
from app.events import Check
from app.figures import Figure, find_figures, is_found, read_evidence
from app.names import NamedText, find_names, is_named
from app.sentences import Sentence, Splitter
from database.analysis import fold
from database.documents import Hit

NAMING = frozenset(("pt", "en", "es", "fr", "it"))
"""Languages in which a capital letter in the middle of a sentence begins a name."""
_NO_CLAIM = re.compile(r"\[\s*\d[\d\s,;]*\]|`[^`\n]*`|https?://\S+|\bn\.?[º°]\s*(?=\d)")


@dataclass(frozen=True)
class Evidence:
    """What one source says, read when it is first cited."""

    hit: Hit

    @cached_property
    def _text(self) -> str:
        document, chunk = self.hit.document, self.hit.chunk
        shown = (chunk.text, self.hit.context, chunk.heading, document.title, document.name, str(chunk.page))
        return "\n".join(shown)

    @cached_property
    def figures(self) -> list[Figure]:
        """Every number in it."""
        return read_evidence(self._text.replace("_", " "))

    @cached_property
    def names(self) -> NamedText:
        """Every word in it."""
        return NamedText.of(self._text)

    @property
    def language(self) -> str:
        """Of its document; may be empty."""
        return self.hit.document.language


class Checker:
    """Checks one answer while it streams."""

    __slots__ = ("_known", "_language", "_sources", "_splitter", "_uncited")

    def __init__(self, hits: Sequence[Hit], language: str, question: str = ""):
        self._sources = [Evidence(hit) for hit in hits]
        self._language = language
        self._known = frozenset(re.findall(r"\w+", fold(question)))
        """What the person named, the answer may repeat."""
        self._splitter = Splitter()
        self._uncited: list[Sentence] = []

    def feed(self, piece: str) -> list[Check]:
        """The verdicts that `piece` makes possible."""
        sentences = self._splitter.feed(piece)
        return [check for sentence in sentences for check in self._judge(sentence)] if sentences else []

    def finish(self) -> list[Check]:
        """The verdicts that were still open when the answer ended."""
        found = [check for sentence in self._splitter.finish() for check in self._judge(sentence)]
        return found + self._settle(self._sources)

    def _judge(self, sentence: Sentence) -> list[Check]:
        left = self._uncited and self._uncited[0].block != sentence.block
        settled = self._settle(self._sources) if left else []
        self._uncited.append(sentence)
        cited = [self._sources[n - 1] for n in find_citations(sentence.text, len(self._sources))]
        return settled + (self._settle(cited) if cited else [])

    def _settle(self, sources: Sequence[Evidence]) -> list[Check]:
        waiting, self._uncited = self._uncited, []
        verdicts = ((s, is_supported(s.text, sources, self._language, self._known)) for s in waiting)
        return [Check(s.start, s.end, verdict) for s, verdict in verdicts if verdict is not None]


def is_supported(
    sentence: str, sources: Sequence[Evidence], language: str, known: frozenset[str] = frozenset()
) -> bool | None:
    """Whether each figure and name of `sentence` is in one of `sources`; None when it has neither."""
    stated = _NO_CLAIM.sub(" ", sentence)
    figures = find_figures(stated)
    naming = language in NAMING and all(source.language in ("", language) for source in sources)
    names = find_names(stated, known) if naming else []
    if not figures and not names:
        return None
    return all(any(is_found(figure, source.figures) for source in sources) for figure in figures) and all(
        any(is_named(name, source.names) for source in sources) for name in names
    )

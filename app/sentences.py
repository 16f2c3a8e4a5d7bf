"""The sentences of a Markdown answer, each as soon as it is whole, while the answer streams. Pure."""

import re
from dataclasses import dataclass

from database.extract import ends_abbreviated

LONGEST = 4000
"""Characters after which a stretch without an end is given up as no sentence."""

_MAY_END = re.compile(r"[.!?…\n]")
_CITED = r"(?:[ \t]*\[\s*\d[\d\s,;]*\])*"
_END = re.compile(rf"(?P<line>\n)|[.!?…]+[\"”»’')*_]*{_CITED}(?=\n|[ \t]+[^\s\[])")
_TRAILING = re.compile(rf"(?<=[.!?…\"”»’')*_]){_CITED}\s*\Z")
_MARKER = re.compile(r"[\s>|]*(?:(?:[-*+•]|#{1,6}|\d{1,3}[.)])[ \t]+)?(?:\[[ x]\][ \t]+)?")
_NEW_BLOCK = re.compile(r"\s*(?:[-*+•>|#]|\d{1,3}[.)])")
_FENCE = re.compile(r"\s*(?:```|~~~)")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence and where it stands: UTF-16 offsets into the whole answer, without list markers and
    what follows its end. Sentences of one paragraph, list item or table row share a `block`."""

    text: str
    start: int
    end: int
    block: int


class Splitter:
    """Fed with the pieces of one answer in order. Headings and code are no sentences."""

    __slots__ = (
        "_blank_before",
        "_block",
        "_in_code",
        "_length",
        "_line_starts",
        "_offset",
        "_parts",
        "_seen",
        "_waiting",
    )

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._offset = 0
        """UTF-16 offset of the first part."""
        self._length = self._seen = self._block = 0
        self._waiting = self._in_code = False
        self._line_starts = self._blank_before = True

    def feed(self, piece: str) -> list[Sentence]:
        """The sentences that `piece` completes."""
        self._parts.append(piece)
        self._length += len(piece)
        if self._length > LONGEST:
            return self._cut_all(give_up=True)
        if not self._waiting and not _MAY_END.search(piece):
            return []
        return self._cut_all()

    def finish(self) -> list[Sentence]:
        """What is left at the end of the answer."""
        self._parts.append("\n")
        return self._cut_all()

    def _cut_all(self, give_up: bool = False) -> list[Sentence]:
        rest, found = "".join(self._parts), []
        while (may := _MAY_END.search(rest, self._seen)) and (match := _END.search(rest, may.start())):
            if match["line"] is None and not _ends_sentence(rest, match):
                self._seen = match.start() + 1
                continue
            found.append(self._take(rest[: match.end()]))
            rest, self._seen = rest[match.end() :], 0
        if give_up and len(rest) > LONGEST:
            self._take(rest)
            rest, may = "", None
        self._parts, self._length = [rest], len(rest)
        self._waiting, self._seen = bool(may), may.start() if may else len(rest)
        return [sentence for sentence in found if sentence is not None]

    def _take(self, raw: str) -> Sentence | None:
        """Cut `raw` off; the sentence in it, unless it is code, a heading or blank."""
        start, starts_line = self._offset, self._line_starts
        self._offset += utf16(raw)
        self._line_starts = raw.endswith("\n")
        if starts_line and (self._blank_before or _NEW_BLOCK.match(raw)):
            self._block += 1
        blank = starts_line and not raw.strip()
        self._blank_before = blank or (self._blank_before and not raw.strip())
        if starts_line and _FENCE.match(raw):
            self._in_code = not self._in_code
            return None
        if blank or self._in_code or (starts_line and raw.lstrip().startswith("#")):
            return None
        marker = _MARKER.match(raw).group() if starts_line else raw[: len(raw) - len(raw.lstrip())]  # type: ignore[union-attr]
        text = raw[len(marker) :]
        shown = _TRAILING.sub("", text).rstrip(" \t\n|")
        start += utf16(marker)
        return Sentence(text, start, start + utf16(shown), self._block) if shown else None


def _ends_sentence(rest: str, match: re.Match[str]) -> bool:
    following = rest[match.end() :].lstrip(" \t")[:1]
    stop = match[0].startswith(".")
    return not (following.islower() or (stop and ends_abbreviated(rest[: match.start() + 1])))


def utf16(text: str) -> int:
    """How many UTF-16 units a text has: what browsers count in."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2

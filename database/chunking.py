"""Pages to chunks, chunks to windows; every length is counted in the embedder's own tokens. Pure.

A chunk is what an answer cites: part of one page, at most CHUNK_TOKENS long, under its headings.
A window is what is searched: a stretch of a chunk with title and heading before it, short enough
that the embedder sees all of it.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from database.analysis import grams, normalise, words
from database.documents import NOWHERE, Box, Chunk, Page, Window

if TYPE_CHECKING:
    from langchain_text_splitters import MarkdownTextSplitter

CHUNK_TOKENS = 240
WINDOW_TOKENS = 64
OVERLAP_TOKENS = 16
MAX_TOKEN_CHARS = 8
MAX_HEADING_CHARS = 200
PREFIX_TOKENS = 32
FINGERPRINT = f"markdown-{CHUNK_TOKENS}-{WINDOW_TOKENS}-{OVERLAP_TOKENS}-{PREFIX_TOKENS}/4"
"""Changes whenever the same pages would give other chunks or windows; an index remembers it."""

HEADING_JOIN = " › "

_HEADING = re.compile(r"^(#{1,6})[ \t]+(\S.*)$", re.MULTILINE)
_TABLE = re.compile(r"^\|.*\|[ \t]*\n\|[ \t:|-]+\|[ \t]*$(?:\n\|.*)*", re.MULTILINE)
_MARKUP = re.compile(r"<br\s*/?>|\*\*|__|`+|^#{1,6}[ \t]+|^[ \t]*\|[ \t:|-]++$|\|", re.MULTILINE)
_SENTENCES = ["\n\n", "\n", ". ", "? ", "! ", "; ", ", ", " ", ""]


@dataclass(frozen=True, slots=True)
class _Piece:
    """A stretch of a page; `lead` is the table header that is repeated before it."""

    start: int
    end: int
    lead: str = ""


class Chunker:
    """Splits pages for one embedder. `count_tokens` is that embedder's."""

    def __init__(self, count_tokens: Callable[[str], int]):
        # Imported here: the server needs this module's fingerprint, not the splitters.
        from langchain_text_splitters import RecursiveCharacterTextSplitter

        self._count_tokens = count_tokens
        self._chunks = self._make_splitter(CHUNK_TOKENS)
        self._windows = RecursiveCharacterTextSplitter(
            separators=_SENTENCES,
            keep_separator="end",
            chunk_size=WINDOW_TOKENS,
            chunk_overlap=OVERLAP_TOKENS,
            length_function=self._count,
        )

    def _count(self, text: str) -> int:
        """Tokens of `text`; at least one for MAX_TOKEN_CHARS characters begun, because some text has
        hardly any: a word of over 100 letters counts as one, and blanks and control characters have
        none, so that the splitter would repeat them in the next chunk."""
        return max(self._count_tokens(text), -(-len(text) // MAX_TOKEN_CHARS))

    def _make_splitter(self, tokens: int) -> "MarkdownTextSplitter":
        from langchain_text_splitters import MarkdownTextSplitter

        return MarkdownTextSplitter(
            chunk_size=tokens, chunk_overlap=0, length_function=self._count, add_start_index=True
        )

    def chunk_pages(self, document_id: str, pages: Iterable[Page]) -> list[Chunk]:
        """All chunks of a document in reading order. Headings carry over from page to page."""
        chunks: list[Chunk] = []
        trail: list[tuple[int, str]] = []
        for page in pages:
            for start, end in _sections(page.text):
                trail = _extend(trail, page.text[start:end])
                heading = HEADING_JOIN.join(text for _, text in trail)
                for piece in self._split_section(page.text, start, end):
                    chunks.append(_make_chunk(document_id, page, len(chunks), heading, piece))
        return chunks

    def _split_section(self, text: str, start: int, end: int) -> Iterator[_Piece]:
        at = start
        for table in _TABLE.finditer(text, start, end):
            yield from self._split_text(text, at, table.start())
            yield from self._split_table(text, table.start(), table.end())
            at = table.end()
        yield from self._split_text(text, at, end)

    def _split_text(self, text: str, start: int, end: int, tokens: int = CHUNK_TOKENS) -> Iterator[_Piece]:
        splitter = self._chunks if tokens == CHUNK_TOKENS else self._make_splitter(tokens)
        for part in splitter.create_documents([text[start:end]]):
            begin = start + part.metadata["start_index"]
            yield _Piece(begin, begin + len(part.page_content))

    def _split_table(self, text: str, start: int, end: int) -> Iterator[_Piece]:
        """Groups of whole rows that fit together with the table's two header lines."""
        lines = _lines(text, start, end)
        lead = text[start : lines[1][1]] + "\n"
        first, room = start, CHUNK_TOKENS - self._count(lead)
        if room < CHUNK_TOKENS // 3:  # a header as long as its rows is not worth repeating
            yield from self._split_text(text, start, end)
            return
        used, last = 0, lines[1][1]
        for begin, stop in lines[2:]:
            size = self._count(text[begin:stop])
            if used and used + size > room:
                yield _Piece(first, last, lead if first > start else "")
                first, used = begin, 0
            if size > room:  # a row too long for one chunk: each part of it stands under the header
                for part in self._split_text(text, begin, stop, room):
                    yield _Piece(start, part.end) if first == start else replace(part, lead=lead)
                    first = begin
                first = last = min(stop + 1, end)
                continue
            used, last = used + size, stop
        if text[first:last].strip():
            yield _Piece(first, last, lead if first > start else "")

    def make_windows(self, chunk: Chunk, title: str, language: str) -> list[Window]:
        """The chunk's windows, each with a prefix of at most PREFIX_TOKENS tokens."""
        prefix = self._prefix(title, chunk.heading)
        stretches = self._windows.split_text(clean(chunk.text)) or [""]
        return [_make_window(chunk, n, f"{prefix}{text}", language) for n, text in enumerate(stretches)]

    def _prefix(self, title: str, heading: str) -> str:
        parts = [part for part in map(clean, (title, *heading.split(HEADING_JOIN))) if part]
        # The innermost heading says most about a passage, the title next; what lies between goes first.
        for kept in (parts, [parts[0], parts[-1]], [parts[-1]]) if parts else ():
            prefix = ". ".join(dict.fromkeys(kept)) + "\n"
            if self._count(prefix) <= PREFIX_TOKENS:
                return prefix
        cut = parts[-1].split() if parts else []
        while cut and self._count(" ".join(cut)) > PREFIX_TOKENS:
            cut = cut[: len(cut) * 3 // 4]
        return " ".join(cut) + "\n" if cut else ""


def _sections(text: str) -> Iterator[tuple[int, int]]:
    """Spans that each begin with their headings, if they have any; together they hold all of the text.

    Headings that follow each other without text between them begin one section.
    """
    start, body = 0, 0
    for heading in _HEADING.finditer(text):
        if text[body : heading.start()].strip():
            yield start, heading.start()
            start = heading.start()
        body = heading.end()
    if text[start:].strip():
        yield start, len(text)


def _extend(trail: list[tuple[int, str]], section: str) -> list[tuple[int, str]]:
    """The heading path after the section's own headings, if it has any: the first one takes its place
    by its level, those that follow it at once belong below it."""
    own = _leading_headings(section)
    if not own:
        return trail
    return [step for step in trail if step[0] < own[0][0]] + own


def _leading_headings(section: str) -> list[tuple[int, str]]:
    found, at = [], 0
    while match := _HEADING.match(section, at):
        found.append((len(match[1]), clean(_drop_closing(match[2]))[:MAX_HEADING_CHARS]))
        at = match.end() + len(section[match.end() :]) - len(section[match.end() :].lstrip())
    return found


def _drop_closing(heading: str) -> str:
    """Without the hashes that may close a heading; "C#" keeps its own."""
    text = heading.rstrip()
    bare = text.rstrip("#")
    return bare.rstrip() if bare[-1:] in (" ", "\t") else text


def _lines(text: str, start: int, end: int) -> list[tuple[int, int]]:
    spans = []
    while start < end:
        stop = text.find("\n", start, end)
        stop = end if stop < 0 else stop
        spans.append((start, stop))
        start = stop + 1
    return spans


def clean(text: str) -> str:
    """Without Markdown's marks, NFKC-normalised: for searching only, never shown."""
    return re.sub(r"[ \t]{2,}", " ", normalise(_MARKUP.sub(" ", text))).strip()


def _hash(*parts: object) -> str:
    """32 hex digits; 24 would be taken for an ObjectId by langchain-mongodb."""
    return hashlib.sha256("\0".join(map(str, parts)).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _make_chunk(document_id: str, page: Page, ordinal: int, heading: str, piece: _Piece) -> Chunk:
    text = piece.lead + page.text[piece.start : piece.end]
    chunk = Chunk(
        id="",
        document_id=document_id,
        page=page.number,
        ordinal=ordinal,
        heading=heading,
        text=text,
        start=piece.start,
        end=piece.end,
        boxes=find_boxes(page, piece.start, piece.end),
    )
    return replace(chunk, id=name_chunk(chunk))


def name_chunk(chunk: Chunk) -> str:
    """The id of a chunk, by all else that it is."""
    return _hash(chunk.document_id, chunk.page, chunk.ordinal, chunk.text)


def name_window(chunk_id: str, number: int, text: str) -> str:
    """The id of a chunk's window, by its place among them from 0."""
    return _hash(chunk_id, number, text)


def find_boxes(page: Page, start: int, end: int) -> tuple[Box, ...]:
    """The rectangles of the blocks that share text with `[start, end)`."""
    return tuple(b.box for b in page.blocks if b.start < end and start < b.end and b.box != NOWHERE)


def _make_window(chunk: Chunk, number: int, text: str, language: str) -> Window:
    return Window(
        id=name_window(chunk.id, number, text),
        chunk_id=chunk.id,
        document_id=chunk.document_id,
        page=chunk.page,
        language=language,
        text=text,
        words=" ".join(words(text, language)),
        grams=" ".join(grams(text)),
    )


def make_windows(chunker: Chunker, chunks: Sequence[Chunk], title: str, language: str) -> list[Window]:
    """The windows of all `chunks`, in order."""
    return [window for chunk in chunks for window in chunker.make_windows(chunk, title, language)]

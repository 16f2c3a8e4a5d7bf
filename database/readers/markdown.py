"""Markdown to sections: headings of both kinds, code that is no heading, the title of front matter."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from database.readers.decoding import preload, read_text
from database.readers.pieces import Piece, clean_block
from database.readers.sections import Limits, Sections, cut_sections, heading, paragraph

__all__ = ["preload", "read"]

_FRONT = re.compile(r"\A---[ \t]*\n(.*?\n)(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.S)
_TITLE = re.compile(r"""^title:[ \t]*(["']?)(.+?)\1[ \t]*$""", re.M)
_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))??(?:[ \t]+#+)?[ \t]*\Z")
_SETEXT = re.compile(r" {0,3}(=+|-+)[ \t]*\Z")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_RULE = re.compile(r"\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*\Z")
_COMMENT = re.compile(r"<!--.*?-->", re.S)
_LINK = re.compile(r"!?\[([^\[\]\n]*)\]\([^()\n]*\)")
_STARS = re.compile(r"(?<![\w*\\])\*(?=[^\s*])([^*\n]+)(?<=[^\s*])\*(?![\w*])")


def read(path: Path, limits: Limits) -> Sections:
    """The sections of a Markdown file. Raises `ReadError`."""
    text = read_text(path, limits.max_text_mb)
    front = _FRONT.match(text)
    title = _TITLE.search(front[1]) if front else None
    body = text[front.end() :] if front else text
    return Sections(title[2] if title else "", cut_sections(parse(body), limits), [])


def parse(text: str) -> Iterator[Piece]:
    """The blocks of a document in Markdown."""
    for block in _split_blocks(_COMMENT.sub("", text).split("\n")):
        yield from _read_block(block)


def _split_blocks(lines: Sequence[str]) -> Iterator[list[str]]:
    """Lines that belong together: between blank ones, a heading by itself, code from fence to fence."""
    block: list[str] = []
    fence = ""
    for line in lines:
        mark = _FENCE.match(line)
        if fence:
            block.append(line)
            if mark and line.strip().startswith(fence) and not line.strip().strip(fence[0]):
                yield block
                block, fence = [], ""
        elif mark or _ATX.match(line) or not line.strip():
            if block:
                yield block
            block, fence = ([line], mark[1]) if mark else ([], "")
            if not mark and line.strip():
                yield [line]
        elif block and _SETEXT.match(line) and "|" not in block[0]:
            yield [*block, line]
            block = []
        else:
            block.append(line)
    if block:
        yield block


def _read_block(lines: list[str]) -> Iterator[Piece]:
    if _FENCE.match(lines[0]):
        yield paragraph("\n".join(lines), "code")
    elif atx := _ATX.match(lines[0]):
        if text := _clean(atx[2] or "", "section-header"):
            yield heading(text, len(atx[1]))
    elif len(lines) > 1 and (under := _SETEXT.match(lines[-1])) and "|" not in lines[0]:
        if text := _clean(" ".join(lines[:-1]), "section-header"):
            yield heading(text, 1 if under[1][0] == "=" else 2)
    elif len(lines) > 1 and "|" in lines[0] and _RULE.match(lines[1]):
        yield _read_table(lines)
    elif text := _clean("\n".join(lines)):
        yield paragraph(text)


def _clean(text: str, kind: str = "text") -> str:
    """Without emphasis, and links as their words."""
    return clean_block(_STARS.sub(r"\1", _LINK.sub(r"\1", text)), kind)


def _read_table(lines: Sequence[str]) -> Piece:
    """A table with bars at both ends of its rows, as the chunker knows it."""
    rows = [line.strip().removeprefix("|").removesuffix("|") for line in lines]
    rows[1] = "|".join("---" for _ in rows[0].split("|"))
    return Piece("table", paragraph("").box, _clean("\n".join(f"|{row}|" for row in rows), "table"))

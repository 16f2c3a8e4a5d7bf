"""Bytes of plain text to characters, inside a worker process."""

import codecs
import importlib
import re
from pathlib import Path
from typing import Any

from database.errors import Damaged, FileTooLarge

_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_DECLARED = re.compile(rb"""<(?:meta|\?xml)[^>]{0,500}?(?:charset|encoding)\s*=\s*["']?\s*([\w-]{1,40})""", re.I)
DECLARED_BYTES = 4096
GUESS_BYTES = 1 << 18
MAX_RUN = 3
"""Letters with accents that follow each other: "ção" has two, other scripts have whole words."""
WESTERN = "cp1252"
"""What most text of Western Europe is that is not UTF-8. Windows' own, which holds all of ISO 8859-1's letters."""


def preload() -> None:
    """Import what guesses encodings."""
    importlib.import_module("charset_normalizer")


def read_text(path: Path, max_text_mb: int) -> str:
    """A file's text, with line feeds alone at the ends of lines. Raises `FileTooLarge`, `Damaged`."""
    if path.stat().st_size > 4 * max_text_mb << 20:
        raise FileTooLarge(f"Its text has more than MAX_TEXT_MB={max_text_mb} MB. Split it or raise that setting.")
    data = path.read_bytes()
    text = decode(data)
    if text.count("\x00") > len(text) // 100:
        raise Damaged("It holds more than text, or is damaged. Export or download it again.")
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "\ufffd")


def decode(data: bytes) -> str:
    """Text in UTF-8, UTF-16, what a web page says of itself, or the encoding that looks right."""
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return data.decode(encoding, errors="replace")
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode(_find_encoding(data), errors="replace")


def _find_encoding(data: bytes) -> str:
    if (declared := _DECLARED.search(data[:DECLARED_BYTES])) and (name := _known(declared[1].decode())):
        return name
    if _is_western(data):
        return WESTERN
    normalizer: Any = importlib.import_module("charset_normalizer")
    best = normalizer.from_bytes(data[:GUESS_BYTES]).best()
    return _known(best.encoding if best else "") or WESTERN


def _known(name: str) -> str:
    try:
        found = codecs.lookup(name).name
        b"\xe9".decode(found, errors="replace")  # some codecs are none of text, or refuse whatever they get
    except (LookupError, UnicodeError):
        return ""
    # Browsers take ISO 8859-1 for Windows' superset of it, and say so in their standard.
    return WESTERN if found in ("iso8859-1", "ascii") else "" if found in ("utf-8", "utf-16") else found


def _is_western(data: bytes) -> bool:
    """Whether the bytes beyond ASCII are nearly all accented letters and quotes between ASCII letters: too few of
    them to guess from in a short text, but hardly anything else."""
    high = re.findall(rb"[\x80-\xff]+", data[:GUESS_BYTES])
    known = sum(len(run) <= MAX_RUN and _WESTERN_LETTERS.issuperset(run) for run in high)
    return known >= 0.9 * len(high)


_WESTERN_LETTERS = frozenset(
    "áàâãäéèêëíìîïóòôõöúùûüçñÁÀÂÃÄÉÈÊËÍÌÎÏÓÒÔÕÖÚÙÛÜÇÑºª°€–—‘’“”§«»¿¡·…•œæåøßÅØÆŒ".encode(WESTERN)
)

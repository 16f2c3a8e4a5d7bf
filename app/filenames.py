"""Names of uploaded files, made safe to keep, to show and to send back. Pure."""

import unicodedata
from collections.abc import Collection
from itertools import count
from pathlib import PurePosixPath

MAX_BYTES = 255
"""What file systems take; UTF-8."""
FALLBACK = "document.pdf"
_DROPPED = frozenset({"Cc", "Cs", "Co", "Cn"})
_JOINERS = "\u200c\u200d"
"""Letters of some scripts need them; all other characters of category Cf could turn a name around."""


def make_safe(given: str) -> str:
    """The last part of a path that a client sent, in NFC, without characters that hide or reorder
    others, at most MAX_BYTES long; FALLBACK when nothing is left. Scripts are kept as they are."""
    last = unicodedata.normalize("NFC", given).replace("\\", "/").rstrip("/").rpartition("/")[2]
    shown = "".join(" " if unicodedata.category(c) in ("Zl", "Zp") else c for c in last if _is_kept(c))
    name = " ".join(shown.split()).lstrip(".").strip()
    return _shorten(name) if name.strip(". ") else FALLBACK


def find_free(name: str, taken: Collection[str]) -> str:
    """`name`, or the first of "name (2).pdf", "name (3).pdf" … that is not taken; case does not count."""
    folded = {other.casefold() for other in taken}
    if name.casefold() not in folded:
        return name
    numbered = (_shorten(name, f" ({number})") for number in count(2))
    return next(candidate for candidate in numbered if candidate.casefold() not in folded)


def _is_kept(character: str) -> bool:
    category = unicodedata.category(character)
    return character in _JOINERS or (category not in _DROPPED and category != "Cf")


def _shorten(name: str, ending: str = "") -> str:
    """`name` with `ending` before its suffix, its stem cut so that all fits."""
    path = PurePosixPath(name)
    suffix = path.suffix if len(path.suffix.encode()) <= 16 else ""
    stem = name.removesuffix(suffix)
    room = MAX_BYTES - len((ending + suffix).encode())
    return stem.encode()[:room].decode(errors="ignore").rstrip() + ending + suffix

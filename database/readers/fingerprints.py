"""Names of everything that decides what pages a file gives: by them pages are cached and documents made anew.

Each format has its own, so that a newer library reads only again what it had read.
"""

import importlib.metadata
import re

from database.formats import FORMATS, Format
from database.settings import IndexSettings

READER_VERSION = 3
"""Of what has pages. Raise it when the same file would give other pages: what is cached is then made anew."""
SECTIONS_VERSION = 1
"""Of everything else."""


def make_fingerprints(settings: IndexSettings) -> dict[str, str]:
    """The fingerprint of each format. Reads the versions of packages from disk."""
    return {name: _make(name, known, settings) for name, known in FORMATS.items()}


def _make(name: str, known: Format, settings: IndexSettings) -> str:
    versions = [f"{library}-{importlib.metadata.version(library)}" for library in known.libraries]
    if not known.drawn:
        return _join(f"{name}-{SECTIONS_VERSION}", *versions)
    ocr = f"ocr-{settings.ocr_language}" if settings.ocr == "on" else "ocr-off"
    # PDFs were there first: theirs must stay as it was.
    return _join(f"reader-{READER_VERSION}", *versions, ocr, *([] if name == "pdf" else [name]))


def _join(*parts: str) -> str:
    return re.sub(r"[^\w.-]+", "_", "_".join(parts))

"""Which kinds of files can be read, and how one is told by its first bytes. Pure; standard library only.

The name of a file decides nothing but which kind of plain text it is.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Literal

from database.errors import EmptyFile, WrongFormat

Start = Literal["pdf", "zip", "image", "text"]
"""What the first bytes tell. Which Office document or which kind of text it is shows only inside."""

SNIFF_BYTES = 1024
"""The specification of PDF wants the signature within so many bytes of the start."""
LOADABLE = "PDF, Word (.docx), PowerPoint (.pptx), Excel (.xlsx), CSV, HTML, Markdown, plain text and images"


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of document. `unit` is what its pages are called, `endings` what its files are."""

    unit: Literal["page", "section", "slide", "sheet"]
    endings: tuple[str, ...]
    """The first one is that of originals that are kept."""
    media_types: tuple[str, ...]
    module: str = ""
    """In which its `read` stands; empty for what has pages that can be drawn."""
    libraries: tuple[str, ...] = ()
    """Packages whose versions decide what is made of a file."""

    @property
    def drawn(self) -> bool:
        """Whether its pages are shown as pictures."""
        return not self.module


_OFFICE = "application/vnd.openxmlformats-officedocument"
_IMAGES: Mapping[str, tuple[str, ...]] = {
    ".png": ("image/png",),
    ".jpg": ("image/jpeg",),
    ".tif": ("image/tiff",),
    ".webp": ("image/webp",),
    ".gif": ("image/gif",),
    ".bmp": ("image/bmp",),
}

FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "pdf": Format("page", (".pdf",), ("application/pdf",), libraries=("pymupdf", "pymupdf4llm")),
        "html": Format(
            "section",
            (".html", ".htm", ".xhtml"),
            ("text/html", "application/xhtml+xml"),
            "html",
            ("trafilatura", "lxml", "charset-normalizer"),
        ),
        "markdown": Format("section", (".md", ".markdown"), ("text/markdown",), "markdown", ("charset-normalizer",)),
        "text": Format("section", (".txt", ".text"), ("text/plain",), "text", ("charset-normalizer",)),
        "docx": Format(
            "section",
            (".docx", ".docm"),
            (f"{_OFFICE}.wordprocessingml.document",),
            "docx",
            ("mammoth", "lxml"),
        ),
        "pptx": Format(
            "slide",
            (".pptx", ".pptm"),
            (f"{_OFFICE}.presentationml.presentation",),
            "pptx",
            ("python-pptx",),
        ),
        "xlsx": Format("sheet", (".xlsx", ".xlsm"), (f"{_OFFICE}.spreadsheetml.sheet",), "xlsx", ("openpyxl",)),
        "csv": Format(
            "sheet", (".csv", ".tsv"), ("text/csv", "text/tab-separated-values"), "csv_table", ("charset-normalizer",)
        ),
        "image": Format(
            "page",
            (*_IMAGES, ".jpeg", ".tiff"),
            tuple(kind for kinds in _IMAGES.values() for kind in kinds),
            libraries=("pymupdf", "pymupdf4llm", "pillow"),
        ),
    }
)
"""By the name that `Document.format` has."""

ENDINGS = frozenset(ending for known in FORMATS.values() for ending in known.endings)
"""Of files that a folder is searched for."""
MEDIA_TYPES = frozenset(kind for known in FORMATS.values() for kind in known.media_types)
KEPT_ENDINGS = tuple(dict.fromkeys([*(known.endings[0] for known in FORMATS.values()), *_IMAGES]))
"""Of originals in DATA_DIR, that of PDFs first."""
TEXTS = ("html", "markdown", "csv", "text")

_MAGIC: Mapping[bytes, str] = {
    b"\x89PNG\r\n\x1a\n": ".png",
    b"\xff\xd8\xff": ".jpg",
    b"II*\x00": ".tif",
    b"MM\x00*": ".tif",
    b"GIF87a": ".gif",
    b"GIF89a": ".gif",
}
_FOREIGN: Mapping[bytes, str] = {
    b"\xd0\xcf\x11\xe0": "a file of an old or protected Office",
    b"{\\rtf": "RTF",
    b"\x1f\x8b": "a gzip archive",
    b"7z\xbc\xaf": "a 7-Zip archive",
    b"Rar!": "a RAR archive",
    b"\x7fELF": "a program",
    b"MZ": "a program",
    b"%!PS": "PostScript",
}
_BOMS = (b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")
_CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_HTML = re.compile(r"\s*(?:<\?xml[^>]*>\s*)?(?><!--.*?-->\s*)*+<(?:!doctype\s+html|html|head|body)\b", re.I | re.S)
_HTML_PARTS = re.compile(r"\s*<(?:title|meta|link|style|script|div|p|h[1-6]|table|article|section|main)\b", re.I)
_XML = re.compile(r"\s*<(?:\?xml|svg|!doctype|rss|feed)\b", re.I)


def find_start(start: bytes) -> Start:
    """What these first SNIFF_BYTES bytes of a file are. Raises `WrongFormat` for what cannot be read."""
    start = start[:SNIFF_BYTES]
    if not start:
        raise EmptyFile("It is empty (0 bytes). Copy or download the file again.")
    if find_image(start):
        return "image"
    if start.startswith(b"PK\x03\x04"):
        return "zip"
    if b"%PDF-" in start and not looks_like_html(start.decode("latin-1")):
        return "pdf"
    for magic, name in _FOREIGN.items():
        if start.startswith(magic):
            raise WrongFormat(_refuse(name))
    if start.startswith(_BOMS) or not _CONTROLS.search(start):
        return "text"
    raise WrongFormat(_refuse("something else"))


def find_image(start: bytes) -> str:
    """The ending of a picture that begins so; empty for what is none."""
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return ".webp"
    if start[:2] == b"BM" and start[6:10] == bytes(4):
        return ".bmp"
    return next((ending for magic, ending in _MAGIC.items() if start.startswith(magic)), "")


def find_text(text: str, name: str) -> str:
    """Which kind of plain text begins so, in a file of this name. Raises `WrongFormat` for other markup."""
    ending = PurePosixPath(name).suffix.lower()
    named = next((kind for kind in TEXTS if ending in FORMATS[kind].endings), "")
    if looks_like_html(text) or (named == "html" and "<" in text):
        return "html"
    if named:
        return "text" if named == "html" else named
    if _XML.match(text):
        raise WrongFormat(_refuse("XML"))
    return "html" if _HTML_PARTS.match(text) else "text"


def looks_like_html(text: str) -> bool:
    """Whether it begins as a web page does."""
    return _HTML.match(text.lstrip("\ufeff")) is not None


def format_of(name: str) -> str:
    """The format that a file of this name should have; "pdf" when its ending tells none."""
    ending = PurePosixPath(name).suffix.lower()
    return next((key for key, known in FORMATS.items() if ending in known.endings), "pdf")


def kept_ending(format_name: str, start: bytes = b"") -> str:
    """How the original of a document ends; `start` tells pictures apart."""
    return (find_image(start) if format_name == "image" else "") or FORMATS[format_name].endings[0]


def media_type_of(ending: str) -> str:
    """What an original with this ending is sent as."""
    known = next((known for known in FORMATS.values() if ending in known.endings), None)
    return _IMAGES[ending][0] if ending in _IMAGES else known.media_types[0] if known else "application/octet-stream"


def check_start(start: bytes) -> None:
    """Raise `WrongFormat` unless these first SNIFF_BYTES bytes are those of something that can be read."""
    find_start(start)


def _refuse(name: str) -> str:
    return f"It is {name}, which cannot be read. These can be loaded: {LOADABLE}. Export or save it as one of them."

"""Opens a PDF inside a worker process, and looks at it before anything is converted.

The PDF library is imported inside functions, so that importing this module costs nothing.
"""

import importlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from database.errors import Damaged, EmptyFile, Encrypted, FileTooLarge, NotPdf, ReadError

DAMAGED = "It is damaged and cannot be opened. Copy or download the file again."
SNIFF_BYTES = 1024
"""The specification wants the signature within so many bytes of the start."""
MAX_TITLE_CHARS = 1000


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a PDF before its pages are converted."""

    page_count: int
    title: str
    repaired: bool


def preload() -> None:
    """Import what conversions need, once, before processes are forked for them."""
    if "pymupdf4llm" in sys.modules:
        return
    onnxruntime: Any = importlib.import_module("onnxruntime")

    class OneThread(onnxruntime.SessionOptions):  # type: ignore[misc]
        """Conversions run side by side: threads inside each only get in each other's way (5.2
        instead of 3.5 CPU-seconds for 8 pages on 2 cores), and a fork would not carry them over."""

        def __init__(self) -> None:
            super().__init__()
            self.intra_op_num_threads = 1

    onnxruntime.SessionOptions = OneThread
    importlib.import_module("pymupdf4llm")


def inspect(path: Path, max_file_mb: int) -> Facts:
    """Look at a file without converting it. Raises `ReadError` for what cannot be read at all."""
    check_file(path, max_file_mb)
    with open_document(path) as document:
        if document.needs_pass:
            raise Encrypted(
                "It is protected by a password. Remove the password (for example with"
                " `qpdf --decrypt --password=… in.pdf out.pdf`) and load the file again."
            )
        if not document.is_pdf:
            raise NotPdf("It is not a PDF, whatever its name says. Export it as PDF.")
        page_count = _count_pages(document)
        if page_count == 0:
            raise EmptyFile("It has no pages. Export or download the file again.")
        title = (document.metadata or {}).get("title") or ""
        return Facts(page_count, title[:MAX_TITLE_CHARS].strip(), bool(document.is_repaired))


def load_library() -> Any:
    """The module `pymupdf`, whose calls carry no types."""
    return importlib.import_module("pymupdf")


def open_document(path: Path) -> Any:
    """An open `pymupdf.Document`; close it. Raises `ReadError` when the file is damaged."""
    pymupdf = load_library()
    pymupdf.TOOLS.mupdf_display_errors(False)
    try:
        return pymupdf.open(path)
    except pymupdf.FileNotFoundError:
        raise ReadError("It is not there any more. Load the folder again.") from None
    except (pymupdf.FileDataError, pymupdf.mupdf.FzErrorBase):
        raise Damaged(DAMAGED) from None


def _count_pages(document: Any) -> int:
    try:
        return int(document.page_count)
    except (RuntimeError, load_library().mupdf.FzErrorBase):  # no root, no page tree
        raise Damaged(DAMAGED) from None


def check_file(path: Path, max_file_mb: int) -> None:
    """Look at a file's size and first bytes alone. Raises `ReadError` when they are not those of a PDF."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(SNIFF_BYTES)
    except OSError as error:
        raise ReadError(f"It cannot be read ({error.strerror}). Check that it is there and may be read.") from None
    if size == 0:
        raise EmptyFile("It is empty (0 bytes). Copy or download the file again.")
    if size > max_file_mb << 20:
        raise FileTooLarge(
            f"It has {size >> 20} MB, more than MAX_FILE_MB={max_file_mb}. Split it or raise that setting."
        )
    check_start(start)


def check_start(start: bytes) -> None:
    """Raise `NotPdf` unless these first SNIFF_BYTES bytes are those of a PDF."""
    if b"%PDF-" not in start[:SNIFF_BYTES]:
        raise NotPdf(f"It is not a PDF but {_name_format(start)}. Export it as PDF.")


def _name_format(start: bytes) -> str:
    known = {b"PK\x03\x04": "a ZIP or Office file", b"\x89PNG": "a PNG image", b"\xff\xd8\xff": "a JPEG image"}
    for magic, name in known.items():
        if start.startswith(magic):
            return name
    return "a web page" if b"<html" in start.lower() else "something else"

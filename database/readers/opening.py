"""Opens what has pages inside a worker process, and looks at a PDF before anything is converted.

The PDF library is imported inside functions, so that importing this module costs nothing.
"""

import functools
import importlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from database.errors import Damaged, EmptyFile, Encrypted, FileTooLarge, ReadError, WrongFormat
from database.formats import SNIFF_BYTES, Start, find_image, find_start

DAMAGED = "It is damaged and cannot be opened. Copy or download the file again."
MAX_TITLE_CHARS = 1000


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a file before its pages are converted."""

    page_count: int
    """0 where only converting tells."""
    title: str
    repaired: bool
    format: str = "pdf"


@functools.cache
def preload() -> None:
    """Import what conversions need, once, before processes are forked for them."""
    load_library()
    importlib.import_module("pymupdf4llm")
    importlib.import_module("database.readers.layout").install()


@functools.cache
def load_library() -> Any:
    """The module `pymupdf`, whose calls carry no types."""
    onnxruntime: Any = importlib.import_module("onnxruntime")

    class OneThread(onnxruntime.SessionOptions):  # type: ignore[misc]
        """Conversions run side by side: threads inside each only get in each other's way (5.2
        instead of 3.5 CPU-seconds for 8 pages on 2 cores), and a fork would not carry them over."""

        def __init__(self) -> None:
            super().__init__()
            self.intra_op_num_threads = 1

    onnxruntime.SessionOptions = OneThread  # before the library is there, which opens its models at once
    return importlib.import_module("pymupdf")


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
            raise WrongFormat("It is not a PDF, whatever its first bytes say. Export it as PDF.")
        page_count = _count_pages(document)
        if page_count == 0:
            raise EmptyFile("It has no pages. Export or download the file again.")
        title = (document.metadata or {}).get("title") or ""
        return Facts(page_count, title[:MAX_TITLE_CHARS].strip(), bool(document.is_repaired))


def open_document(path: Path, numbers: Collection[int] | None = None) -> Any:
    """An open `pymupdf.Document`; close it. Of a picture, only pages of these `numbers` (from 1; None: all) are
    filled. Raises `ReadError` when the file is damaged."""
    pymupdf = load_library()
    if is_picture(path):
        return importlib.import_module("database.readers.image").open_picture(path, numbers)
    pymupdf.TOOLS.mupdf_display_errors(False)
    try:
        return pymupdf.open(path)
    except pymupdf.FileNotFoundError:
        raise ReadError("It is not there any more. Load the folder again.") from None
    except (pymupdf.FileDataError, pymupdf.mupdf.FzErrorBase):
        raise Damaged(DAMAGED) from None


def is_picture(path: Path) -> bool:
    """Whether it begins as an image does; False when it is not there."""
    try:
        return bool(find_image(read_start(path)))
    except ReadError:
        return False


def read_start(path: Path) -> bytes:
    """A file's first SNIFF_BYTES bytes. Raises `ReadError`."""
    try:
        with path.open("rb") as file:
            return file.read(SNIFF_BYTES)
    except OSError as error:
        raise ReadError(f"It cannot be read ({error.strerror}). Check that it is there and may be read.") from None


def _count_pages(document: Any) -> int:
    try:
        return int(document.page_count)
    except (RuntimeError, load_library().mupdf.FzErrorBase):  # no root, no page tree
        raise Damaged(DAMAGED) from None


def check_file(path: Path, max_file_mb: int) -> Start:
    """What a file is by its size and first bytes alone. Raises `ReadError` when it cannot be read."""
    start = read_start(path)
    if (size := path.stat().st_size) > max_file_mb << 20:
        raise FileTooLarge(
            f"It has {size >> 20} MB, more than MAX_FILE_MB={max_file_mb}. Split it or raise that setting."
        )
    return find_start(start)

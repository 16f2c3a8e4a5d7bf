"""Pictures as documents: each one a page, TIFF one for each of its own. Inside a worker process.

A picture becomes a PDF in memory, so that OCR and drawing see what they always see. How many
pixels it has is read before any is unpacked.
"""

import importlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from database.errors import Damaged, FileTooLarge
from database.readers.opening import Facts, check_file, load_library

FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "GIF", "BMP")
MAX_MEGAPIXELS = 100
MAX_LENGTH = 100_000
"""Pixels of a side: what unpacks pictures sets much more aside for long rows than their pixels need."""
MAX_SIDE = 4_000
"""Larger pictures are made smaller: A4 at 300 dots an inch has 3,508."""
PAGE_POINTS = 842
"""The longer side of its page, as that of A4."""


def preload() -> None:
    """Import what opens pictures before processes are forked."""
    load_library()
    importlib.import_module("PIL.Image").preinit()


def look_at_image(path: Path, max_file_mb: int) -> Facts:
    """What is known of a picture before it is read. Raises `ReadError`."""
    check_file(path, max_file_mb)
    with _opened(path) as image:
        return Facts(_count(image), "", False, "image")


def open_picture(path: Path, numbers: Collection[int] | None = None) -> Any:
    """A `pymupdf.Document` with a page for each of the picture's; only those of these `numbers` (from 1; None:
    all) have it on them. Raises `ReadError`."""
    document = load_library().open()
    with _opened(path) as image:
        for number in range(1, _count(image) + 1):
            if numbers is None or number in numbers:
                image.seek(number - 1)
                _add_page(document, image)
            else:
                document.new_page()
    return document


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    library: Any = importlib.import_module("PIL.Image")
    library.MAX_IMAGE_PIXELS = None  # ours counts
    try:
        with library.open(path, formats=FORMATS) as image:
            _check_size(image)
            yield image
    except (OSError, ValueError, SyntaxError, EOFError, TypeError, KeyError, IndexError):
        raise Damaged("This image is damaged and cannot be opened. Copy or download it again.") from None


def _count(image: Any) -> int:
    """Pages. What moves counts as its first picture."""
    return int(getattr(image, "n_frames", 1)) if image.format == "TIFF" else 1


def _check_size(image: Any) -> None:
    if image.width * image.height > MAX_MEGAPIXELS * 1_000_000 or max(image.size) > MAX_LENGTH:
        raise FileTooLarge(
            f"It has {image.width} × {image.height} pixels, more than {MAX_MEGAPIXELS} megapixels"
            f" or {MAX_LENGTH:,} in a row. Make it smaller and load it again."
        )


def _add_page(document: Any, image: Any) -> None:
    """The picture as it is seen, on white, on a page of its shape."""
    _check_size(image)
    pymupdf, operations = load_library(), importlib.import_module("PIL.ImageOps")
    image.draft("RGB", (MAX_SIDE, MAX_SIDE))
    seen = operations.exif_transpose(image)
    seen.thumbnail((MAX_SIDE, MAX_SIDE))
    if "A" in seen.getbands() or "transparency" in seen.info:
        clear = seen.convert("RGBA")
        seen = importlib.import_module("PIL.Image").new("RGB", clear.size, "white")
        seen.paste(clear, mask=clear.getchannel("A"))
    seen = seen.convert("RGB")
    scale = min(1.0, PAGE_POINTS / max(seen.size))
    page = document.new_page(width=max(1.0, seen.width * scale), height=max(1.0, seen.height * scale))
    pixels = pymupdf.Pixmap(pymupdf.csRGB, seen.width, seen.height, seen.tobytes(), False)
    page.insert_image(page.rect, pixmap=pixels)

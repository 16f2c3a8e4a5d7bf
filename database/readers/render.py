"""Draws one page with passages highlighted, in a process of its own."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from database.documents import Box
from database.errors import ReadError
from database.readers.opening import load_library, open_document, preload
from database.readers.worker import run_limited
from database.settings import IndexSettings

MAX_PIXELS = 4_000_000
MIN_ZOOM = 0.1
YELLOW = np.array([1.0, 0.92, 0.5])
"""Red, green and blue that light is multiplied by."""

__all__ = ["preload", "render_page"]


async def render_page(path: Path, number: int, boxes: Sequence[Box], zoom: float, settings: IndexSettings) -> bytes:
    """A PNG of page `number` (from 1), 72·`zoom` dots an inch, at most about 4 megapixels; the
    boxes are shaded yellow and what they cover stays readable.

    Raises `ReadError` when there is no such page, or the file cannot be drawn within its limits.
    """
    return await run_limited(
        draw_page,
        path,
        number,
        list(boxes),
        zoom,
        timeout_s=settings.read_timeout_s,
        memory_mb=settings.read_memory_mb,
    )


def draw_page(path: Path, number: int, boxes: Sequence[Box], zoom: float) -> bytes:
    """What `render_page` runs in its process."""
    pymupdf = load_library()
    try:
        return _draw(pymupdf, path, number, boxes, zoom)
    except (RuntimeError, ValueError, pymupdf.mupdf.FzErrorBase):
        raise ReadError(f"Page {number} is damaged and cannot be drawn.") from None


def _draw(pymupdf: Any, path: Path, number: int, boxes: Sequence[Box], zoom: float) -> bytes:
    with open_document(path, [number]) as document:
        if not 1 <= number <= document.page_count:
            raise ReadError(f"There is no page {number}; the document has {document.page_count}.")
        page = document[number - 1]
        if page.rect.is_empty or page.rect.is_infinite:
            raise ValueError("a page without an area")
        zoom = min(max(zoom, MIN_ZOOM), math.sqrt(MAX_PIXELS / (page.rect.width * page.rect.height)))
        picture = page.get_pixmap(matrix=pymupdf.Matrix(zoom, zoom), alpha=False)
        pixels = np.frombuffer(picture.samples, np.uint8).reshape(picture.height, picture.width, 3)
        shaded = pymupdf.Pixmap(pymupdf.csRGB, picture.width, picture.height, _shade(pixels, boxes, zoom), False)
        image: bytes = shaded.tobytes("png")
        return image


def _shade(pixels: NDArray[np.uint8], boxes: Sequence[Box], zoom: float) -> bytes:
    """Multiply what lies in the boxes by yellow, once even where boxes overlap: black stays black."""
    shaded = pixels.copy()
    for box in boxes:
        x0, y0, x1, y1 = (round(min(max(0.0, v * zoom), MAX_PIXELS)) for v in box)
        shaded[y0:y1, x0:x1] = pixels[y0:y1, x0:x1] * YELLOW
    return shaded.tobytes()

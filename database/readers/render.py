"""Draws one page with passages highlighted, in a process of its own."""

import math
from collections.abc import Sequence
from pathlib import Path

from database.documents import Box
from database.errors import ReadError
from database.readers.pdf import PRELOAD, load_library, open_document
from database.readers.worker import run_limited
from database.settings import IndexSettings

MAX_PIXELS = 4_000_000
YELLOW = (1.0, 0.9, 0.35)

__all__ = ["PRELOAD", "render_page"]


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
    with open_document(path) as document:
        if not 1 <= number <= document.page_count:
            raise ReadError(f"There is no page {number}; the document has {document.page_count}.")
        page = document[number - 1]
        page.remove_rotation()  # boxes are in coordinates as displayed
        zoom = min(zoom, math.sqrt(MAX_PIXELS / (page.rect.width * page.rect.height)))
        for box in boxes:
            page.draw_rect(pymupdf.Rect(box), color=None, fill=YELLOW, overlay=True, blend_mode="Multiply")
        image: bytes = page.get_pixmap(matrix=pymupdf.Matrix(zoom, zoom), alpha=False).tobytes("png")
        return image

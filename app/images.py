"""Images of pages: drawn once, kept while memory for them lasts."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

from database.documents import Box
from database.readers.render import render_page
from database.settings import IndexSettings

KEPT_BYTES = 32 * 1024 * 1024
MIN_ZOOM, MAX_ZOOM = 0.5, 3.0
AT_ONCE = 2


class PageImages:
    """Draws pages in worker processes, at most AT_ONCE at a time, and keeps the latest in memory."""

    def __init__(self, settings: IndexSettings, kept_bytes: int = KEPT_BYTES):
        self._settings, self._kept_bytes = settings, kept_bytes
        self._kept: OrderedDict[tuple[object, ...], bytes] = OrderedDict()
        self._size = 0
        self._drawing = asyncio.Semaphore(AT_ONCE)

    async def draw(self, path: Path, number: int, boxes: Sequence[Box], zoom: float) -> bytes:
        """A PNG of page `number` of the PDF at `path` with `boxes` highlighted. Raises `ReadError`."""
        zoom = min(max(zoom, MIN_ZOOM), MAX_ZOOM)
        key = (path, number, tuple(boxes), zoom)
        if (image := self._find(key)) is None:
            async with self._drawing:
                # Another request may have drawn it while this one waited.
                if (image := self._find(key)) is None:
                    image = await render_page(path, number, boxes, zoom, self._settings)
                    self._keep(key, image)
        return image

    def _find(self, key: tuple[object, ...]) -> bytes | None:
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def _keep(self, key: tuple[object, ...], image: bytes) -> None:
        # Two requests may have drawn the same page at the same time.
        self._size += len(image) - len(self._kept.pop(key, b""))
        self._kept[key] = image
        while self._size > self._kept_bytes:
            self._size -= len(self._kept.popitem(last=False)[1])

"""Images of pages: drawn once, kept within a limit."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pymupdf
import pytest

from app.images import MAX_ZOOM, MIN_ZOOM, PageImages
from app.settings import ServerSettings
from database.errors import ReadError
from tests.pdfs import make_pdf

PNG = b"\x89PNG\r\n"


@pytest.fixture
def pdf(tmp_path: Path) -> Path:
    return make_pdf(tmp_path / "a.pdf", ["One page.", "Another page."], size=(300, 200))


@pytest.fixture
def images(settings: ServerSettings) -> Iterator[PageImages]:
    yield PageImages(settings)


def width(image: bytes) -> int:
    return int(pymupdf.Pixmap(image).width)


async def test_draws_a_page_once(images: PageImages, pdf: Path) -> None:
    first = await images.draw(pdf, 1, [], 1.0)
    assert first.startswith(PNG) and width(first) == 300
    await asyncio.to_thread(pdf.unlink)
    assert await images.draw(pdf, 1, [], 1.0) is first
    with pytest.raises(ReadError):
        await images.draw(pdf, 2, [], 1.0)


async def test_boxes_and_sizes_are_drawn_apart(images: PageImages, pdf: Path) -> None:
    plain = await images.draw(pdf, 1, [], 1.0)
    marked = await images.draw(pdf, 1, [(50, 50, 100, 80)], 1.0)
    assert marked != plain and pymupdf.Pixmap(marked).pixel(60, 60) != pymupdf.Pixmap(plain).pixel(60, 60)
    assert width(await images.draw(pdf, 1, [], 2.0)) == 600


async def test_the_zoom_is_capped(images: PageImages, pdf: Path) -> None:
    assert width(await images.draw(pdf, 1, [], 1e9)) == 300 * MAX_ZOOM
    assert width(await images.draw(pdf, 1, [], 1e-9)) == 300 * MIN_ZOOM


async def test_what_is_kept_stays_within_its_limit(settings: ServerSettings, pdf: Path) -> None:
    size = len(await PageImages(settings).draw(pdf, 1, [], 1.0))
    images = PageImages(settings, kept_bytes=4 * size)
    first = await images.draw(pdf, 1, [], 1.0)
    for n in range(6):
        # The same image drawn twice at once must not count twice, or less and less would be kept.
        boxes = [(0.0, 0.0, 10.0 + n, 10.0)]
        drawn = await asyncio.gather(*(images.draw(pdf, 1, boxes, 1.0) for _ in range(2)))
        again = await images.draw(pdf, 1, boxes, 1.0)
        assert drawn[0] == drawn[1] and any(again is image for image in drawn)
    assert await images.draw(pdf, 1, [], 1.0) is not first


async def test_what_was_asked_for_lately_is_kept(settings: ServerSettings, pdf: Path) -> None:
    size = len(await PageImages(settings).draw(pdf, 1, [], 1.0))
    images = PageImages(settings, kept_bytes=4 * size)
    first = await images.draw(pdf, 1, [], 1.0)
    for n in range(6):
        await images.draw(pdf, 1, [(0.0, 0.0, 10.0 + n, 10.0)], 1.0)
        assert await images.draw(pdf, 1, [], 1.0) is first

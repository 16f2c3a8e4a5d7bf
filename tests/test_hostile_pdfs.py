"""Files that mean harm are read, or refused with a reason, within their limits; the server does not feel it."""

import asyncio
from dataclasses import asdict
from pathlib import Path

import pymupdf
import pytest

from database.documents import Reading
from database.errors import FileTooLarge, ReadError
from database.readers import DocumentReader
from database.readers.cache import PageCache, Range
from database.readers.opening import Facts
from database.readers.pdf import convert
from database.readers.pieces import MAX_PAGE_CHARS, MAX_PAGE_PIECES, Piece, RawPage, limit_page
from database.readers.render import MAX_PIXELS, render_page
from database.readers.reporting import describe_cut
from database.readers.worker import WorkerCrashed
from database.settings import IndexSettings
from tests import hostile_pdfs, pdfs
from tests.deep import DEEP

SLOW = {"read_timeout_s": 2.0, "read_memory_mb": 1024}


async def read(path: Path, **given: object) -> Reading | ReadError:
    """What becomes of a file; anything else than these two fails the test."""
    try:
        return await DocumentReader(IndexSettings.load(**{**SLOW, **given})).read(path, "0" * 64)
    except ReadError as error:
        return error


async def draw(path: Path) -> bytes | ReadError:
    try:
        return await render_page(path, 1, [(0, 0, 1e9, 1e9), (float("inf"), 0, 9, 9)], 3, IndexSettings.load(**SLOW))
    except ReadError as error:
        return error


def check(outcome: Reading | ReadError) -> None:
    if isinstance(outcome, ReadError):
        assert len(str(outcome)) < 500 and str(outcome).endswith("."), outcome
        return
    for page in outcome.pages:
        assert len(page.text) < 2 * MAX_PAGE_CHARS and "root:" not in page.text
        assert page.text == "".join(page.text[block.start : block.end] for block in page.blocks)


@pytest.mark.parametrize("name", hostile_pdfs.MADE)
async def test_a_file_that_means_harm(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(hostile_pdfs.MADE[name]())
    check(await read(path))
    image = await draw(path)
    if isinstance(image, bytes):
        drawn = pymupdf.Pixmap(image)
        assert drawn.width * drawn.height < 1.1 * MAX_PIXELS
    else:
        assert not isinstance(image, WorkerCrashed), "what is wrong with the page is told"


@pytest.mark.parametrize("files", [hostile_pdfs.list_cut, lambda: hostile_pdfs.list_flipped(24 * (1 + DEEP))])
async def test_files_that_were_harmed(files: object, tmp_path: Path) -> None:
    async def try_file(number: int, data: bytes) -> bool:
        path = tmp_path / f"{number}.pdf"
        await asyncio.to_thread(path.write_bytes, data)
        outcome = await read(path, data_dir=tmp_path / str(number))
        check(outcome)
        await draw(path)
        return isinstance(outcome, Reading)

    found = [await try_file(number, data) for number, (_, data) in enumerate(files())]  # type: ignore[operator]
    assert any(found), "what is left of some can be read"


async def test_more_pages_or_text_than_is_taken(tmp_path: Path) -> None:
    path = pdfs.make_pdf(tmp_path / "p.pdf", ["x"] * 3)
    reader = DocumentReader(IndexSettings.load(max_pages=2))
    for kept in ("1" * 64, "1" * 64):  # the second time from what the first kept of it
        with pytest.raises(FileTooLarge, match="3 pages, more than MAX_PAGES=2"):
            await reader.read(path, kept)
    with pytest.raises(FileTooLarge, match="MAX_PAGES=2"):
        await reader.look(path)
    path.write_bytes(hostile_pdfs.make_wordy(20))
    with pytest.raises(FileTooLarge, match="MAX_TEXT_MB=1"):
        await DocumentReader(IndexSettings.load(max_text_mb=1)).read_plain(path, "2" * 64)


async def test_more_text_than_is_taken_from_pages_that_are_kept(tmp_path: Path) -> None:
    reader = DocumentReader(IndexSettings.load(max_text_mb=1, data_dir=tmp_path))
    cache = PageCache(tmp_path / "pages" / ("4" * 64) / reader.fingerprint)
    cache.save_facts(asdict(Facts(2, "", False)))
    pages = tuple(RawPage(n, 9, 9, "text", (Piece("text", (0, 0, 1, 1), "é" * 300_000),)) for n in (1, 2))
    cache.save_range([1, 2], Range(pages))
    with pytest.raises(FileTooLarge, match="MAX_TEXT_MB=1"):
        await reader.read(tmp_path / "gone.pdf", "4" * 64)


def test_a_page_that_was_cut_says_so(tmp_path: Path) -> None:
    [page] = convert(pdfs.make_word_bomb(tmp_path / "b.pdf", depth=6), [1], "text", "")
    assert page.cut and sum(len(piece.text) for piece in page.pieces) <= MAX_PAGE_CHARS
    assert describe_cut([1]) == ["page 1: more text than a page may have; its end was left out"]
    assert describe_cut([1, 2]) == ["pages 1–2: more text than pages may have; their ends were left out"]
    assert describe_cut([]) == []


def test_a_page_goes_as_far_as_it_may() -> None:
    def page(*texts: str) -> RawPage:
        return RawPage(1, 9, 9, "text", tuple(Piece("text", (0, 0, 1, 1), text) for text in texts))

    half = "x" * (MAX_PAGE_CHARS // 2)
    assert limit_page(page(half, half)) == page(half, half)
    cut = limit_page(page(half, half + "y", "z"))
    assert cut.cut and [piece.text for piece in cut.pieces] == [half, half]
    many = limit_page(page(*"x" * (MAX_PAGE_PIECES + 1)))
    assert many.cut and len(many.pieces) == MAX_PAGE_PIECES


def test_the_corpus_is_the_same_every_time() -> None:
    names = [name for name, _ in hostile_pdfs.list_flipped()]
    assert len(names) == len(set(names)) == hostile_pdfs.FLIPS
    assert [*hostile_pdfs.list_flipped()] == [*hostile_pdfs.list_flipped()]

"""Real files through the reader: what comes out, what is said of the ones that cannot be read."""

import gzip
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pymupdf
import pytest

from database.documents import Block, Page, Reading
from database.errors import ReadError
from database.readers import WORKER_MB, DocumentReader, count_workers
from database.readers.pdf import TESSDATA
from database.readers.render import render_page
from database.readers.reporting import choose_title, name_pages
from database.readers.worker import _ZYGOTE
from database.settings import ROOT, IndexSettings
from tests import pdfs

HEADING_BLOCKS = (Block(0, 11, (0, 0, 9, 9), "section-header"), Block(11, 28, (0, 9, 9, 19), "title"))
HAS_PORTUGUESE = any((Path(folder) / "por.traineddata").is_file() for folder in TESSDATA)


def make_id(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


async def read(path: Path, **given: object) -> Reading:
    return await DocumentReader(IndexSettings.load(**given)).read(path, make_id(path))


def check_blocks(page: Page) -> None:
    assert "".join(page.text[block.start : block.end] for block in page.blocks) == page.text
    for x0, y0, x1, y1 in (block.box for block in page.blocks):
        assert -1 <= x0 < x1 <= page.width + 1 and -1 <= y0 < y1 <= page.height + 1


async def test_headings_and_text(tmp_path: Path) -> None:
    path = pdfs.make_pdf(tmp_path / "a.pdf", [f"Chapter one\n\n{pdfs.PARAGRAPH}", pdfs.PARAGRAPH], title="The keeper")
    reading = await read(path)
    assert (reading.title, reading.notes) == ("The keeper", ())
    assert [page.number for page in reading.pages] == [1, 2]
    first = reading.pages[0]
    assert first.text.startswith("# Chapter one\n\nThe lighthouse keeper")
    assert (first.made_by, first.width, first.height) == ("layout", 595, 842)
    assert first.blocks[0].box[1] < 90 < first.blocks[1].box[1]
    for page in reading.pages:
        check_blocks(page)


async def test_tables_keep_their_rows(tmp_path: Path) -> None:
    (page,) = (await read(pdfs.make_table(tmp_path / "t.pdf"))).pages
    assert "|Village|Apples|Pears|\n|---|---|---|\n|Aldeia|120|80|" in page.text
    assert [block.kind for block in page.blocks] == ["section-header", "table"]
    check_blocks(page)


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "no bytes": (lambda path: path.write_bytes(b""), "empty \\(0 bytes\\)"),
    "noise": (lambda path: path.write_bytes(bytes(range(256)) * 9), "something else, which cannot be read"),
    "old Word": (lambda path: path.write_bytes(bytes.fromhex("d0cf11e0a1b11ae1") + bytes(99)), "old or protected"),
    "zip": (lambda path: path.write_bytes(b"PK\x03\x04" + bytes(99)), "damaged and cannot be unpacked"),
    "svg": (lambda path: path.write_text("<svg xmlns='http://www.w3.org/2000/svg'/>"), "XML, which cannot be read"),
    "signature only": (lambda path: path.write_bytes(b"%PDF-1.7\n" + bytes(400)), "damaged and cannot be opened"),
    "no pages": (pdfs.make_empty, "has no pages"),
    "password": (lambda path: pdfs.make_encrypted(path, user="secret"), "Remove the password"),
    "cut to a tenth": (lambda path: pdfs.make_cut(path, 0.1), "damaged and cannot be opened"),
    "cut amid its pages": (lambda path: pdfs.make_cut(path, 0.16), "damaged and cannot be opened"),
    "damaged, without text": (pdfs.make_damaged, "damaged \\(cut off\\?\\) and no text"),
}


@pytest.mark.parametrize("kind", REFUSED)
async def test_files_that_cannot_be_read(kind: str, tmp_path: Path) -> None:
    make, message = REFUSED[kind]
    make(tmp_path / "file.pdf")
    with pytest.raises(ReadError, match=message) as caught:
        await read(tmp_path / "file.pdf")
    assert str(caught.value).count(". ") >= 1, "says what is wrong and what to do"


async def test_missing_and_large_files(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="No such file"):
        await DocumentReader(IndexSettings.load()).read(tmp_path / "gone.pdf", "0" * 64)
    (tmp_path / "large.pdf").write_bytes(b"%PDF-1.7" + bytes(1_100_000))
    with pytest.raises(ReadError, match="MAX_FILE_MB=1"):
        await read(tmp_path / "large.pdf", max_file_mb=1)


async def test_an_owner_password_does_not_matter(tmp_path: Path) -> None:
    (page,) = (await read(pdfs.make_encrypted(tmp_path / "o.pdf"))).pages
    assert "lighthouse keeper" in page.text


async def test_a_cut_file_gives_what_it_has_and_says_so(tmp_path: Path) -> None:
    reading = await read(pdfs.make_cut(tmp_path / "c.pdf", 0.5))
    made_by = [page.made_by for page in reading.pages]
    assert len(made_by) == 20 and made_by[0] != "nothing" and made_by[-1] == "nothing"
    count = sum(m != "nothing" for m in made_by)
    assert reading.notes == (
        f"the file is damaged; {count} of 20 pages gave text",
        f"pages {count + 1}–20 have no text (lost by the damage?)",
    )


@pytest.mark.parametrize("points", [14_400, 200_000])
async def test_giant_pages_are_read_as_text(points: int, tmp_path: Path) -> None:
    path = pdfs.make_pdf(tmp_path / "g.pdf", [pdfs.PARAGRAPH], size=(points, points))
    (page,) = (await read(path, read_memory_mb=1024)).pages
    assert page.made_by == "text" and "lighthouse keeper" in page.text


async def test_sideways_text_falls_back(tmp_path: Path) -> None:
    (page,) = (await read(pdfs.make_sideways(tmp_path / "s.pdf"))).pages
    assert page.made_by == "text" and page.text.count("lighthouse keeper") == 12
    check_blocks(page)


async def test_boxes_are_in_the_page_as_displayed(tmp_path: Path) -> None:
    (page,) = (await read(pdfs.make_rotated(tmp_path / "r.pdf"))).pages
    assert (page.width, page.height) == (600, 400)
    (corner,) = [block for block in page.blocks if "Corner" in page.text[block.start : block.end]]
    assert corner.box[0] > 500 and corner.box[1] > 280
    check_blocks(page)


async def test_arabic_gives_something(tmp_path: Path) -> None:
    (page,) = (await read(pdfs.make_arabic(tmp_path / "a.pdf"))).pages
    assert any("\u0600" <= c <= "\u06ff" or "\ufb50" <= c <= "\ufefc" for c in page.text)


async def test_a_huge_image_stays_within_the_memory_limit(tmp_path: Path) -> None:
    (page,) = (await read(pdfs.make_huge_image(tmp_path / "h.pdf"), read_memory_mb=1024)).pages
    assert "lighthouse keeper" in page.text


async def test_a_page_that_keeps_layout_busy_too_long_is_read_as_text(tmp_path: Path) -> None:
    path = pdfs.make_word_bomb(tmp_path / "b.pdf", depth=5)
    assert path.stat().st_size < 3_000
    await DocumentReader(IndexSettings.load()).warm_up()
    reading = await read(path, read_timeout_s=0.5)
    assert reading.pages[0].made_by == "text" and len(reading.pages[0].text.split()) > 29_000
    assert reading.notes == ("page 1: layout took over 5.5 s, plain text used",)


async def test_a_page_that_is_too_much_even_as_text_is_refused(tmp_path: Path) -> None:
    path = pdfs.make_word_bomb(tmp_path / "b.pdf", depth=9)
    await DocumentReader(IndexSettings.load()).warm_up()
    with pytest.raises(ReadError, match=r"page 1: layout took over 5\.5 s, and as plain text too: .*READ_TIMEOUT_S"):
        await read(path, read_timeout_s=0.5)


async def test_what_converts_is_loaded_before_it_is_needed() -> None:
    _ZYGOTE.close()
    await DocumentReader(IndexSettings.load()).warm_up()
    (zygote,) = [child for child in psutil.Process().children() if "zygote" in " ".join(child.cmdline())]
    assert {"pymupdf", "onnxruntime"} <= {part for file in zygote.memory_maps() for part in Path(file.path).parts}


async def test_not_being_ready_is_no_failure() -> None:
    _ZYGOTE.close()
    await DocumentReader(IndexSettings.load(read_timeout_s=0.01)).warm_up()


async def test_scans_are_named(tmp_path: Path) -> None:
    reading = await read(pdfs.make_scanned(tmp_path / "s.pdf", ["One", "Two"]))
    assert reading.notes == ("pages 1–2 have no text (scanned? set OCR=on)",)
    assert [(page.number, page.text, page.made_by) for page in reading.pages] == [
        (1, "", "nothing"),
        (2, "", "nothing"),
    ]


@pytest.mark.skipif(not HAS_PORTUGUESE, reason="needs the package tesseract-ocr-por")
async def test_scans_are_recognised(tmp_path: Path) -> None:
    path = pdfs.make_scanned(tmp_path / "s.pdf", ["A construção da fortaleza começou no século passado.", ""])
    reading = await read(path, ocr="on", ocr_language="por")
    assert "construção da fortaleza começou" in reading.pages[0].text
    assert [page.made_by for page in reading.pages] == ["ocr", "nothing"]
    assert reading.notes == ("page 2 has no text (OCR found none either)",)
    check_blocks(reading.pages[0])


async def test_ocr_without_its_data_says_what_to_install(tmp_path: Path) -> None:
    path = pdfs.make_scanned(tmp_path / "s.pdf", ["One"])
    with pytest.raises(ReadError, match="apt install tesseract-ocr-xyz"):
        await read(path, ocr="on", ocr_language="xyz")


async def test_progress_reaches_the_end(tmp_path: Path) -> None:
    path = pdfs.make_pdf(tmp_path / "p.pdf", ["x"] * 9)
    seen: list[tuple[int, int]] = []
    await DocumentReader(IndexSettings.load()).read(path, "0" * 64, lambda done, total: seen.append((done, total)))
    assert seen[-1] == (9, 9) and sorted(seen) == seen and len(seen) > 1


async def test_pages_are_cached_and_corrupt_entries_made_anew(tmp_path: Path) -> None:
    reader, name = DocumentReader(IndexSettings.load()), "1" * 64
    first = await reader.read(pdfs.make_table(tmp_path / "t.pdf"), name)
    (tmp_path / "t.pdf").unlink()
    assert await reader.read(tmp_path / "t.pdf", name) == first, "a second reading needs no conversion"

    pdfs.make_table(tmp_path / "t.pdf")
    for noise in (
        b"",
        b"noise",
        gzip.compress(b"{}"),
        gzip.compress(b'{"pages":[{}],"note":""}'),
        gzip.compress(b"x")[:-9],
    ):
        for entry in (tmp_path / "data" / "pages" / name / reader.fingerprint).iterdir():
            entry.write_bytes(noise)
        assert await reader.read(tmp_path / "t.pdf", name) == first


def test_importing_the_reader_is_cheap() -> None:
    code = "import sys, database.readers.render; print([m for m in sys.modules if m.startswith(('pymupdf', 'onnx'))])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout == "[]\n"


def test_fingerprint_names_what_decides_the_pages() -> None:
    off, on = (DocumentReader(IndexSettings.load(ocr=ocr)).fingerprint for ocr in ("off", "on"))
    assert off != on and pymupdf.VersionBind in off and "/" not in off + on


@pytest.mark.parametrize(
    ("given", "title"),
    [
        ("The keeper", "The keeper"),
        ("", "Annual report"),
        ("untitled", "Annual report"),
        ("Microsoft Word - draft", "Annual report"),
        ("report_final.docx", "Annual report"),
        ("12.07.2019", "Annual report"),
    ],
)
def test_titles(given: str, title: str, tmp_path: Path) -> None:
    page = Page(1, "## Notice\n\n# Annual report\n\n", "layout", blocks=HEADING_BLOCKS)
    assert choose_title(given, [page], tmp_path / "x.pdf") == title
    assert choose_title("", [], Path("regras_de-transição.pdf")) == "regras de transição"


def test_page_numbers_as_people_write_them() -> None:
    assert name_pages([4]) == "page 4"
    assert name_pages([3, 4, 5, 9, 11, 12]) == "pages 3–5, 9, 11–12"


async def test_a_page_is_drawn_with_its_passage_shaded(tmp_path: Path) -> None:
    path = pdfs.make_pdf(tmp_path / "a.pdf", [pdfs.PARAGRAPH])
    png = await render_page(path, 1, [(72, 400, 172, 500), (-50, 450, 122, 9000)], 2, IndexSettings.load())
    image = pymupdf.Pixmap(png)
    assert (image.width, image.height) == (1190, 1684)
    red, green, blue = image.pixel(240, 900)
    assert red == 255 and green > 200 and blue < 160
    assert image.pixel(700, 900) == (255, 255, 255)


async def test_text_stays_black_under_the_shade(tmp_path: Path) -> None:
    path = pdfs.make_rotated(tmp_path / "r.pdf")
    (page,) = (await read(path)).pages
    (box,) = [block.box for block in page.blocks if "Corner" in page.text[block.start : block.end]]
    image = pymupdf.Pixmap(await render_page(path, 1, [box], 2, IndexSettings.load()))
    x0, y0, x1, y1 = (round(2 * v) for v in box)
    inside = {image.pixel(x, y) for x in range(x0, x1) for y in range(y0, y1)}
    assert (0, 0, 0) in inside and (255, 255, 255) not in inside


@pytest.mark.parametrize("size", [(595, 842), (14_400, 14_400), (200_000, 200_000)])
async def test_a_drawing_has_at_most_four_megapixels(size: tuple[int, int], tmp_path: Path) -> None:
    path = pdfs.make_pdf(tmp_path / "a.pdf", [pdfs.PARAGRAPH], size=size)
    image = pymupdf.Pixmap(await render_page(path, 1, [], 50, IndexSettings.load()))
    assert 3_900_000 < image.width * image.height < 4_100_000


async def test_there_is_no_such_page(tmp_path: Path) -> None:
    path = pdfs.make_pdf(tmp_path / "a.pdf", [pdfs.PARAGRAPH])
    for number in (0, 2, -1):
        with pytest.raises(ReadError, match=f"no page {number}; the document has 1"):
            await render_page(path, number, [], 1, IndexSettings.load())


def test_as_many_workers_as_the_machine_can_bear() -> None:
    assert 1 <= count_workers() <= (os.cpu_count() or 1)
    assert count_workers() * WORKER_MB <= max(WORKER_MB, psutil.virtual_memory().total / 2**20)

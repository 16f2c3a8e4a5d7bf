"""Documents other than PDFs: how they are told apart, what sections they give, what hurts."""

import hashlib
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from database.documents import NOWHERE, Reading
from database.errors import ReadError
from database.formats import ENDINGS, FORMATS, find_start, find_text
from database.readers import DocumentReader
from database.readers.fingerprints import make_fingerprints
from database.readers.html import read_html
from database.readers.markdown import parse
from database.readers.pdf import TESSDATA
from database.readers.sections import MAX_CHARS, Limits, cut_sections, paragraph
from database.settings import IndexSettings
from tests import office, pdfs

HAS_PORTUGUESE = any((Path(folder) / "por.traineddata").is_file() for folder in TESSDATA)
LIMITS = Limits(1, 1000, 1)


async def read(path: Path, **given: object) -> Reading:
    return await DocumentReader(IndexSettings.load(**given)).read(path, make_id(path))


def make_id(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def texts(reading: Reading) -> list[str]:
    assert [page.number for page in reading.pages] == list(range(1, len(reading.pages) + 1))
    assert all(block.box == NOWHERE for page in reading.pages for block in page.blocks)
    return [page.text.strip() for page in reading.pages]


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1"])
async def test_a_web_page_gives_its_main_part(charset: str, tmp_path: Path) -> None:
    reading = await read(office.make_html(tmp_path / "page.aspx", charset))
    assert (reading.format, reading.title, reading.notes) == ("html", "O farol da ilha", ())
    first, second = texts(reading)
    assert first.startswith("# O farol\n\nO farol da ilha guia os navios que passam à noite")
    assert second.startswith("## Construção\n\nA torre foi construída em 1887 por Amélia Duarte")
    assert "- Pedra\n  - granito\n- Vidro" in second and "|Ano|Visitas|\n|---|---|\n|1901|1.250|" in second
    assert not any(word in first + second for word in ("Ajuda", "direitos", "1999"))


async def test_markdown_keeps_code_and_tables(tmp_path: Path) -> None:
    reading = await read(office.make_markdown(tmp_path / "m.md"))
    assert (reading.format, reading.title) == ("markdown", "Manual da colheita")
    first, second = texts(reading)
    assert first == "# Maçãs\n\nA aldeia colheu 95 toneladas de maçãs em 2021."
    assert second == (
        "## Colmeias\n\n```sh\n # não é título\ncontar --colmeias\n```\n\n|Mês|Colmeias|\n|---|---|\n|maio|310|"
    )


async def test_text_in_older_encodings(tmp_path: Path) -> None:
    reading = await read(office.make_text(tmp_path / "acta.txt"))
    assert (reading.format, reading.title) == ("text", "acta")
    (section,) = texts(reading)
    assert section.startswith("Acta da sessão\n\nA Câmara aprovou a construção") and "\n # não é título" in section
    (tmp_path / "u16.txt").write_text("Decisão tomada", encoding="utf-16")
    assert texts(await read(tmp_path / "u16.txt")) == ["Decisão tomada"]


@pytest.mark.parametrize("charset", ["zlib_codec", "rot13", "idna", "undefined", "no-such-one"])
async def test_a_page_may_name_what_is_no_encoding_of_text(charset: str, tmp_path: Path) -> None:
    page = f'<html><meta charset="{charset}"><body><p>Decisão tomada na sessão.</p></body></html>'
    (tmp_path / "p.html").write_text(page, encoding="cp1252")
    assert texts(await read(tmp_path / "p.html")) == ["Decisão tomada na sessão."]


async def test_csv_repeats_its_header(tmp_path: Path) -> None:
    reading = await read(office.make_csv(tmp_path / "c.csv"))
    parts = texts(reading)
    assert reading.format == "csv" and len(parts) >= 4
    assert all(part.startswith("|Região|Mês|Maçãs (t)|\n|---|---|---|\n|Região ") for part in parts)
    rows = [line for part in parts for line in part.split("\n")[2:]]
    assert rows == [f"|Região {n}|{n % 12 + 1}|{n},5|" for n in range(400)]


async def test_word_keeps_headings_lists_and_merged_cells(tmp_path: Path) -> None:
    reading = await read(office.make_docx(tmp_path / "c.docx"))
    assert (reading.format, reading.title) == ("docx", "Contrato de arrendamento")
    first, second = texts(reading)
    assert first.startswith("# Contrato\n\n# Renda\n\nA renda mensal é de 850 euros")
    assert "- água incluída\n- luz à parte" in first and "|Mês|Valor|Valor|\n|---|---|---|\n|maio|850|pago|" in first
    assert second == "# Prazo\n\nO contrato dura trinta meses."


async def test_slides_with_notes_tables_and_charts(tmp_path: Path) -> None:
    reading = await read(office.make_pptx(tmp_path / "s.pptx"))
    assert (reading.format, reading.title) == ("pptx", "Resultados do cidreiro")
    assert texts(reading) == [
        "# Vendas de cidra\n\n- As vendas cresceram 12%\n- Os custos caíram\n\nNotes: Agradecer à aldeia",
        "# Barris\n\n|Adega|Barris|\n|---|---|\n|Norte|77|\n\n||Litros|\n|---|---|\n|2021|1500|\n|2022|1730|",
        "",
    ]
    assert reading.notes == ("slide 3 has no text (pictures only?)",)


async def test_sheets_keep_rows_under_their_headers(tmp_path: Path) -> None:
    reading = await read(office.make_xlsx(tmp_path / "v.xlsx"))
    parts = texts(reading)
    header = "|Talhão|2022 Maçãs|2022 Peras|Data|Quota|\n|---|---|---|---|---|\n"
    assert (reading.format, reading.title, reading.notes) == ("xlsx", "v", ())
    assert parts[0].startswith(f"# Colheita\n\nColheita da aldeia de Serra\n\n{header}|T0|0|0|2022-09-01|12.5%|")
    assert parts[1].startswith(f"# Colheita\n\n{header}|T") and "|T149|149|223.5|2022-09-10|12.5%|" in parts[1]
    assert parts[-1] == "# Abelhas\n\n|Colmeia|Mel|\n|---|---|\n|C1|33|" and "segredo" not in "".join(parts)


async def test_formulas_without_values_are_told(tmp_path: Path) -> None:
    path = office.make_xlsx(tmp_path / "v.xlsx", rows=1)
    import openpyxl

    book = openpyxl.load_workbook(path)
    book["Abelhas"]["B3"] = "=B2*2"
    book.save(path)
    assert (await read(path)).notes[0].startswith("1 formulas have no saved value")


@pytest.mark.skipif(not HAS_PORTUGUESE, reason="tesseract-ocr-por is not installed")
async def test_a_picture_is_read_by_ocr(tmp_path: Path) -> None:
    path = office.make_scan(tmp_path / "scan.png")
    without = await read(path, data_dir=tmp_path / "off")
    assert without.notes == ("page 1 has no text (an image: set OCR=on and load it again)",)
    reading = await read(path, ocr="on", ocr_language="por")
    (page,) = reading.pages
    assert (reading.format, page.made_by) == ("image", "ocr") and max(page.width, page.height) == 842
    assert "aprovou o orçamento de" in page.text and "350 mil reais" in page.text
    assert all(block.box != NOWHERE for block in page.blocks)


def test_fingerprints_of_pdfs_are_those_of_before() -> None:
    """Or every index that exists would be read again."""
    import importlib.metadata as metadata

    made = make_fingerprints(IndexSettings.load())
    versions = "_".join(f"{name}-{metadata.version(name)}" for name in ("pymupdf", "pymupdf4llm"))
    assert made["pdf"] == f"reader-3_{versions}_ocr-off" and len(set(made.values())) == len(FORMATS)


@pytest.mark.parametrize(
    ("text", "name", "found"),
    [
        ("<!doctype html><p>x", "a.md", "html"),
        ("<div>x</div>", "page.php", "html"),
        ("<div>x</div>", "notes.md", "markdown"),
        ("a,b", "a.CSV", "csv"),
        ("a,b", "a.pdf", "text"),
        ("plain", "a.html", "text"),
    ],
)
def test_names_only_tell_kinds_of_text_apart(text: str, name: str, found: str) -> None:
    assert find_start(text.encode()) == "text" and find_text(text, name) == found


def test_every_ending_is_told_once() -> None:
    assert len(ENDINGS) == sum(len(known.endings) for known in FORMATS.values())


@given(st.lists(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=5000), max_size=8))
def test_sections_lose_no_letter(paragraphs: list[str]) -> None:
    pages = cut_sections([paragraph(text) for text in paragraphs], Limits(1, 10_000, 10))
    letters = [
        "".join(text.split()) for text in ("".join(paragraphs), "".join(p.text for s in pages for p in s.pieces))
    ]
    assert letters[0] == letters[1]
    assert all(sum(len(p.text) for p in section.pieces) <= MAX_CHARS + 2 * len(paragraphs) for section in pages)


BILLION = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
OUTSIDE = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'


def define(doctype: bytes) -> Callable[[bytes], bytes]:
    return lambda data: doctype + data[data.index(b"?>") + 2 :]


def make_deep_docx(path: Path) -> Path:
    """Tables in tables, 5,000 of them."""
    inner = b"<w:tbl><w:tr><w:tc>" * 5000 + b"<w:p/>" + b"</w:tc></w:tr></w:tbl>" * 5000
    return office.replace_member(
        office.make_docx(path), "word/document.xml", lambda data: data.replace(b"<w:body>", b"<w:body>" + inner, 1)
    )


def make_bomb(path: Path) -> Path:
    """A sheet of some kilobytes that would be 800 megabytes, which are never in memory together."""
    with zipfile.ZipFile(office.make_xlsx(path, rows=1)) as package:
        members = {name: package.read(name) for name in package.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for name, data in members.items():
            with package.open(name, "w") as member:
                member.write(data)
                for _ in range(800 if name == "xl/worksheets/sheet1.xml" else 0):
                    member.write(b" " * (1 << 20))
    return path


def make_png(path: Path, width: int, height: int) -> Path:
    """A picture that says it has so many pixels, and has none."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(1000))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))
    return path


def make_renamed(path: Path) -> Path:
    """A document that calls its text by another ending, and defines entities in it."""
    office.replace_member(office.make_docx(path), "word/document.xml", define(BILLION))
    with zipfile.ZipFile(path) as package:
        members = {info.filename: package.read(info) for info in package.infolist()}
    renamed = {name.replace("document.xml", "document.bin"): data for name, data in members.items()}
    for name in ("[Content_Types].xml", "_rels/.rels", "word/_rels/document.bin.rels"):
        renamed[name] = renamed[name].replace(b"word/document.xml", b"word/document.bin")
    return office.make_zip(path, renamed)


HOSTILE: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "billion laughs": (
        "a.docx",
        lambda path: office.replace_member(office.make_docx(path), "word/document.xml", define(BILLION)),
        "defines XML entities",
    ),
    "other files": (
        "a.pptx",
        lambda path: office.replace_member(office.make_pptx(path), "ppt/slides/slide1.xml", define(OUTSIDE)),
        "defines XML entities",
    ),
    "another ending": ("a.docx", make_renamed, "defines XML entities"),
    "zip bomb": ("a.xlsx", make_bomb, "more than 768 MB"),
    "deep": ("a.docx", make_deep_docx, "nested too deeply|damaged"),
    "many parts": ("a.zip", lambda path: office.make_zip(path, {f"{n}": b"" for n in range(20_001)}), "20000 parts"),
    "another zip": ("a.docx", lambda path: office.make_zip(path, {"a.txt": b"x"}), "no Office document"),
    "cut off": ("a.xlsx", lambda path: path.write_bytes(office.make_xlsx(path).read_bytes()[:3000]), "unpacked"),
    "many pixels": ("a.png", lambda path: make_png(path, 50_000, 50_000), "50000 × 50000 pixels"),
    "a long picture": ("a.png", lambda path: make_png(path, 90_000_000, 1), "in a row"),
    "a picture cut off": ("a.png", lambda path: make_png(path, 90, 90), "damaged"),
    "many rows": ("a.csv", lambda path: office.make_csv(path, 60_000), "MAX_PAGES=100"),
    "quotes": ("a.csv", lambda path: path.write_text('a,b\n"' + "x" * (2 << 20)), "cannot be told apart"),
}


@pytest.mark.parametrize("kind", HOSTILE)
async def test_what_hurts_is_refused(kind: str, tmp_path: Path) -> None:
    name, make, message = HOSTILE[kind]
    make(tmp_path / name)
    before = psutil.Process().memory_info().rss
    with pytest.raises(ReadError, match=message) as caught:
        await read(tmp_path / name, max_pages=100)
    assert str(caught.value).count(". ") >= 1, "says what is wrong and what to do"
    assert psutil.Process().memory_info().rss - before < 100 << 20


async def test_a_web_page_of_a_hundred_thousand_levels(tmp_path: Path) -> None:
    (tmp_path / "deep.html").write_text("<!doctype html><p>Antes</p>" + "<div>" * 100_000 + "fundo")
    assert "Antes" in texts(await read(tmp_path / "deep.html"))[0]


def test_a_table_that_spans_without_end() -> None:
    row = "<tr>" + "<td colspan=1000 rowspan=1000>x</td>" * 50 + "</tr>"
    (section, *_) = read_html(f"<html><body><table>{row * 200}</table>", Limits(1, 10_000, 64)).pages
    assert section.pieces


def test_a_rule_under_a_paragraph_is_no_heading_of_a_table() -> None:
    pieces = list(parse("a | b\n---|---\n1 | 2\n\ntexto\n---\n\n***\n"))
    assert [piece.kind for piece in pieces][:2] == ["table", "section-header"]


async def test_animations_and_rotated_photos(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (40, 20), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert len((await read(tmp_path / "a.gif")).pages) == 1
    frames[0].save(tmp_path / "a.tiff", save_all=True, append_images=frames[1:])
    assert len((await read(tmp_path / "a.tiff")).pages) == 2
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90°
    frames[0].save(tmp_path / "a.jpg", exif=exif)
    reader = DocumentReader(IndexSettings.load())
    assert (await reader.look(tmp_path / "a.jpg")).format == "image"
    from database.readers.opening import open_document

    with open_document(tmp_path / "a.jpg") as document:
        assert document[0].rect.width < document[0].rect.height


async def test_a_pdf_is_read_as_ever_whatever_it_is_called(tmp_path: Path) -> None:
    reading = await read(pdfs.make_pdf(tmp_path / "a.txt", ["Uma página"]))
    assert (reading.format, len(reading.pages)) == ("pdf", 1)


def test_comments_without_end_are_told_from_a_web_page_at_once() -> None:
    """Whoever tries every way to cut them into comments never ends, and holds up the whole server."""
    assert find_start(b"<!---->" * 100 + b"%PDF-") == "pdf"
    assert find_start(b"<!-- a --> <!---->" * 20 + b"<html>%PDF-") == "text"

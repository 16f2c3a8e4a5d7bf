"""Builders of small PDFs for tests, the troublesome kinds included. Each writes and returns a path."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pymupdf

PARAGRAPH = (
    "The lighthouse keeper writes the weather into a book every evening. "
    "He notes the wind, the height of the waves and the ships that pass."
)


def make_pdf(path: Path, pages: Sequence[str], title: str = "", size: tuple[float, float] = (595, 842)) -> Path:
    """One page for each text; the first line of a text that has several stands in large type."""
    document = pymupdf.open()
    for text in pages:
        page = document.new_page(width=size[0], height=size[1])
        heading, _, body = text.rpartition("\n\n")
        if heading:
            page.insert_text((72, 90), heading, fontsize=20, fontname="hebo")
        page.insert_textbox(pymupdf.Rect(72, 120, size[0] - 72, size[1] - 72), body, fontsize=11)
    document.set_metadata({"title": title})
    return _save(document, path)


def make_table(path: Path, **options: Any) -> Path:
    """A page with a ruled table of three columns and four rows."""
    document = pymupdf.open()
    page = document.new_page()
    page.insert_text((72, 90), "Harvest by village", fontsize=18, fontname="hebo")
    rows = [("Village", "Apples", "Pears"), ("Aldeia", "120", "80"), ("Serra", "95", "60"), ("Vale", "130", "75")]
    for y, row in enumerate(rows):
        for x, cell in enumerate(row):
            box = pymupdf.Rect(72 + 130 * x, 120 + 24 * y, 202 + 130 * x, 144 + 24 * y)
            page.draw_rect(box)
            page.insert_text((box.x0 + 6, box.y0 + 16), cell, fontsize=11)
    return _save(document, path, **options)


def make_encrypted(path: Path, user: str = "", owner: str = "owner") -> Path:
    """Encrypted; a `user` password is needed to open it, `owner` alone only forbids things."""
    document = pymupdf.open()
    document.new_page().insert_textbox(pymupdf.Rect(72, 90, 520, 400), PARAGRAPH)
    return _save(document, path, encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw=user, owner_pw=owner)


def make_empty(path: Path) -> Path:
    """A well-formed PDF of zero pages."""
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[]/Count 0>>"]
    return _write_objects(path, objects)


def make_damaged(path: Path) -> Path:
    """A PDF whose table of objects is lost, and whose one page is empty."""
    make_pdf(path, [""])
    path.write_bytes(path.read_bytes().replace(b"startxref", b"startxxxx"))
    return path


def make_cut(path: Path, keep: float) -> Path:
    """A PDF of 20 pages of which only the first `keep` share of bytes is left. The pages come
    first and their texts last, so that a cut leaves pages without text."""
    kids = b" ".join(b"%d 0 R" % (n + 4) for n in range(20))
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[" + kids + b"]/Count 20/MediaBox[0 0 595 842]>>",
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    for n in range(20):
        objects.append(b"<</Type/Page/Parent 2 0 R/Resources<</Font<</T 3 0 R>>>>/Contents %d 0 R>>" % (n + 24))
    lines = b" ".join(b"(%s) Tj 0 -14 Td" % PARAGRAPH[i : i + 60].encode() for i in range(0, 120, 60))
    for n in range(20):
        objects.append(_stream(b"", b"BT /T 11 Tf 72 700 Td (Page %d of the book.) Tj 0 -14 Td %s ET" % (n + 1, lines)))
    data = _write_objects(path, objects).read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    return path


def make_sideways(path: Path) -> Path:
    """Text that runs from bottom to top on an upright page."""
    document = pymupdf.open()
    page = document.new_page()
    for line in range(12):
        page.insert_text((120 + 20 * line, 760), PARAGRAPH[:90], fontsize=11, rotate=90)
    return _save(document, path)


def make_rotated(path: Path) -> Path:
    """A page with /Rotate 90: stored upright, displayed on its side, one word near a stored corner."""
    document = pymupdf.open()
    page = document.new_page(width=400, height=600)
    page.insert_text((300, 40), "Corner", fontsize=14)
    page.insert_textbox(pymupdf.Rect(40, 300, 360, 560), PARAGRAPH)
    page.set_rotation(90)
    return _save(document, path)


def make_scanned(path: Path, texts: Sequence[str]) -> Path:
    """Pages that are pictures of text, as a scanner makes them; an empty text is an empty page."""
    document = pymupdf.open()
    for text in texts:
        with pymupdf.open() as drawn:
            source = drawn.new_page()
            source.insert_textbox(pymupdf.Rect(60, 60, 540, 780), text, fontsize=14)
            picture = source.get_pixmap(dpi=150)
        page = document.new_page()
        page.insert_image(page.rect, pixmap=picture)
    return _save(document, path)


def make_huge_image(path: Path, pixels: int = 8_000) -> Path:
    """A line of text above an image of `pixels` squared."""
    document = pymupdf.open()
    page = document.new_page()
    page.insert_text((72, 60), PARAGRAPH[:60])
    picture = pymupdf.Pixmap(pymupdf.csGRAY, pymupdf.IRect(0, 0, pixels, pixels))
    picture.clear_with(180)
    page.insert_image(pymupdf.Rect(72, 100, 520, 548), pixmap=picture)
    return _save(document, path, deflate=True)


def make_word_bomb(path: Path, depth: int = 4, fan: int = 10) -> Path:
    """A few kilobytes that draw fan**(depth - 1) lines of three words all over one page, by forms
    within forms."""
    forms = []
    for level in range(depth):
        step = 60 / fan ** (level // 2)
        shifts = [(i * step, 0) if level % 2 else (0, i * step) for i in range(fan)]
        child = "".join(f"q 1 0 0 1 {x:g} {y:g} cm /F{level + 1} Do Q " for x, y in shifts)
        last = "BT /T 3 Tf 9 99 Td (one two three) Tj ET"
        forms.append((child if level + 1 < depth else last).encode())
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</XObject<</F0 6 0 R>>>>>>",
        _stream(b"", b"/F0 Do"),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    for level, content in enumerate(forms):
        inner = f"/XObject<</F{level + 1} {level + 7} 0 R>>" if level + 1 < depth else ""
        head = f"/Type/XObject/Subtype/Form/BBox[0 0 595 842]/Resources<</Font<</T 5 0 R>>{inner}>>"
        objects.append(_stream(head.encode(), content))
    return _write_objects(path, objects)


def make_arabic(path: Path) -> Path:
    """A page of Arabic, right to left."""
    document = pymupdf.open()
    page = document.new_page()
    page.insert_htmlbox(pymupdf.Rect(72, 72, 520, 400), '<p dir="rtl" style="font-size:16px">القلعة تطل على البحر</p>')
    return _save(document, path)


def _save(document: Any, path: Path, **options: Any) -> Path:
    document.save(path, **options)
    document.close()
    return path


def _stream(head: bytes, content: bytes) -> bytes:
    return b"<<" + head + b"/Length %d>>stream\n" % len(content) + content + b"\nendstream"


def _write_objects(path: Path, objects: Sequence[bytes]) -> Path:
    """A PDF file of these objects (numbered from 1; the first is the catalogue)."""
    data, offsets = bytearray(b"%PDF-1.7\n"), []
    for number, content in enumerate(objects, 1):
        offsets.append(len(data))
        data += b"%d 0 obj\n" % number + content + b"\nendobj\n"
    start = len(data)
    data += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    data += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    data += b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    path.write_bytes(data)
    return path

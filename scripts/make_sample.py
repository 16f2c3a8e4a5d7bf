"""Make pdf/guia-do-acervo.pdf from docs/guide/: the document that answers the first question.

The same text gives the same bytes, so a changed PDF in a commit means changed words. Each stretch
between `<!-- page -->` marks is one page, and a page that does not fit is an error: citations of
the guide should not wander when a sentence is added.
"""

import io
from pathlib import Path

import pymupdf
from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parent.parent
SOURCES = (ROOT / "docs/guide/guide.pt.md", ROOT / "docs/guide/guide.en.md")
TARGET = ROOT / "pdf/guia-do-acervo.pdf"
TITLE = "Guia do Acervo / A short guide to Acervo"
WRITTEN = "D:20250101000000Z"

PAPER = pymupdf.Rect(0, 0, 595, 842)
TEXT = pymupdf.Rect(72, 64, 523, 786)
CSS = """
body { margin: 0; font-family: sans-serif; font-size: 12pt; line-height: 1.45; color: #1f2328; }
h1 { font-size: 23pt; color: #123a5c; margin: 0 0 8pt 0; }
h2 { font-size: 14.5pt; color: #123a5c; margin: 15pt 0 4pt 0; }
p { margin: 0 0 6pt 0; }
ul { margin: 0 0 6pt 0; }
li { margin: 0 0 3pt 0; }
code { font-family: monospace; font-size: 10.5pt; color: #7a2e0e; }
pre { margin: 4pt 0 8pt 14pt; font-family: monospace; font-size: 11.5pt; }
"""


def read_pages() -> list[str]:
    """The Markdown of each page, in order."""
    return [page.strip() for path in SOURCES for page in path.read_text("utf-8").split("<!-- page -->")]


def draw(pages: list[str]) -> pymupdf.Document:
    """A document with one page for each text; raises `ValueError` for a text that is too long."""
    output = io.BytesIO()
    writer = pymupdf.DocumentWriter(output)
    for number, text in enumerate(pages, 1):
        story = pymupdf.Story(MarkdownIt().render(text), user_css=CSS)
        device = writer.begin_page(PAPER)
        more, _ = story.place(TEXT)
        if more:
            raise ValueError(f"page {number} of the guide is too long; shorten it or add a <!-- page --> mark")
        story.draw(device)
        writer.end_page()
    writer.close()
    return pymupdf.open("pdf", output.getvalue())


def finish(document: pymupdf.Document, pages: list[str]) -> bytes:
    """Add page numbers, outline and fixed metadata; return the file."""
    for number, page in enumerate(document, 1):
        page.insert_text((72, 812), f"Acervo · {number}", fontsize=8.5, color=(0.4, 0.45, 0.5))
    document.set_toc(
        [
            (len(line) - len(line.lstrip("#")), line.lstrip("# "), number)
            for number, text in enumerate(pages, 1)
            for line in text.splitlines()
            if line.startswith("#")
        ]
    )
    document.set_metadata(
        {"title": TITLE, "author": "Acervo", "creationDate": WRITTEN, "modDate": WRITTEN, "producer": "PyMuPDF"}
    )
    return bytes(document.tobytes(garbage=4, deflate=True, no_new_id=True))


def make_sample() -> bytes:
    """The whole guide as a PDF file."""
    pages = read_pages()
    with draw(pages) as document:
        return finish(document, pages)


if __name__ == "__main__":
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_bytes(make_sample())

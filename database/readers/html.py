"""Web pages to sections: their main content, without what surrounds it on every page of a site."""

import importlib
from pathlib import Path
from typing import Any

from database.errors import Damaged
from database.readers import decoding
from database.readers.markup import find_pieces
from database.readers.sections import Limits, Sections, cut_sections

MIN_CHARS = 200
"""Less main content than this is doubted."""
MIN_SHARE = 0.3
"""And then thrown away for the whole page, unless it is so much of that."""


def preload() -> None:
    """Import what reads web pages."""
    decoding.preload()
    importlib.import_module("trafilatura")
    importlib.import_module("lxml.html")


def read(path: Path, limits: Limits) -> Sections:
    """The sections of a web page. Raises `ReadError`."""
    return read_html(decoding.read_text(path, limits.max_text_mb), limits)


def read_html(text: str, limits: Limits) -> Sections:
    """The sections of HTML, of its main content where that can be told."""
    whole = parse_html(text)
    title = " ".join((whole.findtext(".//title") or "").split())
    pieces = list(find_pieces(whole))
    main = _extract_main(whole)
    if main is not None:
        found = list(find_pieces(main))
        size, all_of_it = (sum(len(piece.text) for piece in each) for each in (found, pieces))
        if found and (size >= MIN_CHARS or size >= MIN_SHARE * all_of_it):
            pieces = found
    return Sections(title, cut_sections(pieces, limits), [])


def parse_html(text: str) -> Any:
    """The root of the tree. Raises `Damaged` when there is none. What is too deep for lxml is left out."""
    html: Any = importlib.import_module("lxml.html")
    etree: Any = importlib.import_module("lxml.etree")
    parser = html.HTMLParser(encoding="utf-8", no_network=True)
    try:
        root = html.document_fromstring(text.encode(errors="replace"), parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError):
        raise Damaged("There is no text in this web page. Save it again from a browser.") from None
    return root


def _extract_main(whole: Any) -> Any:
    """The tree of the main content, or None when there is none; `whole` is used up."""
    trafilatura: Any = importlib.import_module("trafilatura")
    etree: Any = importlib.import_module("lxml.etree")
    for cell in whole.iter("td", "th"):
        for name in ("colspan", "rowspan"):
            if len(cell.get(name, "")) > 1:
                del cell.attrib[name]  # made to hurt, or by mistake: the extractor would fill in every cell
    try:
        found = trafilatura.extract(
            whole,
            output_format="html",
            include_comments=False,
            include_tables=True,
            include_formatting=True,
            include_links=False,
            favor_recall=True,
        )
    except (ValueError, TypeError, AttributeError, KeyError, IndexError, RecursionError, etree.Error):
        return None  # it stumbles over some pages; the whole page is there still
    return parse_html(found) if found else None

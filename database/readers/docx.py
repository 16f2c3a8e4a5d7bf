"""Word documents to sections: headings, lists, tables, footnotes; pictures are left out."""

import importlib
from pathlib import Path
from typing import Any

from database.errors import Damaged
from database.readers.html import parse_html
from database.readers.markup import find_pieces
from database.readers.packages import open_package
from database.readers.sections import Limits, Sections, cut_sections

STYLES = "p[style-name='Title'] => h1:fresh\np[style-name='Subtitle'] => h2:fresh"
CORE = "docProps/core.xml"
MAX_CORE = 1 << 20
_TITLE = "{http://purl.org/dc/elements/1.1/}title"
_TOO_DEEP = "Its parts are nested too deeply. Save it again with Word or LibreOffice, or export it as PDF."


def preload() -> None:
    """Import what reads Word documents."""
    importlib.import_module("mammoth")
    importlib.import_module("lxml.html")


def read(path: Path, limits: Limits) -> Sections:
    """The sections of a .docx. Raises `ReadError`."""
    with open_package(path) as package:
        title = _read_title(package)
    html = f"<html><body>{_to_html(path)}</body></html>"
    return Sections(title, cut_sections(find_pieces(parse_html(html)), limits), [])


def _to_html(path: Path) -> str:
    mammoth: Any = importlib.import_module("mammoth")
    try:
        with path.open("rb") as file:
            converted = mammoth.convert_to_html(
                file, style_map=STYLES, convert_image=mammoth.images.img_element(lambda image: {})
            )
    except RecursionError:
        raise Damaged(_TOO_DEEP) from None
    except (KeyError, ValueError, AttributeError, TypeError, IndexError, OSError, _find_expat_error()):
        raise Damaged("It is damaged and cannot be opened. Save it again with Word or LibreOffice.") from None
    return str(converted.value)


def _find_expat_error() -> type[Exception]:
    error: type[Exception] = importlib.import_module("xml.parsers.expat").ExpatError
    return error


def _read_title(package: Any) -> str:
    if CORE not in package.namelist():
        return ""
    etree: Any = importlib.import_module("lxml.etree")
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    with package.open(CORE) as file:
        try:
            root = etree.fromstring(file.read(MAX_CORE), parser)
        except etree.XMLSyntaxError:
            return ""
    return (root.findtext(f".//{_TITLE}") or "").strip()

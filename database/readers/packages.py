"""Office documents are zips of XML: which kind one is, and whether it may be unpacked, inside a worker process.

Nothing is believed that a zip says of itself: zipfile never gives more bytes than an entry claims
to have, so what all claim together is limited; and no part may define entities, with which a few
bytes of XML become gigabytes, or other files are asked for.
"""

import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from xml.parsers import expat

from database.errors import Damaged, FileTooLarge, WrongFormat
from database.formats import LOADABLE

MAX_ENTRIES = 20_000
MAX_UNPACKED_MB = 1024
MAX_PART_MB = {"docx": 96, "pptx": 96, "xlsx": 768}
"""XML of one document. Word's is held as a whole, at many times its size; a sheet is read row by row."""
TYPES = "[Content_Types].xml"
MAX_TYPES = 1 << 20

_KINDS = {
    "docx": re.compile(rb"wordprocessingml\.document\.main\+xml|ms-word\.document\.macroEnabled\.main\+xml"),
    "pptx": re.compile(
        rb"presentationml\.presentation\.main\+xml|ms-powerpoint\.presentation\.macroEnabled\.main\+xml"
    ),
    "xlsx": re.compile(rb"spreadsheetml\.sheet\.main\+xml|ms-excel\.sheet\.macroEnabled\.main\+xml"),
}
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, ValueError, KeyError, OSError)
_DAMAGED = "It is damaged and cannot be unpacked. Copy or download the file again."
_BLOCK = 1 << 16
_BLANKS = b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n"
"""What may stand before XML: marks of encodings, the halves of wide characters, white space."""


def find_format(path: Path) -> str:
    """Which format a zip is, when it may be unpacked. Raises `ReadError`."""
    with open_package(path) as package:
        names = {info.filename for info in package.infolist()}
        if TYPES not in names:
            raise WrongFormat(f"It is a ZIP archive that is no Office document. These can be loaded: {LOADABLE}.")
        with package.open(TYPES) as file:
            types = file.read(MAX_TYPES)
        kind = next((kind for kind, pattern in _KINDS.items() if pattern.search(types)), "")
        if not kind:
            raise WrongFormat(f"It is an Office document of another kind. These can be loaded: {LOADABLE}.")
        _check_parts(package, kind)
    return kind


@contextmanager
def open_package(path: Path) -> Iterator[zipfile.ZipFile]:
    """A zip that may be unpacked as a whole. Raises `ReadError`, also for what goes wrong inside the block."""
    try:
        with zipfile.ZipFile(path) as package:
            entries = package.infolist()
            if len(entries) > MAX_ENTRIES or sum(info.file_size for info in entries) > MAX_UNPACKED_MB << 20:
                raise FileTooLarge(
                    f"Unpacked it has more than {MAX_UNPACKED_MB} MB or {MAX_ENTRIES} parts, which no document needs."
                    " Take large pictures out of it, or export it as PDF."
                )
            yield package
    except _BROKEN:
        raise Damaged(_DAMAGED) from None


def _check_parts(package: zipfile.ZipFile, kind: str) -> None:
    parts = [info for info in package.infolist() if _is_text(package, info)]
    if any(info.flag_bits & 1 for info in parts):
        raise Damaged("Its parts are protected by a password. Remove it and load the file again.")
    if sum(info.file_size for info in parts) > MAX_PART_MB[kind] << 20:
        raise FileTooLarge(f"Unpacked its text has more than {MAX_PART_MB[kind]} MB. Split it, or export it as PDF.")
    for info in parts:
        with package.open(info) as file:
            if _defines_types(file):
                raise Damaged("It defines XML entities, which no Office program writes. Save it again with one.")


def _is_text(package: zipfile.ZipFile, info: zipfile.ZipInfo) -> bool:
    """Whether a part is XML, whatever its name: other parts name those that are read."""
    if info.filename.lower().endswith((".xml", ".rels", ".vml")) or info.flag_bits & 1:
        return True
    with package.open(info) as file:
        return file.read(_BLOCK).lstrip(_BLANKS).startswith(b"<")


def _defines_types(file: IO[bytes]) -> bool:
    """Whether a document type comes before the first element: only there it may."""
    found: list[bool] = []
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = lambda *_: found.append(True)
    parser.StartElementHandler = lambda *_: found.append(False)
    while block := file.read(_BLOCK):
        try:
            parser.Parse(block, False)
        except expat.ExpatError:
            return bool(found) and found[0]
        if found:
            return found[0]
    return False

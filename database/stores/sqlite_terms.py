"""What the embedded store keeps of terms: their texts, for whoever reads contents, and the posting lists of each
document, which searches hold in memory.

Texts stand in `terms` under the rowids of `windows`, compressed; those of a page at its first window. Lists stand in
`postings`, a row for each document, under a number of their own for each publishing.
"""

import os
import sqlite3
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from database.documents import PageTerms, Window
from database.stores.postings import pack, unpack
from database.stores.segments import Segment, make_lists, make_segment

FAST = 1
"""Of zlib's levels: the higher ones take longer than the rest of publishing and save a tenth."""
Row = tuple[bytes | None, ...]


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of a document: `texts[i]` are those of window `i` and, where a page begins, of the page, or None."""

    texts: Sequence[Row]
    lists: bytes


def define_terms(prefix: str = "") -> tuple[str, ...]:
    """The statements that make the tables, once there are `documents` and `windows`."""
    return (
        f"CREATE TABLE {prefix}terms (rowid INTEGER PRIMARY KEY, words BLOB NOT NULL, grams BLOB NOT NULL, "
        "page_words BLOB, page_grams BLOB, heads BLOB)",
        f"CREATE TABLE {prefix}postings (document_id TEXT PRIMARY KEY REFERENCES documents (id) ON DELETE CASCADE, "
        "publication INTEGER NOT NULL, lists BLOB NOT NULL)",
        f"CREATE TRIGGER {prefix}windows_gone AFTER DELETE ON {prefix}windows BEGIN "
        f"DELETE FROM {prefix}terms WHERE rowid = old.rowid; END",
    )


def prepare_terms(windows: Sequence[Window], page_terms: Iterable[PageTerms]) -> Terms:
    """The terms of a document as they are kept. Takes a while; no transaction need be open."""
    firsts: dict[int, int] = {}
    for number, window in enumerate(windows):
        firsts.setdefault(window.page, number)
    pages = {firsts[terms.page]: terms for terms in page_terms if terms.page in firsts}
    found = sorted(pages.items())
    texts = [
        (*_compress(window.words, window.grams), *_page_texts(pages.get(number)))
        for number, window in enumerate(windows)
    ]
    lists = make_lists(
        [number for number, _ in found],
        {
            "words": [window.words for window in windows],
            "grams": [window.grams for window in windows],
            "page_words": [terms.words for _, terms in found],
            "page_grams": [terms.grams for _, terms in found],
            "heads": [terms.head for _, terms in found],
        },
    )
    return Terms(texts, pack(lists))


def _page_texts(terms: PageTerms | None) -> Row:
    return (None, None, None) if terms is None else _compress(terms.words, terms.grams, terms.head)


def _compress(*texts: str) -> Row:
    return tuple(zlib.compress(text.encode("utf-8", "surrogatepass"), FAST) for text in texts)


def decompress(text: bytes) -> str:
    """One text of `terms`."""
    return zlib.decompress(text).decode("utf-8", "surrogatepass")


def insert_terms(
    db: sqlite3.Connection, document_id: str, rowids: Iterable[int], terms: Terms, prefix: str = ""
) -> None:
    """Insert the terms of the windows with these rowids, which are all of a document's."""
    rows = ((rowid, *texts) for rowid, texts in zip(rowids, terms.texts, strict=True))
    db.executemany(f"INSERT INTO {prefix}terms VALUES (?, ?, ?, ?, ?, ?)", rows)
    publication = int.from_bytes(os.urandom(7))
    db.execute(f"REPLACE INTO {prefix}postings VALUES (?, ?, ?)", (document_id, publication, terms.lists))


def read_segment(db: sqlite3.Connection, document_id: str) -> Segment:
    """A document as searches see it. Raises `sqlite3.DatabaseError` for damaged lists."""
    windows = db.execute(
        "SELECT id, chunk_id, page, vector FROM windows WHERE document_id = ? ORDER BY rowid", (document_id,)
    ).fetchall()
    publication, lists = db.execute(
        "SELECT publication, lists FROM postings WHERE document_id = ?", (document_id,)
    ).fetchone()
    try:
        return make_segment((document_id, publication), windows, unpack(lists))
    except ValueError as error:
        raise sqlite3.DatabaseError(f"{error} (document {document_id})") from error

"""A step of `sqlite_migrations.py`: terms out of the full-text tables (FTS5) in which versions before 0.2 kept them."""

import logging
import sqlite3
import time
from collections.abc import Iterator

from database.documents import PageTerms, Window
from database.stores.sqlite_terms import define_terms, insert_terms, prepare_terms

LOG = logging.getLogger(__name__)
OLD = "old_"
"""Of tables that are about to be dropped; their terms are dropped here."""
OF_WINDOWS, OF_PAGES = ("words", "grams"), ("page_words", "page_grams", "heads")
TOLD_EVERY_S = 5.0


def replace_full_text(db: sqlite3.Connection) -> None:
    """`terms` and `postings` with what the full-text tables of each generation hold, which go."""
    prefixes = _find_prefixes(db)
    for prefix in prefixes:  # all triggers first: their names outlive the renaming of tables
        for (name,) in _list_triggers(db, f"{prefix}windows"):
            db.execute(f"DROP TRIGGER {name}")
    for prefix in prefixes:
        if prefix != OLD:
            for statement in define_terms(prefix):
                db.execute(statement)
            _fill(db, prefix)
    for name in _list_full_text(db):
        db.execute(f"DROP TABLE {name}")


def _find_prefixes(db: sqlite3.Connection) -> list[str]:
    found = _list_full_text(db)
    return sorted({name.removesuffix("grams") for name in found if name.endswith("grams") and "page_" not in name})


def _list_full_text(db: sqlite3.Connection) -> list[str]:
    found = "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE 'CREATE VIRTUAL TABLE%fts5%'"
    return [name for (name,) in db.execute(found)]


def _list_triggers(db: sqlite3.Connection, table: str) -> list[tuple[str]]:
    return db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?", (table,)).fetchall()


def _fill(db: sqlite3.Connection, prefix: str) -> None:
    documents = db.execute(f"SELECT DISTINCT document_id FROM {prefix}windows").fetchall()
    for (document_id,) in _telling(documents):
        _carry(db, prefix, document_id)


def _carry(db: sqlite3.Connection, prefix: str, document_id: str) -> None:
    """The terms of one document."""
    pages = [name for name in OF_PAGES if f"{prefix}{name}" in _list_full_text(db)]  # before 0.1 there were none
    joins = [f"LEFT JOIN {prefix}{name} {name} ON {name}.rowid = w.rowid" for name in (*OF_WINDOWS, *pages)]
    columns = [f"CAST(coalesce({name}.terms, '') AS TEXT)" for name in OF_WINDOWS]
    columns += [f"CAST({name}.terms AS TEXT)" if name in pages else "NULL" for name in OF_PAGES]
    rows = db.execute(
        f"SELECT w.rowid, w.id, w.page, {', '.join(columns)} FROM {prefix}windows w {' '.join(joins)} "
        "WHERE document_id = ? ORDER BY w.rowid",
        (document_id,),
    ).fetchall()
    windows = [Window(id_, "", document_id, page, "", "", words, grams) for _, id_, page, words, grams, *_ in rows]
    page_terms = [PageTerms(page, *terms) for _, _, page, _, _, *terms in rows if None not in terms]
    insert_terms(db, document_id, [row[0] for row in rows], prepare_terms(windows, page_terms), prefix)


def _telling(documents: list[tuple[str]]) -> Iterator[tuple[str]]:
    """Each of them; how many are done is said in the log now and then."""
    told = time.monotonic()
    for number, document in enumerate(documents):
        if time.monotonic() - told > TOLD_EVERY_S:
            LOG.warning("bringing the index up to date: document %d of %d", number, len(documents))
            told = time.monotonic()
        yield document

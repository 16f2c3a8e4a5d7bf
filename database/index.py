"""What made an index, and whether the settings still ask for the same."""

from database import analysis, chunking
from database.documents import IndexRecord
from database.embedders import Embedder
from database.errors import IndexMismatch

SCHEMA = 1
"""Changes when the stores' layout changes."""


def make_record(embedder: Embedder) -> IndexRecord:
    """The record of an index that this embedder and this version of the program would make."""
    return IndexRecord(
        schema=SCHEMA,
        embedder=embedder.name,
        dimension=embedder.dimension,
        chunker=chunking.FINGERPRINT,
        analyser=analysis.FINGERPRINT,
    )


def check_record(record: IndexRecord, embedder: Embedder) -> None:
    """Raise `IndexMismatch`, naming what differs and the command that rebuilds, unless all agrees."""
    wanted = make_record(embedder)
    differing = [
        f"{name} {getattr(record, name)!r}, now {getattr(wanted, name)!r}"
        for name in ("schema", "embedder", "dimension", "chunker", "analyser")
        if getattr(record, name) != getattr(wanted, name)
    ]
    if differing:
        raise IndexMismatch(
            f"The index was made otherwise: {'; '.join(differing)}. Rebuild it with "
            "`python database/main.py --reindex`, or go back to the settings that it was made with."
        )

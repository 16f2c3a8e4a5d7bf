"""What is asked of a worker, and what it gives: plain values, so that versions that differ understand each other."""

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from pydantic import TypeAdapter

from database import analysis, chunking
from database.documents import Document
from database.index import SCHEMA
from database.readers.fingerprints import make_fingerprints
from database.settings import IndexSettings

CARRIED = (
    "embedder",
    "ocr",
    "ocr_language",
    "read_timeout_s",
    "read_memory_mb",
    "max_file_mb",
    "max_pages",
    "max_text_mb",
    "ollama_keep_alive",
)
"""Settings of the loader that its workers obey. Others, such as DATA_DIR and READ_WORKERS, are the worker's own."""

MADE, UNREADABLE, REFUSED = "made", "unreadable", "refused"
Outcome = tuple[str, bytes, bytes]
"""MADE with a `Stored` as JSON and the vectors (little-endian float32, row by row), or one of the others with a
message: the file cannot be read, or the worker cannot work."""


@dataclass(frozen=True, slots=True)
class Order:
    """One document to make, of which the bytes go along."""

    document: Document
    ending: str
    """Of its file: it decides between kinds of plain text."""
    settings: dict[str, str | int | float]
    made_by: dict[str, str]
    """What the loader would make it with."""


ORDER = TypeAdapter(Order)


def carry_settings(settings: IndexSettings) -> dict[str, str | int | float]:
    """What goes along. An Ollama of the loader's own machine does not: each worker knows one of its own."""
    carried = {name: getattr(settings, name) for name in CARRIED}
    return carried if _is_loopback(settings.ollama_host) else carried | {"ollama_host": settings.ollama_host}


def name_makers(settings: IndexSettings) -> dict[str, str]:
    """All that decides what contents a document gets, by its name for people."""
    readers = {f"reader of {name}": made for name, made in make_fingerprints(settings).items()}
    others = {"chunker": chunking.FINGERPRINT, "analyser": analysis.FINGERPRINT, "embedder": settings.embedder}
    return readers | others | {"schema": str(SCHEMA)}


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

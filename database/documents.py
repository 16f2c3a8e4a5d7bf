"""The data that travels from a file to an answer. Plain values; no I/O.

    Document ─► Page ─► Chunk (cited and shown) ─► Window (searched)

Coordinates are PDF points with the origin at the top left of the page, after the page's own
rotation has been applied.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in points."""

NOWHERE: Box = (0.0, 0.0, 0.0, 0.0)
"""Where text stands that is on no page that could be drawn."""

Vector = NDArray[np.float32]
"""One embedding (d,) or a batch of them (n, d): float32, L2-normalised."""

LEASE_SPARE = 2
"""So many times its length a lease may still run by the clock of another machine."""

MadeBy = Literal["layout", "text", "ocr", "nothing"]
State = Literal["queued", "text", "layout", "ready", "failed"]


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch `[start, end)` of a page's text and the rectangle it came from.

    `kind` is the layout class: text, title, section-header, list-item, table, caption, picture …
    """

    start: int
    end: int
    box: Box
    kind: str = "text"


@dataclass(frozen=True, slots=True)
class Page:
    """One page: its Markdown (or plain text) and where each block of it stands."""

    number: int
    """From 1."""
    text: str
    made_by: MadeBy
    width: float = 0.0
    height: float = 0.0
    blocks: tuple[Block, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader makes of one file. `notes` name pages that gave no text or were cut short."""

    title: str
    pages: tuple[Page, ...]
    notes: tuple[str, ...] = ()
    format: str = "pdf"
    """A key of `formats.FORMATS`."""


WEB = "web"
"""The root of names that are addresses. No folder is called so: roots of folders are absolute paths."""
MAX_QUERY_CHARS = 60


@dataclass(frozen=True, slots=True)
class Name:
    """One place where a document's bytes were found: a path relative to a loaded folder, or an address of the web."""

    root: str
    path: str
    excluded: bool = False
    collection: str = ""
    """What it belongs to; "" is what everything belongs to that nobody put elsewhere."""

    @property
    def shown(self) -> str:
        """Its last part, for people."""
        return name_address(self.path) if self.root == WEB else self.path.rsplit("/", 1)[-1]


@dataclass(frozen=True, slots=True)
class Document:
    """One file by its content. `version` names the stage that searches may see."""

    id: str
    """SHA-256 of the bytes, hex."""
    title: str
    names: tuple[Name, ...]
    size: int
    """Bytes."""
    language: str = ""
    """ISO 639-1, or empty when unknown."""
    page_count: int = 0
    chunk_count: int = 0
    window_count: int = 0
    state: State = "queued"
    reason: str = ""
    """Why it failed; empty otherwise."""
    notes: tuple[str, ...] = ()
    version: str = ""
    added_at: float = 0.0
    """Seconds since the epoch."""
    format: str = "pdf"
    """A key of `formats.FORMATS`, which tells what its pages are called."""

    @property
    def visible(self) -> bool:
        """Whether some name of it is not excluded."""
        return any(not name.excluded for name in self.names)

    @property
    def searchable(self) -> bool:
        """Whether searches and readers may see its contents."""
        return self.visible and self.whole

    @property
    def whole(self) -> bool:
        """Whether contents were published that count."""
        return bool(self.version) and self.state in ("text", "layout", "ready")

    @property
    def name(self) -> str:
        """The first visible name's last part, for people."""
        shown = self._shown
        return shown.shown if shown else self.title

    @property
    def url(self) -> str:
        """The address that it was loaded from, or empty."""
        shown = (n.path for n in self.names if n.root == WEB and not n.excluded)
        return next((path for path in shown if path.startswith(("http://", "https://"))), "")

    @property
    def collection(self) -> str:
        """Of the name that is shown."""
        shown = self._shown
        return shown.collection if shown else ""

    @property
    def collections(self) -> frozenset[str]:
        """Those in which it has a visible name."""
        return frozenset(n.collection for n in self.names if not n.excluded)

    @property
    def _shown(self) -> Name | None:
        return next((n for n in self.names if not n.excluded), self.names[0] if self.names else None)

    def within(self, collections: Collection[str] | None) -> "Document | None":
        """What somebody sees of it who may see these collections (None: all): other names are left
        out, also where one became the title. None when no visible name is left."""
        if collections is None:
            return self if self.visible else None
        seen = replace(self, names=tuple(n for n in self.names if n.collection in collections))
        if not seen.visible:
            return None
        hidden = {make_title(n.shown) for n in self.names} - {make_title(n.shown) for n in seen.names}
        return replace(seen, title=make_title(seen.name)) if self.title in hidden else seen


def make_title(path: str) -> str:
    """The title of a document whose pages have none, from one of its names."""
    name = path.rsplit("/", 1)[-1]
    return PurePosixPath(name).stem.replace("_", " ").strip() or name


def name_address(address: str) -> str:
    """What people call the page at an address: the last part of its path, or the host, with what was asked for.

    The ending stays at the end, as that of a file.
    """
    parts = urlsplit(address)
    last = PurePosixPath(unquote(parts.path.rstrip("/").rpartition("/")[2]) or parts.netloc)
    asked = f" ({unquote(parts.query)[:MAX_QUERY_CHARS]})" if parts.query else ""
    suffix = last.suffix if parts.path.strip("/") else ""
    name = f"{last.name.removesuffix(suffix)}{asked}{suffix}".replace("/", "_")
    return "".join(c for c in name if c.isprintable()) or parts.netloc


@dataclass(frozen=True, slots=True)
class Chunk:
    """What is cited and shown: a stretch `[start, end)` of one page's text."""

    id: str
    document_id: str
    page: int
    ordinal: int
    """Position among the document's chunks, from 0."""
    heading: str
    """Headings it stands under, outermost first, joined by " › "; may be empty."""
    text: str
    """As the page has it (not normalised); a table piece starts with its header rows."""
    start: int
    end: int
    boxes: tuple[Box, ...] = ()


@dataclass(frozen=True, slots=True)
class Window:
    """What is searched: a stretch of a chunk that the embedder sees whole."""

    id: str
    chunk_id: str
    document_id: str
    page: int
    language: str
    text: str
    """Prefix (title, heading) and stretch, NFKC-normalised; what is embedded."""
    words: str
    """Folded, stemmed words joined by spaces."""
    grams: str
    """Character 4-grams joined by spaces."""


@dataclass(frozen=True, slots=True)
class PageTerms:
    """A page as a whole, as searches see it: terms joined by spaces. `words` and `grams` have its document's
    title, `words` also pairs of neighbours (`page_terms.py`); `head` are 4-grams of its beginning."""

    page: int
    words: str
    grams: str
    head: str


@dataclass(frozen=True, slots=True)
class Contents:
    """Everything of one document at one version. `vectors[i]` belongs to `windows[i]`.

    Without `vectors` its windows are found by words and grams only. A page that has no window is
    not found, whatever its terms.
    """

    pages: Sequence[Page]
    chunks: Sequence[Chunk]
    windows: Sequence[Window]
    vectors: Vector | None
    page_terms: Sequence[PageTerms] = ()


@dataclass(frozen=True, slots=True)
class Filters:
    """Restricts a search in every view; an empty field, a 0 or a None restricts nothing."""

    documents: tuple[str, ...] = ()
    """Ids."""
    languages: tuple[str, ...] = ()
    """Of documents, ISO 639-1."""
    first_page: int = 0
    last_page: int = 0
    """Inclusive."""
    added_from: float = 0.0
    added_until: float = 0.0
    """When documents were added, in seconds since the epoch; from is inclusive, until is not."""
    collections: tuple[str, ...] | None = None
    """Of visible names of documents. None restricts nothing; with () nothing is found."""

    @property
    def choose_documents(self) -> bool:
        """Whether some documents are left out as a whole."""
        chosen = self.documents or self.languages or self.added_from or self.added_until
        return bool(chosen) or self.collections is not None


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What a store is asked, already embedded and analysed.

    `words` and `grams` are distinct terms without the index's common ones; windows and whole pages
    are searched for them, windows without those that are `heavy`, and pages also for `pairs`.
    A view whose input is empty (or a `vector` that is None) is not searched. At most `limit` windows or pages a view.
    """

    vector: Vector | None
    words: tuple[str, ...]
    grams: tuple[str, ...]
    filters: Filters = Filters()
    limit: int = 200
    generation: int = 0
    """The generation that was analysed for; 0 for whichever answers."""
    pairs: tuple[str, ...] = ()
    """Neighbouring words as one term, for which whole pages are searched beside `words`."""
    heavy: frozenset[str] = frozenset()
    """Words and grams that so many windows have that finding them all takes too long."""

    def terms_of(self, view: str) -> tuple[str, ...]:
        """What a view of `Candidates` is asked for, vectors apart. Heavy terms stay where nothing else is left."""
        if view == "page_words":
            return self.words + self.pairs
        terms = self.words if view == "words" else self.grams
        light = tuple(term for term in terms if term not in self.heavy) if view in ("words", "grams") else terms
        return light or terms


@dataclass(frozen=True, slots=True)
class Candidate:
    """One window found by one view, or the first window of a page that was found as a whole.

    Vector scores are raw cosines, the others BM25, higher better.
    """

    window_id: str
    chunk_id: str
    score: float
    document_id: str = ""
    page: int = 0


@dataclass(frozen=True, slots=True)
class Candidates:
    """What each view found, best first: the first three windows, the others pages."""

    vector: Sequence[Candidate] = ()
    words: Sequence[Candidate] = ()
    grams: Sequence[Candidate] = ()
    page_words: Sequence[Candidate] = ()
    page_grams: Sequence[Candidate] = ()
    heads: Sequence[Candidate] = ()


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk found for a question, with its document and the parts of its score (each 0 to 1)."""

    chunk: Chunk
    document: Document
    score: float
    parts: Mapping[str, float] = field(default_factory=dict)
    context: str = ""
    """The passage with what surrounds it on its page, for the model; empty: the chunk's text alone."""
    joined: tuple[str, ...] = ()
    """Ids of the neighbouring chunks that `chunk` was joined with."""


@dataclass(frozen=True, slots=True)
class IndexRecord:
    """What made the index. A store opened with other settings than these is refused."""

    schema: int
    embedder: str
    dimension: int
    chunker: str
    analyser: str
    generation: int = 1
    languages: tuple[str, ...] = ()
    """Of the documents, ISO 639-1."""
    common_words: tuple[str, ...] = ()
    common_grams: tuple[str, ...] = ()
    """Terms found in so large a share of the windows that they tell little."""
    heavy_terms: tuple[str, ...] = ()
    """Words and grams beyond these, found in so many windows that searching windows for them costs too much."""
    settled: bool = True
    """False while a load is at work and after one that was killed: languages and terms may be behind."""

    @property
    def made_by(self) -> tuple[object, ...]:
        """What decides how contents are made: generations that agree in it hold the same."""
        return (self.schema, self.embedder, self.dimension, self.chunker, self.analyser)


@dataclass(frozen=True, slots=True)
class Counts:
    """How much the index holds."""

    documents: int
    chunks: int
    windows: int


@dataclass(frozen=True, slots=True)
class Record:
    """An entry of the store's own books: work to do, ratings. Times are seconds since the epoch."""

    kind: str
    """"job", "feedback", "erasure"."""
    id: str
    """Unique within its kind; entries are listed and claimed in the order of their ids."""
    data: Mapping[str, Any]
    """JSON."""
    open: bool = False
    """Whether work is left to do, so that it may be claimed."""
    due_at: float = 0.0
    """Not claimed before."""
    holder: str = ""
    """Who works on it."""
    lease_until: float = 0.0
    """Until when nobody else may claim it."""
    created_at: float = 0.0
    """Stays what it was: with the revision it tells an entry from a newer one of the same name."""
    revision: int = 0
    """How often it was written; 0 for an entry that the store has not seen."""

    def is_free(self, now: float, lease_s: float) -> bool:
        """Whether nobody works on it: its lease has ended, or ends later than one of `lease_s` seconds could, because
        the clock was set back since."""
        return not now < self.lease_until <= now + LEASE_SPARE * lease_s

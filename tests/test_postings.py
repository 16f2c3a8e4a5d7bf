"""What searches of the embedded store hold in memory finds what SQLite's FTS5 and numpy find."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from database.documents import PageTerms, Vector, Window
from database.stores.postings import from_arrays, join, make_postings, pack, unpack
from database.stores.segments import OF_WINDOWS, VIEWS, Segment, make_segment, refresh
from database.stores.snapshot import Scope, Snapshot
from database.stores.sqlite_terms import prepare_terms
from database.stores.terms import UNKNOWN, hash_terms, hash_texts
from tests.store_documents import digest, unit_vectors

MOST = 24
"""Windows of a segment: so few that a handful of documents make several."""
KEYS = "abcdef"
LETTERS = "abcdeáéç_0ã大𝔸"
TERMS = [f"t{n}" for n in range(12)]


@dataclass
class Published:
    """What was published of a document last. Vectors are missing where there are none."""

    windows: list[Window]
    page_terms: list[PageTerms]
    vectors: Vector | None
    seen: bool = True

    def segment(self, key: str, publication: int) -> Segment:
        rows = [
            (w.id, w.chunk_id, w.page, b"" if self.vectors is None else self.vectors[n].tobytes())
            for n, w in enumerate(self.windows)
        ]
        return make_segment((key, publication), rows, unpack(prepare_terms(self.windows, self.page_terms).lists))


def make_document(key: str, seed: int) -> Published:
    """A document of a few windows of frequent and rare terms, by the seed; every third has no vectors."""
    random = np.random.default_rng([seed, ord(key)])

    def draw() -> str:
        return " ".join(TERMS[min(int(n), len(TERMS)) - 1] for n in random.zipf(1.4, int(random.integers(0, 12))))

    windows = [
        Window(digest(key, seed, n)[:8], f"c{n // 2}", key, n // 3 + 1, "", "", draw(), draw())
        for n in range(int(random.integers(0, 8)))
    ]
    pages = [PageTerms(n, draw(), draw(), draw()) for n in range(1, 5) if n != 2]  # the last has no window, or all
    vectors = unit_vectors(f"{key}{seed}", len(windows)) if seed % 3 else None
    return Published(windows, pages, vectors)


@dataclass
class Library:
    """Documents as they come and go, and the snapshots that searches would have of them."""

    held: dict[str, Published] = field(default_factory=dict)
    publications: dict[str, int] = field(default_factory=dict)
    segments: tuple[Segment, ...] = ()
    read: list[str] = field(default_factory=list)

    def publish(self, key: str, seed: int) -> None:
        self.held[key] = make_document(key, seed)
        self.publications[key] = len(self.read) * 1000 + seed + 1

    def remove(self, key: str) -> None:
        self.held.pop(key, None)
        self.publications.pop(key, None)

    def hide(self, key: str) -> None:
        if key in self.held:
            self.held[key].seen = not self.held[key].seen

    def look(self) -> Snapshot:
        def read(key: str) -> Segment:
            self.read.append(key)
            return self.held[key].segment(key, self.publications[key])

        self.segments = refresh(self.segments, self.publications, read, MOST)
        return Snapshot(self.segments, self.publications, {key for key, one in self.held.items() if one.seen})

    def allowed(self, scope: Scope) -> set[tuple[str, int]]:
        """Document and page of what may be found."""
        return {
            (w.document_id, w.page)
            for key, one in self.held.items()
            for w in one.windows
            if one.seen and (scope.documents is None or key in scope.documents)
            if scope.first <= w.page and (scope.last is None or w.page <= scope.last)
        }


def texts_of(view: str, held: Mapping[str, Published]) -> Iterator[tuple[Window, str]]:
    """The rows that a full-text table of this view would have, at their windows."""
    for one in held.values():
        if view in OF_WINDOWS:
            yield from ((window, getattr(window, view)) for window in one.windows)
            continue
        firsts = {window.page: window for window in reversed(one.windows)}
        for terms in one.page_terms:
            if terms.page in firsts:
                yield firsts[terms.page], {"page_words": terms.words, "page_grams": terms.grams}.get(view, terms.head)


@contextmanager
def full_text(rows: Sequence[str]) -> Iterator[sqlite3.Connection]:
    """A full-text table of these rows, numbered from 1."""
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute("CREATE VIRTUAL TABLE t USING fts5 (terms)")
        db.executemany("INSERT INTO t VALUES (?)", [(row,) for row in rows])
        yield db


def ask_full_text(rows: Sequence[str], terms: Sequence[str]) -> dict[int, float]:
    """Numbers of rows with BM25 as FTS5 reckons it."""
    with full_text(rows) as db:
        wanted = " OR ".join(f'"{term}"' for term in terms)
        found = db.execute("SELECT rowid - 1, -rank FROM t WHERE t MATCH ?", (wanted,))
        return dict(found.fetchall())


CHANGES = st.lists(
    st.tuples(st.sampled_from(["publish", "publish", "look", "remove", "hide", "look"]), st.sampled_from(KEYS)),
    max_size=25,
)
SCOPES = st.builds(
    Scope, st.none() | st.sets(st.sampled_from([*KEYS, "z"])), st.integers(0, 3), st.none() | st.integers(0, 3)
)
QUESTIONS = st.lists(st.sampled_from([*TERMS, "unknown"]), min_size=1, max_size=5, unique=True)


def change(library: Library, changes: Sequence[tuple[str, str]], seed: int) -> Snapshot:
    """Let documents come, change, hide and go, with a search now and then."""
    for number, (what, key) in enumerate(changes):
        if what == "publish":
            library.publish(key, seed + number)
        elif what == "look":
            library.look()
        else:
            getattr(library, what)(key)
    return library.look()


@given(CHANGES, st.integers(0, 10**6), QUESTIONS, SCOPES, st.integers(1, 12))
def test_terms_are_found_as_full_text_tables_find_them(
    changes: Sequence[tuple[str, str]], seed: int, terms: list[str], scope: Scope, limit: int
) -> None:
    library = Library()
    snapshot = change(library, changes, seed)
    allowed = library.allowed(scope)
    for view in VIEWS:
        rows = [*texts_of(view, library.held)]
        expected = {
            (w.id, w.chunk_id, w.document_id, w.page): score
            for n, score in ask_full_text([text for _, text in rows], terms).items()
            if ((w := rows[n][0]).document_id, w.page) in allowed
        }
        found = snapshot.search_terms(view, terms, len(rows) + 1, scope)
        scores = {(c.window_id, c.chunk_id, c.document_id, c.page): c.score for c in found}
        # To nine digits: equal ones may differ in the last of a float, which decides their order.
        assert scores == pytest.approx(expected, 1e-9, 0)
        assert len(found) == len(expected) and found == sorted(found, key=lambda c: (-c.score, c.window_id))
        assert snapshot.search_terms(view, terms, limit, scope) == found[:limit]


@given(CHANGES, st.integers(0, 10**6), SCOPES, st.integers(1, 12))
def test_vectors_are_found_as_numpy_finds_them(
    changes: Sequence[tuple[str, str]], seed: int, scope: Scope, limit: int
) -> None:
    library = Library()
    snapshot = change(library, changes, seed)
    query, allowed = unit_vectors(f"q{seed}", 1)[0], library.allowed(scope)
    expected = sorted(
        (-float(vector @ query), w.id, w.chunk_id, w.document_id, w.page)
        for one in library.held.values()
        if one.vectors is not None
        for w, vector in zip(one.windows, one.vectors, strict=True)
        if (w.document_id, w.page) in allowed
    )[:limit]
    found = snapshot.search_vectors(query, limit, scope)
    assert [(c.window_id, c.chunk_id, c.document_id, c.page) for c in found] == [row[1:] for row in expected]
    assert np.allclose([c.score for c in found], [-row[0] for row in expected], atol=1e-6)


@given(CHANGES, st.integers(0, 10**6))
def test_segments_stay_few_and_hold_little_that_is_gone(changes: Sequence[tuple[str, str]], seed: int) -> None:
    library = Library()
    change(library, changes, seed)
    for segment in library.segments:
        assert len(segment.documents) == 1 or segment.windows <= MOST
        pairs = zip(segment.documents, segment.publications, np.diff(segment.starts), strict=True)
        live = sum(size for key, publication, size in pairs if library.publications.get(key) == publication)
        assert 2 * live >= segment.windows
    read = [*library.read]
    library.look()
    assert library.read == read, "nothing is read twice"


def test_documents_that_come_one_by_one_are_joined_and_read_once() -> None:
    library = Library()
    for number in range(200):
        key = chr(0x100 + number)
        one = make_document(key, 1)
        library.held[key] = replace(one, windows=(one.windows * 3)[:1] or [Window(key, "", key, 1, "", "", "t1", "")])
        library.held[key].vectors = None
        library.publications[key] = 1
        library.segments = refresh(
            library.segments, library.publications, lambda k: library.held[k].segment(k, 1), 1 << 10
        )
    assert len(library.segments) <= 9
    assert sum(segment.windows for segment in library.segments) == 200


def test_pages_keep_their_windows_when_documents_before_them_go() -> None:
    library = Library()
    for key in "ab":
        windows = [Window(f"{key}{n}", "c", key, n // 2 + 1, "", "", "t1", "t1") for n in range(4)]
        library.held[key] = Published(windows, [PageTerms(n, f"{key}{n}", "", "") for n in (1, 2)], None)
        library.publications[key] = 1
    library.look()
    library.remove("a")
    library.publish("c", 1)  # joined with what is left of the others
    snapshot = library.look()
    assert len(library.segments) == 1 and "a" not in library.segments[0].documents
    found = [snapshot.search_terms("page_words", [term], 9, Scope()) for term in ("a1", "b1", "b2")]
    assert [[c.window_id for c in one] for one in found] == [[], ["b0"], ["b2"]]


def test_terms_are_numbers_of_their_own_wherever_they_stand() -> None:
    """Every string of up to four of these letters, in texts of all lengths, some longer than is hashed at once."""
    terms = ["".join(letters) for size in range(1, 5) for letters in product(LETTERS, repeat=size)]
    hashes = hash_terms(terms)
    assert len(set(hashes.tolist())) == len(terms)
    texts = [" ".join(terms[:3]), "", "  ", " ".join(terms[3:]), "\n".join(terms[:9])]
    found, sizes = hash_texts(texts)
    assert sizes.tolist() == [3, 0, 0, len(terms) - 3, 9]
    assert np.array_equal(found, np.concatenate([hashes, hashes[:9]]))
    assert hash_terms(["", "a b", "a"]).tolist() == [UNKNOWN, UNKNOWN, hashes[0]]


TEXTS = st.lists(st.lists(st.sampled_from(TERMS), max_size=9).map(" ".join), max_size=6)


@given(st.lists(TEXTS, min_size=1, max_size=5))
def test_joined_lists_are_those_of_all_rows(parts: list[list[str]]) -> None:
    joined = join([make_postings(part) for part in parts])
    whole = make_postings([text for part in parts for text in part])
    for one, other in zip(joined.arrays(), whole.arrays(), strict=True):
        assert one.tolist() == other.tolist()


@given(TEXTS, st.data())
def test_lists_without_some_rows_are_those_of_the_others(texts: list[str], data: st.DataObject) -> None:
    kept = np.array([data.draw(st.booleans()) for _ in texts], np.bool_)
    left = make_postings(texts).only(kept)
    expected = make_postings([text for text, stays in zip(texts, kept, strict=True) if stays])
    for one, other in zip(left.arrays(), expected.arrays(), strict=True):
        assert one.tolist() == other.tolist()


@given(TEXTS)
def test_packed_lists_come_back(texts: list[str]) -> None:
    lists = make_postings(texts)
    again = from_arrays(unpack(pack(lists.arrays())))
    for one, other in zip(again.arrays(), lists.arrays(), strict=True):
        assert one.tolist() == other.tolist() and one.itemsize == other.itemsize


def test_long_lists_are_joined_in_their_order() -> None:
    """More than is put in order at the same time, rows and counts past one byte, one term past them all."""
    parts = [[" ".join(["a"] * 300 + [f"b{n}" for n in range(i, i + 700)]) for i in range(800)] for _ in range(2)]
    joined = join([make_postings(part) for part in parts])
    whole = make_postings(parts[0] + parts[1])
    for one, other in zip(joined.arrays(), whole.arrays(), strict=True):
        assert np.array_equal(one, other)


def test_damaged_lists_are_told() -> None:
    packed = pack(make_postings(["a b", "b c c"]).arrays())
    for at in range(len(packed)):
        damaged = bytearray(packed)
        damaged[at] ^= 0x40
        with pytest.raises(ValueError, match="damaged"):
            unpack(bytes(damaged))
    for size in range(len(packed)):
        with pytest.raises(ValueError, match="damaged"):
            unpack(packed[:size])
    with pytest.raises(ValueError, match="other windows"):
        make_segment(("a", 1), [("w", "c", 1, b"")], unpack(prepare_terms([], []).lists))

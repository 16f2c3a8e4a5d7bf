"""Documents as searches of the embedded store see them, in memory: in segments that are joined, never changed. Pure.

Copying everything for every document that is published would take ever longer. So new documents make a small
segment, and small ones are joined once there are several of about one size, as LSM trees do it; a document that
is gone stays in its segment, unseen, until half of that is gone.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from database.documents import Vector
from database.stores.postings import Mask, Postings, Whole, from_arrays, join, make_postings, narrow

VIEWS = ("words", "grams", "page_words", "page_grams", "heads")
"""The first two have windows as rows, the others pages."""
OF_WINDOWS = ("words", "grams")
SEGMENT_WINDOWS = 16_384
"""Windows that joined segments have at most. Larger ones would be searched little faster, and joining takes as much
memory again as its result; row numbers fit in two bytes, scores in a processor's cache."""

Texts = NDArray[np.bytes_]


@dataclass(frozen=True, slots=True)
class Segment:
    """Some documents one after the other. Document `i` has the windows `[starts[i], starts[i + 1])` and, among the
    rows of pages, `[page_starts[i], page_starts[i + 1])`."""

    documents: tuple[str, ...]
    publications: tuple[int, ...]
    """Which publishing of each document this is."""
    starts: NDArray[np.int64]
    ids: Texts
    chunks: Texts
    """UTF-8, by window; so are ids."""
    pages: NDArray[np.int32]
    vectors: Vector
    embedded: NDArray[np.int64]
    """The window of each vector; a document may have none."""
    page_starts: NDArray[np.int64]
    firsts: NDArray[np.int64]
    """The first window of each page."""
    views: Mapping[str, Postings]

    @property
    def windows(self) -> int:
        """How many windows there are."""
        return len(self.ids)

    def only(self, kept: Mask) -> "Segment":
        """The documents that are `kept`."""
        windows, pages = np.repeat(kept, np.diff(self.starts)), np.repeat(kept, np.diff(self.page_starts))
        vectors, numbers = windows[self.embedded], np.cumsum(windows) - 1
        return Segment(
            tuple(d for d, stays in zip(self.documents, kept, strict=True) if stays),
            tuple(p for p, stays in zip(self.publications, kept, strict=True) if stays),
            add_up(np.diff(self.starts)[kept]),
            self.ids[windows],
            self.chunks[windows],
            self.pages[windows],
            self.vectors[vectors],
            numbers[self.embedded[vectors]],
            add_up(np.diff(self.page_starts)[kept]),
            numbers[self.firsts[pages]],
            {name: view.only(windows if name in OF_WINDOWS else pages) for name, view in self.views.items()},
        )


def make_lists(firsts: Sequence[int], texts: Mapping[str, Sequence[str]]) -> list[Whole]:
    """The posting lists of a document as whole numbers: each view's, from its rows' `texts`, and the first windows of
    pages."""
    views = [array for name in VIEWS for array in make_postings(texts[name]).arrays()]
    return [narrow(np.array(firsts, np.int64)), *views]


def make_segment(
    document: tuple[str, int], windows: Sequence[tuple[str, str, int, bytes]], lists: Sequence[Whole]
) -> Segment:
    """One document (its id and publication) of windows (id, chunk, page, float32 vector or nothing) with its `lists`.
    Raises `ValueError` where they are not of one document."""
    ids, chunks, pages, vectors = zip(*windows, strict=True) if windows else ((), (), (), ())
    embedded = np.array([number for number, vector in enumerate(vectors) if vector], np.int64)
    firsts, *arrays = lists
    each = len(arrays) // len(VIEWS)
    views = {view: from_arrays(arrays[each * n : each * (n + 1)]) for n, view in enumerate(VIEWS)}
    if any(len(view.lengths) != len(windows if name in OF_WINDOWS else firsts) for name, view in views.items()):
        raise ValueError("posting lists are of other windows")
    return Segment(
        (document[0],),
        (document[1],),
        np.array([0, len(windows)]),
        np.array([id_.encode() for id_ in ids], np.bytes_),
        np.array([chunk.encode() for chunk in chunks], np.bytes_),
        np.array(pages, np.int32),
        np.frombuffer(b"".join(vectors), np.float32).reshape(len(embedded), -1 if len(embedded) else 0),
        embedded,
        np.array([0, len(firsts)]),
        firsts.astype(np.int64),
        views,
    )


def join_segments(parts: Sequence[Segment]) -> Segment:
    """All of their documents, in order."""
    if len(parts) == 1:
        return parts[0]
    bases = add_up(np.array([part.windows for part in parts]))
    with_vectors = [part.vectors for part in parts if len(part.vectors)]
    return Segment(
        tuple(document for part in parts for document in part.documents),
        tuple(publication for part in parts for publication in part.publications),
        add_up(np.concatenate([np.diff(part.starts) for part in parts])),
        np.concatenate([part.ids for part in parts]),
        np.concatenate([part.chunks for part in parts]),
        np.concatenate([part.pages for part in parts]),
        np.concatenate(with_vectors) if with_vectors else parts[0].vectors,
        np.concatenate([part.embedded + base for part, base in zip(parts, bases, strict=False)]),
        add_up(np.concatenate([np.diff(part.page_starts) for part in parts])),
        np.concatenate([part.firsts + base for part, base in zip(parts, bases, strict=False)]),
        {name: join([part.views[name] for part in parts]) for name in VIEWS},
    )


def refresh(
    segments: Sequence[Segment],
    wanted: Mapping[str, int],
    read: Callable[[str], Segment],
    most: int = SEGMENT_WINDOWS,
) -> tuple[Segment, ...]:
    """Segments with the publications `wanted` of documents, and perhaps some that are not wanted any more. What
    `segments` lack is `read`, a document at a time. None is joined to more than `most` windows."""
    left = list(_drop_unwanted(segments, wanted))
    held = {pair for part in left for pair in zip(part.documents, part.publications, strict=True)}
    lacking = [document for document, publication in wanted.items() if (document, publication) not in held]
    for new in _read_together(lacking, read, most):
        left.append(new)
        while len(left) > 1 and _belong_together(left[-2], left[-1], most):
            left[-2:] = [join_segments([_drop_dead(part, wanted) for part in left[-2:]])]
    return tuple(left)


def find_live(segment: Segment, wanted: Mapping[str, int]) -> Mask:
    """Which of a segment's documents are as `wanted`."""
    pairs = zip(segment.documents, segment.publications, strict=True)
    return np.fromiter((wanted.get(document) == publication for document, publication in pairs), np.bool_)


def _drop_unwanted(segments: Sequence[Segment], wanted: Mapping[str, int]) -> Iterator[Segment]:
    for part in segments:
        live = find_live(part, wanted)
        if live.any():
            dead = int(np.diff(part.starts)[~live].sum())
            yield part.only(live) if 2 * dead > part.windows else part


def _drop_dead(part: Segment, wanted: Mapping[str, int]) -> Segment:
    live = find_live(part, wanted)
    return part if live.all() else part.only(live)


def _read_together(documents: Sequence[str], read: Callable[[str], Segment], most: int) -> Iterator[Segment]:
    together, windows = list[Segment](), 0
    for document in documents:
        new = read(document)
        if together and windows + new.windows > most:
            yield join_segments(together)
            together, windows = [], 0
        together.append(new)
        windows += new.windows
    if together:
        yield join_segments(together)


def _belong_together(before: Segment, last: Segment, most: int) -> bool:
    return before.windows <= 2 * last.windows and before.windows + last.windows <= most


def add_up(sizes: NDArray[np.integer]) -> NDArray[np.int64]:
    """Where stretches of these sizes start, and where the last one ends."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes, dtype=np.int64)])

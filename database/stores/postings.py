"""Posting lists: which rows have a term, and how often. Pure numpy.

A row is a window, or a page as a whole. Terms are known by 64 bits of their BLAKE2b hash: among ten
million of them two are alike once in 400,000 indexes. Lists are made for one document, kept as bytes
in the store, and joined in memory to those of many documents.
"""

import hashlib
import struct
import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import count

import numpy as np
from numpy.typing import NDArray

Whole = NDArray[np.unsignedinteger]
"""Whole numbers from 0 in as few bytes as they fit in."""
Mask = NDArray[np.bool_]

JOINED_AT_ONCE = 1_000_000
"""Postings put in order at the same time: what joining needs beside its result, in eight bytes each."""
_HEADER = struct.Struct("<IB")


@dataclass(frozen=True, slots=True)
class Postings:
    """The lists of some rows. List `t`, of the term with the hash `keys[t]`, is `[starts[t], starts[t + 1])` of
    `rows` (ascending) and `counts`."""

    keys: NDArray[np.uint64]
    """Ascending."""
    starts: NDArray[np.int64]
    rows: Whole
    counts: Whole
    lengths: Whole
    """Terms of each row, with repetitions."""

    def find(self, keys: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.intp], NDArray[np.float64]]:
        """The lists of these terms one after the other: the size of each, rows, and how often the term stands there."""
        at = np.searchsorted(self.keys, keys)
        known = at < len(self.keys)
        known[known] = self.keys[at[known]] == keys[known]
        starts, sizes = self.starts[at[known]], np.zeros(len(keys), np.int64)
        sizes[known] = self.starts[at[known] + 1] - starts
        spans = [slice(start, start + size) for start, size in zip(starts.tolist(), sizes[known].tolist(), strict=True)]
        rows = np.concatenate([self.rows[:0], *(self.rows[span] for span in spans)])
        counts = np.concatenate([self.counts[:0], *(self.counts[span] for span in spans)])
        return sizes, rows.astype(np.intp), counts.astype(np.float64)

    def only(self, kept: Mask) -> "Postings":
        """Those of the rows that are `kept`, numbered anew."""
        chosen = kept[self.rows]
        numbers = np.cumsum(kept) - 1
        starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(chosen)])[self.starts]
        left = np.diff(starts) > 0
        return Postings(
            self.keys[left],
            np.concatenate([starts[:1], starts[1:][left]]),
            narrow(numbers[self.rows[chosen]]),
            self.counts[chosen],
            self.lengths[kept],
        )

    def arrays(self) -> list[Whole]:
        """What `from_arrays` makes the same of."""
        return [self.keys, narrow(np.diff(self.starts)), self.rows, self.counts, self.lengths]


def from_arrays(arrays: Sequence[Whole]) -> Postings:
    """The lists whose `arrays` these are."""
    keys, sizes, rows, counts, lengths = arrays
    return Postings(keys.astype(np.uint64), _add_up(sizes), rows, counts, lengths)


@lru_cache(maxsize=100_000)
def hash_term(term: str) -> int:
    """A term's 64 bits."""
    return int.from_bytes(hashlib.blake2b(term.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def hash_terms(terms: Iterable[str]) -> NDArray[np.uint64]:
    """The terms' hashes in their order."""
    return np.fromiter(map(hash_term, terms), np.uint64)


def narrow(numbers: NDArray[np.integer]) -> Whole:
    """The same numbers in as few bytes as hold them all."""
    return numbers.astype(np.min_scalar_type(int(numbers.max(initial=0))))


def make_postings(texts: Sequence[str]) -> Postings:
    """The lists of rows that are given as terms joined by spaces."""
    split = [text.split() for text in texts]
    lengths = np.fromiter(map(len, split), np.int64, len(split))
    numbers: defaultdict[str, int] = defaultdict(count().__next__)
    # A row at a time, so that other threads get their turn in between.
    coded = [np.fromiter(map(numbers.__getitem__, row), np.int64, len(row)) for row in split]
    codes = np.concatenate([np.zeros(0, np.int64), *coded])
    keys, ranks = np.unique(hash_terms(numbers), return_inverse=True)
    kind = np.int32 if len(keys) * len(texts) < 2**31 else np.int64  # half the bytes are sorted in half the time
    places = ranks.astype(kind)[codes] * len(texts) + np.repeat(np.arange(len(texts), dtype=kind), lengths)
    places, counts = np.unique(places, return_counts=True)
    terms, rows = np.divmod(places, max(1, len(texts)))
    sizes = np.bincount(terms, minlength=len(keys))
    return Postings(keys, _add_up(sizes), narrow(rows), narrow(counts), narrow(lengths))


def join(parts: Sequence[Postings]) -> Postings:
    """The lists of all rows: those of the first part, then those of the second …"""
    if len(parts) == 1:
        return parts[0]
    bases = _add_up(np.array([len(part.lengths) for part in parts], np.int64))
    sizes = np.concatenate([np.diff(part.starts) for part in parts])
    keys = np.concatenate([part.keys for part in parts])
    order = np.argsort(keys, kind="stable")  # so that rows ascend
    row_type = np.min_scalar_type(max(0, int(bases[-1]) - 1))
    shifted = [part.rows.astype(row_type) + row_type.type(base) for part, base in zip(parts, bases, strict=False)]
    rows, counts = _reorder(
        (np.concatenate(shifted), np.concatenate([part.counts for part in parts])), _add_up(sizes), order
    )
    keys, sizes = keys[order], sizes[order]
    first = np.flatnonzero(np.concatenate([np.ones(min(1, len(keys)), bool), keys[1:] != keys[:-1]]))
    starts = np.concatenate([_add_up(sizes)[first], [len(rows)]])
    lengths = np.concatenate([part.lengths for part in parts])
    return Postings(keys[first], starts, rows, counts, lengths)


def _reorder(columns: tuple[Whole, Whole], starts: NDArray[np.int64], order: NDArray[np.intp]) -> tuple[Whole, Whole]:
    """The stretches `[starts[i], starts[i + 1])` of both columns in another order, some at a time."""
    sizes = np.diff(starts)[order]
    ends = np.cumsum(sizes)
    ordered = np.empty_like(columns[0]), np.empty_like(columns[1])
    done = 0
    while done < len(order):
        before = int(ends[done - 1]) if done else 0
        upto = max(done + 1, int(np.searchsorted(ends, before + JOINED_AT_ONCE, "right")))
        some = sizes[done:upto]
        shifts = starts[order[done:upto]] - (ends[done:upto] - some)
        taken = np.repeat(shifts, some) + np.arange(before, int(ends[upto - 1]))
        for column, target in zip(columns, ordered, strict=True):
            target[before : before + len(taken)] = column[taken]
        done = upto
    return ordered


def _add_up(sizes: NDArray[np.integer]) -> NDArray[np.int64]:
    """Where stretches of these sizes start, and where the last one ends."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes, dtype=np.int64)])


def pack(arrays: Sequence[Whole]) -> bytes:
    """Whole numbers as bytes with a checksum."""
    little = [np.ascontiguousarray(array, array.dtype.newbyteorder("<")) for array in arrays]
    body = b"".join(part for a in little for part in (_HEADER.pack(len(a), a.itemsize), a.tobytes()))
    return struct.pack("<I", zlib.crc32(body)) + body


def unpack(packed: bytes) -> list[Whole]:
    """What was packed. Raises `ValueError` where the bytes are not whole."""
    if len(packed) < 4 or packed[:4] != struct.pack("<I", zlib.crc32(memoryview(packed)[4:])):
        raise ValueError("posting lists are damaged")
    arrays, at = list[Whole](), 4
    while at < len(packed):
        size, width = _HEADER.unpack_from(packed, at)
        arrays.append(np.frombuffer(packed, np.dtype(f"<u{width}"), size, at + _HEADER.size))
        at += _HEADER.size + size * width
    return arrays

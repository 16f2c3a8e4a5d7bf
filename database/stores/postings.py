"""Posting lists: which rows have a term, and how often. Pure numpy.

A row is a window, or a page as a whole; terms are numbers (`terms.py`). Lists are made for one document,
kept as bytes in the store, and joined in memory to those of many documents.
"""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from database.stores.terms import BITS, hash_texts

Whole = NDArray[np.unsignedinteger]
"""Whole numbers from 0 in as few bytes as they fit in."""
Mask = NDArray[np.bool_]

_ROW_BITS = np.uint64(64 - BITS)
ROWS_AT_ONCE = 4096
"""Rows whose lists are made at the same time, a power of two that leaves BITS: of windows, 100 MB."""
JOINED_AT_ONCE = 1_000_000
"""Postings put in order at the same time: what joining needs beside its result, in eight bytes each."""
_HEADER = struct.Struct("<IB")


@dataclass(frozen=True, slots=True)
class Postings:
    """The lists of some rows. List `t`, of the term with the number `keys[t]`, is `[starts[t], starts[t + 1])` of
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


def narrow(numbers: NDArray[np.integer]) -> Whole:
    """The same numbers in as few bytes as hold them all."""
    return numbers.astype(np.min_scalar_type(int(numbers.max(initial=0))))


def make_postings(texts: Sequence[str]) -> Postings:
    """The lists of rows that are given as terms joined by spaces."""
    if len(texts) > ROWS_AT_ONCE:
        parts = (texts[start : start + ROWS_AT_ONCE] for start in range(0, len(texts), ROWS_AT_ONCE))
        return join([make_postings(part) for part in parts])
    hashes, lengths = hash_texts(texts)
    # A term and its row in one number, so that numbers are sorted, not places of numbers.
    pairs = (hashes << _ROW_BITS) | np.repeat(np.arange(len(texts), dtype=np.uint64), lengths)
    pairs.sort()
    first = _find_firsts(pairs)
    pairs, counts = pairs[first], np.diff(np.append(first, len(pairs)))
    keys = pairs >> _ROW_BITS
    starts = _find_firsts(keys)
    rows = pairs & np.uint64(ROWS_AT_ONCE - 1)
    return Postings(keys[starts], np.append(starts, len(keys)), narrow(rows), narrow(counts), narrow(lengths))


def _find_firsts(ascending: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Where another number than the one before stands."""
    return np.flatnonzero(np.append(np.ones(min(1, len(ascending)), np.bool_), ascending[1:] != ascending[:-1]))


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
    first = _find_firsts(keys)
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

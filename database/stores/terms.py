"""Terms as numbers: 48 bits of a hash, of all the terms of many texts at once. Pure numpy.

A hash is the polynomial of a term's bytes in an odd number modulo 2^64, as Karp and Rabin's, and well mixed. Those
of a text's stretches are differences of running sums, so that no term need be an object of its own: to split a
document and look each of a million 4-grams up takes twice as long. Of a million terms two are alike in one index of
500; their lists are then one.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
BITS = 48
UNKNOWN = np.uint64(2**64 - 1)
"""What no term's hash is."""

_ROOT, _MIX = 0x9E3779B97F4A7C15 | 5, 0xBF58476D1CE4E5B9
_AT_ONCE = 1 << 17
"""Bytes of text, so that what is reckoned stays in a processor's cache."""
_BLANK = 32
"""Bytes up to this one part terms: blanks and control characters."""


def hash_texts(texts: Sequence[str]) -> tuple[Hashes, NDArray[np.int64]]:
    """The terms of texts, which blanks part, in order; and how many each text has."""
    hashes, sizes = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)]
    for some in _group([text.encode("utf-8", "surrogatepass") for text in texts]):
        starts, ends, data = _split(b" ".join(some))
        hashes.append(_hash(data, starts, ends))
        bounds = np.cumsum([0, *(len(text) + 1 for text in some)])
        sizes.append(np.diff(np.searchsorted(starts, bounds)))
    return np.concatenate(hashes), np.concatenate(sizes)


def hash_terms(terms: Sequence[str]) -> Hashes:
    """The hash of each term; UNKNOWN for what is none or several."""
    hashes, sizes = hash_texts(terms)
    found = np.full(len(terms), UNKNOWN)
    found[sizes == 1] = hashes[np.repeat(sizes, sizes) == 1]
    return found


def _group(texts: Sequence[bytes]) -> Iterator[list[bytes]]:
    group, held = list[bytes](), 0
    for text in texts:
        if group and held + len(text) > _AT_ONCE:
            yield group
            group, held = [], 0
        group.append(text)
        held += len(text) + 1
    if group:
        yield group


def _split(text: bytes) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.uint8]]:
    data = np.frombuffer(text, np.uint8)
    inside = np.zeros(len(data) + 2, np.int8)
    inside[1:-1] = data > _BLANK
    edges = np.flatnonzero(np.diff(inside))
    return edges[::2], edges[1::2], data


def _hash(data: NDArray[np.uint8], starts: NDArray[np.intp], ends: NDArray[np.intp]) -> Hashes:
    powers, inverse = _powers(1 << max(10, len(data).bit_length()))
    sums = np.zeros(len(data) + 1, np.uint64)
    np.cumsum(data * powers[: len(data)], out=sums[1:])
    hashes = (sums[ends] - sums[starts]) * inverse[starts]
    for shift in (32, 29):
        hashes ^= hashes >> np.uint64(shift)
        hashes *= np.uint64(_MIX)
    return np.asarray(hashes >> np.uint64(64 - BITS), np.uint64)


@lru_cache(maxsize=8)
def _powers(count: int) -> tuple[Hashes, Hashes]:
    """So many powers of the root and of its inverse modulo 2^64, from the 0th on."""
    both = []
    for root in (_ROOT, pow(_ROOT, -1, 2**64)):
        factors = np.full(count, root, np.uint64)
        factors[0] = 1
        both.append(np.cumprod(factors))
    return both[0], both[1]

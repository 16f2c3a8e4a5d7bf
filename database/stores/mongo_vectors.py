"""Vectors as MongoDB keeps and finds them; pure.

They are BSON binary (subtype 9) of float32: 4 bytes a number, where an array takes 11 or more for the number as a
double and its place in the array. Rows of older versions hold arrays; both are read, and mongot finds both.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from bson.binary import Binary, BinaryVectorDtype

from database.documents import Vector

EXACT_WINDOWS = 10_000
"""Up to so many windows every vector is compared: no slower, and nothing is missed."""
EXACT_SELECTED, SELECTED = 100_000, 0.1
"""As many as that are compared where they are less than this share of all: a graph leads mostly to the others."""
CANDIDATES_PER_HIT = 20
LARGE = 100_000
"""Windows from which more candidates are looked at than that: as many again for a hundred times the windows."""
QUANTIZED = 1.5
"""Times as many candidates where the graph has only coarse vectors; the best ones are compared in full by mongot."""
MAX_CANDIDATES = 10_000
"""mongot's limit."""


def to_binary(vector: Vector | Sequence[float]) -> Binary:
    """A vector as rows hold it and `$vectorSearch` takes it."""
    return Binary.from_vector(np.asarray(vector, "<f4"), BinaryVectorDtype.FLOAT32)


def read_vector(stored: Binary | Sequence[float]) -> Vector:
    """The float32 vector that a row holds, in this or an older layout."""
    if isinstance(stored, Binary):
        return np.asarray(stored.as_vector(return_numpy=True).data, np.float32)
    return np.asarray(stored, np.float32)


def choose_effort(
    limit: int, left: int, total: int, *, counted: bool = True, quantized: bool = False
) -> dict[str, Any]:
    """How `$vectorSearch` shall look for `limit` windows when the filters leave `left` of `total`.

    Either every vector that is left is compared (`exact`), or so many candidates are looked at: more in a large index,
    and more the fewer are left, because those that are not left lie between. Not `counted`: at least `left` are.
    """
    total = max(total, left, 1)
    share = max(left, 1) / total
    if counted and (left <= EXACT_WINDOWS or (left <= EXACT_SELECTED and share < SELECTED)):
        return {"exact": True}
    growth = 1 + max(0.0, math.log10(total / LARGE)) / 2
    wanted = limit * CANDIDATES_PER_HIT * growth * (QUANTIZED if quantized else 1) / math.sqrt(share)
    return {"numCandidates": min(math.ceil(wanted), MAX_CANDIDATES)}

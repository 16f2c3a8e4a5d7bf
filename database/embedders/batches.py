"""Batches of token rows: padding them, and computing many of them side by side, behind everything else that runs.

One thread for each batch costs a sixth less than all threads on one batch after the other, which wait for each
other at every step; a single question, though, is answered sooner by all of them.
"""

import os
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from database.documents import Vector
from database.machine import LOAD_NICENESS, count_processors


@dataclass(frozen=True, slots=True)
class Batch:
    """The places of its texts among all; their tokens, shape (texts, tokens), and 1 where these are real."""

    places: list[int]
    ids: NDArray[np.int64]
    mask: Vector


def make_batch(rows: Sequence[Sequence[int]], places: list[int]) -> Batch:
    """The rows of tokens at these places, padded to the longest."""
    width = max(len(rows[i]) for i in places)
    ids = np.zeros((len(places), width), np.int64)
    mask = np.zeros((len(places), width), np.float32)
    for at, i in enumerate(places):
        ids[at, : len(rows[i])] = rows[i]
        mask[at, : len(rows[i])] = 1
    return Batch(places, ids, mask)


class Crew:
    """As many threads as processors, each with its own batch, which `run` computes in the thread it is called from.
    It ends by itself when nobody refers to it any more."""

    def __init__(self, run: Callable[[Batch], Vector]):
        self._run = run
        self._threads = ThreadPoolExecutor(count_processors(), "batches", step_back)

    def run(self, batches: Sequence[Batch]) -> list[Vector]:
        """The vectors of each batch. Blocks."""
        return list(self._threads.map(self._run, batches))


def step_back() -> None:
    """Let others go before this thread, where the system has priorities for single threads."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOAD_NICENESS)

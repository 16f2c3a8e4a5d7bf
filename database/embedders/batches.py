"""Batches of token rows: padding them, and computing many of them side by side, behind everything else that runs.

One thread for each batch costs a sixth less than all threads on one batch after the other, which wait for each
other at every step; a single question, though, is answered sooner by all of them.
"""

import os
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from database.documents import Vector
from database.machine import LOAD_NICENESS, count_processors


@dataclass(frozen=True, slots=True)
class Batch:
    """The places of its texts among all, and the graph's inputs."""

    places: list[int]
    inputs: dict[str, Any]


def make_batch(rows: Sequence[Sequence[int]], places: list[int]) -> Batch:
    """The rows of tokens at these places, padded to the longest."""
    width = max(len(rows[i]) for i in places)
    ids = np.zeros((len(places), width), np.int64)
    mask = np.zeros((len(places), width), np.float32)
    for at, i in enumerate(places):
        ids[at, : len(rows[i])] = rows[i]
        mask[at, : len(rows[i])] = 1
    return Batch(places, {"ids": ids, "mask": mask})


class Crew:
    """As many threads as processors, each with its own batch in one session of one thread. It ends by itself
    when nobody refers to it any more."""

    def __init__(self, session: Any):
        self._session = session
        self._threads = ThreadPoolExecutor(count_processors(), "batches", step_back)

    def run(self, batches: Sequence[Batch]) -> list[Vector]:
        """The vectors of each batch. Blocks."""
        # Nothing but the computing is done there: it does not hold the interpreter's lock.
        return list(self._threads.map(lambda batch: self._session.run(None, batch.inputs)[0], batches))


def step_back() -> None:
    """Let others go before this thread, where the system has priorities for single threads."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOAD_NICENESS)

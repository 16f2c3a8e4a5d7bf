"""What of this machine the process may use, and who goes first."""

import os

LOAD_NICENESS = 10
"""Of conversions and of threads that embed documents: a question that comes meanwhile gets nine tenths of a processor
that it shares with one of them."""


def count_processors() -> int:
    """Processors that this process may run on, at least one."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

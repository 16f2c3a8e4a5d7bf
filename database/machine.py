"""What of this machine the process may use."""

import os


def count_processors() -> int:
    """Processors that this process may run on, at least one."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

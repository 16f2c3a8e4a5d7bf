"""Ids of entries in the store's books."""

import secrets
import time


def make_id() -> str:
    """A new id; ids sort by the time they were made."""
    return f"{time.time_ns() // 1000:014x}{secrets.token_hex(4)}"

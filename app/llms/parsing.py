"""JSON that upstreams send, read for a quarter of what `json` takes."""

import json
from typing import Any

from pydantic_core import from_json


def parse_json(data: bytes) -> Any:
    """What `json.loads` makes of it, which is left what is too strange for the quick parser, such as half of a
    surrogate pair. Raises `ValueError` and `RecursionError`."""
    try:
        return from_json(data)
    except ValueError:
        return json.loads(data)

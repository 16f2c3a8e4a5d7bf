"""Failures as clients of OpenAI's interface read them; those of Ollama read ours.

https://platform.openai.com/docs/guides/error-codes
"""

from collections.abc import Mapping
from typing import Any

PREFIX = "/v1/"
"""Where failures have this shape."""
CODES: Mapping[str, str] = {
    "login": "invalid_api_key",
    "forbidden": "insufficient_permissions",
    "too_often": "rate_limit_exceeded",
    "model": "model_failed",
}
"""Our `kind` → their `code`; others are the same."""


def describe_error(status: int, message: str, kind: str = "") -> dict[str, Any]:
    """The body of a failure of this status, or a chunk that ends an answer."""
    code = CODES.get(kind, kind) or None
    return {"error": {"message": message, "type": _name_type(status), "param": None, "code": code}}


def _name_type(status: int) -> str:
    if status >= 500:
        return "server_error"
    return "requests" if status == 429 else "invalid_request_error"

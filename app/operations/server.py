"""The server itself."""

from collections.abc import Sequence

from app import replies
from app.operations.parts import TEXT, Content, Operation

SERVER: Sequence[Operation] = (
    Operation("get", "/health", "The process answers", "Server", {200: Content("", replies.Alive)}),
    Operation(
        "get",
        "/ready",
        "Whether questions can be answered",
        "Server",
        {200: Content("They can.", replies.Ready), 503: Content("They cannot; what is missing.", replies.Ready)},
    ),
    Operation(
        "get",
        "/metrics",
        "Numbers for Prometheus",
        "Server",
        {200: Content("Prometheus' text format.", media_type="text/plain", schema=TEXT)},
        fails=(401,),
    ),
    Operation(
        "get",
        "/openapi.json",
        "This description",
        "Server",
        {200: Content("OpenAPI 3.1.", schema={"type": "object"})},
    ),
)

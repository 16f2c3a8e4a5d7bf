"""`GET /openapi.json`: the interface, for programs. `/docs` shows the same to people."""

import functools
import json

from aiohttp import web

from app.openapi import make_document
from app.operations import OPERATIONS


async def get_openapi(request: web.Request) -> web.Response:
    """OpenAPI 3.1."""
    return web.Response(body=_encode(), content_type="application/json", charset="utf-8")


@functools.cache
def _encode() -> bytes:
    return json.dumps(make_document(OPERATIONS), ensure_ascii=False).encode()

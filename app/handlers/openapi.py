"""`GET /openapi.json`: the interface, for programs. `/docs` shows the same to people."""

import asyncio
import functools
import json

from aiohttp import web


async def get_openapi(request: web.Request) -> web.Response:
    """OpenAPI 3.1."""
    return web.Response(body=await asyncio.to_thread(_encode), content_type="application/json", charset="utf-8")


@functools.cache
def _encode() -> bytes:
    # The models of all replies, which nothing else needs.
    from app.openapi import make_document
    from app.operations import OPERATIONS

    return json.dumps(make_document(OPERATIONS), ensure_ascii=False).encode()

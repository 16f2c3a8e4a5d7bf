"""Reading the body of a request within the time and the size that the settings allow."""

import asyncio

from aiohttp import web

from app.errors import BadRequest, TooSlow
from app.keys import SETTINGS


async def read_body(request: web.Request) -> bytes:
    """The whole body, at most MAX_BODY_KB. Raises `TooSlow` after BODY_TIMEOUT_S, `BadRequest` when it is
    encoded wrongly."""
    limit_s = request.app[SETTINGS].body_timeout_s
    try:
        async with asyncio.timeout(limit_s):
            return await request.read()
    except TimeoutError:
        raise TooSlow(
            f"The request did not arrive within {limit_s:g} seconds (BODY_TIMEOUT_S). Send it again."
        ) from None
    except web.RequestPayloadError:
        raise BadRequest("The body is not encoded as its headers say. Send plain JSON with a Content-Length.") from None

"""Whether a page of another origin asks."""

from aiohttp import hdrs, web

SAFE_METHODS = frozenset({hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS})


def is_cross_origin(request: web.Request) -> bool:
    """Whether a browser page of another origin asks."""
    origin = request.headers.get(hdrs.ORIGIN)
    return origin is not None and origin not in (f"http://{request.host}", f"https://{request.host}")

"""What holds for every request, in this order: headers, the client behind proxies, the id, numbers, errors to
JSON, the host, the origin, who asks."""

import logging
import time
from collections.abc import Awaitable, Callable

from aiohttp import hdrs, web

from app.access.check import QUESTIONS, check_access
from app.access.origins import SAFE_METHODS, is_cross_origin
from app.access.proxies import get_scheme, resolve_client
from app.compat.errors import PREFIX, describe_error
from app.errors import BadRequest, ForbiddenOrigin, Stopping, TooBusy
from app.keys import METRICS, SETTINGS
from app.logs import HEADER, REQUEST_ID, take_request_id
from app.security import HSTS, choose_headers
from database.errors import AcervoError

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
CLIENT_LEFT = 499
"""What nginx made customary for a request whose client did not wait for the answer."""


def setup_middlewares(app: web.Application) -> None:
    """Install all of it."""
    app.on_response_prepare.append(_add_security_headers)
    app.middlewares.extend((resolve_client, name_request, count_request))
    app.middlewares.extend((errors_to_json, check_host, check_origin, check_access))


async def _add_security_headers(request: web.Request, response: web.StreamResponse) -> None:
    for name, value in choose_headers(response.content_type).items():
        response.headers.setdefault(name, value)
    if get_scheme(request) == "https":
        response.headers[hdrs.STRICT_TRANSPORT_SECURITY] = HSTS
    response.headers[HEADER] = REQUEST_ID.get()


@web.middleware
async def name_request(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request the id that its log lines and its response carry."""
    take_request_id(request)
    return await handler(request)


@web.middleware
async def count_request(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count the request and the time until its response has ended."""
    started, status = time.perf_counter(), CLIENT_LEFT
    try:
        response = await handler(request)
        status = response.status
        return response
    except web.HTTPException as answer:  # a redirection, for instance
        status = answer.status
        raise
    finally:
        request.app[METRICS].count_request(request, status, time.perf_counter() - started)


def error_response(request: web.Request, status: int, message: str, kind: str = "") -> web.Response:
    """The one shape of an error before the first byte of an answer, but for clients that expect another one;
    a 500 names what to look for in the log."""
    if request.path.startswith(PREFIX):
        return web.json_response(describe_error(status, message, kind), status=status)
    told = {"error": message, "status": status} | ({"kind": kind} if kind else {})
    told |= {"request": REQUEST_ID.get()} if status == 500 else {}
    return web.json_response(told, status=status)


def retry_header(error: AcervoError) -> dict[str, str]:
    """When to come back, where that can be said."""
    return {hdrs.RETRY_AFTER: str(error.retry_after_s)} if error.retry_after_s else {}


@web.middleware
async def errors_to_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every failure becomes a status and `{"error", "status"}`; what nobody foresaw is logged, not shown."""
    try:
        return await handler(request)
    except AcervoError as error:
        if error.status >= 500 and not isinstance(error, (TooBusy, Stopping)):  # these would be many, and are counted
            log.warning("%s %s: %s", request.method, request.path, error)
        response = error_response(request, error.status, str(error), error.kind)
        response.headers.update(retry_header(error))
        return response
    except web.HTTPRequestEntityTooLarge as error:
        limit = request.app[SETTINGS].max_body_kb
        return error_response(
            request, error.status, f"The request is larger than {limit} kB; shorten it or raise MAX_BODY_KB."
        )
    except web.HTTPMethodNotAllowed as error:
        allowed = ", ".join(sorted(error.allowed_methods))
        response = error_response(request, error.status, f"{request.path} answers {allowed}, not {request.method}.")
        response.headers[hdrs.ALLOW] = allowed
        return response
    except web.HTTPNotFound as error:
        return error_response(request, error.status, f"There is no {request.path} here.")
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return error_response(request, error.status, error.text or error.reason)
    except ConnectionError:
        raise
    except Exception:
        log.exception("%s %s failed", request.method, request.path)
        return error_response(request, 500, "The server failed unexpectedly; its log says why.")


@web.middleware
async def check_host(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer only to known host names, so that a name rebound to this address by its owner gets nothing."""
    # Without the header aiohttp would ask the name server for this machine's name, and wait for it.
    host = request.host if hdrs.HOST in request.headers else ""
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    allowed = request.app[SETTINGS].host_names
    if "*" not in allowed and name.strip("[]").lower() not in allowed:
        raise BadRequest(f"This server does not answer to the host name {name!r}. Add it to ALLOWED_HOSTS.")
    return await handler(request)


@web.middleware
async def check_origin(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what a page of an unknown origin would change or ask; CORS alone only hides the answer."""
    if request.method not in SAFE_METHODS and is_cross_origin(request):
        origin = request.headers[hdrs.ORIGIN]
        if origin not in request.app[SETTINGS].origins:
            raise ForbiddenOrigin(f"Pages of {origin} may not ask here. Add it to CORS_ORIGINS if they should.")
        if request.path not in QUESTIONS:
            raise ForbiddenOrigin(f"Pages of {origin} may ask questions, and do nothing else.")
    return await handler(request)

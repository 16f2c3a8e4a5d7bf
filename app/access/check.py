"""The middleware that lets a request reach its handler, or does not."""

import asyncio
from collections.abc import Awaitable, Callable
from urllib.parse import quote

from aiohttp import hdrs, web

from app.access.gate import Gate
from app.access.origins import SAFE_METHODS
from app.access.policy import PAGES, WITHOUT_STORE, Need, find_need, name_route
from app.access.principal import NOBODY, PRINCIPAL, STRANGER, Principal
from app.errors import Conflict, Forbidden, Unauthorised
from app.keys import GATE
from database.errors import StoreError, StoreUnavailable

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
SAME_SITE = frozenset(("same-origin", "none"))
PATIENCE_S = 1.5
"""For a store that does not answer, where its answer is not needed."""
QUESTIONS = frozenset(("/", "/gemini"))
"""What pages of CORS_ORIGINS may send."""
FOREIGN = frozenset(
    ("/v1/chat/completions", "/v1/embeddings", "/api/chat", "/api/generate", "/api/embed", "/api/embeddings")
)
COUNTED = QUESTIONS | FOREIGN | {"/feedback"}
"""What counts against ASK_LIMIT; ratings, too, are kept for good."""
ADD_USER = "Nobody logs in here yet. Add the first user with `python -m app users add NAME`, or with POST /users."


@web.middleware
async def check_access(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let those in who have what the route needs."""
    need, gate = find_need(request), request.app[GATE]
    principal = STRANGER if need is None else await _identify(gate, request, need)
    if principal is None and need != "anybody":
        return _send_to_login(request)
    principal = principal or STRANGER
    if need not in (None, "anybody"):
        _check(request, principal, need)
    request[PRINCIPAL] = principal
    if request.method == hdrs.METH_POST and request.path in COUNTED:
        gate.count_question(request, principal)
    return await handler(request)


async def _identify(gate: Gate, request: web.Request, need: Need) -> Principal | None:
    route = name_route(request.match_info.route)
    if route == (hdrs.METH_GET, "/metrics") and gate.is_scraper(request):
        return Principal("", "reader", (), frozenset(("admin",)), "key", "METRICS_TOKEN")
    if need != "anybody" and route not in WITHOUT_STORE:
        return await gate.identify(request)
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await gate.identify(request)
    except Forbidden:
        if need == "anybody":
            return None
        raise
    except (StoreError, TimeoutError) as error:
        if gate.seems_open:
            return NOBODY
        if need == "anybody":
            return None
        raise StoreUnavailable("The store does not answer; who asks is not known.") from error


def _check(request: web.Request, principal: Principal, need: Need) -> None:
    if principal.via == "session" and request.method not in SAFE_METHODS:
        _check_intent(request)
    if need == "session":
        if principal.via == "nobody":
            raise Conflict(ADD_USER)
        if principal.via != "session":
            raise Forbidden("A key cannot do this; log in.")
    elif need != "login" and need not in principal.scopes:
        who = "This key lacks" if principal.via == "key" else f"A {principal.role} lacks"
        raise Forbidden(f"{who} the scope {need!r}.")


def _check_intent(request: web.Request) -> None:
    """Of pages of other origins the cookie was not even read; what is left are requests of which the
    browser does not say where they come from."""
    if hdrs.ORIGIN not in request.headers and request.headers.get("Sec-Fetch-Site") not in SAME_SITE:
        raise Forbidden("With a cookie, send the header Origin of this server; programs better use a key.")


def _send_to_login(request: web.Request) -> web.StreamResponse:
    if request.method in (hdrs.METH_GET, hdrs.METH_HEAD) and request.path in PAGES:
        raise web.HTTPSeeOther(f"/login?next={quote(request.path_qs, safe='')}")
    raise Unauthorised("Log in first, or send a key as `Authorization: Bearer acv_…`.")

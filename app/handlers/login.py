"""`POST /login` and `POST /logout`."""

import asyncio

from aiohttp import hdrs, web
from pydantic import BaseModel

from app.access.gate import COOKIE, Gate
from app.access.origins import is_cross_origin
from app.access.principal import SCOPES_OF, Principal
from app.access.proxies import get_scheme
from app.access.users import User, fold_name
from app.access.wire import Login, Me
from app.audit import audit
from app.errors import ForbiddenOrigin, Unauthorised
from app.handlers.bodies import read_body
from app.keys import GATE, SETTINGS
from app.wire import parse_body

EXAMPLE = '{"name": "ana", "password": "…"}'


def reply(model: BaseModel, status: int = 200) -> web.Response:
    """A model as JSON that nothing on the way keeps."""
    return web.Response(
        text=model.model_dump_json(),
        status=status,
        content_type="application/json",
        headers={hdrs.CACHE_CONTROL: "no-store"},
    )


def describe_me(principal: Principal, user: User | None) -> Me:
    """Who asks, as they are told; `user` is None where nobody logs in."""
    return Me(
        name=principal.name,
        display_name=user.display_name if user else "",
        role=principal.role,
        collections=None if principal.collections is None else list(principal.collections),
        scopes=sorted(principal.scopes),
        via=principal.via,
        login=user is not None,
    )


async def post_login(request: web.Request) -> web.Response:
    """200 with who it is, and the cookie of a new session; 401 for a wrong name or password, which is not said."""
    if is_cross_origin(request):
        raise ForbiddenOrigin("Only pages of this server may log in.")
    given, gate = parse_body(Login, await read_body(request), EXAMPLE), request.app[GATE]
    await gate.count_login(request, fold_name(given.name))
    await gate.open_store()
    user = await gate.users.verify(given.name, given.password)
    if user is None:
        audit("login_failed", request, user=given.name[:64])
        raise Unauthorised("The name or the password is wrong.")
    if request.cookies.get(COOKIE):
        await _end_session(gate, request)
    cookie = await gate.sessions.start(user.name, request.headers.get(hdrs.USER_AGENT, ""), request.remote or "")
    gate.forget_users()
    audit("login", request, user=user.name)
    principal = Principal(user.name, user.role, user.collections, SCOPES_OF[user.role], "session")
    response = reply(describe_me(principal, user))
    set_cookie(request, response, cookie)
    return response


def set_cookie(request: web.Request, response: web.Response, cookie: str) -> None:
    """Have the browser keep a session until it expires, out of reach of scripts and of other sites."""
    age_s = int(request.app[SETTINGS].session_hours * 3600)
    secure = get_scheme(request) == "https"
    response.set_cookie(COOKIE, cookie, max_age=age_s, path="/", httponly=True, samesite="Lax", secure=secure)


async def post_logout(request: web.Request) -> web.Response:
    """204: the session has ended, also when there was none any more."""
    gate = request.app[GATE]
    if request.cookies.get(COOKIE) and not is_cross_origin(request):
        await gate.open_store()
        if (name := await _end_session(gate, request)) is not None:
            audit("logout", request, user=name)
    response = web.Response(status=204, headers={hdrs.CACHE_CONTROL: "no-store"})
    if get_scheme(request) == "https":
        response.headers["Clear-Site-Data"] = '"cache"'  # pictures of pages that somebody else may not see
    response.del_cookie(COOKIE, path="/", httponly=True, samesite="Lax")
    return response


async def _end_session(gate: Gate, request: web.Request) -> str | None:
    """End the session of the cookie; whose it was."""
    session = await gate.sessions.find(request.cookies[COOKIE])
    if session is None:
        return None
    await asyncio.shield(gate.sessions.end(session.user, session.id))
    return session.user

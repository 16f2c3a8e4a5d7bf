"""`/me`: who asks; their name and password, keys and sessions."""

from aiohttp import web

from app.access.api_keys import Key
from app.access.gate import Gate
from app.access.principal import get_principal
from app.access.sessions import Session
from app.access.wire import ChangeMe, KeyMade, Keys, KeyShown, NewKey, Sessions, SessionShown
from app.audit import audit
from app.errors import Forbidden, NotFound
from app.handlers.bodies import read_body
from app.handlers.login import describe_me, reply
from app.keys import GATE
from app.wire import parse_body
from database.unbroken import unbroken


async def get_me(request: web.Request) -> web.Response:
    """Who asks; 401 for a stranger."""
    principal = get_principal(request)
    user = (await request.app[GATE].know_users()).get(principal.name)
    return reply(describe_me(principal, user))


async def patch_me(request: web.Request) -> web.Response:
    """Another display name or password. A new password ends all other sessions."""
    given = parse_body(ChangeMe, await read_body(request), '{"current_password": "…", "password": "…"}')
    gate, principal = request.app[GATE], get_principal(request)
    await gate.count_login(request, principal.name)
    if await gate.users.verify(principal.name, given.current_password) is None:
        audit("login_failed", request)
        raise Forbidden("The current password is wrong.")
    if given.password is not None:
        await change_password(gate, request, principal.name, given.password, keep=principal.id)
    if given.display_name is not None:
        await gate.users.change(principal.name, display_name=given.display_name.strip())
    gate.forget_users()
    return reply(describe_me(principal, await gate.users.get(principal.name)))


async def change_password(gate: Gate, request: web.Request, name: str, password: str, keep: str = "") -> None:
    """Give a user another password and end their sessions but the one of the id `keep`."""

    async def change() -> None:
        await gate.users.set_password(name, password)
        await gate.sessions.end_all(name, keep=keep)

    await unbroken(change())  # somebody who leaves now would keep the old sessions alive
    audit("password_changed", request, of=name)


async def list_keys(request: web.Request) -> web.Response:
    """The asker's keys, without their text."""
    keys = await request.app[GATE].keys.list(get_principal(request).name)
    return reply(Keys(keys=[describe_key(key) for key in keys]))


async def post_key(request: web.Request) -> web.Response:
    """201 with a new key and its text, which is told this once."""
    given = parse_body(NewKey, await read_body(request), '{"scopes": ["ask"], "label": "my script"}')
    principal = get_principal(request)
    key, text = await request.app[GATE].keys.add(principal.name, principal.role, given.scopes, given.label)
    audit("key_added", request, key=key.id, scopes=sorted(key.scopes))
    return reply(KeyMade(**describe_key(key).model_dump(), key=text), status=201)


async def delete_key(request: web.Request) -> web.Response:
    """204: the key opens nothing any more."""
    key_id = request.match_info["id"]
    if not await request.app[GATE].keys.remove(key_id, get_principal(request).name):
        raise NotFound("There is no such key; GET /me/keys lists those there are.")
    audit("key_removed", request, key=key_id)
    return web.Response(status=204)


async def list_sessions(request: web.Request) -> web.Response:
    """Where the asker is logged in."""
    principal = get_principal(request)
    sessions = await request.app[GATE].sessions.list(principal.name)
    return reply(Sessions(sessions=[_describe_session(session, principal.id) for session in sessions]))


async def delete_session(request: web.Request) -> web.Response:
    """204: that session has ended."""
    if not await request.app[GATE].sessions.end(get_principal(request).name, request.match_info["id"]):
        raise NotFound("There is no such session; GET /me/sessions lists those there are.")
    audit("logout", request)
    return web.Response(status=204)


def describe_key(key: Key) -> KeyShown:
    """A key as it is told."""
    return KeyShown(id=key.id, scopes=sorted(key.scopes), label=key.label, created_at=key.created_at)


def _describe_session(session: Session, current: str) -> SessionShown:
    return SessionShown(
        id=session.id,
        created_at=session.created_at,
        expires_at=session.expires_at,
        agent=session.agent,
        address=session.address,
        current=session.id == current,
    )

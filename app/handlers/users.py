"""`/users`: what admins do about users."""

from aiohttp import web

from app.access.gate import Gate
from app.access.principal import get_principal
from app.access.sessions import forget_access
from app.access.users import COMMON, User, fold_name
from app.access.wire import ChangeUser, NewUser, Users, UserShown
from app.audit import audit
from app.errors import Conflict
from app.handlers.bodies import read_body
from app.handlers.login import reply
from app.handlers.me import change_password
from app.keys import GATE
from app.wire import parse_body
from database.unbroken import unbroken

EXAMPLE = '{"name": "ana", "password": "…", "role": "reader", "collections": ["board"]}'

ANOTHER = "Another admin can, or `python -m app users` on the server."


async def list_users(request: web.Request) -> web.Response:
    """All users, by name."""
    gate = await _open(request)
    return reply(Users(users=[_describe(user) for user in await gate.users.list()]))


async def post_user(request: web.Request) -> web.Response:
    """201 with the new user. The first one has to be an admin: from then on everybody has to log in."""
    given, gate = parse_body(NewUser, await read_body(request), EXAMPLE), await _open(request)
    first = await gate.users.is_empty()
    if first and given.role == "reader":
        raise Conflict("The first user has to be an admin, or nobody could add others.")
    role = given.role or ("admin" if first else "reader")
    collections = COMMON if given.collections is None else given.collections
    user = await gate.users.add(given.name, given.password, role, collections)
    await unbroken(forget_access(gate.sessions, gate.keys, user.name))  # of somebody who had the name before
    gate.forget_users()
    audit("user_added", request, of=user.name, role=user.role)
    return reply(_describe(user), status=201)


async def patch_user(request: web.Request) -> web.Response:
    """The user with another role, display name, password or other collections."""
    given, gate = parse_body(ChangeUser, await read_body(request), '{"role": "reader"}'), await _open(request)
    name = fold_name(request.match_info["name"])
    if given.role == "reader":
        _refuse_oneself(request, name)
    if given.password is not None:
        _refuse_oneself(request, name, "With your password as it is now: PATCH /me.")
        await change_password(gate, request, name, given.password)
    changes = given.model_dump(exclude={"password"}, exclude_none=True)
    user = await gate.users.change(name, **changes) if changes else await gate.users.get(name)
    gate.forget_users()
    if changes:
        audit("user_changed", request, of=name, **changes)
    return reply(_describe(user))


async def delete_user(request: web.Request) -> web.Response:
    """204: the user, their sessions and keys are gone. What they uploaded and rated stays."""
    gate, name = await _open(request), fold_name(request.match_info["name"])
    _refuse_oneself(request, name)
    await unbroken(remove_user(gate, name))
    gate.forget_users()
    audit("user_removed", request, of=name)
    return web.Response(status=204)


async def remove_user(gate: Gate, name: str) -> None:
    """Forget a user, and what lets them in. Raises `NotFound`."""
    await gate.users.remove(name)
    await forget_access(gate.sessions, gate.keys, name)


def _refuse_oneself(request: web.Request, name: str, how: str = ANOTHER) -> None:
    """So that an admin is left, and that whoever finds a browser or a key cannot lock its owner out."""
    if get_principal(request).name == name:
        raise Conflict(f"Not yourself. {how}")


async def _open(request: web.Request) -> Gate:
    gate = request.app[GATE]
    await gate.open_store()
    return gate


def _describe(user: User) -> UserShown:
    return UserShown(
        name=user.name,
        display_name=user.display_name,
        role=user.role,
        collections=None if user.collections is None else list(user.collections),
        created_at=user.created_at,
    )

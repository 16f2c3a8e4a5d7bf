"""What the commands `users` and `keys` do, on an opened store. Each gives the lines to print."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.access.api_keys import Keys
from app.access.principal import Role, Scope
from app.access.sessions import Sessions, forget_access
from app.access.users import COMMON, Users
from app.audit import audit
from app.errors import NotFound
from app.settings import ServerSettings
from database.stores import Store

LAST = "Nobody is left: whoever reaches the server may do everything again (or nobody, where HOST is a network's)."


@dataclass(frozen=True)
class Books:
    """Users, sessions and keys of one store."""

    users: Users
    sessions: Sessions
    keys: Keys

    @classmethod
    def of(cls, store: Store, settings: ServerSettings) -> "Books":
        """Those that `store` keeps."""
        return cls(Users(store), Sessions(store, settings.session_hours), Keys(store, settings.max_keys))


async def add_user(
    books: Books, name: str, password: str, role: Role | None, collections: Sequence[str] | None
) -> list[str]:
    """A new user; the first is an admin unless `role` says otherwise."""
    role = role or ("admin" if await books.users.is_empty() else "reader")
    user = await books.users.add(name, password, role, COMMON if collections is None else collections)
    await forget_access(books.sessions, books.keys, user.name)  # of somebody who had the name before
    audit("user_added", None, of=user.name, role=role)
    return [f"{user.name} may log in: {describe_role(user.role, user.collections)}."]


async def list_users(books: Books) -> list[str]:
    """A line for each user."""
    users = await books.users.list()
    return [f"{u.name}  {describe_role(u.role, u.collections)}" for u in users] or ["There are no users."]


async def remove_user(books: Books, name: str) -> list[str]:
    """Forget a user, their sessions and keys."""
    user = await books.users.get(name)
    await books.users.remove(user.name)
    await forget_access(books.sessions, books.keys, user.name)
    audit("user_removed", None, of=user.name)
    return [f"{user.name} is removed, with their sessions and keys."] + ([LAST] if await books.users.is_empty() else [])


async def reset_user(books: Books, name: str, password: str) -> list[str]:
    """Give a user another password; their sessions end."""
    user = await books.users.get(name)
    await books.users.set_password(user.name, password)
    await books.sessions.end_all(user.name)
    audit("password_changed", None, of=user.name)
    return [f"{user.name} has another password; their sessions have ended."]


async def add_key(books: Books, name: str, scopes: Sequence[Scope], label: str) -> list[str]:
    """A new key; its text is the last line."""
    user = await books.users.get(name)
    key, text = await books.keys.add(user.name, user.role, scopes or ("ask",), label)
    audit("key_added", None, of=user.name, key=key.id, scopes=sorted(key.scopes))
    return ["Keep this key, it is shown only now:", text]


async def list_keys(books: Books, name: str) -> list[str]:
    """A line for each key, of one user if one is named."""
    keys = await books.keys.list((await books.users.get(name)).name if name else "")
    return [f"{k.id}  {k.user}  {','.join(sorted(k.scopes))}  {k.label}".rstrip() for k in keys] or [
        "There are no keys."
    ]


async def remove_key(books: Books, key_id: str) -> list[str]:
    """Forget a key by its id."""
    if not await books.keys.remove(key_id):
        raise NotFound(f"There is no key {key_id[:100]!r}; `python -m app keys list` lists those there are.")
    audit("key_removed", None, key=key_id)
    return [f"The key {key_id} opens nothing any more."]


async def check_new(books: Books, name: str, *, new: bool) -> None:
    """Before a password is asked for: whether the name can be added, or is there. Raises `AcervoError`."""
    await (books.users.check_free(name) if new else books.users.get(name))


def describe_role(role: Role, collections: Sequence[str] | None) -> str:
    """The role and what it sees, in words."""
    if collections is None:
        return role
    return f"{role} of {', '.join(repr(c) if c else 'documents in no collection' for c in collections) or 'nothing'}"

"""Users, in the store's books: entries of kind `user`, whose id is the name folded."""

import re
import time
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from app.access.passwords import Passwords
from app.access.principal import Role
from app.errors import BadRequest, Conflict, NotFound
from database.belonging import check_collection
from database.documents import Record
from database.errors import RecordConflict
from database.stores import Store

KIND = "user"
COMMON = ("",)
"""What a reader sees of whom nothing else was said: the documents that belong to no other collection."""
MAX_DISPLAY = 100
_NAME = re.compile(r"[\w][\w.@+-]{0,63}")


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may log in."""

    name: str
    """Folded: two names that differ in case or width alone are one."""
    role: Role
    collections: tuple[str, ...] | None
    """What they see; None: everything, which admins do."""
    display_name: str = ""
    created_at: float = 0.0


def fold_name(name: str) -> str:
    """The id of a user's name; empty for what cannot be one."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return folded if _NAME.fullmatch(folded) else ""


def require_name(name: str) -> str:
    """The id of a new user's name. Raises `BadRequest`."""
    if not (folded := fold_name(name)):
        raise BadRequest(f"{name[:100]!r} cannot be a user's name. Use 1 to 64 letters, digits and . _ - @ +.")
    return folded


def read_user(record: Record) -> User:
    """The user that an entry keeps; an admin sees everything."""
    data = record.data
    role: Role = "admin" if data["role"] == "admin" else "reader"
    collections = None if role == "admin" else tuple(data["collections"])
    return User(record.id, role, collections, str(data["display_name"]), record.created_at)


async def list_all(store: Store, kind: str) -> list[Record]:
    """Every entry of a kind, by id."""
    found: list[Record] = []
    while records := await store.list_records(kind, after=found[-1].id if found else ""):
        found.extend(records)
    return found


class Users:
    """Adds, finds, changes and removes users. Every method may raise `StoreError`."""

    def __init__(self, store: Store, passwords: Passwords | None = None):
        self._store, self._passwords = store, passwords or Passwords()

    async def list(self) -> Sequence[User]:
        """All, by name."""
        return [read_user(record) for record in await list_all(self._store, KIND)]

    async def is_empty(self) -> bool:
        """Whether there are none."""
        return not await self._store.list_records(KIND, limit=1)

    async def get(self, name: str) -> User:
        """One by name. Raises `NotFound`."""
        return read_user(await self._get_record(name))

    async def check_free(self, name: str) -> str:
        """The id of a new user's name. Raises `BadRequest`, and `Conflict` when it is taken."""
        folded = require_name(name)
        if await self._store.get_record(KIND, folded):
            raise Conflict(f"There is a user {folded} already.")
        return folded

    async def add(self, name: str, password: str, role: Role, collections: Sequence[str] = COMMON) -> User:
        """A new one. Raises `BadRequest`, `WrongCollection`, and `Conflict` when the name is taken."""
        folded = await self.check_free(name)
        seen = [check_collection(collection) for collection in collections]
        data = {"role": role, "collections": seen, "display_name": name[:MAX_DISPLAY]}
        data |= {"password": await self._passwords.make_hash(password)}
        try:
            return read_user(await self._store.put_record(Record(KIND, folded, data, created_at=time.time())))
        except RecordConflict:
            raise Conflict(f"There is a user {folded} already.") from None

    async def change(self, name: str, **values: Any) -> User:
        """Give a user another role, display name or other collections. Raises `NotFound`, `WrongCollection`."""
        if "collections" in values:
            values["collections"] = [check_collection(collection) for collection in values["collections"]]
        record = await self._get_record(name)
        return read_user(await self._store.put_record(replace(record, data={**record.data, **values})))

    async def set_password(self, name: str, password: str) -> None:
        """Give a user another password. Raises `NotFound`, `BadRequest`."""
        await self._get_record(name)
        await self.change(name, password=await self._passwords.make_hash(password))

    async def verify(self, name: str, password: str) -> User | None:
        """The user of this name if it is their password. Takes as long for a name that nobody has."""
        folded = fold_name(name)
        record = await self._store.get_record(KIND, folded) if folded else None
        known = str(record.data["password"]) if record else None
        if not await self._passwords.verify(known, password) or record is None or known is None:
            return None
        if self._passwords.is_outdated(known):
            data = {**record.data, "password": await self._passwords.make_hash(password)}
            with suppress(RecordConflict):  # somebody changed the user meanwhile: at the next login, then
                await self._store.put_record(replace(record, data=data))
        return read_user(record)

    async def remove(self, name: str) -> None:
        """Forget a user. Raises `NotFound`."""
        if not await self._store.remove_record(KIND, fold_name(name)):
            raise _no_user(name)

    async def _get_record(self, name: str) -> Record:
        folded = fold_name(name)
        record = await self._store.get_record(KIND, folded) if folded else None
        if record is None:
            raise _no_user(name)
        return record


def _no_user(name: str) -> NotFound:
    return NotFound(f"There is no user {name[:100]!r}.")

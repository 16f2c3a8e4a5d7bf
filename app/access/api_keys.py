"""Keys for programs: `acv_<prefix>_<secret>`, told once. The store's books keep the prefix and the SHA-256."""

import hashlib
import re
import secrets
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

from app.access.principal import SCOPES_OF, Role, Scope
from app.access.users import list_all
from app.errors import Conflict, Forbidden
from database.documents import Record
from database.stores import Store

KIND = "key"
_KEY = re.compile(r"acv_([0-9a-f]{12})_[\w-]{43}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Key:
    """What is known of a key: not the key."""

    id: str
    """Its prefix."""
    user: str
    scopes: frozenset[Scope]
    label: str = ""
    created_at: float = 0.0


class Keys:
    """Makes, finds and removes keys. Every method may raise `StoreError`."""

    def __init__(self, store: Store, max_keys: int):
        self._store, self._max_keys = store, max_keys

    async def add(self, user: str, role: Role, scopes: Iterable[Scope], label: str = "") -> tuple[Key, str]:
        """A new key and its text, which nobody can tell later. Raises `Forbidden` for scopes beyond the
        role, `Conflict` when the user has MAX_KEYS."""
        if beyond := sorted(set(scopes) - SCOPES_OF[role]):
            raise Forbidden(f"A key of a {role} cannot have the scope {', '.join(beyond)}.")
        if len(await self.list(user)) >= self._max_keys:
            raise Conflict(f"{user} has {self._max_keys} keys already (MAX_KEYS). Remove one first.")
        prefix = secrets.token_hex(6)
        text = f"acv_{prefix}_{secrets.token_urlsafe(32)}"
        data = {"user": user, "scopes": sorted(set(scopes)), "label": label, "digest": _hash(text)}
        return _read(await self._store.put_record(Record(KIND, prefix, data, created_at=time.time()))), text

    async def find(self, text: str) -> Key | None:
        """The key whose text this is."""
        match = _KEY.fullmatch(text)
        record = await self._store.get_record(KIND, match[1]) if match else None
        if record is None or not secrets.compare_digest(str(record.data["digest"]), _hash(text)):
            return None
        return _read(record)

    async def list(self, user: str = "") -> Sequence[Key]:
        """Those of a user, or all, the oldest first."""
        keys = [_read(record) for record in await list_all(self._store, KIND)]
        return sorted((key for key in keys if user in ("", key.user)), key=lambda key: key.created_at)

    async def remove(self, key_id: str, user: str = "") -> bool:
        """Forget a key, of this user if one is named; whether there was it."""
        record = await self._store.get_record(KIND, key_id)
        if record is None or user not in ("", record.data["user"]):
            return False
        return await self._store.remove_record(KIND, key_id)

    async def remove_all(self, user: str) -> None:
        """Forget all keys of a user."""
        for key in await self.list(user):
            await self._store.remove_record(KIND, key.id)


def _read(record: Record) -> Key:
    data = record.data
    scopes = cast(frozenset[Scope], frozenset(data["scopes"]))
    return Key(record.id, data["user"], scopes, data["label"], record.created_at)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

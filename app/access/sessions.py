"""Sessions: a random token in a signed cookie; the store's books keep its hash, whose it is and until when."""

import hashlib
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass

from itsdangerous import BadSignature, Signer

from app.access.api_keys import Keys
from app.access.users import list_all
from database.documents import Record
from database.errors import RecordConflict
from database.stores import Store

KIND, SECRET = "session", "secret"
SECRET_ID = "cookies"
MAX_SESSIONS = 50
"""Of one user; the oldest goes when there would be more."""
MAX_AGENT = 200


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody logged in somewhere. Times are seconds since the epoch."""

    id: str
    """SHA-256 of the token, hex."""
    user: str
    created_at: float
    expires_at: float
    agent: str = ""
    address: str = ""


class Sessions:
    """Starts, finds and ends sessions. Every method may raise `StoreError`."""

    def __init__(self, store: Store, hours: float):
        self._store, self._hours = store, hours
        self._signer: Signer | None = None

    async def start(self, user: str, agent: str = "", address: str = "") -> str:
        """A new session; what the cookie holds. Forgets sessions that have expired."""
        await self._prune(user)
        token, now = secrets.token_urlsafe(32), time.time()
        data = {"user": user, "expires_at": now + self._hours * 3600, "agent": agent[:MAX_AGENT], "address": address}
        await self._store.put_record(Record(KIND, _hash(token), data, created_at=now))
        return (await self._open_signer()).sign(token).decode()

    async def find(self, cookie: str) -> Session | None:
        """The session of a cookie, unless it was tampered with, has expired or was ended."""
        try:
            token = (await self._open_signer()).unsign(cookie.encode(errors="replace")).decode()
        except BadSignature:
            return None
        record = await self._store.get_record(KIND, _hash(token))
        session = _read(record) if record else None
        return session if session and session.expires_at > time.time() else None

    async def list(self, user: str) -> Sequence[Session]:
        """Those of a user that have not expired, the oldest first."""
        return [s for s in await self._list_all() if s.user == user and s.expires_at > time.time()]

    async def end(self, user: str, session_id: str) -> bool:
        """End one of a user's sessions; whether there was it."""
        record = await self._store.get_record(KIND, session_id)
        if record is None or record.data["user"] != user:
            return False
        return await self._store.remove_record(KIND, session_id)

    async def end_all(self, user: str, keep: str = "") -> None:
        """End all sessions of a user but the one of the id `keep`."""
        for session in await self._list_all():
            if session.user == user and session.id != keep:
                await self._store.remove_record(KIND, session.id)

    async def _prune(self, user: str) -> None:
        sessions = await self._list_all()
        gone = [session for session in sessions if session.expires_at <= time.time()]
        gone += [session for session in sessions if session.user == user and session not in gone][: 1 - MAX_SESSIONS]
        for session in gone:
            await self._store.remove_record(KIND, session.id)

    async def _list_all(self) -> Sequence[Session]:
        return sorted(map(_read, await list_all(self._store, KIND)), key=lambda session: session.created_at)

    async def _open_signer(self) -> Signer:
        if self._signer is None:
            self._signer = Signer(await _read_secret(self._store), salt="acervo.session", digest_method=hashlib.sha256)
        return self._signer


async def forget_access(sessions: Sessions, keys: Keys, user: str) -> None:
    """End whatever lets a user in without a password."""
    await sessions.end_all(user)
    await keys.remove_all(user)


async def _read_secret(store: Store) -> bytes:
    """What cookies are signed with; made when it is first needed, by whichever server comes first."""
    record = await store.get_record(SECRET, SECRET_ID)
    if record is None:
        try:
            data = {"value": secrets.token_hex(32)}
            record = await store.put_record(Record(SECRET, SECRET_ID, data, created_at=time.time()))
        except RecordConflict:
            return await _read_secret(store)
    return bytes.fromhex(str(record.data["value"]))


def _read(record: Record) -> Session:
    data = record.data
    return Session(record.id, data["user"], record.created_at, data["expires_at"], data["agent"], data["address"])


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()

"""Passwords: hashed with Argon2id (RFC 9106) in a thread, few at a time, for each takes 64 MB."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.errors import BadRequest, TooManyRequests

T = TypeVar("T")

MIN_CHARS, MAX_CHARS = 10, 1000
AT_ONCE, MAX_WAITING = 2, 30


def check_password(password: str) -> None:
    """Raises `BadRequest` for one that is too short to be safe, or absurdly long."""
    if not MIN_CHARS <= len(password) <= MAX_CHARS:
        raise BadRequest(f"A password has {MIN_CHARS} to {MAX_CHARS} characters; this one has {len(password)}.")


class Passwords:
    """Makes and checks hashes."""

    def __init__(self, hasher: PasswordHasher | None = None):
        self._hasher = hasher or PasswordHasher()
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        self._dummy = ""

    async def make_hash(self, password: str) -> str:
        """The hash to keep. Raises `BadRequest`."""
        check_password(password)
        return await self._run(lambda: self._hasher.hash(password))

    async def verify(self, known: str | None, password: str) -> bool:
        """Whether it is the password of this hash. None (no such user) takes as long as a wrong one."""
        if len(password) > MAX_CHARS:
            return False
        return await self._run(lambda: self._verify(known, password))

    def is_outdated(self, known: str) -> bool:
        """Whether a hash was made with other parameters than are used now."""
        return self._hasher.check_needs_rehash(known)

    def _verify(self, known: str | None, password: str) -> bool:
        self._dummy = self._dummy or self._hasher.hash("nobody's password")
        try:
            return self._hasher.verify(known or self._dummy, password) and known is not None
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= MAX_WAITING:
            raise TooManyRequests("Too many logins at the same time. Try again in a moment.", 2)
        self._waiting += 1
        try:
            async with self._turn:
                return await asyncio.to_thread(work)
        finally:
            self._waiting -= 1

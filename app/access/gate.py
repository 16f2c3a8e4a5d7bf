"""Decides who asks: from the key or the cookie of a request, and the users that the store knows."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import hdrs, web

from app.access.api_keys import Keys
from app.access.limits import Limit, group_address, is_loopback
from app.access.origins import is_cross_origin
from app.access.principal import NOBODY, SCOPES_OF, Principal
from app.access.sessions import Sessions
from app.access.shared_limits import SharedLimit
from app.access.users import User, Users
from app.errors import Forbidden
from app.settings import ServerSettings
from database.errors import StoreError
from database.stores import Store

COOKIE = "acervo_session"
KNOWN_S = 2.0
"""For so long the list of users counts; what this server changes itself counts at once."""
LOGINS = "attempts to log in"
NO_USERS = "Nobody may come in yet: add a user on the server with `python -m app users add NAME`."


class Gate:
    """What is needed to let people in, for as long as the server runs."""

    def __init__(self, settings: ServerSettings, store: Store, open_store: Callable[[], Awaitable[None]]):
        self.users = Users(store)
        self.sessions = Sessions(store, settings.session_hours)
        self.keys = Keys(store, settings.max_keys)
        self.logins = Limit(settings.login_limit, LOGINS)
        # Besides the one in memory, which spares the store those who try without end.
        self._all_logins = SharedLimit(store, settings.login_limit, LOGINS) if store.files is not None else None
        self.questions = Limit(settings.ask_limit, "questions")
        self.open_store = open_store
        self.alone = is_loopback(settings.host) and not settings.trusted_networks
        """Whether only this machine reaches the server, and no proxy in front of it is known."""
        self._exposed = not is_loopback(settings.host) and not settings.allow_no_login
        self._metrics_token = settings.metrics_token.get_secret_value()
        self._known: Mapping[str, User] | None = None
        self._next_look = 0.0
        self._lock = asyncio.Lock()

    @property
    def seems_open(self) -> bool:
        """Whether nobody logs in as far as is known: there were no users when the store last answered; and
        where it never did, only this machine reaches the server."""
        return self.alone if self._known is None else not self._known and not self._exposed

    def forget_users(self) -> None:
        """Have the list of users read again: it was changed."""
        self._next_look = 0.0

    async def know_users(self) -> Mapping[str, User]:
        """Users by name, at most KNOWN_S old; while the store is away, as they were when it was not.
        Raises `StoreError` when it has been away since the start."""
        if time.monotonic() < self._next_look and self._known is not None:
            return self._known
        async with self._lock:
            if time.monotonic() >= self._next_look or self._known is None:
                self._known = await self._look()
        return self._known

    async def _look(self) -> Mapping[str, User]:
        # Before reading, so that `forget_users` meanwhile is not undone.
        self._next_look = time.monotonic() + KNOWN_S
        try:
            await self.open_store()
            return {user.name: user for user in await self.users.list()}
        except StoreError:
            if self._known is None:
                raise
            return self._known

    async def identify(self, request: web.Request) -> Principal | None:
        """Who asks; None for a stranger. Raises `StoreError`, and `Forbidden` where a network is served
        although nobody can log in."""
        users = await self.know_users()
        if not users:
            if self._exposed:
                raise Forbidden(NO_USERS)
            return NOBODY
        if hdrs.AUTHORIZATION in request.headers:
            return await self._find_key(request.headers[hdrs.AUTHORIZATION], users)
        # Pages of CORS_ORIGINS are trusted with questions, not with the login of whoever reads them.
        if COOKIE in request.cookies and not is_cross_origin(request):
            return await self._find_session(request.cookies[COOKIE], users)
        return None

    async def _find_key(self, header: str, users: Mapping[str, User]) -> Principal | None:
        scheme, _, text = header.partition(" ")
        key = await self.keys.find(text.strip()) if scheme.lower() == "bearer" else None
        user = users.get(key.user) if key else None
        if key is None or user is None:
            return None
        return Principal(user.name, user.role, user.collections, key.scopes & SCOPES_OF[user.role], "key", key.id)

    async def _find_session(self, cookie: str, users: Mapping[str, User]) -> Principal | None:
        session = await self.sessions.find(cookie)
        user = users.get(session.user) if session else None
        if session is None or user is None:
            return None
        return Principal(user.name, user.role, user.collections, SCOPES_OF[user.role], "session", session.id)

    def is_scraper(self, request: web.Request) -> bool:
        """Whether METRICS_TOKEN was sent."""
        sent = request.headers.get(hdrs.AUTHORIZATION, "").encode(errors="replace")
        return bool(self._metrics_token) and secrets.compare_digest(sent, f"Bearer {self._metrics_token}".encode())

    async def count_login(self, request: web.Request, name: str) -> None:
        """Raises `TooManyRequests` after LOGIN_LIMIT attempts in a minute for a name or from an address, at all
        servers of a MongoDB together."""
        names = f"name {name}", f"address {group_address(request.remote or '')}"
        self.logins.take(*names)
        if self._all_logins is not None:
            await self.open_store()
            await self._all_logins.take(*names)

    def count_question(self, request: web.Request, principal: Principal) -> None:
        """Raises `TooManyRequests` after ASK_LIMIT questions in a minute. Who asks on the machine itself
        without a login is not counted."""
        address = request.remote or ""
        if principal.name:
            self.questions.take(f"name {principal.name}")
        elif not is_loopback(address):
            self.questions.take(f"address {group_address(address)}")

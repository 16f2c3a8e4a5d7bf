"""Who asks. Plain values; no I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from aiohttp import web

Role = Literal["admin", "reader"]
Scope = Literal["ask", "read", "write", "admin"]
ALL_SCOPES: frozenset[Scope] = frozenset(("ask", "read", "write", "admin"))
SCOPES_OF: Mapping[Role, frozenset[Scope]] = {"admin": ALL_SCOPES, "reader": frozenset(("ask", "read"))}
"""What each role may do."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody, or a program of theirs, and what they may do in this request."""

    name: str
    """Of the user; empty where nobody logs in."""
    role: Role
    collections: tuple[str, ...] | None
    """Those they see; None: all."""
    scopes: frozenset[Scope]
    via: Literal["nobody", "session", "key"]
    id: str = ""
    """Of the session or the key."""

    def may(self, scope: Scope) -> bool:
        """Whether this scope is among theirs."""
        return scope in self.scopes


NOBODY = Principal("", "admin", None, ALL_SCOPES, "nobody")
"""Everybody, where there are no users."""
STRANGER = Principal("", "reader", (), frozenset(), "nobody")
"""Somebody who has not logged in where there are users."""
PRINCIPAL = web.RequestKey("principal", Principal)


def get_principal(request: web.Request) -> Principal:
    """Who asks; set by `check_access` before any handler runs."""
    return request[PRINCIPAL]

"""What each route needs: one table. A route that is not in it cannot be served."""

from collections.abc import Mapping
from typing import Literal

from aiohttp import hdrs, web

from app.access.principal import Scope

Need = Scope | Literal["anybody", "login", "session"] | None
"""A scope; None: nothing, and nobody is asked who they are; "anybody": nothing, but who it is counts;
"login": a session or a key, whatever its scopes; "session": one of those, not a key."""

POLICY: Mapping[tuple[str, str], Need] = {
    ("GET", "/health"): None,
    ("GET", "/ready"): "anybody",
    ("GET", "/login"): None,
    ("POST", "/login"): None,
    ("POST", "/logout"): None,
    ("GET", "/openapi.json"): None,
    ("GET", "/docs"): None,
    ("GET", "/docs/{name}"): None,
    ("GET", "/app.css"): None,
    ("GET", "/favicon.svg"): None,
    ("GET", "/css/{name}"): None,
    ("GET", "/js/{name}"): None,
    ("GET", "/lib/{name}"): None,
    ("GET", "/access/{name}"): None,
    ("GET", "/"): "login",
    ("GET", "/profile"): "session",
    ("GET", "/me"): "login",
    ("PATCH", "/me"): "session",
    ("GET", "/me/keys"): "session",
    ("POST", "/me/keys"): "session",
    ("DELETE", "/me/keys/{id}"): "session",
    ("GET", "/me/sessions"): "session",
    ("DELETE", "/me/sessions/{id}"): "session",
    ("POST", "/"): "ask",
    ("POST", "/gemini"): "ask",
    ("GET", "/v1/models"): "ask",
    ("GET", "/v1/models/{name}"): "ask",
    ("POST", "/v1/chat/completions"): "ask",
    ("POST", "/v1/embeddings"): "ask",
    ("GET", "/api/version"): None,
    ("GET", "/api/tags"): "ask",
    ("POST", "/api/show"): "ask",
    ("POST", "/api/chat"): "ask",
    ("POST", "/api/generate"): "ask",
    ("POST", "/api/embed"): "ask",
    ("POST", "/api/embeddings"): "ask",
    ("GET", "/topics"): "ask",
    ("GET", "/models"): "ask",
    ("GET", "/feedback"): "ask",
    ("POST", "/feedback"): "ask",
    ("GET", "/collections"): "read",
    ("GET", "/documents"): "read",
    ("GET", "/documents/{id}/file"): "read",
    ("GET", "/documents/{id}/pages/{number}"): "read",
    ("GET", "/documents/{id}/pages/{number}.png"): "read",
    ("POST", "/documents"): "write",
    ("DELETE", "/documents/{id}"): "write",
    ("POST", "/documents/{id}/restore"): "write",
    ("GET", "/jobs"): "write",
    ("GET", "/jobs/{id}"): "write",
    ("DELETE", "/jobs/{id}"): "write",
    ("POST", "/jobs/{id}/retry"): "write",
    ("GET", "/metrics"): "admin",
    ("GET", "/users"): "admin",
    ("POST", "/users"): "admin",
    ("PATCH", "/users/{name}"): "admin",
    ("DELETE", "/users/{name}"): "admin",
}
PAGES = frozenset(("/", "/profile"))
"""What a browser is sent to the login page from."""
WITHOUT_STORE = frozenset((("GET", "/"), ("GET", "/models"), ("GET", "/metrics")))
"""What a server that only this machine reaches answers while its store is away: it touches no document."""


class Unlisted(Exception):
    """A route was added of which nobody said who may use it."""


def name_route(route: web.AbstractRoute) -> tuple[str, str]:
    """How the table calls a route."""
    method = hdrs.METH_GET if route.method == hdrs.METH_HEAD else route.method
    return method, route.resource.canonical if route.resource else ""


def find_need(request: web.Request) -> Need:
    """What a request needs. Addresses that do not exist need nothing, nor do the preflights of browsers."""
    route = request.match_info.route
    if route.resource is None or route.method == hdrs.METH_OPTIONS:
        return None
    return POLICY[name_route(route)]


def check_policy(app: web.Application) -> None:
    """Raises `Unlisted` when a route is not in the table."""
    routes = [route for route in app.router.routes() if route.method != hdrs.METH_OPTIONS]
    unlisted = sorted({name_route(route) for route in routes} - set(POLICY))
    if unlisted:
        raise Unlisted(f"Say in app/access/policy.py what these routes need: {unlisted}")

"""The headers that responses carry, so that a page can run nothing but our own files.

No inline script or style, no other host, no framing. Trusted Types leave one way for text to
become HTML: the policy that DOMPurify registers under its own name.
"""

from collections.abc import Mapping
from types import MappingProxyType

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "font-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types dompurify",
    )
)

SECURITY_HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
)
"""For every document, errors included. The resource policy keeps pages of others from embedding ours, by
which they could find out what is loaded; CORS answers stay readable, browsers do not apply it to them."""

HSTS = "max-age=31536000"
"""For a year browsers ask this host by https alone. Of other hosts of the same domain it says nothing."""

PARTS_OF_PAGES = frozenset({"text/javascript", "text/css"})
PART_HEADERS = {name: SECURITY_HEADERS[name] for name in ("X-Content-Type-Options", "Cross-Origin-Resource-Policy")}
"""For scripts and styles. A browser obeys the policy of the document that loads them; on each of them it
would only be weight."""


def choose_headers(content_type: str) -> Mapping[str, str]:
    """The headers of a response of this type."""
    return PART_HEADERS if content_type in PARTS_OF_PAGES else SECURITY_HEADERS

"""An address as a person gives it, checked as far as that goes without asking anybody. Pure."""

import ipaddress
import re

from yarl import URL

from database.errors import WrongAddress
from database.web.allowed import Allowed, check_target

MAX_CHARS = 2000
_HOST = re.compile(r"(?=.{1,254}\Z)(?:[\w-]{1,63}(?:\.[\w-]{1,63})*\.?|[\da-f]*:[\da-f:.]*)", re.ASCII)


def read_address(text: str, allowed: Allowed) -> URL:
    """The address in its one spelling: names of hosts in ASCII, without a fragment.

    Raises `WrongAddress`. Names of hosts are not resolved here; addresses of machines are checked.
    """
    text = text.strip()
    if len(text) > MAX_CHARS or not text.isprintable():
        raise WrongAddress(f"An address has at most {MAX_CHARS} characters and no line breaks. Copy it again.")
    try:
        url = URL(text).with_fragment(None)
        # Decoding shows what is no name: a label that says it is not in ASCII, and holds nothing.
        host, port = (url.raw_host or "") if url.host else "", url.port or 0
    except ValueError as error:
        raise WrongAddress(f"{text!r} is no web address. Copy it from the browser again.") from error
    if url.scheme not in ("http", "https"):
        raise WrongAddress("Only addresses that begin with https:// or http:// can be loaded.")
    if url.user is not None or url.password is not None:
        raise WrongAddress(
            "The address has a user or a password in it, which is not sent. Load a page that needs no login."
        )
    if not _HOST.fullmatch(host) or not port:
        raise WrongAddress(f"{text!r} names no host. Copy it from the browser again.")
    if len(str(url)) > MAX_CHARS:
        raise WrongAddress(f"An address has at most {MAX_CHARS} characters.")
    check_literal(url, allowed)
    return url


def check_literal(url: URL, allowed: Allowed) -> bool:
    """Whether the host is the address of a machine itself, which no resolver sees. Raises `WrongAddress` when
    that may not be connected to."""
    try:
        ip = ipaddress.ip_address(url.raw_host or "")
    except ValueError:
        return False
    check_target(url.raw_host or "", url.port or 0, str(ip), allowed)
    return True

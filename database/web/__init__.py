"""Web pages and files by their address: what may be fetched, and fetching it.

addresses.py  an address as a person gives it, checked as far as that goes without asking anybody
allowed.py    which hosts, networks and ports a connection may be made to
guard.py      names become checked network addresses, and nothing else is connected to
robots.py     what a site asks programs to leave alone
receiving.py  a body becomes a file, within its limits
fetch.py      one address from the first connection to the file
    loading.py    addresses for a load
"""

import re

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def is_address(text: str) -> bool:
    """Whether this is an address, of whatever kind, and no path."""
    return _SCHEME.match(text.strip()) is not None

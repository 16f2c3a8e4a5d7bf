"""Whether a server may start where others can reach it."""

import asyncio
import logging

from app.access.limits import is_loopback
from app.access.users import Users
from app.settings import ServerSettings
from database.errors import SettingsError, StoreError
from database.stores import make_store

log = logging.getLogger(__name__)


def check_exposure(settings: ServerSettings) -> None:
    """Refuse to serve a network without users, unless the setting says so in so many words. A store that
    is away is no reason: nobody gets in until it tells who may. Raises `SettingsError`."""
    if is_loopback(settings.host) or settings.allow_no_login:
        return
    try:
        empty = asyncio.run(_has_no_users(settings))
    except StoreError as error:
        log.warning("Nobody gets in until the store tells who may: %s", error)
        return
    if empty:
        raise SettingsError(
            f"HOST={settings.host} would let everybody in the network read your documents. Add a user with "
            "`python -m app users add NAME`, use HOST=127.0.0.1, or set ALLOW_NO_LOGIN=1 if something in front of "
            "the server decides who may come in."
        )


async def _has_no_users(settings: ServerSettings) -> bool:
    store = make_store(settings)
    try:
        await store.open()
        return await Users(store).is_empty()
    finally:
        await store.aclose()

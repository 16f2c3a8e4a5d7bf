"""Who did what, when and from where: one entry in the log for each, by the logger `acervo.audit`.

With AUDIT_LOG the entries go to that file, an object a line, instead of to the ordinary log.
"""

import logging
import os
from logging.handlers import WatchedFileHandler
from typing import Any, Literal

from aiohttp import web

from app.access.principal import PRINCIPAL
from app.logs import JsonFormatter, Redactor
from app.settings import ServerSettings
from database.errors import SettingsError
from database.settings import ROOT

AuditEvent = Literal[
    "login",
    "login_failed",
    "logout",
    "upload",
    "delete",
    "restore",
    "ask",
    "user_added",
    "user_removed",
    "user_changed",
    "key_added",
    "key_removed",
    "password_changed",
]

log = logging.getLogger("acervo.audit")


def audit(event: AuditEvent, request: web.Request | None, **fields: Any) -> None:
    """Write down `event`. `request` is None on the command line; `fields` say more: strings, numbers and
    lists of them. Whoever calls gives no secret and not the text of a question unless AUDIT_QUESTIONS is set.
    """
    told: dict[str, Any] = {"event": event}
    if request is not None:
        told |= {"address": request.remote or ""}
        if PRINCIPAL in request and request[PRINCIPAL].name:
            told |= {"user": request[PRINCIPAL].name}
    told |= fields
    # repr: nothing in it can look like another field or begin a line.
    text = " ".join(f"{name}={value!r}" for name, value in told.items() if name != "event")
    log.info("%s %s", event, text, extra={"audit": told})


class AuditLog(WatchedFileHandler):
    """AUDIT_LOG: only its owner can read it; it is opened anew when it was moved away (logrotate)."""

    def __init__(self, settings: ServerSettings):
        try:
            super().__init__(ROOT / os.path.expanduser(settings.audit_log), encoding="utf-8")
        except OSError as error:
            raise SettingsError(
                f"AUDIT_LOG={settings.audit_log}: {error.strerror}. Name a file in a folder that "
                "exists and can be written."
            ) from error
        self.setFormatter(JsonFormatter(Redactor(settings)))

    def _open(self) -> Any:
        return open(self.baseFilename, self.mode, encoding=self.encoding, opener=_open_private)


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def set_up_audit(settings: ServerSettings) -> None:
    """Send the entries to AUDIT_LOG, if it names a file. Raises `SettingsError` when it cannot be written."""
    log.setLevel(logging.INFO)  # whatever LOG_LEVEL hides
    if settings.audit_log:
        log.addHandler(AuditLog(settings))
        log.propagate = False

"""The log: one line a message, as text or as JSON, with the id of the request that caused it.

The id is that of the header X-Request-ID where a client or a proxy sends a usable one, and made up
otherwise; it goes back in every response. Passwords in addresses and the secrets of the settings are
blotted out of every line, whoever wrote it.
"""

import json
import logging
import re
import secrets
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from aiohttp.http import HttpProcessingError
from pydantic import SecretStr

from app.settings import ServerSettings

HEADER = "X-Request-ID"
REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request that is being answered; empty outside of requests."""
BLOT = "***"
_USABLE = re.compile(r"[\w-]{1,64}", re.ASCII)
_ADDRESS = re.compile(r"(?<=://)[^\s'\"]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def take_request_id(request: web.Request) -> str:
    """Make the id of `request` that of the current context, and return it."""
    sent = request.headers.get(HEADER, "")
    request_id = sent if _USABLE.fullmatch(sent) else secrets.token_hex(8)
    REQUEST_ID.set(request_id)
    return request_id


def set_up_logging(settings: ServerSettings) -> None:
    """Our own messages on standard error, without a line for each request, be it a good or a broken one."""
    handler = logging.StreamHandler()
    handler.setFormatter(make_formatter(settings))
    logging.basicConfig(level=settings.log_level, handlers=[handler])
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells of every request
    logging.getLogger("aiohttp.server").addFilter(_is_about_us)


def make_formatter(settings: ServerSettings) -> logging.Formatter:
    """What LOG_FORMAT names."""
    kind = JsonFormatter if settings.log_format == "json" else TextFormatter
    return kind(Redactor(settings))


class Redactor:
    """Blots out credentials in addresses, and whatever setting is a secret."""

    def __init__(self, settings: ServerSettings):
        values = (getattr(settings, name) for name in type(settings).model_fields)
        hidden = [value.get_secret_value() for value in values if isinstance(value, SecretStr)]
        hidden += [find_password(uri) for uri in (settings.mongodb_uri, settings.ollama_host)]
        self._secrets = [secret for secret in hidden if secret]

    def __call__(self, text: str) -> str:
        """`text` as it may be read by others."""
        for secret in self._secrets:
            text = text.replace(secret, BLOT)
        return _ADDRESS.sub(_blot_credentials, text) if "@" in text else text


def _blot_credentials(address: re.Match[str]) -> str:
    """Up to the last @: a password that nobody encoded may hold any other sign. Better too much than too little."""
    credentials, at, rest = address[0].rpartition("@")
    return f"{BLOT}{at}{rest}" if credentials else address[0]


def find_password(uri: str) -> str:
    """The password in an address, as it is written there; empty where there is none."""
    credentials, at, _ = uri.partition("://")[2].rpartition("@")
    return credentials.partition(":")[2] if at else ""


class TextFormatter(logging.Formatter):
    """`LEVEL logger [request]: message`; what comes from outside cannot begin a line of its own."""

    def __init__(self, redact: Redactor):
        super().__init__("%(levelname)s %(name)s%(request)s: %(message)s")
        self._redact = redact

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The first line of an entry; a traceback follows in lines of its own."""
        request_id = REQUEST_ID.get()
        record.request = f" [{request_id}]" if request_id else ""
        record.message = _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", record.message)
        return super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        """The whole entry."""
        return self._redact(super().format(record))


class JsonFormatter(logging.Formatter):
    """An object a line: `time` (ISO 8601, UTC), `level`, `logger`, `message`, and where there is one
    `request`, `exception` and what an audit event brings."""

    def __init__(self, redact: Redactor):
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """The whole entry."""
        told: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id := REQUEST_ID.get():
            told["request"] = request_id
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        told |= getattr(record, "audit", {})
        return json.dumps(_redact_all(told, self._redact), ensure_ascii=False)


def _redact_all(told: dict[str, Any], redact: Redactor) -> dict[str, Any]:
    return {name: redact(value) if isinstance(value, str) else value for name, value in told.items()}


def _is_about_us(record: logging.LogRecord) -> bool:
    """False for a request that is no HTTP: its sender is told, and could fill the log with tracebacks."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, (HttpProcessingError, web.RequestPayloadError))

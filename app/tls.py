"""TLS without a proxy: TLS_CERT and TLS_KEY."""

import os
import ssl

from app.settings import ServerSettings
from database.errors import SettingsError
from database.settings import ROOT


def make_ssl_context(settings: ServerSettings) -> ssl.SSLContext | None:
    """What to serve https with; None for http. Raises `SettingsError` for files that cannot be used."""
    if not settings.tls_cert and not settings.tls_key:
        return None
    if not settings.tls_cert or not settings.tls_key:
        raise SettingsError("TLS_CERT and TLS_KEY belong together: set both, or neither for http.")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    # Of some builds of Python, Debian's among them, that is left to the machine's OpenSSL.
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    certificate, key = (ROOT / os.path.expanduser(path) for path in (settings.tls_cert, settings.tls_key))
    for name, path in (("TLS_CERT", certificate), ("TLS_KEY", key)):
        if not os.access(path, os.R_OK) or not path.is_file():
            raise SettingsError(f"{name}={path}: there is no such file, or this user may not read it.")
    try:
        # An empty password: otherwise OpenSSL would ask the terminal for that of an encrypted key, and wait.
        context.load_cert_chain(certificate, key, password="")
    except ssl.SSLError as error:
        raise SettingsError(
            f"TLS_CERT={certificate} and TLS_KEY={key} cannot be used ({error.reason}). Both have to be PEM, belong "
            "together, and the key must not need a password."
        ) from error
    return context

"""The server: `python -m app`."""

import asyncio
import contextlib
import ipaddress
import resource
import signal
import sys

from aiohttp import web

from app.application import make_app
from app.audit import set_up_audit
from app.logs import set_up_logging
from app.settings import ServerSettings
from database.errors import AcervoError, SettingsError

FILES_PER_ANSWER = 2
OTHER_FILES = 256
"""The index, idle clients, pages being drawn."""


def make_runner(app: web.Application, settings: ServerSettings) -> web.AppRunner:
    """The runner with production's flags, which tests use, too."""
    return web.AppRunner(
        app,
        # Without it, a client that leaves during a silence is never noticed and its model runs on.
        handler_cancellation=True,
        shutdown_timeout=settings.shutdown_timeout_s,
        access_log=None,
    )


def check_exposure(settings: ServerSettings) -> None:
    """Refuse to serve a network without logins, unless the setting says so in so many words."""
    host = settings.host
    with contextlib.suppress(ValueError):
        host = "localhost" if ipaddress.ip_address(host).is_loopback else host
    if host != "localhost" and not settings.allow_no_login:
        raise SettingsError(
            f"HOST={settings.host} would let everybody in the network read your documents. Use HOST=127.0.0.1, or "
            "set ALLOW_NO_LOGIN=1 if something in front of the server decides who may come in."
        )


def raise_file_limit(wanted: int) -> None:
    """Let this process hold `wanted` files and connections, or as many as the system grants.

    Many systems start programs with 1024, too few for MAX_ANSWERS: each answer has a client and a model.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        granted = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, granted), hard))


def name_address(host: str, port: int) -> str:
    """The address to type into a browser on this machine for a socket bound to `host`."""
    address = ipaddress.ip_address(host)
    if address.is_unspecified or address == ipaddress.IPv4Address("127.0.0.1"):
        host = "localhost"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def serve(settings: ServerSettings) -> None:
    """Run until SIGINT or SIGTERM."""
    runner = make_runner(make_app(settings), settings)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        await runner.setup()
        site = web.TCPSite(runner, settings.host, settings.port)
        try:
            await site.start()
        except OSError as error:
            raise SettingsError(
                f"Port {settings.port} of {settings.host} cannot be used: {error.strerror}. Is another server "
                "running there? Choose another with PORT=8001."
            ) from error
        print(f"Acervo is at {name_address(*runner.addresses[0][:2])}", flush=True)
        await stop.wait()
    finally:
        await runner.cleanup()


def main() -> int:
    """Serve; the exit status."""
    try:
        settings = ServerSettings.load()
        check_exposure(settings)
        set_up_logging(settings)
        set_up_audit(settings)
        raise_file_limit(FILES_PER_ANSWER * settings.max_answers + OTHER_FILES)
        asyncio.run(serve(settings))
    except AcervoError as error:
        print(f"Not started: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

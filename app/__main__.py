"""The server: `python -m app`. With a command (`python -m app --help` lists them) something else, without a server."""

import asyncio
import ctypes
import gc
import ipaddress
import os
import resource
import signal
import sys
from collections.abc import Sequence

from aiohttp import web, web_response

from app.access.exposure import check_exposure as check_exposure
from app.application import make_app
from app.asking import running_beside
from app.audit import set_up_audit
from app.cli.commands import run as run_command
from app.engine import Engine
from app.keys import ENGINE
from app.logs import set_up_logging
from app.settings import ServerSettings
from app.tls import make_ssl_context
from database.errors import AcervoError, SettingsError

FILES_PER_ANSWER = 2
OTHER_FILES = 256
"""The index, idle clients, pages being drawn."""


def make_runner(app: web.Application, settings: ServerSettings) -> web.AppRunner:
    """The runner with production's flags, which tests use, too."""
    # There is no other way to what aiohttp answers before a request reaches the application.
    setattr(web_response, "SERVER_SOFTWARE", "Acervo")  # noqa: B010
    return web.AppRunner(
        app,
        # Without it, a client that leaves during a silence is never noticed and its model runs on.
        handler_cancellation=True,
        shutdown_timeout=settings.shutdown_timeout_s,
        access_log=None,
    )


def raise_file_limit(wanted: int) -> None:
    """Let this process hold `wanted` files and connections, or as many as the system grants.

    Many systems start programs with 1024, too few for MAX_ANSWERS: each answer has a client and a model.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        granted = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, granted), hard))


def name_address(host: str, port: int, scheme: str = "http") -> str:
    """The address to type into a browser on this machine for a socket bound to `host`."""
    address = ipaddress.ip_address(host)
    if address.is_unspecified or address == ipaddress.IPv4Address("127.0.0.1"):
        host = "localhost"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


async def spare_collector(engine: Engine) -> None:
    """Leave what a warm server keeps for good out of garbage collections. A full one looks at it all, a hundred
    thousand objects, for a tenth of a second and more, in which no answer goes on. What starting left over
    is given back, where the C library can (glibc)."""
    await engine.warm.wait()
    gc.collect()
    gc.freeze()
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)


async def serve(settings: ServerSettings) -> None:
    """Run until SIGINT or SIGTERM."""
    context = make_ssl_context(settings)
    app = make_app(settings)
    runner = make_runner(app, settings)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        await runner.setup()
        site = web.TCPSite(runner, settings.host, settings.port, ssl_context=context)
        try:
            await site.start()
        except OSError as error:
            raise SettingsError(
                f"Port {settings.port} of {settings.host} cannot be used: {error.strerror}. Is another server "
                "running there? Choose another with PORT=8001."
            ) from error
        host, port = runner.addresses[0][:2]
        print(f"Acervo is at {name_address(host, port, 'https' if context else 'http')}", flush=True)
        async with running_beside(spare_collector(app[ENGINE])):
            await stop.wait()
    finally:
        await runner.cleanup()


def main(arguments: Sequence[str] = ()) -> int:
    """Serve, or carry out the command; the exit status."""
    if arguments:
        return run_command(arguments)
    try:
        settings = ServerSettings.load()
        set_up_logging(settings)
        set_up_audit(settings)
        check_exposure(settings)
        raise_file_limit(FILES_PER_ANSWER * settings.max_answers + OTHER_FILES)
        asyncio.run(serve(settings))
    except AcervoError as error:
        print(f"Not started: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    os.umask(0o077)  # what is written is its owner's alone
    raise SystemExit(main(sys.argv[1:]))

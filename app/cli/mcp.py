"""`python -m app mcp`: the documents for programs that speak MCP, on standard input and output."""

import argparse
import signal
from typing import Any

from app.cli.options import DONE, run_work
from app.settings import ServerSettings
from database.errors import SettingsError

MISSING = (
    "The SDK of MCP is not installed. Type `make mcp`, or in the environment of Acervo "
    "`pip install --require-hashes -r requirements-mcp.txt`."
)


def add_parsers(commands: Any) -> None:
    """What the command line may say about it."""
    what = "serve the documents to a program that speaks MCP, on standard input and output"
    parser = commands.add_parser("mcp", help=what, description=f"{what[0].upper()}{what[1:]}.")
    parser.set_defaults(run=lambda given: run_work(serve, given))


async def serve(settings: ServerSettings, _: argparse.Namespace) -> int:
    """Serve until input ends; the exit status. Raises `SettingsError` without the SDK."""
    try:
        from app.mcp import server
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("mcp", "mcp_types"):
            raise
        raise SettingsError(MISSING) from None
    # A thread waits for input, and Python would wait for that thread.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    await server.serve(settings)
    return DONE

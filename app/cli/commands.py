"""What the command line may say, and which command it means."""

import argparse
from collections.abc import Sequence

from app.access import cli as access
from app.cli import ask, mcp, search

COMMANDS = (ask, search, mcp, access)


def run(arguments: Sequence[str]) -> int:
    """Carry out a command; its exit status, 2 when it is no command."""
    given = make_parser().parse_args(arguments)
    status: int = given.run(given)
    return status


def make_parser() -> argparse.ArgumentParser:
    """Every command with its options."""
    parser = argparse.ArgumentParser(prog="python -m app", description="Without a command: serve.")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for module in COMMANDS:
        module.add_parsers(commands)
    return parser

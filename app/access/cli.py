"""`python -m app users …` and `python -m app keys …`."""

import argparse
import asyncio
import getpass
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from app.access import commands
from app.access.commands import Books
from app.access.passwords import check_password
from app.audit import set_up_audit
from app.errors import BadRequest
from app.logs import set_up_logging
from app.settings import ServerSettings
from database.errors import AcervoError
from database.stores import make_store

Work = Callable[[Books], Awaitable[list[str]]]


def run(given: argparse.Namespace) -> int:
    """Carry out a command; the exit status: 0, 1 when it could not be done."""
    try:
        settings = ServerSettings.load()
        set_up_logging(settings)
        set_up_audit(settings)
        lines = asyncio.run(_carry_out(settings, given))
    except AcervoError as error:
        print(f"Not done: {error}", file=sys.stderr)
        return 1
    except (EOFError, KeyboardInterrupt):
        print("Not done.", file=sys.stderr)
        return 1
    print("\n".join(lines))
    return 0


def add_parsers(commands: Any) -> None:
    """What the command line may say about it."""
    for thing, what, add_actions in (
        ("users", "who may log in", _add_users),
        ("keys", "keys for programs", _add_keys),
    ):
        parser = commands.add_parser(thing, help=what)
        parser.set_defaults(run=run, thing=thing)
        add_actions(parser.add_subparsers(dest="action", required=True))


def _add_users(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    add = actions.add_parser("add", help="let somebody log in; asks for a password")
    reset = actions.add_parser("reset", help="give somebody another password and end their sessions")
    remove = actions.add_parser("remove", help="forget somebody, their sessions and keys")
    actions.add_parser("list", help="everybody who may log in")
    for parser in (add, reset, remove):
        parser.add_argument("name")
    for parser in (add, reset):
        parser.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    add.add_argument("--role", choices=("admin", "reader"), help="the first user is an admin, others are readers")
    add.add_argument(
        "--collection", action="append", help="one that a reader sees; may be repeated; without it: documents in none"
    )


def _add_keys(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    add = actions.add_parser("add", help="make a key of a user")
    add.add_argument("name")
    add.add_argument("--scope", action="append", choices=("ask", "read", "write", "admin"), help="may be repeated")
    add.add_argument("--label", default="", help="what it is for")
    actions.add_parser("list", help="all keys, without their text").add_argument("name", nargs="?", default="")
    actions.add_parser("remove", help="make a key open nothing").add_argument("id")


async def _carry_out(settings: ServerSettings, given: argparse.Namespace) -> list[str]:
    store = make_store(settings)
    try:
        await store.open()
        books = Books.of(store, settings)
        return await (await _choose(books, given))(books)
    finally:
        await store.aclose()


async def _choose(books: Books, given: argparse.Namespace) -> Work:
    if given.thing == "keys":
        return _choose_keys(given)
    if given.action == "list":
        return commands.list_users
    if given.action == "remove":
        return partial(commands.remove_user, name=given.name)
    await commands.check_new(books, given.name, new=given.action == "add")
    password = await asyncio.to_thread(read_password, given.password_stdin)
    if given.action == "reset":
        return partial(commands.reset_user, name=given.name, password=password)
    role, collections = given.role, given.collection
    return partial(commands.add_user, name=given.name, password=password, role=role, collections=collections)


def _choose_keys(given: argparse.Namespace) -> Work:
    if given.action == "add":
        return partial(commands.add_key, name=given.name, scopes=given.scope or (), label=given.label)
    if given.action == "list":
        return partial(commands.list_keys, name=given.name)
    return partial(commands.remove_key, key_id=given.id)


def read_password(from_stdin: bool) -> str:
    """The password: the first line of standard input, or asked for twice. Raises `BadRequest`."""
    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
        check_password(password)
        return password
    password = getpass.getpass("Password: ")
    check_password(password)
    if getpass.getpass("Again: ") != password:
        raise BadRequest("These are two different passwords.")
    return password

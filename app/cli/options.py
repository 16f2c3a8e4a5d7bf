"""The options and the steps that `ask` and `search` share."""

import argparse
import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from app.choosing import choose_documents
from app.engine import Engine
from app.logs import set_up_logging
from app.settings import ServerSettings
from app.wire import AskRequest, check_ask
from database.errors import AcervoError

DONE, FAILED, NOTHING_RELEVANT, INTERRUPTED = 0, 1, 3, 130
EPILOG = f"""exit status: {DONE} {{done}}, {FAILED} failed, 2 wrong usage, {NOTHING_RELEVANT} nothing relevant was found
(the nearest passages are shown), {INTERRUPTED} interrupted"""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

Work = Callable[[ServerSettings, argparse.Namespace], Coroutine[Any, Any, int]]


def add_command(commands: Any, name: str, what: str, done: str) -> argparse.ArgumentParser:
    """A command that takes a question, and what restricts its search."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=what,
        description=f"{what[0].upper()}{what[1:]}.",
        epilog=EPILOG.format(done=done),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("question", nargs="+", help="in any language; - reads it from standard input")
    parser.add_argument(
        "--document", action="append", metavar="NAME", help="search this one, by name or id; repeatable"
    )
    parser.add_argument("--collection", action="append", metavar="NAME", help="search this collection; repeatable")
    parser.add_argument("--top-k", type=int, metavar="N", help="how many passages, 1 to 50 (default: TOP_K)")
    return parser


def run_work(work: Work, given: argparse.Namespace) -> int:
    """Do the work of a command; its exit status. What goes wrong is told on standard error."""
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        settings = ServerSettings.load()
        set_up_logging(settings)
        status = asyncio.run(work(settings, given))
        sys.stdout.flush()
        return status
    except AcervoError as error:
        print(f"Not done: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read has left; without this Python complains once more when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


@asynccontextmanager
async def open_engine(settings: ServerSettings) -> AsyncIterator[Engine]:
    """The engine, for as long as the block lasts."""
    engine = Engine(settings)
    try:
        yield engine
    finally:
        await engine.aclose()


async def read_ask(engine: Engine, settings: ServerSettings, given: argparse.Namespace) -> AskRequest:
    """What is asked, as `POST /` takes it. Raises `BadRequest`, `NotFound` for a document that is not there."""
    text = " ".join(given.question)
    if text == "-":
        text = await asyncio.to_thread(sys.stdin.read, settings.max_prompt_chars + 1)
    filters: dict[str, Any] = {"collections": given.collection}
    if given.document:
        await engine.open_store()
        found = choose_documents(await engine.store.list_documents(), given.document)
        filters["documents"] = [document.id for document in found]
    return check_ask({"prompt": text, "filters": filters, "top_k": given.top_k})


def make_printable(text: str) -> str:
    """`text` without characters that would make a terminal do something; a document may hold such."""
    return _CONTROL.sub("", text)


async def tell_empty(engine: Engine) -> None:
    """Say on standard error that there is nothing to search, if that is so."""
    store, _ = await engine.states()
    if store.state != "ready":
        print(store.detail, file=sys.stderr)

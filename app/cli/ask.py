"""`python -m app ask "…"`: the answer as it is written, then the places it cites."""

import argparse
import sys
from collections.abc import AsyncGenerator
from typing import Any

from app.asking import asking, check_length, make_question
from app.cli.options import (
    DONE,
    NOTHING_RELEVANT,
    add_command,
    make_printable,
    open_engine,
    read_ask,
    run_work,
    tell_empty,
)
from app.events import Done, Event, Failed, Sources, Token
from app.footnotes import list_places
from app.ndjson import ollama_line
from app.settings import ServerSettings
from database.errors import AcervoError


def add_parsers(commands: Any) -> None:
    """What the command line may say about it."""
    parser = add_command(commands, "ask", "answer a question from the documents", "answered")
    parser.add_argument("--model", help="the model that answers (default: the one that LLM chooses)")
    parser.add_argument("--json", action="store_true", help="the lines of POST / instead of text")
    parser.set_defaults(run=lambda given: run_work(ask, given))


async def ask(settings: ServerSettings, given: argparse.Namespace) -> int:
    """Write the answer to standard output; the exit status. Raises `AcervoError`."""
    async with open_engine(settings) as engine:
        question = make_question(await read_ask(engine, settings, given), settings)
        check_length(question, settings)
        async with asking(engine, question, given.model) as events:
            opening = await (write_lines if given.json else write_text)(events)
        if not opening.hits:
            await tell_empty(engine)
    return DONE if opening.relevant else NOTHING_RELEVANT


async def write_lines(events: AsyncGenerator[Event]) -> Sources:
    """Write each event as `POST /` does, a failure as the last line; how the answer began."""
    opening = Sources("", "", ())
    try:
        async for event in events:
            opening = event if isinstance(event, Sources) else opening
            _write(ollama_line(event, opening))
    except AcervoError as error:
        _write(ollama_line(Failed(str(error), error.kind), opening))
        raise
    return opening


def _write(line: bytes) -> None:
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


async def write_text(events: AsyncGenerator[Event]) -> Sources:
    """Write the text, and where its numbers lead; how the answer began."""
    opening, begun = Sources("", "", ()), False
    try:
        async for event in events:
            if isinstance(event, Sources):
                opening = event
            elif isinstance(event, Token):
                begun = True
                print(make_printable(event.text), end="", flush=True)
            elif isinstance(event, Done):
                places = [make_printable(place) for place in list_places(opening, event.citations)]
                print("\n\n" + "\n".join(places) if places else "")
    except AcervoError:
        print("\n" if begun else "", end="")  # so that what went wrong does not continue a line of the answer
        raise
    return opening

"""`python -m app search "…"`: the passages that an answer would be made of, without a model."""

import argparse
import sys
from typing import Any

from app.asking import check_length, make_question
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
from app.footnotes import name_place
from app.ndjson import describe_hit, encode_line
from app.settings import ServerSettings
from database.documents import Hit


def add_parsers(commands: Any) -> None:
    """What the command line may say about it."""
    parser = add_command(commands, "search", "find passages in the documents", "found")
    parser.add_argument("--json", action="store_true", help="a passage a line, as the sources of POST /")
    parser.set_defaults(run=lambda given: run_work(search, given))


async def search(settings: ServerSettings, given: argparse.Namespace) -> int:
    """Write the passages to standard output, best first; the exit status. Raises `AcervoError`."""
    async with open_engine(settings) as engine:
        question = make_question(await read_ask(engine, settings, given), settings)
        check_length(question, settings)
        retriever = await engine.retriever()
        found = await retriever.find_passages(question.text, question.top_k, question.filters)
        for number, hit in enumerate(found.hits, 1):
            _write(number, hit, given.json)
        if not found.hits:
            await tell_empty(engine)
    return DONE if found.hits and found.relevant else NOTHING_RELEVANT


def _write(number: int, hit: Hit, as_json: bool) -> None:
    if as_json:
        sys.stdout.buffer.write(encode_line(describe_hit(number, hit)))
        return
    text = make_printable(hit.chunk.text).strip().replace("\n", "\n    ")
    print(f"[{number}] {make_printable(name_place(hit))}  ({hit.score:.2f})\n    {text}\n")

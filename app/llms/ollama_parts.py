"""Ollama's chat stream, from bytes to parts. Pure.

A stream is NDJSON: lines with `message.content` and `done: false`, then one with `done: true` and the
counts, or one with `error`. Lines end at a line feed and nowhere else: a token may hold U+2028.
"""

import json
import re
from dataclasses import fields
from typing import Any

from app.errors import ModelError
from app.events import Token, Usage
from app.llms.parsing import parse_json

MAX_LINE = 1 << 20
"""Bytes. A token line has about 130; what is longer than this does not come from Ollama."""

_PLAIN = re.compile(
    rb'{"model":"[ !#-\[\]-~]*","created_at":"[ !#-\[\]-~]*",'
    rb'"message":{"role":"assistant","content":"([^"\\\x00-\x1f]*)"},"done":false}'
)
"""What nearly all lines look like, with nothing to unescape: read for half of what the quickest parser takes."""

_COUNTS = [field.name for field in fields(Usage) if field.name != "done_reason"]


class LineSplitter:
    """Cuts a stream of bytes into lines, wherever the network cut it before."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that `data` completes, without their line feeds, blank ones left out."""
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > MAX_LINE:
            raise _not_ollama(self._rest)
        return [line for line in lines if line.strip()]


def read_line(line: bytes) -> tuple[Token | Usage, ...]:
    """The parts of the answer that one line holds; none for a line that only carries thinking.

    The line itself goes along with its token, to be passed on untouched, unless it also carries
    thinking, which is no part of an answer. Raises `ModelError` for an error line and for garbage.
    """
    if plain := _PLAIN.fullmatch(line):
        try:
            return (Token(plain[1].decode(), line),)
        except UnicodeDecodeError:
            pass  # which the parser may read all the same, such as half of a surrogate pair
    part = _parse(line)
    message, done = part.get("message"), part.get("done")
    text = message.get("content", "") if isinstance(message, dict) else None
    if "error" in part:
        raise ModelError(
            f"Ollama broke off: {part['error']}. Ask again; if it happens again, its log says more, or set "
            "OLLAMA_MODEL to a smaller model."
        )
    if done is True:
        usage = _usage(part)
        return (Token(text), usage) if text and isinstance(text, str) else (usage,)
    if done is not False or not isinstance(text, str) or not isinstance(message, dict):
        raise _not_ollama(line)
    if "thinking" in message or "content" not in message:
        return (Token(text),) if text else ()
    return (Token(text, line),)


def read_overflow(error: str) -> int | None:
    """How many tokens a prompt has that was refused as too long; None when `error` says no such
    thing. The server passes its runner's JSON on as text: `{"error": {"n_prompt_tokens": …}}`."""
    try:
        inner = json.loads(error)["error"]
        return inner["n_prompt_tokens"] if isinstance(inner["n_prompt_tokens"], int) else None
    except (ValueError, TypeError, KeyError):
        return None


def _parse(line: bytes) -> dict[str, Any]:
    try:
        part = parse_json(line)
    except (ValueError, RecursionError):
        raise _not_ollama(line) from None
    if not isinstance(part, dict):
        raise _not_ollama(line)
    return part


def _usage(part: dict[str, Any]) -> Usage:
    reason = part.get("done_reason")
    counts = {name: part[name] for name in _COUNTS if isinstance(part.get(name), int)}
    return Usage(done_reason=reason if isinstance(reason, str) else "stop", **counts)


def _not_ollama(line: bytes) -> ModelError:
    start = line[:80].decode(errors="replace")
    return ModelError(f"What answered is not Ollama's chat: {start!r}. Check that OLLAMA_HOST names an Ollama server.")

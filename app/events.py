"""What an answer consists of, in order: Sources, Token …, then Done or Failed."""

from collections.abc import Sequence
from dataclasses import dataclass

from database.documents import Hit


@dataclass(frozen=True, slots=True)
class Service:
    """A program that took part in an answer. `local` means: on this machine."""

    name: str
    host: str
    local: bool


@dataclass(frozen=True, slots=True)
class Sources:
    """The passages found, numbered from 1 in this order, and the query really searched."""

    model: str
    query: str
    hits: Sequence[Hit]


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the answer. `line` is the upstream's own NDJSON line (without the line feed)
    when it already has the shape of our wire, so that it can be passed on untouched."""

    text: str
    line: bytes | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """How a model finished. Counts are tokens, durations nanoseconds, as Ollama reports them."""

    done_reason: str = "stop"
    prompt_eval_count: int = 0
    eval_count: int = 0
    total_duration: int = 0
    load_duration: int = 0
    prompt_eval_duration: int = 0
    eval_duration: int = 0


@dataclass(frozen=True, slots=True)
class Done:
    """The end of a complete answer. `citations` are the source numbers that it really cites;
    `left_out` counts the passages that did not fit the window."""

    model: str
    usage: Usage
    citations: Sequence[int]
    left_out: int
    num_ctx: int
    services: Sequence[Service]


@dataclass(frozen=True, slots=True)
class Failed:
    """The answer broke off; `message` says what failed and what to do."""

    message: str


Event = Sources | Token | Done | Failed

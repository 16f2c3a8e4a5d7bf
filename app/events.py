"""What an answer consists of, in order: Sources, Token …, then Done or Failed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from database.documents import Hit


@dataclass(frozen=True, slots=True)
class Service:
    """A program that took part in an answer. `local` means: on this machine."""

    name: str
    host: str
    local: bool


@dataclass(frozen=True, slots=True)
class Sources:
    """The passages found, numbered from 1 in this order, and the query really searched.

    `rewritten_by` tells who made the query of a question that only its history completes; `language`
    is what the question was taken for.
    """

    model: str
    query: str
    hits: Sequence[Hit]
    rewritten_by: Literal["", "model", "rule"] = ""
    language: str = ""
    relevant: bool = True
    """False where the passages are merely the nearest ones and no model was asked."""


@dataclass(frozen=True, slots=True)
class Check:
    """Whether what the sentence at `[start, end)` of the answer states stands in the passages it cites.
    Offsets in UTF-16 units."""

    start: int
    end: int
    supported: bool


@dataclass(slots=True)
class Token:
    """A piece of the answer, not frozen, because one is made for each and that would take five times as long; nobody
    changes it. `line` is the upstream's own NDJSON line (without the line feed)
    when it already has the shape of our wire, so that it can be passed on untouched. `checks` are those
    of the sentences that this piece completes. `model` wrote it, where that is not the one first chosen."""

    text: str
    line: bytes | None = None
    checks: tuple[Check, ...] = ()
    model: str = ""


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
class Timing:
    """Nanoseconds: rewriting and searching took so long, the first token came so long after the request."""

    rewrite: int = 0
    search: int = 0
    first_token: int = 0


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A model that was to answer, and why it did not."""

    model: str
    reason: str


@dataclass(frozen=True, slots=True)
class Done:
    """The end of a complete answer by `model`. `citations` are the source numbers that it really cites;
    `left_out` the passages that did not fit the window; `prompt_tokens` our own count, 0 without a model."""

    model: str
    usage: Usage
    citations: Sequence[int]
    left_out: Sequence[Hit]
    num_ctx: int
    services: Sequence[Service]
    prompt_tokens: int = 0
    timing: Timing = Timing()
    fallback: Sequence[PassedOver] = ()
    """Those that came before `model`, in order."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The answer broke off; `message` says what failed and what to do, `kind` what it is about, as errors do."""

    message: str
    kind: str = ""


Event = Sources | Token | Done | Failed

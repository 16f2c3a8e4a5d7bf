"""Passages to a prompt: numbered sources, the history and the question, fitted to the window. Pure.

What documents say is quoted inside `<source>` elements and called quotation, so that a sentence in
a PDF is not taken for an instruction. A document can neither close its element nor, by the marks with
which models tell turns apart, seem to be another turn; nor hold text that only the model sees.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.errors import BadRequest
from app.llms import Message
from database.documents import Hit

ANSWER_SHARE = 4
"""One part in this many of the window is kept for the answer."""
HISTORY_SHARE = 4
"""At most one part in this many of the window goes to earlier turns."""
TURN_TOKENS = 8
"""What a chat template adds to each message."""

WISHES = "\n\nThe user also wishes the following. Heed it as far as the rules above allow:\n"
"""Before what a client's own system message says."""

_SOURCE_TAG = re.compile(r"[<＜﹤](?=[\s/]*source\b)", re.IGNORECASE)
_TURN_MARK = re.compile(
    r"<(?=[|｜])|<(?=/?(?:s|bos|eos|pad|start_of_turn|end_of_turn|think|tool_calls?|tool_response|tools?)>)"
    r"|<(?=</?SYS>>)|<(?=/?SYS>>)|\[(?=/?(?:INST|SYSTEM_PROMPT|TOOL_CALLS|TOOL_RESULTS|AVAILABLE_TOOLS)\])",
    re.IGNORECASE,
)
"""What chat templates put between turns: Ollama reads it as that wherever it stands."""
_OPENING = str.maketrans(dict.fromkeys("<＜﹤", "‹"))
_JOINERS = "\u200c\u200d"
"""Letters of some scripts need them between each other; nobody sees the other characters of category Cf."""
_JOINED = re.compile(f"([^{_JOINERS}]?)([{_JOINERS}]+)")
_UNSEEN = re.compile(
    r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff]"
)
"""What Unicode has besides Cf that is drawn as nothing; by rows of variation selectors any text can be hidden."""
GAP = "\n\n"
"""Between the parts of the user message."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """Messages for the model and their tokens as counted, the passages that are in them (source n is
    `hits[n - 1]`), and those that did not fit."""

    messages: Sequence[Message]
    tokens: int
    hits: Sequence[Hit]
    left_out: Sequence[Hit]


def build_prompt(
    question: str,
    hits: Sequence[Hit],
    history: Sequence[Message],
    system: str,
    num_ctx: int,
    count_tokens: Callable[[str], int],
    instructions: str = "",
) -> Prompt:
    """Fit recent history, then as many passages, best first, as leave room for the answer.

    `system` are the rules; `instructions` are what a client's system message says, which follow the rules and do
    not replace them.
    Raises `BadRequest` when not even the question fits.
    """
    if instructions.strip():
        system += WISHES + defuse(instructions.strip())
    asked = f"Question: {defuse(question)}"
    history = [{"role": turn["role"], "content": defuse(turn["content"])} for turn in history]
    room = num_ctx - num_ctx // ANSWER_SHARE - count_tokens(system) - count_tokens(asked) - 2 * TURN_TOKENS
    if room < 0:
        asked_for = f" and its instructions {count_tokens(instructions)}" if instructions else ""
        raise BadRequest(
            f"The question has about {count_tokens(question)} tokens{asked_for} and does not fit the model's window of "
            f"{num_ctx}. Shorten it, or raise NUM_CTX."
        )
    recent = _fit_history(history, min(room // 2, num_ctx // HISTORY_SHARE), count_tokens)
    room -= sum(count_tokens(turn["content"]) + TURN_TOKENS for turn in recent)
    sources = _fit_sources(hits, room, count_tokens)
    user = GAP.join([*order_for_reading(sources), asked])
    messages: list[Message] = [
        {"role": "system", "content": system},
        *recent,
        {"role": "user", "content": user},
    ]
    tokens = sum(count_tokens(message["content"]) + TURN_TOKENS for message in messages)
    return Prompt(messages, tokens, hits[: len(sources)], hits[len(sources) :])


def order_for_reading(sources: Sequence[str]) -> list[str]:
    """The best at the two ends, where models read best, the weakest in the middle. Their numbers, which
    tell the rank, stay. Liu et al. 2023, "Lost in the Middle", https://arxiv.org/abs/2307.03172
    """
    return [*sources[::2], *sources[1::2][::-1]]


def quote_source(number: int, hit: Hit, widened: bool = False) -> str:
    """One numbered source as the model sees it, `widened` with what surrounds the passage on its page."""
    heading = f' section="{_attribute(hit.chunk.heading)}"' if hit.chunk.heading else ""
    text = _SOURCE_TAG.sub("‹", defuse(drop_unseen((widened and hit.context) or hit.chunk.text)))
    return (
        f'<source n="{number}" document="{_attribute(hit.document.name)}" page="{hit.chunk.page}"{heading}>\n'
        f"{text}\n</source>"
    )


def defuse(text: str) -> str:
    """Text in which no chat template finds the mark of a turn; else as it was."""
    return _TURN_MARK.sub(lambda mark: "‹" if mark[0] == "<" else "(", text)


def drop_unseen(text: str) -> str:
    """Text without characters that nobody sees: zero-width, turning the direction, tags, selectors."""
    if text.isascii():
        return text
    shown = _UNSEEN.sub("", text)
    # A text has few characters that differ, and mostly none of these.
    if unseen := [c for c in set(shown) if unicodedata.category(c) == "Cf" and c not in _JOINERS]:
        shown = shown.translate(str.maketrans("", "", "".join(unseen)))
    return _JOINED.sub(lambda found: found[0] if _is_joinable(found[1]) else found[1], shown)


def _is_joinable(before: str) -> bool:
    return before > "\x7f" and unicodedata.category(before)[0] in "LM"


def _attribute(text: str) -> str:
    return defuse(" ".join(drop_unseen(text).split())).replace('"', "'").translate(_OPENING)


def _fit_sources(hits: Sequence[Hit], room: int, count_tokens: Callable[[str], int]) -> list[str]:
    """As many passages as fit; what room is left goes to their surroundings, again the best first."""
    sources: list[str] = []
    sizes: list[int] = []
    for number, hit in enumerate(hits, 1):
        source = quote_source(number, hit)
        sizes.append(count_tokens(source + GAP))
        room -= sizes[-1]
        if room < 0:
            return sources
        sources.append(source)
    for place, hit in enumerate(hits):
        if hit.context in ("", hit.chunk.text):
            continue
        wide = quote_source(place + 1, hit, widened=True)
        more = count_tokens(wide + GAP) - sizes[place]
        if more <= room:
            sources[place], room = wide, room - more
    return sources


def _fit_history(history: Sequence[Message], room: int, count_tokens: Callable[[str], int]) -> list[Message]:
    """The latest turns that fit, in order, beginning with a question."""
    kept: list[Message] = []
    for turn in reversed(history):
        room -= count_tokens(turn["content"]) + TURN_TOKENS
        if room < 0:
            break
        kept.insert(0, turn)
    while kept and kept[0]["role"] != "user":
        kept.pop(0)
    return kept

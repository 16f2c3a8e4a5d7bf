"""Questions to rankings, quoted answers and refusals."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from database.analysis import fold
from database.documents import Hit
from database.embedders import Embedder
from database.evaluation.bounded import run_bounded
from database.evaluation.metrics import Values
from database.evaluation.places import Place
from database.evaluation.questions import Question
from database.extract import PASSAGES, SENTENCES, choose_sentences, split_passages
from database.retrieval import Found, Retriever

AT_ONCE = 4
"""Questions asked at the same time."""
PASSAGES_PER_PLACE = 6
"""A page has several passages: so many are asked for, for each distinct page that is wanted."""

Progress = Callable[[], None]

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Asked:
    """What one question found: distinct places, best first, and whether it is refused all the same."""

    ranking: tuple[Place, ...]
    refused: bool


async def ask_all(
    retriever: Retriever, questions: Sequence[Question], depth: int, on_asked: Progress
) -> tuple[list[Asked], float]:
    """What each question found, with at least `depth` distinct places where there are as many, and the
    seconds that a question took."""

    async def ask(question: Question) -> Asked:
        found = await retriever.search(question.text, depth * PASSAGES_PER_PLACE)
        on_asked()
        return Asked(rank_places(found.hits), is_refused(found))

    started = time.perf_counter()
    asked = await run_bounded(AT_ONCE, ask, questions)
    return asked, (time.perf_counter() - started) / len(questions)


def is_refused(found: Found) -> bool:
    """Whether the question is answered with "nothing relevant was found"."""
    return not (found.relevant and found.hits)


def rank_places(hits: Sequence[Hit]) -> tuple[Place, ...]:
    """The distinct pages of passages in their order."""
    return tuple(dict.fromkeys((hit.document.id, hit.chunk.page) for hit in hits))


async def quote_all(
    retriever: Retriever, embedder: Embedder, questions: Sequence[Question], on_quoted: Progress
) -> dict[str, Values]:
    """For each question, which has reference answers, whether the best quoted sentence, and the best
    SENTENCES together, contain one: 1 or 0."""

    async def quote(question: Question) -> tuple[float, float]:
        best = await _quote(embedder, await retriever.find_passages(question.text, PASSAGES))
        on_quoted()
        return contains(best[:1], question.answers), contains(best, question.answers)

    rows = await run_bounded(AT_ONCE, quote, questions)
    return {"top1": np.array([first for first, _ in rows]), f"top{SENTENCES}": np.array([all_ for _, all_ in rows])}


async def _quote(embedder: Embedder, found: Found) -> list[str]:
    sentences = split_passages([hit.chunk.text for hit in found.hits])
    if not sentences:
        return []
    likeness = await embedder.embed([s.text for s in sentences]) @ await embedder.embed_query(found.query)
    return [s.text for s in choose_sentences(found.query, found.language, sentences, likeness)]


def contains(sentences: Sequence[str], answers: Sequence[str]) -> float:
    """1 when the sentences, one after the other, contain one of the answers: the same words in the same
    order, whatever case, accents and punctuation; else 0."""
    held = _normalise(" ".join(sentences))
    return float(any(_normalise(answer) in held for answer in answers))


def _normalise(text: str) -> str:
    return " ".join(["", *_WORD.findall(fold(text)), ""])

"""What was found to what a model reads: no passage twice, neighbours joined, each with its surroundings."""

import asyncio
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from database.analysis import grams
from database.documents import Chunk, Hit, Page
from database.stores import Store

SPARE = 2
"""Times as many passages are searched as are wanted, since some turn out to be the same."""
SAME = 0.9
"""Share of common 4-grams from which two passages say the same, if their figures agree, too."""
GAP_CHARS = 40
"""Passages of a page with no more than this between them become one."""
JOINED_CHARS = 1200
"""A passage grows by its neighbours up to this, so that what is shown for a claim stays a passage and not a page."""
CONTEXT_CHARS = 1600
"""A passage is widened by whole paragraphs of its page as long as it stays within this."""

_PARAGRAPH = re.compile(r"\S(?:.*\n?(?!\s*\n))*.*")
_DIGITS = re.compile(r"\d+")

Span = tuple[int, int]


async def assemble(store: Store, hits: Sequence[Hit], top_k: int) -> list[Hit]:
    """The best `top_k` passages of `hits`, in their order. Raises `StoreError`."""
    passages = join_neighbours(drop_repetitions(hits))[:top_k]
    pages = await asyncio.gather(*(store.get_page(h.document.id, h.chunk.page) for h in passages))
    taken: dict[tuple[str, int], list[Span]] = {}
    for hit in passages:
        taken.setdefault((hit.document.id, hit.chunk.page), []).append((hit.chunk.start, hit.chunk.end))
    widened = []
    for hit, page in zip(passages, pages, strict=True):
        spans = taken[hit.document.id, hit.chunk.page]
        widened.append(replace(hit, context=_widen(hit.chunk, page, spans)))
    return widened


def _widen(chunk: Chunk, page: Page | None, taken: list[Span]) -> str:
    if page is None or not _is_stretch(chunk, page):
        return chunk.text
    own = (chunk.start, chunk.end)
    others = [span for span in taken if span != own]
    low = max((end for _, end in others if end <= chunk.start), default=0)
    high = min((start for start, _ in others if start >= chunk.end), default=len(page.text))
    start, end = widen(page.text, own, low, high)
    taken.append((start, end))
    return page.text[start:end]


def drop_repetitions(hits: Sequence[Hit]) -> Iterator[Hit]:
    """Without those that repeat a better one, as copies and editions of a document do."""
    kept: list[tuple[frozenset[str], list[str]]] = []
    for hit in hits:
        held = frozenset(grams(hit.chunk.text)), _DIGITS.findall(hit.chunk.text)
        if not any(_same(held, other) for other in kept):
            kept.append(held)
            yield hit


def _same(one: tuple[frozenset[str], list[str]], other: tuple[frozenset[str], list[str]]) -> bool:
    # Reports of two years differ in little but their figures.
    return one[1] == other[1] and len(one[0] & other[0]) >= SAME * len(one[0] | other[0])


def join_neighbours(hits: Iterator[Hit]) -> list[Hit]:
    """Passages that stand next to each other on a page as one, in the place of the best of them."""
    joined: list[Hit] = []
    for hit in hits:
        near = next((i for i, kept in enumerate(joined) if _belongs(kept, hit)), None)
        if near is None:
            joined.append(hit)
        else:
            joined[near] = _join(joined[near], hit.chunk)
    return joined


def _belongs(kept: Hit, hit: Hit) -> bool:
    """Whether `hit` stands next to `kept`, is about as good, and short enough to be one with it."""
    short = len(kept.chunk.text) + len(hit.chunk.text) <= JOINED_CHARS
    return short and 2 * hit.score >= kept.score and _adjoins(kept.chunk, hit.chunk)


def _adjoins(one: Chunk, other: Chunk) -> bool:
    if (one.document_id, one.page) != (other.document_id, other.page):
        return False
    first, second = sorted((one, other), key=lambda chunk: chunk.start)
    return second.start - first.end <= GAP_CHARS


def _join(hit: Hit, other: Chunk) -> Hit:
    first, second = sorted((hit.chunk, other), key=lambda chunk: chunk.start)
    whole = replace(
        hit.chunk,
        text=f"{first.text}\n\n{second.text}",
        start=first.start,
        end=max(first.end, second.end),
        boxes=first.boxes + tuple(box for box in second.boxes if box not in first.boxes),
    )
    return replace(hit, chunk=whole, joined=(*hit.joined, other.id))


def _is_stretch(chunk: Chunk, page: Page) -> bool:
    """Whether its text is the page's own: a piece of a table starts with header rows from elsewhere."""
    return page.text[chunk.start : chunk.end].split() == chunk.text.split()


def widen(text: str, own: Span, low: int, high: int, max_chars: int = CONTEXT_CHARS) -> Span:
    """The span `own` of a page's text with the whole paragraphs around it, within `[low, high)`."""
    start, end = own
    spans = [match.span() for match in _PARAGRAPH.finditer(text)]
    before = [first for first, _ in reversed(spans) if low <= first < start]
    after = [last for _, last in spans if end < last <= high]
    while before or after:
        # What comes before explains more often than what follows: the heading, the question of an answer.
        if before and end - before[0] <= max_chars:
            start = before.pop(0)
        else:
            before.clear()
        if after and after[0] - start <= max_chars:
            end = after.pop(0)
        else:
            after.clear()
    return start, end

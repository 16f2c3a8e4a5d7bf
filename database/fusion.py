"""What the views found to one ranking of passages. Pure.

Scores are summed, not ranks, each view's first brought to 0 … 1: its best is 1, and what it did not
find is 0. docs/retrieval.md has the measurements behind the weights, with and without each view.
"""

import math
from collections.abc import Collection, Iterable, Mapping
from typing import TypeVar

from database.documents import Candidates

WEIGHTS: Mapping[str, float] = {
    "words": 0.25,
    "grams": 0.75,
    "vector": 1.25,
    "page_words": 0.75,
    "page_grams": 0.5,
    "heads": 0.5,
    "title": 1.5,
}
"""Weight of each view in a passage's score. Chosen on seven question sets at once, in pt, en and fr:
round values in a flat region, those of equals that reach what each set was wanted to reach."""
WINDOW_VIEWS = ("words", "grams", "vector")
PAGE_VIEWS = ("page_words", "page_grams", "heads")
FLOOR = 0.5
"""Share of a view's weakest candidate that is taken off, so that what it just did not find is a small step
below, not a fall: with long lists the weakest are nearly as good as the best otherwise."""
FOREIGN = 0.5
"""Share of the vectors' weight that is left for a question in a language that the embedder was not made for.
Its list is full of the nearest of everything, so its weakest counts as nothing at all."""

K = TypeVar("K")
Ranked = tuple[str, float, dict[str, float]]


def fuse(
    candidates: Candidates,
    titles: Mapping[str, float] | None = None,
    without_vectors: Collection[str] = (),
    weights: Mapping[str, float] = WEIGHTS,
    foreign: bool = False,
) -> list[Ranked]:
    """Chunk ids with score (0 to 1) and its parts by view, best first, ties by id.

    A chunk's part in a view of windows is its best window's; in a view of pages its page's, in
    `titles` (by id) its document's. Chunks of documents `without_vectors` are judged by their other views.
    `foreign`: the embedder does not know the question's language.
    """
    floors = dict.fromkeys(WINDOW_VIEWS, FLOOR) | ({"vector": 1.0} if foreign else {})
    weights = {view: weight * (FOREIGN if foreign and view == "vector" else 1) for view, weight in weights.items()}
    shares, others = _share(weights), _share({view: weight for view, weight in weights.items() if view != "vector"})
    found = {view: getattr(candidates, view) for view in (*WINDOW_VIEWS, *PAGE_VIEWS)}
    places = {c.chunk_id: (c.document_id, c.page) for view in found.values() for c in view}
    windows = {
        view: _scale(_keep_best((c.chunk_id, c.score) for c in found[view]), floors[view]) for view in WINDOW_VIEWS
    }
    pages = {view: _scale(_keep_best(((c.document_id, c.page), c.score) for c in found[view])) for view in PAGE_VIEWS}
    ranked = []
    for chunk_id, place in places.items():
        parts = {}
        for view, scores in windows.items():
            if chunk_id in scores:
                parts[view] = scores[chunk_id]
        for view, of_pages in pages.items():
            if place in of_pages:
                parts[view] = of_pages[place]
        if parts:
            if titles and place[0] in titles:
                parts["title"] = titles[place[0]]
            counted = others if place[0] in without_vectors else shares
            ranked.append((chunk_id, math.fsum([counted.get(view, 0) * parts[view] for view in parts]), parts))
    ranked.sort(key=lambda row: (-row[1], row[0]))
    return ranked


def _keep_best(scores: Iterable[tuple[K, float]]) -> dict[K, float]:
    """Of several with one key the best."""
    best: dict[K, float] = {}
    for key, score in scores:
        if score > best.get(key, -math.inf):
            best[key] = score
    return best


def _scale(scores: Mapping[K, float], share: float = FLOOR) -> dict[K, float]:
    top = max(scores.values(), default=0)
    if top <= 0:
        return {}
    floor = share * max(min(scores.values()), 0)
    if floor == top:
        return dict.fromkeys(scores, 1.0)
    return {key: (max(score, 0) - floor) / (top - floor) for key, score in scores.items()}


def _share(weights: Mapping[str, float]) -> dict[str, float]:
    total = math.fsum(weights.values()) or 1.0
    return {view: weight / total for view, weight in weights.items()}

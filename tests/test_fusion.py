"""Scores of several views become one ranking."""

import random
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from database.documents import Candidate, Candidates
from database.fusion import FLOOR, FOREIGN, PAGE_VIEWS, WEIGHTS, WINDOW_VIEWS, fuse

SCORES = st.floats(-1, 50, allow_nan=False).map(lambda score: round(score, 3))
PLACES: Mapping[str, tuple[str, int]] = {
    "a": ("one", 1),
    "b": ("one", 1),
    "c": ("one", 2),
    "d": ("two", 1),
    "e": ("two", 1),
    "f": ("two", 9),
}
CANDIDATE = st.builds(
    lambda window, chunk, score: Candidate(window, chunk, score, *PLACES[chunk]),
    st.uuids().map(str),
    st.sampled_from("abcdef"),
    SCORES,
)
VIEWS = st.builds(Candidates, *(st.lists(CANDIDATE, max_size=12) for _ in range(6)))
TITLES = st.dictionaries(st.sampled_from(["one", "two"]), st.floats(0.01, 1))


def make_view(**scores: float) -> list[Candidate]:
    """One window for each chunk."""
    return [Candidate(f"window of {chunk}", chunk, score, *PLACES[chunk]) for chunk, score in scores.items()]


@given(VIEWS, TITLES)
def test_scores_are_weighted_shares_and_in_order(candidates: Candidates, titles: dict[str, float]) -> None:
    ranked = fuse(candidates, titles)
    assert ranked == sorted(ranked, key=lambda row: (-row[1], row[0]))
    assert len({chunk_id for chunk_id, _, _ in ranked}) == len(ranked)
    for _, score, parts in ranked:
        assert 0 <= score <= 1 + 1e-9 and all(0 <= part <= 1 for part in parts.values())
        total = sum(WEIGHTS[view] * part for view, part in parts.items()) / sum(WEIGHTS.values())
        assert score == pytest.approx(total)


@given(VIEWS, st.randoms(use_true_random=False))
def test_the_order_of_candidates_does_not_matter(candidates: Candidates, chance: random.Random) -> None:
    views = {view: list(getattr(candidates, view)) for view in (*WINDOW_VIEWS, *PAGE_VIEWS)}
    for view in views.values():
        chance.shuffle(view)
    assert fuse(Candidates(**views)) == fuse(candidates)


@given(VIEWS)
def test_each_view_gives_its_best_a_whole_part(candidates: Candidates) -> None:
    parts = {chunk_id: parts for chunk_id, _, parts in fuse(candidates)}
    for view in (*WINDOW_VIEWS, *PAGE_VIEWS):
        best = max(getattr(candidates, view), key=lambda c: c.score, default=None)
        if best is not None and best.score > 0:
            assert max(p.get(view, 0) for p in parts.values()) == parts[best.chunk_id][view] == 1


def test_the_weakest_is_a_step_above_what_was_not_found() -> None:
    parts = {
        chunk: parts for chunk, _, parts in fuse(Candidates(words=make_view(a=6, c=4, d=2), vector=make_view(f=1)))
    }
    low = FLOOR * 2
    assert 0 < low < 2 and parts["f"] == {"vector": 1}
    assert [parts[c]["words"] for c in "acd"] == pytest.approx([1, (4 - low) / (6 - low), (2 - low) / (6 - low)])


def test_the_parts_are_weighted_and_summed() -> None:
    weights = {"words": 0.5, "grams": 0.5, "vector": 1.0}
    found = Candidates(make_view(a=0.8, d=0.4), make_view(a=3, c=6), make_view(d=2))
    half = (0.5 - FLOOR * 0.5) / (1 - FLOOR * 0.5)
    assert fuse(found, weights=weights) == [
        ("a", pytest.approx((1 + 0.5 * half) / 2), {"words": pytest.approx(half), "vector": 1}),
        ("d", pytest.approx((half + 0.5) / 2), {"grams": 1, "vector": pytest.approx(half)}),
        ("c", pytest.approx(0.5 / 2), {"words": 1}),
    ]


def test_a_chunk_counts_by_its_best_window() -> None:
    view = [Candidate("1", "a", 1), Candidate("2", "b", 3), Candidate("3", "a", 4), Candidate("4", "a", 2)]
    assert fuse(Candidates(words=view)) == fuse(Candidates(words=[Candidate("3", "a", 4), Candidate("2", "b", 3)]))


def test_ties_go_by_id() -> None:
    assert [chunk_id for chunk_id, _, _ in fuse(Candidates(words=make_view(c=2, a=2, b=2)))] == ["a", "b", "c"]


def test_a_view_without_a_positive_score_counts_for_nothing() -> None:
    assert fuse(Candidates(make_view(a=-0.2, b=-0.1))) == []
    assert fuse(Candidates(make_view(a=-0.2, b=-0.1), make_view(a=1))) == fuse(Candidates(words=make_view(a=1)))


def test_a_page_lifts_every_passage_of_it_that_was_found() -> None:
    found = Candidates(words=make_view(c=6, a=5, b=4), page_words=make_view(a=3), heads=make_view(f=1))
    parts = {chunk_id: parts for chunk_id, _, parts in fuse(found)}
    assert "page_words" not in parts["c"] and parts["a"]["page_words"] == parts["b"]["page_words"] == 1
    assert parts["f"] == {"heads": 1}, "a page that only a view of pages found stands there by its first passage"


def test_a_title_lifts_the_passages_of_its_document_but_finds_none() -> None:
    found = Candidates(words=make_view(a=6, d=6))
    assert [row[0] for row in fuse(found, {"two": 0.5})] == ["d", "a"]
    assert fuse(Candidates(words=make_view(a=6)), {"two": 1.0}) == fuse(Candidates(words=make_view(a=6)))


def test_passages_without_vectors_are_judged_by_their_other_views() -> None:
    found = Candidates(vector=make_view(a=0.6, c=0.3), words=make_view(d=5, a=5, c=2), grams=make_view(d=5, a=5))
    scores = {chunk: score for chunk, score, _ in fuse(found, without_vectors={"two"})}
    assert scores["c"] < scores["d"] < scores["a"], "neither last for want of a vector nor first"
    assert fuse(found)[0][0] == "a" and {c: s for c, s, _ in fuse(found)}["d"] < scores["d"]


def test_vectors_count_less_for_a_language_that_they_do_not_know() -> None:
    found = Candidates(vector=make_view(a=0.6, c=0.5, d=0.4), words=make_view(d=9, f=3))
    known, foreign = ({chunk: (score, parts) for chunk, score, parts in fuse(found, foreign=f)} for f in (False, True))
    assert foreign["a"][1]["vector"] == 1 and foreign["d"][1]["vector"] == 0 < known["d"][1]["vector"]
    assert foreign["c"][1]["vector"] == pytest.approx(0.5)
    total = sum(WEIGHTS.values()) - (1 - FOREIGN) * WEIGHTS["vector"]
    assert foreign["a"][0] == pytest.approx(FOREIGN * WEIGHTS["vector"] / total) and foreign["a"][0] < known["a"][0]
    assert fuse(Candidates(vector=make_view(a=0.5, c=0.5)), foreign=True)[0][2] == {"vector": 1}

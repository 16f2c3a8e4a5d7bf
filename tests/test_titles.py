"""Questions that name a document find it by its names and title."""

from dataclasses import replace

import pytest

from database.documents import Document, Name
from database.titles import match_titles

PATHS = ["BESTBUY_2019_10K", "BESTBUY_2023_10K", "BOEING_2022_10K", "sub/AMCOR_2023Q4_EARNINGS"]


def make(path: str, title: str = "", excluded: bool = False) -> Document:
    return Document(path, title, (Name("pdf", f"{path}.pdf", excluded),), 1, "en")


REPORTS = [make(path) for path in PATHS]


def best(question: str, documents: list[Document] = REPORTS) -> str:
    scores = match_titles(question, "en", documents, ())
    return max(scores, key=lambda key: scores[key], default="")


@pytest.mark.parametrize(
    ("question", "path"),
    [
        ("What did Best Buy earn in FY2019?", "BESTBUY_2019_10K"),
        ("What did bestbuy earn in 2023?", "BESTBUY_2023_10K"),
        ("Is Boeing's business cyclical?", "BOEING_2022_10K"),
        ("What was AMCOR's EBITDA in Q4 of fiscal 2023?", "sub/AMCOR_2023Q4_EARNINGS"),
        ("How is the weather?", ""),
    ],
)
def test_the_document_that_a_question_names(question: str, path: str) -> None:
    assert best(question) == path


def test_what_all_names_share_tells_little() -> None:
    scores = match_titles("the 10K of Boeing", "en", REPORTS, ())
    assert scores["BOEING_2022_10K"] > 5 * scores["BESTBUY_2019_10K"] > 0


def test_a_chance_word_of_a_long_title_counts_for_little() -> None:
    long = make("n1", "Rules on the transfer of students between campuses and on credit for courses taken elsewhere")
    short = make("n2", "Transfers")
    scores = match_titles("When is a transfer possible?", "en", [long, short, *REPORTS], ())
    assert scores["n2"] > 0.5 > 5 * scores["n1"] > 0


def test_a_title_helps_where_the_name_says_nothing_and_the_other_way_round() -> None:
    scanned, named = make("scan0001", "Lighthouse report"), make("lighthouse", "Microsoft Word - Document1")
    scores = match_titles("What does the lighthouse report say?", "en", [scanned, named, *REPORTS], ())
    assert scores["scan0001"] > 0.5 and scores["lighthouse"] > 0


def test_a_document_is_known_by_its_name_though_many_windows_carry_it() -> None:
    few = [make("3M_2018_10K"), make("BANK_OF_AMERICA_2018_10K")]
    common = ("3m", "2018", "10k", "bank", "america", "of", "the")
    scores = match_titles("What is the capital expenditure of 3M?", "en", few, common)
    assert list(scores) == ["3M_2018_10K"], "the small word tells nothing, the name all"
    german = [replace(document, language="de") for document in few]
    assert match_titles("Wie hoch sind die Ausgaben von 3M?", "de", german, common) == {}, "no small words known"


def test_hidden_names_do_not_count() -> None:
    assert match_titles("boeing", "en", [make("BOEING_2022", excluded=True), make("other")], ()) == {}


def test_scores_are_shares() -> None:
    for documents in ([], REPORTS[:1], REPORTS):
        scores = match_titles("Best Buy 2019 10K, Boeing 2022, Amcor 2023 Q4 earnings", "en", documents, ())
        assert all(0 < score <= 1 for score in scores.values())

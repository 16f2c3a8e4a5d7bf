"""What pages are found by as a whole."""

from database.analysis import grams, words
from database.documents import Page
from database.page_terms import HEAD_CHARS, make_page_terms


def test_a_page_is_found_by_its_words_without_markup_and_by_its_head() -> None:
    text = "## **Balanço** das ﬁnanças\n\n| ano | total |\n|---|---|\n| 2022 | 7 |\n\n" + "relatório " * 99 + "fim"
    first, second = make_page_terms([Page(3, text, "layout"), Page(4, "  \n", "nothing"), Page(5, "fim", "text")], "pt")
    assert (first.page, second.page) == (3, 5)
    assert first.words.split()[:6] == words("balanco das financas ano total 2022", "pt")
    assert first.words.split()[-1] == "fim" and set(grams("fim")) <= set(first.grams.split())
    assert not set(grams("fim")) & set(first.head.split()), "the head ends before"
    assert set(first.head.split()) >= set(grams("balanço finanças"))
    assert len(" ".join(first.head.split())) < 6 * HEAD_CHARS
    assert second.head == second.grams

"""What pages are found by as a whole."""

from database.analysis import grams, words
from database.documents import Page
from database.page_terms import HEAD_CHARS, make_page_terms, pair


def test_a_page_is_found_by_its_words_without_markup_and_by_its_head() -> None:
    text = "## **Balanço** das ﬁnanças\n\n| ano | total |\n|---|---|\n| 2022 | 7 |\n\n" + "relatório " * 99 + "fim"
    pages = [Page(3, text, "layout"), Page(4, "  \n", "nothing"), Page(5, "fim", "text")]
    first, second = make_page_terms(pages, "", "pt")
    assert (first.page, second.page) == (3, 5)
    assert first.words.split()[:6] == words("balanco das financas ano total 2022", "pt")
    assert "fim" in first.words.split() and set(grams("fim")) <= set(first.grams.split())
    assert not set(grams("fim")) & set(first.head.split()), "the head ends before"
    assert set(first.head.split()) >= set(grams("balanço finanças"))
    assert len(" ".join(first.head.split())) < 6 * HEAD_CHARS
    assert second.head == second.grams


def test_a_page_is_found_by_its_documents_title() -> None:
    (page,) = make_page_terms([Page(1, "Receita líquida: 7", "text")], "Faróis S.A.", "pt")
    assert page.words.split()[: len(words("Faróis S.A.", "pt"))] == words("Faróis S.A.", "pt")
    assert set(grams("faróis")) <= set(page.grams.split())
    assert not set(grams("faróis")) & set(page.head.split()), "a head is what stands on the page alone"
    assert make_page_terms([Page(1, " ", "nothing")], "Faróis S.A.", "pt") == []


def test_neighbouring_words_are_terms_of_a_page_and_small_words_do_not_part_them() -> None:
    assert pair(words("a guarda do farol de Santa Marta", "pt"), "pt") == ["guard_farol", "farol_sant", "sant_mart"]
    assert pair(words("statement of cash flows", "en"), "en") == ["statement_cash", "cash_flow"]
    assert pair(words("farol", "pt"), "pt") == pair(words("o que é isso", "pt"), "pt") == []
    assert pair(words("Lauf der Zeit", "de"), "de") == ["lauf_der", "der_zeit"], "no small words are known"
    (page,) = make_page_terms([Page(1, "A guarda do farol.", "text")], "", "pt")
    assert page.words.split() == [*words("a guarda do farol", "pt"), "guard_farol"]

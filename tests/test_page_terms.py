"""What pages are found by as a whole."""

import hashlib

from database.analysis import grams, words
from database.documents import Page
from database.grammar import GRAMMARS, small_words
from database.index import SCHEMA
from database.page_terms import HEAD_CHARS, LONGEST, asked_pairs, make_page_terms, pair


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
    assert pair("A guarda do farol de Santa Marta", "pt") == ["guard_farol", "farol_sant", "sant_mart"]
    assert pair("Statement of cash flows", "en") == ["statement_cash", "cash_flow"]
    assert pair("farol", "pt") == pair("O que é isso?", "pt") == []
    assert pair("Lauf der Zeit", "de") == ["lauf_der", "der_zeit"], "no small words are known"
    assert pair(f"farol {'x' * (LONGEST + 1)} velho", "pt") == []
    (page,) = make_page_terms([Page(1, "A guarda do farol.", "text")], "Ponta Negra", "pt")
    assert page.words.split() == [*words("Ponta Negra a guarda do farol", "pt"), "pont_negr", "guard_farol"]


def test_words_with_the_stem_of_a_small_one_stay() -> None:
    assert pair("prestação de contas", "pt") == ["prestaca_cont"], 'as of "conte"'
    assert pair("a Casa Civil", "pt") == ["cas_civil"], 'as of "caso"'


def test_small_words_that_change_are_another_schema() -> None:
    """An index does not remember which words its pairs left out."""
    small = " ".join(sorted(f"{language}:{word}" for language in GRAMMARS for word in small_words(language)))
    assert (SCHEMA, hashlib.sha256(small.encode()).hexdigest()[:12]) == (3, "0f3acfba8861")


def test_common_words_are_small_where_small_ones_are_not_known() -> None:
    question = "Lauf in der Zeit, in der Zeit"
    assert asked_pairs(question, "de", frozenset({"in", "der"})) == ("lauf_in", "der_zeit", "zeit_in")
    assert asked_pairs("Cash flow, cash flow", "en", frozenset({"cash", "flow"})) == ("cash_flow", "flow_cash")

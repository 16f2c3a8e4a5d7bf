"""Whether what was found has to do with the question."""

import pytest

from database.analysis import grams, words
from database.documents import Chunk, Document, Hit, Name, SearchQuery
from database.relevance import is_relevant, measure_coverage

PASSAGE = "O empregado tem direito a trinta dias de férias remuneradas após doze meses de trabalho."


def analyse(question: str) -> SearchQuery:
    return SearchQuery(None, tuple(dict.fromkeys(words(question, "pt"))), tuple(dict.fromkeys(grams(question))))


def make_hits(*passages: str, language: str = "pt") -> list[Hit]:
    document = Document("d", "Manual do empregado", (Name("r", "manual.pdf"),), 1, language)
    return [Hit(Chunk(f"c{n}", "d", 1, n, "", text, 0, 0), document, 1.0) for n, text in enumerate(passages)]


def coverage(question: str, *passages: str) -> float:
    return measure_coverage(analyse(question), make_hits(*passages))


@pytest.mark.parametrize(
    "question",
    [
        "Quantos dias de férias remuneradas tem o empregado?",
        "quantos dias de ferias tem o enpregado",
        "direito a férias após meses",
    ],
)
def test_a_question_that_the_passage_answers_is_covered(question: str) -> None:
    assert coverage(question, "Outra coisa.", PASSAGE) > 0.45


@pytest.mark.parametrize(
    "question", ["Qual foi a receita líquida da Petrobras em 2021?", "Como o coral reage à acidez?"]
)
def test_a_question_about_something_else_is_not(question: str) -> None:
    assert coverage(question, PASSAGE, "Outra coisa.") < 0.35


def test_title_and_heading_count() -> None:
    assert coverage("manual do empregado", "Nada.") > 0.9


@pytest.mark.parametrize(
    "question",
    [
        "resuma isto",
        "Do que trata este documento?",
        "What is this document about?",
        "De quoi parle ce texte ?",
        "¿De qué trata?",
    ],
)
def test_a_question_without_words_of_its_own_is_never_refused(question: str) -> None:
    assert coverage(question, PASSAGE) == 1.0


def test_nothing_found_covers_nothing() -> None:
    assert coverage("Quantos dias de férias remuneradas?") == 0.0


def test_only_questions_in_the_language_of_the_passages_are_judged() -> None:
    query = analyse("Qual foi a receita líquida da Petrobras em 2021?")
    assert not is_relevant(query, make_hits(PASSAGE), "pt")
    assert is_relevant(query, make_hits(PASSAGE, language="en"), "pt")
    assert is_relevant(analyse("Quantos dias de férias?"), make_hits(PASSAGE), "pt")
    assert not is_relevant(query, [], "pt")

"""Whether what was found has to do with the question."""

import pytest

from database.analysis import grams, words
from database.documents import Chunk, Document, Hit, Name, SearchQuery
from database.relevance import is_relevant, measure_coverage

PASSAGE = "O empregado tem direito a trinta dias de férias remuneradas após doze meses de trabalho."


def coverage(question: str, *passages: str) -> float:
    document = Document("d", "Manual do empregado", (Name("r", "manual.pdf"),), 1, "pt")
    hits = [Hit(Chunk(f"c{n}", "d", 1, n, "", text, 0, 0), document, 1.0) for n, text in enumerate(passages)]
    query = SearchQuery(None, tuple(dict.fromkeys(words(question, "pt"))), tuple(dict.fromkeys(grams(question))))
    return measure_coverage(query, hits)


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


def test_a_question_of_few_words_tells_too_little_to_be_refused() -> None:
    assert coverage("resuma isto", PASSAGE) == 1.0


def test_nothing_found_covers_nothing() -> None:
    assert coverage("Quantos dias de férias remuneradas?") == 0.0


def test_only_questions_in_a_language_of_the_documents_are_judged() -> None:
    assert not is_relevant(0.2, "pt", ("pt", "en"))
    assert is_relevant(0.2, "fr", ("pt", "en"))
    assert is_relevant(0.5, "pt", ("pt",))

"""Passages fall into sentences as people read them, and the sentence that answers comes first."""

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from database.embedders.minilm import MiniLMEmbedder
from database.extract import PASSAGES, Sentence, choose_sentences, split_passage, split_passages

TABLE = "| Ano | Alunos |\n|---|---|\n| 2021 | 1.204 |\n| 2022 | 1.377 |"


def texts(passage: str) -> list[str]:
    return [sentence.text for sentence in split_passage(0, passage)]


@pytest.mark.parametrize(
    "sentences",
    [
        ["O farol foi aceso em 1903.", "Desde então nunca se apagou!", "Quem o guarda?", "Ninguém sabe…"],
        ["Nos termos do Art. 5º da Resolução n. 3, o aluno perde a vaga.", "Cabe recurso."],
        ["O Sr. Silva e a Dra. Souza assinaram.", "O prof. Lima não."],
        ["O valor é de R$ 1.234,56 por mês.", "Em 2.019 alunos, 3.5 reprovaram."],
        ["Mr. Smith joined Acme Inc. in 2019.", "He left in Dec. 2021."],
        ["See fig. 3, p. 12 and vol. 2 for details.", "The U.S. Treasury agreed."],
        ["Il a dit « non. »", "Elle est partie en 1998.", "M. Dupont est resté."],
        ["The keeper (J. R. Silva) wrote: “It rains.”", "Then he slept."],
        ["1. Primeiro item da lista", "Segunda frase. com minúscula continua"],
    ],
)
def test_sentences(sentences: list[str]) -> None:
    joint = "\n" if not sentences[0].endswith((".", "!", "?", "…", "”", "»")) else " "
    assert texts(joint.join(sentences)) == sentences


def test_lines_and_headings_part_sentences() -> None:
    assert texts("# Título. Novo\n\n- um item\n- outro. Sim\n\nFim") == ["- um item", "- outro.", "Sim", "Fim"]


def test_rows_stand_under_their_header() -> None:
    found = list(split_passage(2, f"Antes.\n{TABLE}\nDepois."))
    header = "| Ano | Alunos |\n|---|---|"
    assert found == [
        Sentence(2, "Antes."),
        Sentence(2, "| 2021 | 1.204 |", header),
        Sentence(2, "| 2022 | 1.377 |", header),
        Sentence(2, "Depois."),
    ]
    assert found[1].quote == f"{header}\n| 2021 | 1.204 |\n"
    assert found[0].quote == "Antes."


def test_rows_without_a_header_are_not_lost() -> None:
    """A passage may begin in the middle of a table whose header is too long to be repeated."""
    assert texts("| a | 1 |\n| b | 2 |") == ["| a | 1 |", "| b | 2 |"]
    assert texts("| a | 1 |\nText.") == ["| a | 1 |", "Text."]
    assert texts(f"| a | 1 |\n\n{TABLE}") == ["| a | 1 |", "| 2021 | 1.204 |", "| 2022 | 1.377 |"]


def test_a_second_table_has_its_own_header() -> None:
    found = list(split_passage(0, f"{TABLE}\n\n| Mês | Dias |\n|:--|--:|\n| maio | 31 |"))
    assert found[-1] == Sentence(0, "| maio | 31 |", "| Mês | Dias |\n|:--|--:|")


LINE = st.lists(
    st.sampled_from(["Art.", "5º", "Sim.", "(é", "| a |", "|---|", "#", "«Oi.»", "1.", "\u2028", "x"]), max_size=8
)


@given(st.one_of(st.text(), st.lists(LINE.map(" ".join)).map("\n".join)))
def test_sentences_are_quoted_as_they_stand(text: str) -> None:
    at = 0
    for sentence in split_passage(0, text):
        assert sentence.text.strip() == sentence.text != ""
        assert all(line.strip() in text for line in sentence.header.split("\n"))
        found = text.find(sentence.text, at)
        assert found >= 0, "verbatim and in order"
        at = found + len(sentence.text)


@given(st.lists(st.sampled_from(["alpha", "beta.", "Gamma?", "Delta!", "n.", "12", "(Eta", "zeta)"])).map(" ".join))
def test_no_letter_of_a_text_is_lost(text: str) -> None:
    assert " ".join(texts(text)) == text


def test_a_wording_counts_once_and_for_its_first_passage() -> None:
    found = split_passages(["Um. Dois.", "Dois. Três."])
    assert found == [Sentence(0, "Um."), Sentence(0, "Dois."), Sentence(1, "Três.")]


def test_only_the_first_passages_are_split() -> None:
    assert {s.passage for s in split_passages([f"Passage {n}." for n in range(9)])} == set(range(PASSAGES))


def test_choosing_from_nothing() -> None:
    assert choose_sentences("Why?", "en", [], np.zeros(0, np.float32)) == []
    (one,) = choose_sentences("", "en", [Sentence(0, "A.")], np.zeros(1, np.float32))
    assert one.text == "A."


def test_equal_sentences_keep_their_order_and_later_passages_cost() -> None:
    same = [Sentence(0, "x one"), Sentence(0, "x two"), Sentence(1, "x six")]
    chosen = choose_sentences("zzz", "en", same[::-1], np.zeros(3, np.float32), count=2)
    assert chosen == [same[1], same[0]]


PASSAGES_PT = [
    "## Bolsas\n\nA universidade oferece bolsas de estudo. As bolsas são concedidas por edital publicado pela "
    "Pró-Reitoria de Graduação. O estudante deve comprovar renda familiar de até 1,5 salário mínimo por pessoa. "
    "O prazo de inscrição é de 15 dias, nos termos do Art. 7º do edital.",
    f"## Matrícula\n\nA matrícula é feita na secretaria. O aluno apresenta RG e CPF.\n\n{TABLE}",
]
PASSAGES_EN = [
    "The company was founded in 1998 by Ann Lee. Its headquarters are in Lisbon, Portugal. Revenue for fiscal "
    "2022 was $4.2 billion, up 8% from the prior year. The board declared a dividend of $0.31 per share.",
    "Mr. Lee remains chairman. The auditors are Smith & Co. Their report was signed on Feb. 3, 2023.",
]
CASES = [
    (PASSAGES_PT, "pt", "Quem publica o edital das bolsas?", "concedidas por edital publicado pela Pró-Reitoria"),
    (PASSAGES_PT, "pt", "qual o prazo de inscricao?", "15 dias"),
    (PASSAGES_PT, "pt", "Qual a renda familiar exigida?", "1,5 salário"),
    (PASSAGES_PT, "pt", "Onde é feita a matrícula?", "secretaria"),
    (PASSAGES_PT, "pt", "Quantos alunos em 2022?", "| 2022 | 1.377 |"),
    (PASSAGES_EN, "en", "What was the revenue in 2022?", "$4.2 billion"),
    (PASSAGES_EN, "en", "Where are the headquarters?", "Lisbon"),
    (PASSAGES_EN, "en", "Who are the auditors?", "Smith & Co."),
    (PASSAGES_EN, "en", "Who founded the comapny?", "1998 by Ann Lee"),
]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.mark.parametrize(("passages", "language", "question", "answer"), CASES)
async def test_the_answer_comes_first(
    models: Path, passages: list[str], language: str, question: str, answer: str
) -> None:
    embedder = MiniLMEmbedder(models)
    await embedder.open()
    sentences = split_passages(passages)
    likeness = await embedder.embed([s.text for s in sentences]) @ await embedder.embed_query(question)
    chosen = choose_sentences(question, language, sentences, likeness)
    assert len(chosen) == 3
    assert answer in chosen[0].text


@pytest.mark.parametrize("text", ["." * 50_000, "a. " * 20_000, "|" + " " * 50_000 + "x", "| " * 30_000 + "x"])
def test_hostile_text_takes_no_longer_than_plain_text(text: str) -> None:
    plain = time_splitting("Uma frase simples. " * (len(text) // 19))
    assert time_splitting(text) < 50 * plain + 0.5


def time_splitting(text: str) -> float:
    started = time.perf_counter()
    list(split_passage(0, text))
    return time.perf_counter() - started

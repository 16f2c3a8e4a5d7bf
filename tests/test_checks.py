"""Which sentences of an answer stand in the passages they cite."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.checks import Checker
from app.events import Check
from database.documents import Chunk, Document, Hit, Name

PT = (
    "A Universidade Federal de São Carlos (UFSCar) foi fundada em 1968 e tem quatro campi. Em 2021 a receita "
    "foi de R$ 1.234,5 milhões, 12,5% acima de 2020. O reitor Targino de Araújo morreu no século XX."
)
EN = (
    "Net sales of Best Buy were $1,577 million in fiscal 2018. The company was founded by Richard Schulze on "
    "22 August 1966 and employs 125,000 people. The Federal Reserve raised rates by 0.25 percentage points."
)
FR = (
    "Le château de Strutthof, près de Natzwiller, a vu mourir 22 000 déportés entre 1941 et 1944. La Banque centrale "
    "européenne se trouve à Francfort. Trois juges ont signé l'arrêt le 14 juillet 1992."
)
OTHER = "Der Bericht nennt 77 Fälle."


def hit(text: str, language: str, title: str = "Relatório", page: int = 3) -> Hit:
    document = Document("d", title, (Name("r", "Relatorio_2023.pdf"),), 1, language)
    return Hit(Chunk("c", "d", page, 0, "", text, 0, len(text)), document, 1.0)


HITS = {"pt": PT, "en": EN, "fr": FR}


def verdicts(answer: str, language: str, question: str = "") -> list[bool]:
    checker = Checker([hit(HITS[language], language), hit(OTHER, language)], language, question)
    return [check.supported for check in checker.feed(answer) + checker.finish()]


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        # As the source says it, or the same in other words or another notation.
        ("pt", "Foi fundada em 1968 [1]."),
        ("pt", "Há 4 campi [1]."),
        ("pt", "Segundo o texto, a UFSCar nasceu em 1968 [1]."),
        ("pt", "A receita chegou a 1,2345 bilhões de reais [1]."),
        ("pt", "A receita passou de R$ 1,2 bilhão [1]."),
        ("pt", "A receita cresceu 12,5 por cento em 2021 [1]."),
        ("pt", "O reitor Targino Araújo viveu no século 20 [1]."),
        ("pt", "O campus da Universidade Federal de São Carlos tem relatório de 2023 [1]."),
        ("pt", "Isso está na página 3 [1]."),
        ("en", "Sales reached $1.577 billion [1]."),
        ("en", "Sales were about $1.6 billion in 2018 [1]."),
        ("en", "It was founded on 22/08/1966 by Schulze [1]."),
        ("en", "It has 125 thousand employees [1]."),
        ("en", "Rates rose by 0.25 points, says the Federal Reserve [1]."),
        ("fr", "Le camp du Strutthof a compté 22000 morts [1]."),
        ("fr", "La BCE est installée à Francfort [1]."),
        ("fr", "L'arrêt du 14/07/1992 porte 3 signatures [1]."),
    ],
)
def test_what_the_source_says_is_supported(language: str, sentence: str) -> None:
    assert verdicts(sentence, language) == [True]


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("pt", "Foi fundada em 1986 [1]."),
        ("pt", "Há 5 campi [1]."),
        ("pt", "A receita foi de 1.243,5 milhões [1]."),
        ("pt", "A receita foi de 1,3 bilhão [1]."),
        ("pt", "O reitor foi Paulo Freire [1]."),
        ("pt", "Quem a fundou foi a USP [1]."),
        ("pt", "Viveu no século 19 [1]."),
        ("pt", "A receita foi de 1234 bilhões [1]."),
        ("en", "Sales reached $15.77 billion [1]."),
        ("en", "Founded in 1967, it grew [1]."),
        ("en", "The founder was Steve Jobs [1]."),
        ("en", "Rates rose by 0.52 points [1]."),
        ("fr", "Le camp a compté 23 000 morts [1]."),
        ("fr", "La BCE se trouve à Bruxelles [1]."),
        ("fr", "L'arrêt du 14/07/1993 porte 3 signatures [1]."),
        ("pt", "Foi fundada em 1968 [2]."),
    ],
)
def test_what_the_source_does_not_say_is_marked(language: str, sentence: str) -> None:
    assert verdicts(sentence, language) == [False]


@pytest.mark.parametrize(
    "sentence",
    [
        "Cresceu bastante [1].",
        "Isto é assim.",
        "# Receita de 1999\n",
        "```\nx = 1999 [1]\n```\n",
        "Use `n = 1999` [1].",
        "",
    ],
)
def test_what_states_nothing_to_look_up_has_no_verdict(sentence: str) -> None:
    assert verdicts(sentence, "pt") == []


def test_names_of_the_question_are_no_claims_but_its_figures_are() -> None:
    assert verdicts("A empresa Zeta nasceu em 1968 [1].", "pt") == [False]
    assert verdicts("A empresa Zeta nasceu em 1968 [1].", "pt", "Quando nasceu a Zeta?") == [True]
    assert verdicts("A empresa Zeta nasceu em 1969 [1].", "pt", "A Zeta nasceu em 1969?") == [False]


def test_names_are_not_compared_across_languages() -> None:
    checker = Checker([hit("The United States paid 5 dollars.", "en")], "pt")
    checks = checker.feed(
        "Foram os Estados Unidos que pagaram 5 dólares [1]. Foram os Estados Unidos [1]. Foram 6 [1]."
    )
    assert [check.supported for check in checks + checker.finish()] == [True, False]


def test_a_sentence_without_citation_is_held_against_the_next_of_its_paragraph() -> None:
    assert verdicts("Foi fundada em 1968. Tem quatro campi [2].", "pt") == [False]
    assert verdicts("Foi fundada em 1968. São 4 campi [1].", "pt") == [True, True]
    assert verdicts("Foi fundada em 1968.\n\nSão 77 casos [2].", "pt") == [True, True]
    assert verdicts("Foi fundada em 1999.", "pt") == [False]


def test_offsets_are_utf16_and_leave_out_markers_and_what_follows_the_end() -> None:
    answer = "😀 Olá!\n\n1. **Foi fundada** em 1968. [1]\n2. Em 1999 [1]\n| ano | 1968 [1] |\n"
    checker = Checker([hit(PT, "pt")], "pt")
    checks = checker.feed(answer) + checker.finish()
    units = answer.encode("utf-16-le")
    shown = [units[2 * c.start : 2 * c.end].decode("utf-16-le") for c in checks]
    assert shown == ["**Foi fundada** em 1968.", "Em 1999 [1]", "ano | 1968 [1]"]
    assert [c.supported for c in checks] == [True, False, True]


def test_a_verdict_comes_with_the_sentence_and_not_at_the_end() -> None:
    checker = Checker([hit(PT, "pt")], "pt")
    assert checker.feed("Foi fundada em 1999 [1].") == []
    assert checker.feed(" E") == [Check(0, 24, False)]


@pytest.mark.parametrize(
    "answer",
    [
        "O Sr. Silva, no art. 5 da lei, de 1968 [1].",
        "Foi em 1968 (cf. p. 3) etc. e tal [1].",
        "São 12.5 e nada mais em 1968 [1].",
    ],
)
def test_a_stop_inside_a_sentence_does_not_end_it(answer: str) -> None:
    checker = Checker([hit(PT, "pt")], "pt")
    assert len(checker.feed(answer) + checker.finish()) == 1


ANSWERS = st.lists(
    st.sampled_from(
        [
            "Foi ",
            "1968",
            ".",
            " ",
            "\n",
            "\n\n",
            "[1]",
            "[2, 1]",
            "- ",
            "1. ",
            "```\n",
            "# ",
            "Targino",
            "😀",
            "é",
            "|",
            "!",
        ]
    ),
    max_size=40,
).map("".join)


@given(ANSWERS, st.data())
def test_verdicts_are_the_same_however_the_answer_is_cut(answer: str, data: st.DataObject) -> None:
    def check(pieces: list[str]) -> list[Check]:
        checker = Checker([hit(PT, "pt"), hit(OTHER, "pt")], "pt")
        return [check for piece in pieces for check in checker.feed(piece)] + checker.finish()

    cuts = sorted(data.draw(st.lists(st.integers(0, len(answer)), max_size=6)))
    pieces = [answer[a:b] for a, b in zip([0, *cuts], [*cuts, len(answer)], strict=True)]
    whole = check([answer])
    assert check(pieces) == whole
    assert all(0 <= c.start < c.end <= len(answer.encode("utf-16-le")) // 2 for c in whole)
    assert all(a.end <= b.start for a, b in pairwise(whole))


def test_a_very_long_line_is_given_up_and_the_next_one_is_checked() -> None:
    checker = Checker([hit(PT, "pt")], "pt")
    checks = [check for _ in range(20_000) for check in checker.feed("2001 sem fim ")]
    assert checks == []
    long = 20_000 * len("2001 sem fim ")
    assert checker.feed("[1]\n\nFoi em 1999 [1].\n")[-1:] == [Check(long + 5, long + 21, False)]

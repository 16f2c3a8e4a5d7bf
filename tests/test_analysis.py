"""The same words and 4-grams whoever asks, and nothing in them that a full-text index would split."""

import unicodedata
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from database.analysis import (
    COMMON_SHARE,
    GRAM,
    QUERY_TERMS,
    STEMMERS,
    _identifier,
    detect_language,
    find_common,
    fold,
    grams,
    normalise,
    query_terms,
    words,
)
from database.stores.postings import make_postings
from database.stores.terms import hash_terms

LANGUAGES = st.sampled_from([*STEMMERS, "", "xx"])
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]))

SENTENCES = [
    ("pt", "A universidade oferece bolsas de estudo aos alunos que comprovem baixa renda familiar."),
    ("en", "The company reported higher revenue in the third quarter of the fiscal year."),
    ("es", "El ayuntamiento aprobó ayer los presupuestos para el próximo año por unanimidad."),
    ("fr", "Le conseil municipal a adopté le budget de l'année prochaine à l'unanimité."),
    ("de", "Der Stadtrat hat den Haushalt für das kommende Jahr einstimmig beschlossen."),
    ("it", "Il consiglio comunale ha approvato ieri il bilancio dell'anno prossimo."),
]
QUESTIONS = [
    ("pt", "Quais são os requisitos para a matrícula?"),
    ("pt", "Quantos alunos tem a faculdade?"),
    ("en", "What was the revenue in 2019?"),
    ("en", "Who signed the agreement?"),
    ("es", "¿Cuándo empieza el año académico?"),
    ("fr", "Qui a signé l'accord ?"),
]


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("ﬁnancial ﬂow", "financial flow"),
        ("AÇÃO Educação", "acao educacao"),
        ("Ｆｕｌｌ ① ²", "full 1 2"),
        ("naïve café ÑANDÚ", "naive cafe nandu"),
        ("ação", "acao"),
        ("İstanbul", "istanbul"),
        ("Straße STRAẞE", "strasse strasse"),
        ("Œuvre sœur Ærø Łódź", "oeuvre soeur aero lodz"),
        ("한국어", "한국어"),
        ("", ""),
    ],
)
def test_fold(text: str, folded: str) -> None:
    assert fold(text) == folded
    assert fold(unicodedata.normalize("NFD", text)) == folded


@given(st.text())
@example("ΑΣ Σ")
@example("\u1e9b\u0323")
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(st.text())
def test_folding_does_not_depend_on_the_form_of_the_text(text: str) -> None:
    assert words(normalise(text), "pt") == words(text, "pt")
    assert grams(normalise(text)) == grams(text)


@pytest.mark.parametrize(
    ("typed", "written", "language"),
    [
        ("informacoes academicas", "informações acadêmicas", "pt"),
        ("avaliacoes", "AVALIAÇÕES", "pt"),
        ("annees prochaines", "années prochaines", "fr"),
        ("proximo ano academico", "próximo año académico", "es"),
        ("running FINANCIAL", "runs ﬁnancials", "en"),
    ],
)
def test_typed_without_accents_is_the_same(typed: str, written: str, language: str) -> None:
    assert words(typed, language) == words(written, language)


@given(st.text(st.characters(categories=["L", "Zs"])), LANGUAGES)
def test_accents_never_matter_to_words(text: str, language: str) -> None:
    bare = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    assert words(bare, language) == words(text, language)


def test_words_keep_order_and_repetitions() -> None:
    assert words("b a b snake_case 1.234,56", "en") == ["b", "a", "b", "snake", "case", "1", "234", "56"]


def test_words_with_digits_are_not_stemmed() -> None:
    assert words("10ks covid19s", "en") == ["10ks", "covid19s"]
    assert words("runs", "en") == ["run"]


def test_an_unknown_language_is_not_stemmed() -> None:
    assert words("Universities running", "") == words("universities running", "xx") == ["universities", "running"]


def test_grams() -> None:
    assert grams("Ação é") == ["_aca", "acao", "cao_", "_e_"]
    assert grams("ab, a") == ["_ab_", "_a_"]
    assert grams("... _ ") == []


@given(st.text("abcdefghij", min_size=1, max_size=20), st.integers(0), st.sampled_from("xyz"))
def test_one_typo_leaves_most_grams(word: str, at: int, letter: str) -> None:
    at %= len(word)
    before, after = grams(word), grams(word[:at] + letter + word[at + 1 :])
    assert len(before) == len(after)
    assert 1 <= sum(a != b for a, b in zip(before, after, strict=True)) <= GRAM


@given(ANY_TEXT, LANGUAGES)
@example("हिन्दी में एक วลีไทย", "")
@example("a\u0345b \u1c90 \u10fd \u0378 \ua7ae \U0001e900 \U00010d20", "pt")
def test_every_term_finds_its_own_row(text: str, language: str) -> None:
    """No blank, nor anything else at which a row of terms is split again, and no two terms with one list."""
    for terms in (words(text, language), grams(text)):
        assert " ".join(terms).split() == terms
        distinct = [*dict.fromkeys(terms)]
        sizes, rows, _ = make_postings(distinct).find(hash_terms(distinct))
        assert sizes.tolist() == [1] * len(distinct) and rows.tolist() == [*range(len(distinct))]


def test_query_terms_are_distinct_and_without_the_common_ones() -> None:
    assert query_terms(["b", "a", "b", "de"], frozenset({"de", "x"})) == ("b", "a")


def test_a_question_of_common_terms_only_keeps_them() -> None:
    assert query_terms(["de", "a", "de"], frozenset({"de", "a"})) == ("de", "a")
    assert query_terms([], frozenset({"de"})) == ()


@given(st.lists(st.sampled_from("abcdef")), st.frozensets(st.sampled_from("abcdef")))
def test_query_terms_lose_nothing_else(terms: list[str], common: frozenset[str]) -> None:
    left = query_terms(terms, common)
    assert len(set(left)) == len(left) and set(left) <= set(terms)
    assert set(left) in (set(terms) - common, set(terms))
    assert bool(left) == bool(terms)


def test_a_pasted_passage_is_searched_by_its_beginning_and_its_end() -> None:
    terms = [f"t{n}" for n in range(10_000)]
    kept = query_terms(["de", *terms, "de"], frozenset({"de"}))
    half = QUERY_TERMS // 2
    assert kept == (*terms[:half], *terms[-half:])
    assert query_terms(terms[:QUERY_TERMS], frozenset()) == tuple(terms[:QUERY_TERMS])


def test_find_common_needs_more_than_its_share_of_rows() -> None:
    share = int(200 * COMMON_SHARE)
    rows = [" ".join(["always", "also" if n <= share else "", "seldom" if n < share else ""]) for n in range(200)]
    assert find_common(rows) == ("also", "always")


def test_find_common_counts_rows_not_repetitions() -> None:
    assert find_common(["x " * 500] + ["y"] * 199) == ("y",)


def test_few_rows_say_nothing_about_shares() -> None:
    assert find_common(["de"] * 99) == ()
    assert find_common(["de"] * 100) == ("de",)


@pytest.mark.parametrize(("language", "text"), SENTENCES + QUESTIONS)
def test_detect_language(language: str, text: str) -> None:
    assert detect_language(text) == language


@pytest.mark.parametrize(("language", "text"), SENTENCES + QUESTIONS)
@pytest.mark.parametrize("among", [("en", "pt"), ("fr",), ("es", "pt", "fr")])
def test_a_language_is_one_of_those_asked_about(language: str, text: str, among: tuple[str, ...]) -> None:
    found = detect_language(text, among)
    assert found in among
    assert found == language or language not in among


def test_no_language_among_none() -> None:
    assert detect_language("What is this?", ()) == ""
    assert detect_language("What is this?", ("ja", "zh")) == ""
    assert detect_language("", ("pt", "en")) in ("pt", "en")


def test_threads_that_ask_at_the_same_time_load_the_languages_once() -> None:
    _identifier.cache_clear()
    with ThreadPoolExecutor(4) as threads:
        assert [*threads.map(detect_language, [text for _, text in SENTENCES[:4]])] == ["pt", "en", "es", "fr"]
    assert _identifier.cache_info().misses == 1

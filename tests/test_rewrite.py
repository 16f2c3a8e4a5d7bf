"""Follow-up questions: which they are, what they become, by rule and by a model, and what that costs."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from app.joining import MAX_CHARS, rewrite_by_rule
from app.llms import Message
from app.rewrite import MAX_WRITTEN, check_written, make_messages
from tests.fakes.ollama import ANSWER, FakeOllama
from tests.library import Library
from tests.server import Served, ask, check_shape, serve

REVENUE = "Qual foi a receita líquida da Petrobras em 2021?"
BUILT = "Quem construiu o farol da ilha?"
WHAT = "O que é o Acervo?"
APPLE = "What was Apple's revenue in 2021?"
EIFFEL = "Who designed the Eiffel Tower?"
FARO = "¿Quién construyó el faro?"
PHARE = "Qui a construit le phare ?"
COMPLETED = [
    (REVENUE, "E em 2022?", "Qual foi a receita líquida da Petrobras em 2022?"),
    (REVENUE, "2022?", "Qual foi a receita líquida da Petrobras em 2022?"),
    (REVENUE, "E o lucro?", "Qual foi o lucro da Petrobras em 2021?"),
    (REVENUE, "E qual foi o lucro?", "Qual foi o lucro da Petrobras em 2021?"),
    (REVENUE, "e da Vale em 2022?", "Qual foi a receita líquida da Vale em 2022?"),
    (REVENUE, "E quantos funcionários tinha?", "Quantos funcionários tinha (Petrobras)?"),
    ("Quanto a Petrobras lucrou em 2021?", "E a Vale?", "Quanto a Vale lucrou em 2021?"),
    ("Qual foi a receita em fevereiro de 2021?", "E em março?", "Qual foi a receita em março de 2021?"),
    ("Qual foi a variação entre 2020 e 2021?", "E entre 2021 e 2022?", "Qual foi a variação entre 2021 e 2022?"),
    ("O que diz o artigo 5?", "E o 6?", "O que diz o artigo 6?"),
    ("Qual é a capital de Portugal?", "E no Brasil?", "Qual é a capital no Brasil?"),
    ("Em que ano o farol foi construído?", "E o porto?", "Em que ano o porto foi construído?"),
    ("Em que ano o farol foi construído?", "Por quem?", "Por quem o farol foi construído?"),
    (WHAT, "Quanto custa isso?", "Quanto custa o Acervo?"),
    (WHAT, "Quanto custa?", "Quanto custa o Acervo?"),
    (WHAT, "Como se instala?", "Como se instala o Acervo?"),
    (BUILT, "Quando ele foi construído?", "Quando o farol da ilha foi construído?"),
    (BUILT, "Quando?", "Quando construiu o farol da ilha?"),
    (BUILT, "Em que ano?", "Em que ano construiu o farol da ilha?"),
    (BUILT, "Explique melhor.", BUILT),
    ("Qual é a população da Alemanha?", "Qual é a capital dela?", "Qual é a capital dela (Alemanha)?"),
    (APPLE, "and in 2022?", "What was Apple's revenue in 2022?"),
    (APPLE, "What about 2022?", "What was Apple's revenue in 2022?"),
    (APPLE, "How about Microsoft?", "What was Microsoft's revenue in 2021?"),
    (APPLE, "On which page?", "On which page Apple's revenue in 2021?"),
    ("What was the revenue in Q3 2021?", "And in Q4?", "What was the revenue in Q4 2021?"),
    ("What was the revenue in 2021?", "And the profit?", "What was the profit in 2021?"),
    ("How many hives did the keepers count?", "And in 2020?", "How many hives did the keepers count in 2020?"),
    (EIFFEL, "When was it built?", "When was the Eiffel Tower built?"),
    (EIFFEL, "Tell me more", EIFFEL),
    ("What is Acervo?", "How much does it cost?", "How much does Acervo cost?"),
    ("¿Cuál fue el ingreso en 2021?", "¿Y en 2022?", "¿Cuál fue el ingreso en 2022?"),
    ("¿Cuál fue el ingreso en 2021?", "¿Y el beneficio?", "¿Cuál fue el beneficio en 2021?"),
    ("¿Cuál es la capital de España?", "¿Y de Francia?", "¿Cuál es la capital de Francia?"),
    (FARO, "¿Dónde está?", "¿Dónde está el faro?"),
    ("¿Qué es Acervo?", "¿Cuánto cuesta eso?", "¿Cuánto cuesta Acervo?"),
    ("Quel était le chiffre d'affaires en 2021 ?", "Et en 2022 ?", "Quel était le chiffre d'affaires en 2022 ?"),
    ("Quelle est la capitale de l'Espagne ?", "Et du Portugal ?", "Quelle est la capitale du Portugal ?"),
    (PHARE, "Quand a-t-il été construit ?", "Quand a-t-il été construit (le phare) ?"),
    (PHARE, "En quelle année ?", "En quelle année construit le phare ?"),
    ("Qu'est-ce qu'Acervo ?", "Combien cela coûte-t-il ?", "Combien Acervo coûte-t-il ?"),
]
STANDING = [
    "Quem foi Pelé?",
    "O que é fotossíntese?",
    "É possível pedir a segunda via?",
    "Como o IBGE calcula seu índice?",
    "Qual empresa vendeu sua sede?",
    "Em que ano o porto foi construído?",
    "A taxa de inscrição tem de ser paga antes?",
    "Esta é a versão em vigor do edital de 2020?",
    "receita líquida 2022",
    "Resuma o contrato de locação.",
    "Obrigado!",
    "What is inflation?",
    "How long does it take to install Acervo?",
    "Is it possible to load scanned files?",
    "Which company that sells cars grew most?",
    "Why was there an increase in prices?",
    "When did the village sell its apples?",
    "How many tonnes of apples did Serra harvest?",
    "¿Qué es la fotosíntesis?",
    "¿Es posible cargar imágenes?",
    "¿El museo cobra su entrada?",
    "Où se situe la BCE?",
    "Combien y a-t-il d'habitants à Lyon ?",
    "Où le roi habite-t-il ?",
    "Faut-il un compte ?",
    "Ou commence la grande forêt équatoriale africaine?",
]


@pytest.mark.parametrize(("before", "question", "query"), COMPLETED)
def test_a_follow_up_is_completed(before: str, question: str, query: str) -> None:
    assert rewrite_by_rule(question, [before]) == query


@pytest.mark.parametrize("question", STANDING)
@pytest.mark.parametrize("before", [REVENUE, EIFFEL, FARO, PHARE])
def test_a_question_that_stands_by_itself_stays(question: str, before: str) -> None:
    assert rewrite_by_rule(question, [before]) == question


def test_follow_ups_follow_follow_ups() -> None:
    earlier = [WHAT, "Qual foi a receita em 2021?", "E em 2022?"]
    assert rewrite_by_rule("E o lucro?", earlier) == "Qual foi o lucro em 2022?"
    assert rewrite_by_rule("E o lucro?", []) == "E o lucro?"


@given(st.text(max_size=60), st.lists(st.text(max_size=60) | st.sampled_from([REVENUE, EIFFEL, "", "¿?"]), max_size=8))
def test_whatever_is_asked_there_is_something_to_search_for(question: str, earlier: list[str]) -> None:
    query = rewrite_by_rule(question, earlier)
    assert query.strip() or not question.strip()
    assert rewrite_by_rule(question, earlier) == query


def test_a_pasted_page_costs_nothing() -> None:
    page = "e isso e ele " * 100_000
    started = time.process_time()
    assert rewrite_by_rule(page, [page] * 50) == page
    assert len(rewrite_by_rule("E em 2022?", [page] * 50)) < 3 * MAX_CHARS
    assert time.process_time() - started < 2


def talk(*contents: str) -> list[Message]:
    """A conversation: question, answer, question …"""
    return [Message(role=("user", "assistant")[n % 2], content=content) for n, content in enumerate(contents)]


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("Qual foi a receita em 2022?", "Qual foi a receita em 2022?"),
        (' "Qual foi a receita em 2022?"\n', "Qual foi a receita em 2022?"),
        ("", ""),
        ("Claro! A pergunta é:\nQual foi a receita em 2022?", ""),
        ("A receita em 2022 foi de 5 [1].", ""),
        ("Não tenho acesso aos documentos mencionados pelo usuário", ""),
        ("Qual foi a receita " * 30, ""),
    ],
)
def test_only_a_question_in_words_of_the_conversation_is_taken(written: str, kept: str) -> None:
    assert check_written(written, "E em 2022?", talk("Qual foi a receita em 2021?", "Foi de 5.")) == kept


def test_a_model_sees_the_latest_turns_cut_short() -> None:
    history = talk(*(f"turno {n} " + "palavra " * 1000 for n in range(20)))
    _, asked = make_messages("E em 2022?", history)
    assert "turno 13" not in asked["content"] and "turno 14" in asked["content"] and len(asked["content"]) < 4000
    assert asked["content"].endswith("Last question: E em 2022?")


HISTORY = talk("Quantos naufrágios houve em 1922?", "Não sei [1].")
FOLLOW_UP, BY_RULE = "E em 1923?", "Quantos naufrágios houve em 1923?"
WRITTEN = "Quantos naufrágios é que houve em 1923?"


@pytest_asyncio.fixture
async def model() -> AsyncIterator[FakeOllama]:
    async with FakeOllama(brief_answer=WRITTEN) as fake:
        yield fake


@pytest_asyncio.fixture
async def served(library: Library, model: FakeOllama) -> AsyncIterator[Served]:
    async with serve(library.data_dir, llm="auto", ollama_host=model.url, rewrite_timeout_s=2) as served:
        yield served


def chats(model: FakeOllama) -> Sequence[dict[str, object]]:
    """The chats that the model was asked for."""
    return [body for path, body in model.requests if path == "/api/chat"]


@pytest.mark.usefixtures("strict_loop")
class TestRoute:
    async def test_the_model_completes_and_then_answers_the_question_as_asked(
        self, served: Served, model: FakeOllama
    ) -> None:
        model.switches.thinking = "Let me see"
        answer = await ask(served, FOLLOW_UP, history=HISTORY)
        last, first = check_shape(answer), answer.lines[0]
        assert (first["query"], first["rewritten_by"], first["language"]) == (WRITTEN, "model", "pt")
        brief, whole = chats(model)
        assert brief["think"] is False and brief["options"] == {"num_ctx": 8192, "num_predict": 96, "temperature": 0}
        assert whole["options"] == {"num_ctx": 8192} and "think" not in whole
        messages = whole["messages"]
        assert isinstance(messages, list) and messages[1:-1] == HISTORY
        assert (
            messages[-1]["content"].endswith(f"Question: {FOLLOW_UP}")
            and "quarenta naufrágios" in messages[-1]["content"]
        )
        assert answer.text == ANSWER and len(last["services"]) == 1
        assert 0 < last["rewrite_duration"] < last["first_token_duration"]

    async def test_a_question_that_stands_by_itself_costs_no_request(self, served: Served, model: FakeOllama) -> None:
        first = (await ask(served, BY_RULE, history=HISTORY)).lines[0]
        assert (first["query"], first["rewritten_by"]) == (BY_RULE, "")
        first = (await ask(served, FOLLOW_UP)).lines[0]
        assert (first["query"], first["rewritten_by"]) == (FOLLOW_UP, "")
        first = (await ask(served, FOLLOW_UP, history=HISTORY, rewrite=False)).lines[0]
        assert (first["query"], first["rewritten_by"]) == (FOLLOW_UP, "")
        assert chats(model) and all(body["options"] == {"num_ctx": 8192} for body in chats(model))

    @pytest.mark.parametrize(
        "switches", [{"brief_answer": "Foram 95 [1]."}, {"brief_answer": ""}, {"brief_silence_s": 3600}]
    )
    async def test_the_rule_steps_in_for_the_model(
        self, served: Served, model: FakeOllama, switches: dict[str, object]
    ) -> None:
        vars(model.switches).update(switches)
        answer = await ask(served, FOLLOW_UP, history=HISTORY)
        assert check_shape(answer) and answer.text == ANSWER
        assert (answer.lines[0]["query"], answer.lines[0]["rewritten_by"]) == (BY_RULE, "rule")
        await model.wait_until(lambda fake: fake.open_streams == 0)

    async def test_a_model_that_leaves_the_question_as_it_is_has_the_last_word(
        self, served: Served, model: FakeOllama
    ) -> None:
        model.switches.brief_answer = FOLLOW_UP
        first = (await ask(served, FOLLOW_UP, history=HISTORY)).lines[0]
        assert (first["query"], first["rewritten_by"]) == (FOLLOW_UP, "")

    async def test_a_client_that_leaves_meanwhile_stops_the_model(self, library: Library, model: FakeOllama) -> None:
        model.switches.brief_silence_s = 3600
        async with serve(library.data_dir, llm="auto", ollama_host=model.url, rewrite_timeout_s=3600) as served:
            asking = asyncio.create_task(ask(served, FOLLOW_UP, history=HISTORY))
            await model.wait_until(lambda fake: fake.open_streams == 1)
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            await model.wait_until(lambda fake: fake.open_streams == 0)
        assert (model.cancelled_streams, len(chats(model))) == (1, 1)

    @pytest.mark.parametrize(
        ("before", "quoted"),
        [
            ("How many tonnes of apples did the village harvest?", "The village of Serra harvested 95 tonnes"),
            ("Did a cider maker buy all the apples?", "A cider maker bought them all."),
            ("How many hives did the keepers count in spring?", "The keepers counted 310 hives"),
        ],
    )
    async def test_quotations_answer_the_completed_question(self, library: Library, before: str, quoted: str) -> None:
        async with serve(library.data_dir) as served:
            answer = await ask(served, "Why?", history=talk(before, "I do not know."), top_k=1)
        first, last = answer.lines[0], answer.lines[-1]
        assert first["rewritten_by"] == "rule" and first["language"] == "en"
        assert answer.text.split("> ")[1].startswith(quoted)
        assert last["rewrite_duration"] < last["search_duration"]

    async def test_a_model_that_only_completed_the_question_took_part(self, served: Served, model: FakeOllama) -> None:
        last = check_shape(await ask(served, FOLLOW_UP, history=HISTORY, filters={"documents": ["0" * 64]}))
        assert len(chats(model)) == 1
        assert [service["name"] for service in last["services"]] == ["ollama", "extractive"]


def test_what_is_written_may_be_no_longer_than_a_question() -> None:
    assert check_written("palavra " * (MAX_WRITTEN // 8), "palavra", []) and not check_written("x" * 301, "x" * 301, [])

"""Questions find the passages that answer them: scores are summed, views forgive, filters hold."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from database.analysis import find_common
from database.build import Builder
from database.chunking import Chunker, make_windows
from database.documents import Contents, Document, Filters, IndexRecord, Name, Page, Reading, Window
from database.embedders.minilm import MiniLMEmbedder
from database.errors import IndexMismatch, StoreError
from database.fusion import WEIGHTS
from database.index import check_dimension, check_record, describe_index, make_record
from database.retrieval import Retriever, _answer_language
from database.stores.sqlite import SqliteStore

# Searching a store

FAROL = [
    "O farol da Ponta Negra foi aceso em 1903 e guia os navios que entram na barra.",
    "A matrícula dos alunos é feita na secretaria da faculdade até o dia 15 de fevereiro.",
    "As bolsas de estudo são concedidas a estudantes com renda familiar baixa.",
    "A biblioteca empresta cinco livros por vez, durante quatorze dias.",
    "O restaurante universitário serve almoço das onze às quatorze horas.",
]
REPORT = [
    "Revenue for the fiscal year rose eight percent to 4.2 billion dollars.",
    "The board of directors declared a quarterly dividend of 31 cents per share.",
    "Cash and cash equivalents decreased because of share repurchases.",
    "The company operates 214 stores in eleven countries.",
]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture
async def embedder(models: Path) -> AsyncIterator[MiniLMEmbedder]:
    one = MiniLMEmbedder(models)
    await one.open()
    yield one
    await one.aclose()


@pytest.fixture
async def empty(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path / "index.sqlite")
    await store.open()
    yield store
    await store.aclose()


async def publish(store: SqliteStore, embedder: MiniLMEmbedder, key: str, language: str, texts: Sequence[str]) -> str:
    """A document of one page for each text; its id."""
    chunker = Chunker(embedder.count_tokens)
    pages = [Page(n, text, "text") for n, text in enumerate(texts, 1)]
    chunks = chunker.chunk_pages(key * 64, pages)
    windows = make_windows(chunker, chunks, "", language)
    name = Name("/pdf", f"{key}.pdf")
    document = Document(key * 64, key, (name,), 1, language=language, state="ready", version="1")
    await store.publish(document, Contents(pages, chunks, windows, await embedder.embed([w.text for w in windows])))
    return document.id


@pytest.fixture
async def retriever(empty: SqliteStore, embedder: MiniLMEmbedder) -> Retriever:
    """Over a Portuguese document `a` and an English one `b`."""
    await publish(empty, embedder, "a", "pt", FAROL)
    await publish(empty, embedder, "b", "en", REPORT)
    await empty.write_index(replace(make_record(embedder), languages=("en", "pt")))
    return Retriever(empty, embedder)


QUESTIONS = [
    ("Quando foi aceso o farol?", FAROL[0]),
    ("quando e a matricula dos alunos", FAROL[1]),
    ("Quem recebe bolsa de estudos?", FAROL[2]),
    ("Quantos livros posso emprestar da bibliotca?", FAROL[3]),
    ("horario do almoco no restorante", FAROL[4]),
    ("What was the revenue?", REPORT[0]),
    ("how much dividnd is paid", REPORT[1]),
    ("Why did cash decrease?", REPORT[2]),
    ("In how many countries are there shops?", REPORT[3]),
    ("ＤＩＶＩＤＥＮＤ of the ﬁrm", REPORT[1]),
]


@pytest.mark.parametrize(("question", "passage"), QUESTIONS)
async def test_the_right_passage_comes_first(retriever: Retriever, question: str, passage: str) -> None:
    found = await retriever.search(question, top_k=3)
    assert found.query == question and len(found.hits) == 3
    hit = found.hits[0]
    assert hit.chunk.text == passage
    assert hit.document.id == hit.chunk.document_id
    assert [h.score for h in found.hits] == sorted((h.score for h in found.hits), reverse=True)
    assert set(hit.parts) <= set(WEIGHTS) and 0 < hit.score <= 1


async def test_accents_and_case_of_a_question_do_not_matter(retriever: Retriever) -> None:
    written = await retriever.search("Até que dia é a matrícula?", top_k=5)
    typed = await retriever.search("ATE QUE DIA E A MATRICULA?", top_k=5)
    assert written.hits[0].parts["words"] == typed.hits[0].parts["words"] == 1
    assert written.hits[0].chunk == typed.hits[0].chunk


async def test_the_form_of_letters_does_not_matter(retriever: Retriever) -> None:
    """Also to the embedder, whose tokenizer knows only some of the forms."""
    odd, plain = [await retriever.search(q, 9) for q in ("Ｄｉｖｉｄｅｎｄ of the ﬁrm ①", "Dividend of the firm 1")]
    assert [(hit.chunk.id, hit.parts) for hit in odd.hits] == [(hit.chunk.id, hit.parts) for hit in plain.hits]


async def test_the_language_of_a_question_is_told(retriever: Retriever) -> None:
    assert (await retriever.search("Quais são os requisitos para a matrícula?", 1)).language == "pt"
    assert (await retriever.search("What was the revenue of the company?", 1)).language == "en"


async def test_filters_are_kept(retriever: Retriever) -> None:
    for key in ("a", "b"):
        found = await retriever.search("Quando foi aceso o farol?", 9, Filters((key * 64,)))
        assert {hit.document.id for hit in found.hits} == {key * 64}
    assert (await retriever.search("farol", 9, Filters(("c" * 64,)))).hits == []


async def test_a_question_about_other_things_finds_nothing_relevant(retriever: Retriever, empty: SqliteStore) -> None:
    record = await empty.read_index()
    assert record is not None and {"pt", "en"} <= {*record.languages}
    for question in ("Which treaty ended the Thirty Years War?", "Quantos gols Pelé marcou na Copa de 1970?"):
        found = await retriever.find_passages(question, 3)
        assert not found.relevant and len(found.hits) == 3


async def test_passages_to_read_come_with_their_surroundings(retriever: Retriever) -> None:
    found = await retriever.find_passages("What quarterly dividend did the board declare?", 3)
    assert found.relevant and len(found.hits) == 3
    assert all(hit.chunk.text.strip() in hit.context for hit in found.hits)


async def test_top_k(retriever: Retriever) -> None:
    assert [len((await retriever.search("farol", n)).hits) for n in (1, 4, 50)] == [1, 4, 9]


async def test_a_removed_document_is_not_found_any_more(retriever: Retriever, empty: SqliteStore) -> None:
    assert (await retriever.search(QUESTIONS[0][0], 1)).hits[0].document.id == "a" * 64
    await empty.remove_document("a" * 64)
    hits = (await retriever.search(QUESTIONS[0][0], 9)).hits
    assert {hit.document.id for hit in hits} == {"b" * 64}


async def test_a_hidden_document_is_not_found(retriever: Retriever, empty: SqliteStore) -> None:
    document = await empty.get_document("a" * 64)
    assert document is not None
    await empty.put_document(replace(document, names=(replace(document.names[0], excluded=True),)))
    assert {hit.document.id for hit in (await retriever.search("farol", 9)).hits} == {"b" * 64}


@pytest.mark.parametrize("question", ["", "?!", "\u200b", "de", '"', "a OR b* NEAR(c)", "x" * 20_000])
async def test_odd_questions_harm_nothing(retriever: Retriever, question: str) -> None:
    assert len((await retriever.search(question, 5)).hits) <= 5


async def test_an_empty_index_finds_nothing(empty: SqliteStore, embedder: MiniLMEmbedder) -> None:
    retriever = Retriever(empty, embedder)
    found = await retriever.search("Quando foi aceso o farol?", 5)
    assert (found.query, found.language, list(found.hits)) == ("Quando foi aceso o farol?", "pt", [])
    await empty.write_index(make_record(embedder))
    assert (await retriever.search("Quando foi aceso o farol?", 5)).hits == []


@pytest.mark.parametrize("field", ["schema", "embedder", "chunker", "analyser"])
async def test_an_index_made_otherwise_is_refused(retriever: Retriever, empty: SqliteStore, field: str) -> None:
    record = await empty.read_index()
    assert record is not None
    await empty.write_index(replace(record, **{field: 99 if field == "schema" else "other"}))
    with pytest.raises(IndexMismatch, match=rf"{field} (99|'other'), now .*--reindex"):
        await retriever.search("farol", 1)


async def test_vectors_of_another_length_are_refused(embedder: MiniLMEmbedder) -> None:
    record = make_record(embedder)
    check_record(record, embedder)
    check_dimension(record, embedder)
    with pytest.raises(StoreError, match=r"1024 dimensions, minilm now makes 384.*--reindex"):
        check_dimension(replace(record, dimension=1024), embedder)


async def test_common_terms_are_not_searched(retriever: Retriever, empty: SqliteStore) -> None:
    """Unless a question has no others."""
    record = await empty.read_index()
    assert record is not None
    common = find_common(["o farol de uma ilha"] * 100)
    await empty.write_index(replace(record, common_words=common))
    hits = (await retriever.search("o farol, faculdade", 9)).hits
    assert [hit.chunk.text for hit in hits if "words" in hit.parts] == [FAROL[1]]
    hits = (await retriever.search("o farol", 9)).hits
    assert FAROL[0] in [hit.chunk.text for hit in hits if hit.parts.get("words") == 1]


@pytest.mark.parametrize(("windows", "heavy"), [(300, False), (240_000, False), (360_000, True)])
async def test_large_indexes_have_heavy_terms(
    empty: SqliteStore, embedder: MiniLMEmbedder, windows: int, heavy: bool
) -> None:
    """A word of every fourteenth window is none in a small index, and one where that are thousands."""
    texts = [("farol " if n % 14 == 0 else "") + "ilha" for n in range(300)]
    made = [Window(f"w{n}", f"c{n}", "d", 1, "pt", text, text, text) for n, text in enumerate(texts)]
    document = Document("d", "d", (Name("/pdf", "d.pdf"),), 1, language="pt", window_count=windows, version="1")
    await empty.publish(replace(document, state="ready"), Contents([], [], made, None))
    await describe_index(empty, make_record(embedder))
    record = await empty.read_index()
    assert record is not None and record.common_words == ("ilha",) and record.languages == ("pt",)
    assert record.heavy_terms == (("farol",) if heavy else ())


async def test_views_without_weight_do_not_count(
    empty: SqliteStore, embedder: MiniLMEmbedder, retriever: Retriever
) -> None:
    hits = (await Retriever(empty, embedder, weights={"vector": 1.0}).search("matricula alunos", 9)).hits
    assert [hit.score for hit in hits] == [hit.parts.get("vector", 0) for hit in hits]
    whole = (await retriever.search("matricula alunos", 9)).hits
    assert any(hit.score != hit.parts.get("vector", 0) for hit in whole)


@pytest.mark.parametrize(
    ("question", "language"),
    [("Net revenue 2022?", "en"), ("prazo de entrega", "pt"), ("capital social", "pt"), ("Umsatz im Jahr 2022?", "de")],
)
def test_short_questions_are_answered_in_a_likely_language(question: str, language: str) -> None:
    record = IndexRecord(1, "minilm", 384, "c", "a", languages=("en", "pt"))
    assert _answer_language(question, record) == language


async def test_pages_are_found_by_their_title_and_by_words_beside_each_other(
    empty: SqliteStore, embedder: MiniLMEmbedder
) -> None:
    texts = ["A guarda da casa e o farol.", "A guarda do farol é da casa.", "Nada mais."]
    reading = Reading("Ponta Negra", tuple(Page(n, text, "text") for n, text in enumerate(texts, 1)))
    document = Document("a" * 64, "", (Name("/pdf", "a.pdf"),), 1)
    document, contents = await Builder(embedder).build(document, reading)
    await empty.publish(replace(document, version="1"), contents)
    await empty.write_index(replace(make_record(embedder), languages=("pt",)))
    retriever = Retriever(empty, embedder)
    best = (await retriever.search("Quem faz a guarda do farol?", 3)).hits
    assert best[0].chunk.page == 2 and best[0].parts["page_words"] > best[1].parts["page_words"] > 0
    named = (await retriever.search("Ponta Negra", 3)).hits
    assert {hit.chunk.page for hit in named if "page_words" in hit.parts and "page_grams" in hit.parts} == {1, 2, 3}

"""The Ollama embedder against a loopback Ollama."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest

from database.embedders import make_embedder
from database.embedders.ollama import BATCH, MAX_TOKENS, OllamaEmbedder
from database.embedders.tasks import find_languages, find_prefixes
from database.errors import EmbedderError
from database.settings import IndexSettings
from tests.fakes.ollama import BGE_M3, NOMIC, FakeModel, FakeOllama


@pytest.fixture
async def fake() -> AsyncIterator[FakeOllama]:
    async with FakeOllama([BGE_M3, NOMIC]) as fake:
        yield fake


@contextlib.asynccontextmanager
async def opened(url: str, model: str = "bge-m3", **options: Any) -> AsyncIterator[OllamaEmbedder]:
    embedder = OllamaEmbedder(url, model, **options)
    try:
        await embedder.open()
        yield embedder
    finally:
        await embedder.aclose()


def sent(fake: FakeOllama) -> list[dict[str, Any]]:
    return [body for path, body in fake.requests if path == "/api/embed"]


async def test_the_setting_names_it(fake: FakeOllama) -> None:
    embedder = make_embedder(IndexSettings.load(embedder="ollama:nomic-embed-text:v1.5", ollama_host=fake.url))
    assert isinstance(embedder, OllamaEmbedder)
    assert embedder.name == "ollama:nomic-embed-text:v1.5"


async def test_dimension_and_longest_text_come_from_the_server(fake: FakeOllama) -> None:
    async with opened(fake.url) as bge:
        assert (bge.dimension, bge.max_tokens) == (1024, MAX_TOKENS)
    small = FakeModel("small", 512, 7, ("embedding",), "bert")
    async with FakeOllama([small]) as other, opened(other.url, "small") as embedder:
        assert (embedder.dimension, embedder.max_tokens) == (7, 512)


async def test_vectors_are_normalised_float32_in_order(fake: FakeOllama) -> None:
    fake.switches.normalised = False
    texts = [f"passagem número {n} sobre o tema {n % 7}" for n in range(2 * BATCH + 3)]
    async with opened(fake.url) as embedder:
        vectors = await embedder.embed(texts)
        alone = await embedder.embed_query(texts[-1])
    assert vectors.shape == (len(texts), 1024) and vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert alone.shape == (1024,) and np.allclose(alone, vectors[-1], atol=1e-6)
    assert int(np.argmax(vectors @ alone)) == len(texts) - 1


async def test_texts_travel_in_batches_uncut_with_the_window(fake: FakeOllama) -> None:
    async with opened(fake.url) as embedder:
        fake.requests.clear()
        await embedder.embed(["texto"] * (BATCH + 1))
    assert [len(body["input"]) for body in sent(fake)] == [BATCH, 1]
    assert all(body["truncate"] is False and body["options"]["num_ctx"] == MAX_TOKENS for body in sent(fake))


async def test_nothing_to_embed(fake: FakeOllama) -> None:
    async with opened(fake.url) as embedder:
        assert (await embedder.embed([])).shape == (0, 1024)


async def test_prefixes_only_where_the_model_was_trained_with_them(fake: FakeOllama) -> None:
    for model, passage, question in [
        ("bge-m3", "p", "q"),
        ("nomic-embed-text", "search_document: p", "search_query: q"),
    ]:
        async with opened(fake.url, model) as embedder:
            fake.requests.clear()
            await embedder.embed(["p"])
            await embedder.embed_query("q")
            assert [body["input"] for body in sent(fake)] == [[passage], [question]]


@pytest.mark.parametrize(
    ("model", "question"),
    [
        ("nomic-embed-text:v1.5", "search_query: "),
        ("nomic-embed-text-v2-moe", "search_query: "),
        ("someone/multilingual-e5-large:latest", "query: "),
        ("snowflake-arctic-embed:335m", "Represent this sentence for searching relevant passages: "),
        ("snowflake-arctic-embed2", "query: "),
        ("bge-m3", ""),
        ("bge-largest", ""),
    ],
)
def test_prefixes_go_by_the_beginning_of_the_name(model: str, question: str) -> None:
    assert find_prefixes(model)[1] == question


@pytest.mark.parametrize("model", ["nomic-embed-text:v1.5", "all-minilm:l6-v2", "someone/e5-base", "bge-large"])
def test_models_that_know_english_alone(model: str) -> None:
    assert find_languages(model) == {"en"}


@pytest.mark.parametrize("model", ["bge-m3", "nomic-embed-text-v2-moe", "multilingual-e5-large", "bge-larger", "mine"])
def test_models_that_know_many_languages_or_are_not_known(model: str) -> None:
    assert find_languages(model) == set()


async def test_the_prefix_takes_its_place_in_the_window(fake: FakeOllama) -> None:
    async with opened(fake.url, "nomic-embed-text") as embedder:
        assert 2048 - 16 <= embedder.max_tokens < 2048


@pytest.mark.parametrize("chars_per_token", [1.6, 2.8, 4.2])
async def test_token_counts_follow_the_model_and_stay_above_it(fake: FakeOllama, chars_per_token: float) -> None:
    fake.switches.chars_per_token = chars_per_token
    text = "O conselho de administração aprovou as contas do exercício findo em dezembro. " * 5
    async with opened(fake.url) as embedder:
        assert len(text) / chars_per_token <= embedder.count_tokens(text) <= 1.6 * len(text) / chars_per_token


async def test_a_text_that_is_too_long_is_an_error_never_cut(fake: FakeOllama) -> None:
    async with opened(fake.url) as embedder:
        with pytest.raises(EmbedderError, match="exceeds the context length"):
            await embedder.embed(["curto", "palavra " * 9000])


async def test_a_missing_model_comes_with_the_line_that_fetches_it(fake: FakeOllama) -> None:
    with pytest.raises(EmbedderError, match="`ollama pull mxbai-embed-large`"):
        async with opened(fake.url, "mxbai-embed-large"):
            pass


async def test_nobody_there(unused_tcp_port: int) -> None:
    with pytest.raises(EmbedderError, match=f"{unused_tcp_port}.*`ollama serve`"):
        async with opened(f"http://127.0.0.1:{unused_tcp_port}"):
            pass


async def test_it_goes_away_and_comes_back(fake: FakeOllama) -> None:
    async with opened(fake.url) as embedder:
        await fake.stop()
        with pytest.raises(EmbedderError, match="`ollama serve`"):
            await embedder.embed_query("x")
        await fake.start()
        assert (await embedder.embed_query("x")).shape == (1024,)


async def test_no_memory_for_the_model(fake: FakeOllama) -> None:
    async with opened(fake.url) as embedder:
        fake.switches.load_error = "model requires more system memory (2.1 GiB) than is available (0.9 GiB)"
        with pytest.raises(EmbedderError, match=r"2\.1 GiB.*EMBEDDER=minilm"):
            await embedder.embed(["x"])


async def test_another_dimension_than_at_the_start_is_refused(fake: FakeOllama) -> None:
    async with opened(fake.url) as embedder:
        fake.models[BGE_M3.name] = FakeModel(BGE_M3.name, 8192, 768, ("embedding",), "bert")
        with pytest.raises(EmbedderError, match="768"):
            await embedder.embed(["x"])


async def test_what_answers_is_no_ollama(fake: FakeOllama) -> None:
    with pytest.raises(EmbedderError):
        async with opened(f"{fake.url}/api/version?"):
            pass


async def test_closed_or_never_opened_is_said(fake: FakeOllama) -> None:
    embedder = OllamaEmbedder(fake.url, "bge-m3")
    with pytest.raises(EmbedderError, match="not open"):
        _ = embedder.dimension
    await embedder.open()
    await embedder.aclose()
    await embedder.aclose()
    with pytest.raises(EmbedderError, match="not open"):
        await embedder.embed(["x"])


async def test_a_proxy_in_the_environment_is_not_asked(
    fake: FakeOllama, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{unused_tcp_port}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    async with opened(fake.url) as embedder:
        assert (await embedder.embed_query("x")).shape == (1024,)
    with pytest.raises(EmbedderError):
        async with opened(fake.url, trust_env=True):
            pass

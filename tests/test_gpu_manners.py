"""What a question costs the machine with the GPU: no call that nobody asked for, no model loaded twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from database.errors import SettingsError
from database.settings import ROOT, IndexSettings
from tests.fakes.ollama import BGE_M3, FakeOllama
from tests.library import QUESTION, Library
from tests.server import Served, ask, check_shape, send, serve
from tests.uploading import finish, start

CHAT, EMBED = "/api/chat", "/api/embed"
FOLLOW_UP = [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": "Em 1887 [1]."}]


@pytest.fixture
async def fake() -> AsyncIterator[FakeOllama]:
    async with FakeOllama(("llama3.1:8b", BGE_M3), brief_answer="Por quem o farol foi construído?") as fake:
        yield fake


@asynccontextmanager
async def loaded(fake: FakeOllama, home: Path, **given: Any) -> AsyncIterator[Served]:
    """Both models in Ollama, and one document in the index."""
    own = {"llm": "auto", "ollama_host": fake.url, "embedder": "ollama:bge-m3", "refuse_unrelated": False}
    async with serve(home, **own, **given) as served:
        pdf = await asyncio.to_thread((ROOT / "pdf/guia-do-acervo.pdf").read_bytes)
        job = await finish(served.client, await start(served.client, "guia.pdf", pdf))
        assert job["state"] == "done", job
        yield served


def calls(fake: FakeOllama) -> list[str]:
    """What was asked of models, in order; to learn which there are costs nothing."""
    return [path for path, _ in fake.requests if path in (CHAT, EMBED)]


async def test_a_question_causes_the_calls_that_it_needs_and_no_others(fake: FakeOllama, home: Path) -> None:
    """No titles, tags or suggestions; a follow-up costs the one short call that completes it."""
    async with loaded(fake, home) as served:
        await send(served, "GET", "/topics")  # embeds the headings it proposes, once for the documents there are
        for history, expected in (([], [EMBED, CHAT]), (FOLLOW_UP, [CHAT, EMBED, CHAT])):
            fake.requests.clear()
            check_shape(await ask(served, "E por quem?" if history else QUESTION, history=history))
            await asyncio.sleep(0.3)
            assert calls(fake) == expected
        fake.requests.clear()
        for path in ("/", "/models", "/documents", "/topics", "/health"):
            await send(served, "GET", path)
        assert calls(fake) == []


async def test_both_models_stay_in_memory(fake: FakeOllama, home: Path) -> None:
    async with loaded(fake, home, ollama_keep_alive="1h30m") as served:
        for history in ([], FOLLOW_UP, [], FOLLOW_UP):
            check_shape(await ask(served, "E por quem?" if history else QUESTION, history=history))
    assert sorted(fake.memory.loads) == [("bge-m3:latest", 2048), ("llama3.1:8b", 8192)], "each was read once"
    assert set(fake.memory.resident) == {"bge-m3:latest", "llama3.1:8b"}
    asked = [body for path, body in fake.requests if path in (CHAT, EMBED)]
    assert {body["keep_alive"] for body in asked} == {"1h30m"}


async def test_room_for_one_model_means_loading_both_for_every_question(fake: FakeOllama, home: Path) -> None:
    """What docs/models.md warns of, measured."""
    async with loaded(fake, home) as served:
        fake.memory.max_loaded = 1
        fake.memory.resident.clear()
        fake.memory.loads.clear()
        for _ in range(3):
            check_shape(await ask(served))
    assert [model for model, _ in fake.memory.loads] == ["bge-m3:latest", "llama3.1:8b"] * 3


@pytest.mark.parametrize(
    ("given", "sent"), [("", None), ("-1", -1), ("0", 0), ("90", 90), ("10m", "10m"), ("-1m", "-1m")]
)
async def test_how_long_models_are_kept_is_sent_as_ollama_takes_it(
    library: Library, fake: FakeOllama, given: str, sent: Any
) -> None:
    async with serve(library.data_dir, llm="ollama", ollama_host=fake.url, ollama_keep_alive=given) as served:
        check_shape(await ask(served))
    [body] = [body for path, body in fake.requests if path == CHAT]
    assert body.get("keep_alive") == sent and ("keep_alive" in body) == bool(given)


@pytest.mark.parametrize("given", ["5 minutes", "m", "for ever", "1d"])
def test_a_wrong_time_is_refused_at_start(given: str) -> None:
    with pytest.raises(SettingsError, match="OLLAMA_KEEP_ALIVE="):
        IndexSettings.load(ollama_keep_alive=given)

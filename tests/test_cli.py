"""`python -m app ask` and `search`, as programs without a server."""

import asyncio
import json
import signal
from pathlib import Path

import pytest

from app.__main__ import main
from tests.fakes.ollama import ANSWER, FakeOllama
from tests.library import HARVEST, LIGHTHOUSE, QUESTION, Library
from tests.programs import run_command, start_command

UNRELATED = "Quantos gols marcou Pelé na Copa do Mundo realizada no México?"


async def test_an_answer_ends_with_the_places_it_cites(library: Library) -> None:
    async with FakeOllama(answer="Em 1887 [1].\x1b]0;gone\x07") as fake:
        ended = await run_command(library.data_dir, "ask", "-", told=QUESTION, LLM="ollama", OLLAMA_HOST=fake.url)
    assert (ended.status, ended.err) == (0, "")
    assert ended.out == f"Em 1887 [1].]0;gone\n\n[1] {LIGHTHOUSE}, p. 1\n"


async def test_lines_are_those_of_the_server_and_filters_count(library: Library) -> None:
    asked = ("--json", "--top-k", "1", "--document", HARVEST.upper(), "--collection", "")
    ended = await run_command(library.data_dir, "ask", "apples", "of", "Serra?", *asked)
    first, *_, last = map(json.loads, ended.out.splitlines())
    assert (ended.status, first["query"], last["done"]) == (0, "apples of Serra?", True)
    assert [(source["name"], source["page"]) for source in first["sources"]] == [(HARVEST, 1)]
    empty = await run_command(library.data_dir, "ask", QUESTION, "--collection", "board")
    assert (empty.status, empty.out) == (3, "Não encontrei nada relevante sobre isso nos documentos.\n")


async def test_nothing_relevant_has_a_status_of_its_own(library: Library) -> None:
    ended = await run_command(library.data_dir, "ask", UNRELATED)
    assert ended.status == 3 and ended.out.startswith("Não encontrei nada relevante") and "\n[1] " in ended.out
    found = await run_command(library.data_dir, "search", UNRELATED, "--json")
    assert found.status == 3 and found.out


async def test_a_search_shows_text_place_and_score(library: Library) -> None:
    ended = await run_command(library.data_dir, "search", QUESTION, "--top-k", "1")
    assert ended.status == 0 and ended.out.startswith(f"[1] {LIGHTHOUSE}, p. 1  (0.") and "1887" in ended.out
    lines = (await run_command(library.data_dir, "search", QUESTION, "--json")).out.splitlines()
    (best, *_) = map(json.loads, lines)
    assert (best["n"], best["document"]) == (1, library.documents[LIGHTHOUSE].id) and 0 < best["score"] <= 1


async def test_what_fails_is_told_apart_from_the_answer(library: Library, tmp_path: Path) -> None:
    async with FakeOllama(error_after=2) as fake:
        ended = await run_command(library.data_dir, "ask", QUESTION, "--json", LLM="ollama", OLLAMA_HOST=fake.url)
    assert ended.status == 1 and "CUDA" in json.loads(ended.out.splitlines()[-1])["error"] and "CUDA" in ended.err
    (tmp_path / "new/models").parent.mkdir()
    (tmp_path / "new/models").symlink_to(library.data_dir / "models")
    empty = await run_command(tmp_path / "new", "search", QUESTION)
    assert (empty.status, empty.out) == (3, "") and "make load" in empty.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("ask", QUESTION, "--document", "no.pdf"), "no document 'no.pdf'"),
        (("ask", " "), "The question is empty"),
        (("ask", "x" * 8001), "MAX_PROMPT_CHARS"),
        (("search", QUESTION, "--top-k", "51"), "top_k"),
    ],
)
def test_what_cannot_be_asked_is_told(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str], said: str
) -> None:
    monkeypatch.setenv("DATA_DIR", str(home))
    assert main(arguments) == 1
    told = capsys.readouterr()
    assert told.out == "" and told.err.startswith("Not done: ") and said in told.err


def test_a_wrong_command_line_has_a_status_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(("ask",))
    assert ended.value.code == 2 and "usage: python -m app ask" in capsys.readouterr().err


async def test_an_interrupt_stops_the_model(library: Library) -> None:
    async with FakeOllama(silence_after=3) as fake:
        process = await start_command(library.data_dir, "ask", QUESTION, LLM="ollama", OLLAMA_HOST=fake.url)
        assert process.stdout and process.stderr
        said = await asyncio.wait_for(process.stdout.readexactly(10), 60)
        process.send_signal(signal.SIGINT)
        status = await asyncio.wait_for(process.wait(), 30)
        await fake.wait_until(lambda fake: fake.open_streams == 0)
        assert (status, await process.stderr.read(), fake.cancelled_streams) == (130, b"", 1)
    assert ANSWER.encode().startswith(said)


async def test_a_reader_that_leaves_is_no_reason_to_complain(library: Library) -> None:
    async with FakeOllama(answer="palavra " * 4000, token_delay_s=0.002) as fake:
        process = await start_command(library.data_dir, "ask", QUESTION, LLM="ollama", OLLAMA_HOST=fake.url)
        assert process.stdout and process.stderr
        await asyncio.wait_for(process.stdout.readexactly(10), 60)
        process.stdout._transport.close()  # type: ignore[attr-defined]
        assert await asyncio.wait_for(process.wait(), 30) == 1
        assert await process.stderr.read() == b""

"""Answers that do not arrive whole: cut off at any byte, or left unfinished by a server that dies and comes back."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.e2e.conftest import TIMEOUT_MS, OpenPage
from tests.e2e.servers import Server, run_server
from tests.e2e.test_asking import SLOW, ask, wait_for_phase
from tests.fakes.ollama import FakeOllama
from tests.fakes.relay import Relay

pytestmark = pytest.mark.asyncio(loop_scope="session")
expect.set_options(timeout=TIMEOUT_MS)

ANSWER = "A pesquisa vê três índices 😀 e compara cada parágrafo, até o último."
EMOJI = "😀".encode()


def find_line(body: bytes, number: int) -> int:
    """Where this line begins; line -1 is the last one."""
    lines = body.splitlines(keepends=True)
    return len(b"".join(lines[: number % len(lines)]))


CUTS: Mapping[str, Callable[[bytes], int]] = {
    "before the first byte": lambda body: 0,
    "after one byte": lambda body: 1,
    "in the sources": lambda body: find_line(body, 1) // 2,
    "before the end of the first line": lambda body: find_line(body, 1) - 1,
    "after the sources": lambda body: find_line(body, 1),
    "in the head of a token line": lambda body: find_line(body, 4) + 9,
    "in a word": lambda body: body.index("índices".encode()) + 4,
    "in two bytes": lambda body: body.index("vê".encode()) + 2,
    "in four bytes": lambda body: body.index(EMOJI) + 2,
    "before the end of a line": lambda body: find_line(body, 7) - 1,
    "between two lines": lambda body: find_line(body, 7),
    "before the last line": lambda body: find_line(body, -1),
    "in the last line": lambda body: find_line(body, -1) + 40,
    "before the last brace": lambda body: len(body) - 2,
}


@pytest_asyncio.fixture(loop_scope="session")
async def relay(server: Server) -> AsyncIterator[Relay]:
    async with Relay(server.url) as running:
        yield running


def read_kept(relay: Relay) -> str:
    """The words in those lines that arrived whole: with their line end or, where the answer ended, without it."""
    *lines, rest = relay.sent.split(b"\n")
    if not relay.reset and rest.endswith(b"false}"):
        lines.append(rest)
    return "".join(json.loads(line)["message"]["content"] for line in lines)


@pytest.mark.parametrize("reset", [False, True], ids=["ended", "reset"])
async def test_cut_off_at_any_byte(open_page: OpenPage, relay: Relay, ollama: FakeOllama, reset: bool) -> None:
    ollama.switches.answer, relay.reset = ANSWER, reset
    page = await open_page(relay.url, allow_errors=True)
    said = "The connection was lost" if reset else "The answer ended before it was complete"
    for place, relay.cut in CUTS.items():
        turn = await ask(page, f"How does the search work, cut {place}?")
        await wait_for_phase(turn, "failed")
        assert (await turn.locator(".answer").inner_text()).strip() == read_kept(relay).strip(), place
        await expect(turn.get_by_role("alert")).to_contain_text(said)
        await expect(page.get_by_role("status")).to_have_text("Ready")


@pytest.mark.parametrize("place", ["in the sources", "in a word"])
async def test_what_was_cut_off_can_be_asked_again(
    open_page: OpenPage, relay: Relay, ollama: FakeOllama, place: str
) -> None:
    ollama.switches.answer, relay.cut = ANSWER, CUTS[place]
    page = await open_page(relay.url)
    turn = await ask(page)
    await wait_for_phase(turn, "failed")
    kept = read_kept(relay) if place == "in a word" else ""
    await page.reload()
    alert = turn.get_by_role("alert")
    await expect(alert).to_contain_text("The answer ended before it was complete")
    await expect(turn.locator(".answer")).to_have_text(kept)
    relay.cut = None
    await alert.get_by_role("button", name="Retry").click()
    await wait_for_phase(turn, "done")
    await expect(alert).to_have_count(0)
    await expect(turn.locator(".answer")).to_have_text(ANSWER)
    await expect(turn.locator(".version")).to_have_count(1 if kept else 0)


async def test_a_server_that_dies_and_comes_back(
    open_page: OpenPage, loaded: tuple[Path, Path], ollama: FakeOllama, unused_tcp_port: int
) -> None:
    ollama.switches.answer, ollama.switches.token_delay_s = SLOW, 0.05
    settings = {"OLLAMA_HOST": ollama.url, "PORT": str(unused_tcp_port)}
    async with run_server(*loaded, **settings) as first:
        page = await open_page(first.url, allow_errors=True)
        status = page.get_by_role("status")
        turn = await ask(page)
        await expect(turn.locator(".answer")).to_contain_text("word word word")
        await first.kill()
        await expect(turn.get_by_role("alert")).to_contain_text("The connection was lost")
        await expect(turn.locator(".answer")).to_contain_text("word word word")
        await expect(status).to_have_text("The server does not answer")
        await expect(page.locator("#show-documents")).to_contain_text("Documents")
    ollama.switches.answer, ollama.switches.token_delay_s = ANSWER, 0
    async with run_server(*loaded, **settings):
        await expect(status).to_have_text("Ready")
        await expect(page.locator("#show-documents")).to_contain_text("1 document")
        await wait_for_phase(await ask(page, "And now?"), "done")
        await expect(page.locator("article.turn").first).to_contain_text("word word word")
        await page.get_by_role("alert").get_by_role("button", name="Retry").click()
        await wait_for_phase(page.locator("article.turn"), "done")
        await expect(page.locator("article.turn .answer")).to_have_text(ANSWER)

"""The fold-out under an answer: the query, the passages, the window, the time, the services."""

from pathlib import Path

import pytest
from playwright.async_api import Locator, expect

from tests.e2e.conftest import OpenPage
from tests.e2e.servers import Server, run_server
from tests.e2e.test_asking import ask, wait_for_phase
from tests.fakes.ollama import FakeOllama

pytestmark = pytest.mark.asyncio(loop_scope="session")


def fact(turn: Locator, name: str) -> Locator:
    """What stands beside this name in the fold-out."""
    return turn.locator(f'.seen dt:text-is("{name}") + dd')


async def test_what_the_model_saw(open_page: OpenPage, server: Server, ollama: FakeOllama) -> None:
    ollama.switches.answer = "Windows are compared in three ways [1]. It was in 1987 [1]. There are four letters [2]."
    ollama.switches.token_delay_s = 0.2  # so that the answer is looked at while it is written
    page = await open_page(server.url)
    turn = await ask(page)
    await expect(turn.locator(".insight")).to_be_hidden()
    await wait_for_phase(turn, "done")
    await turn.locator(".insight summary").focus()
    await page.keyboard.press("Enter")
    await expect(fact(turn, "Searched for")).to_contain_text("How does the search of Acervo work?")
    await expect(fact(turn, "Answered by")).to_contain_text("llama3.1:8b")
    await expect(fact(turn, "Answered by")).to_contain_text("Stayed on this machine")
    meter = fact(turn, "The model's window").get_by_role("meter")
    read = int(await meter.get_attribute("aria-valuenow") or 0)
    assert 100 < read < 8192
    await expect(meter).to_have_attribute("aria-valuetext", f"{read:,} of 8,192 tokens ({read / 8192:.0%})")
    share = await meter.evaluate("meter => meter.firstChild.offsetWidth / meter.offsetWidth")
    assert share == pytest.approx(read / 8192, abs=0.02)
    await expect(fact(turn, "Time").locator("li")).to_have_count(4)
    await expect(fact(turn, "Time")).to_contain_text("tokens/s")
    await expect(fact(turn, "Checks")).to_contain_text("1 was not found.")
    rows = fact(turn, "Passages").locator("tbody tr")
    await expect(rows.locator("td:last-child")).to_have_text(["cited"] * 2 + ["read, not cited"] * 4)
    scores = [float(text) for text in await rows.locator("td:nth-child(3)").all_inner_texts()]
    assert scores == sorted(scores, reverse=True) and scores[0] > 0


async def test_passages_that_did_not_fit_are_listed(
    open_page: OpenPage, loaded: tuple[Path, Path], ollama: FakeOllama
) -> None:
    async with run_server(*loaded, OLLAMA_HOST=ollama.url, NUM_CTX="1536") as own:
        page = await open_page(own.url)
        turn = await ask(page)
        await wait_for_phase(turn, "done")
        await expect(turn.locator(".foot")).to_contain_text("did not fit the model's window")
        await turn.locator(".insight summary").click()
        left = turn.locator(".seen .leftOut")
        await expect(left.first.locator("td")).to_contain_text(["–", "guia-do-acervo.pdf, page", ".", "did not fit"])


async def test_a_completed_question_can_be_asked_as_it_is(
    open_page: OpenPage, server: Server, ollama: FakeOllama
) -> None:
    ollama.switches.answer = "It holds words [1]."
    ollama.switches.brief_answer = "How long is a window of Acervo?"
    page = await open_page(server.url)
    await wait_for_phase(await ask(page, "What is a window?"), "done")
    turn = await ask(page, "And how long is it?")
    await wait_for_phase(turn, "done")
    await turn.locator(".insight summary").click()
    await expect(fact(turn, "Searched for")).to_contain_text("How long is a window of Acervo?")
    await expect(fact(turn, "Searched for")).to_contain_text("The model completed the question")
    await turn.get_by_role("button", name="Ask again without completing").click()
    await expect(turn.locator(".version")).to_have_text("2/2")
    await wait_for_phase(turn, "done")
    await turn.locator(".insight summary").click()
    await expect(fact(turn, "Searched for")).to_have_text("“And how long is it?”")
    await page.get_by_role("button", name="How to ask").click()
    await expect(page.get_by_role("checkbox", name="Complete follow-up questions")).to_be_checked()


async def test_quotes_have_no_window(open_page: OpenPage, server: Server) -> None:
    page = await open_page(server.url, locale="fr-FR")
    await page.locator("#model").click()
    await page.get_by_role("radio", name="Citations seules").click()
    turn = await ask(page, "What leaves my machine?")
    await wait_for_phase(turn, "done")
    await turn.locator(".insight summary").click()
    await expect(fact(turn, "Qui a répondu")).to_contain_text("sans modèle")
    await expect(turn.get_by_role("meter")).to_have_count(0)
    await expect(turn.locator(".seen td:nth-child(3)").first).to_contain_text(",")

"""The switch for the model: what is there, what is remembered, and what may leave the machine."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page, Request, Route, expect

from tests.e2e.conftest import OpenPage
from tests.e2e.servers import Server, run_server
from tests.e2e.test_asking import ask, wait_for_phase
from tests.fakes.ollama import BGE_M3, FakeOllama
from tests.fakes.openai import ANSWER, FakeOpenAI
from tests.test_models_file import openai, write

pytestmark = pytest.mark.asyncio(loop_scope="session")

REMOTE = "generativelanguage.googleapis.com"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def several() -> AsyncIterator[FakeOllama]:
    async with FakeOllama(models=("llama3.1:8b", "qwen2.5:7b", BGE_M3)) as fake:
        yield fake


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def choosy(loaded: tuple[Path, Path], several: FakeOllama) -> AsyncIterator[Server]:
    """A server with several models, one of them remote."""
    async with run_server(*loaded, OLLAMA_HOST=several.url, GOOGLE_API_KEY="no-key") as running:
        yield running


async def choose(page: Page, name: str) -> None:
    await page.locator("#model").click()
    await page.get_by_role("radio", name=name).click()


async def test_a_press_counts_also_when_the_list_is_read_meanwhile(open_page: OpenPage, choosy: Server) -> None:
    page = await open_page(choosy.url)
    await expect(page.locator("#model")).to_have_text("llama3.1:8b")
    pressed = asyncio.Event()

    async def answer_late(route: Route) -> None:
        await pressed.wait()
        await route.continue_()

    await page.route("**/models", answer_late)
    async with page.expect_response("**/models") as read:
        await page.locator("#model").click()
        await page.get_by_role("radio", name="qwen2.5:7b").hover()
        await page.mouse.down()
        pressed.set()
    await (await read.value).finished()
    await page.evaluate("new Promise(requestAnimationFrame)")
    await page.mouse.up()
    await expect(page.locator("#model")).to_have_text("qwen2.5:7b")


async def test_the_chosen_model_answers_and_is_remembered(
    open_page: OpenPage, choosy: Server, several: FakeOllama
) -> None:
    page = await open_page(choosy.url)
    await expect(page.locator("#model")).to_have_text("llama3.1:8b")
    await page.locator("#model").click()
    offered = page.get_by_role("radiogroup").locator("label > span")
    await expect(offered).to_have_text(
        [
            "llama3.1:8bon this machine · default",
            "qwen2.5:7bon this machine",
            f"gemini-2.5-flashsends to {REMOTE} · not tried yet",
            "Quotes onlyon this machine",
        ]
    )
    await page.get_by_role("radio", name="qwen2.5:7b").click()
    await expect(page.get_by_role("radiogroup")).to_be_hidden()
    await expect(page.locator("#model")).to_be_focused()
    await page.reload()
    await expect(page.locator("#model")).to_have_accessible_name("Model, qwen2.5:7b, on this machine")
    turn = await ask(page)
    await wait_for_phase(turn, "done")
    await expect(turn.locator(".foot")).to_contain_text("qwen2.5:7b")
    assert several.requests[-1][1]["model"] == "qwen2.5:7b"


async def test_a_remote_model_asks_once(open_page: OpenPage, choosy: Server) -> None:
    page = await open_page(choosy.url)
    dialog = page.get_by_role("dialog")
    await choose(page, "gemini")
    await expect(dialog).to_contain_text(f"Send to {REMOTE}?")
    await expect(dialog).to_contain_text("the passages found in your documents")
    await expect(dialog.get_by_role("button", name="Send nothing")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.locator("#model")).to_have_text("llama3.1:8b")
    await choose(page, "gemini")
    await dialog.get_by_role("button", name="Send", exact=True).click()
    await expect(page.locator("#model")).to_have_accessible_name(f"Model, gemini-2.5-flash, sends to {REMOTE}")
    await choose(page, "llama3.1:8b")
    await choose(page, "gemini")
    await expect(page.locator("#model")).to_have_text("gemini-2.5-flash")
    await expect(dialog).to_have_count(0)


async def test_without_consent_nothing_is_sent(open_page: OpenPage, choosy: Server) -> None:
    page = await open_page(choosy.url)
    sent: list[Request] = []
    page.on("request", lambda request: sent.append(request) if request.method == "POST" else None)
    await choose(page, "gemini")
    await page.get_by_role("dialog").get_by_role("button", name="Send", exact=True).click()
    await page.locator("#model").click()
    await page.get_by_role("button", name="Allow no more").click()
    await page.keyboard.press("Escape")
    turn = await ask(page)
    await page.get_by_role("dialog").get_by_role("button", name="Send nothing").click()
    alert = turn.get_by_role("alert")
    await expect(alert).to_contain_text("Nothing was sent. The model gemini-2.5-flash")
    assert not sent
    await alert.get_by_role("button", name="Answer with quotes only").click()
    await expect(turn).to_have_attribute("data-phase", "done")
    await expect(turn.locator(".foot")).to_contain_text("without a language model")
    assert len(sent) == 1


async def test_a_chosen_model_that_went_away_has_ways_out(
    open_page: OpenPage, choosy: Server, several: FakeOllama
) -> None:
    page = await open_page(choosy.url, allow_errors=True)
    await choose(page, "qwen2.5:7b")
    gone = several.models.pop("qwen2.5:7b")
    try:
        turn = await ask(page)
        alert = turn.get_by_role("alert")
        await expect(alert).to_contain_text("qwen2.5:7b")
        await alert.get_by_role("button", name="Choose another model").click()
        await page.get_by_role("radio", name="llama3.1:8b").click()
        await alert.get_by_role("button", name="Retry").click()
        await wait_for_phase(turn, "done")
        await expect(turn.locator(".foot")).to_contain_text("llama3.1:8b")
    finally:
        several.models["qwen2.5:7b"] = gone


async def test_a_missing_model_says_what_to_do(open_page: OpenPage, loaded: tuple[Path, Path]) -> None:
    async with (
        FakeOllama(models=("qwen2.5:7b",)) as fake,
        run_server(*loaded, OLLAMA_HOST=fake.url) as own,
    ):
        page = await open_page(own.url, viewport={"width": 360, "height": 740})
        await expect(page.locator("#model")).to_have_text("Quotes only")
        await page.locator("#model").click()
        missing = page.get_by_role("radiogroup").locator("label", has_text="llama3.1:8b")
        await expect(missing).to_contain_text("not installed")
        await expect(missing).to_contain_text("ollama pull llama3.1:8b")
        box = await page.get_by_role("radiogroup").bounding_box()
        assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= 360


async def test_models_of_the_file_are_offered_and_answer_in_place_of_others(
    open_page: OpenPage, loaded: tuple[Path, Path], tmp_path: Path
) -> None:
    async with FakeOpenAI() as near, FakeOllama(load_error="no memory") as fake:
        entries = openai("near", near.url), openai("far", "https://models.example/v1")
        given = {"MODELS_FILE": str(write(tmp_path / "models.toml", *entries)), "FALLBACK": "near"}
        async with run_server(*loaded, OLLAMA_HOST=fake.url, **given) as own:
            page = await open_page(own.url)
            turn = await ask(page)
            await wait_for_phase(turn, "done")
            await expect(turn.locator(".answer")).to_contain_text(ANSWER.split(" [")[0])
            await expect(turn.locator(".foot")).to_contain_text("near · in place of llama3.1:8b · Stayed on this")
            await turn.locator(".insight summary").click()
            told = turn.locator(".seen dd", has_text="llama3.1:8b gave no answer: Ollama could not run")
            await expect(told).to_contain_text("near at 127.0.0.1, on this machine")
            await choose(page, "far")
            await expect(page.get_by_role("dialog")).to_contain_text("Send to models.example?")


async def test_the_arrow_keys_choose_a_model(open_page: OpenPage, choosy: Server) -> None:
    page = await open_page(choosy.url)
    # Hidden, and so without focus, until the list has been read.
    await expect(page.locator("#model")).to_have_text("llama3.1:8b")
    await page.locator("#model").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("radio", name="llama3.1:8b")).to_be_focused()
    await page.keyboard.press("ArrowDown")
    await expect(page.get_by_role("radio", name="qwen2.5:7b")).to_be_focused()
    await expect(page.locator("#model")).to_have_text("qwen2.5:7b")
    await page.keyboard.press("Escape")
    await expect(page.locator("#model")).to_be_focused()

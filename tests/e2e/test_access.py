"""What axe finds in each state of the page: nothing serious, in light, in dark and on a phone."""

import os
from collections.abc import Mapping
from typing import Any

import pytest
from playwright.async_api import Page, expect

from database.settings import ROOT
from tests.e2e.conftest import OpenPage
from tests.e2e.servers import Server
from tests.e2e.test_asking import ANSWER, SLOW, ask, wait_for_phase
from tests.fakes.ollama import FakeOllama

pytestmark = pytest.mark.asyncio(loop_scope="session")

AXE = ROOT / "tests/web/node_modules/axe-core/axe.min.js"
LOOKS: Mapping[str, Mapping[str, Any]] = {
    "light": {},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": {"width": 360, "height": 740}, "locale": "pt-BR"},
}


@pytest.fixture(scope="module")
def axe() -> str:
    """The checker's source: under the page's policy it can only be evaluated, not loaded."""
    if not AXE.exists():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("axe is not installed; `make test` fetches it")
    return AXE.read_text(encoding="utf-8")


async def check(page: Page, axe: str, state: str) -> None:
    """Fail with what axe calls serious or critical."""
    # What still fades in has not its colours yet; what pulses does so for ever.
    await page.evaluate(
        "Promise.all(document.getAnimations().filter((a) => a.effect.getTiming().iterations < 10)"
        ".map((a) => a.finished.catch(() => {})))"
    )
    await page.evaluate(axe)
    found = await page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    serious = [
        f"{state}: {violation['id']} at {node['target']}: {node['failureSummary']}"
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]
    assert not serious, "\n".join(serious)


@pytest.mark.parametrize("look", LOOKS)
async def test_an_answer_in_every_state(
    open_page: OpenPage, server: Server, ollama: FakeOllama, axe: str, look: str
) -> None:
    page = await open_page(server.url, **LOOKS[look])
    await expect(page.locator(".example").first).to_be_visible()
    await check(page, axe, "empty")
    ollama.switches.answer, ollama.switches.token_delay_s = ANSWER + SLOW, 0.2
    turn = await ask(page)
    await expect(turn.locator(".answer .chip").first).to_be_visible()
    await check(page, axe, "streaming")
    await page.locator("button.stop").click()
    await wait_for_phase(turn, "stopped")
    ollama.switches.answer, ollama.switches.token_delay_s = ANSWER + " It was in 1803 [1].", 0
    turn = await ask(page)
    await wait_for_phase(turn, "done")
    await check(page, axe, "answered")
    await turn.locator(".answer .chip").first.focus()
    await check(page, axe, "passage shown")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("complementary").locator("img")).to_be_visible()
    await check(page, axe, "panel open")


@pytest.mark.parametrize("look", LOOKS)
async def test_an_error(open_page: OpenPage, server: Server, ollama: FakeOllama, axe: str, look: str) -> None:
    ollama.switches.cut_after = 1
    page = await open_page(server.url, **LOOKS[look])
    turn = await ask(page)
    await wait_for_phase(turn, "failed")
    await check(page, axe, "error")


@pytest.mark.parametrize("look", LOOKS)
async def test_documents_and_conversations(
    open_page: OpenPage, server: Server, ollama: FakeOllama, axe: str, look: str
) -> None:
    ollama.switches.answer = ANSWER
    page = await open_page(server.url, **LOOKS[look])
    await wait_for_phase(await ask(page), "done")
    await page.locator("#show-documents").click()
    await expect(page.locator(".document-list li").first).to_be_visible()
    await check(page, axe, "documents")
    await page.keyboard.press("Escape")
    await page.locator("#show-sidebar").click()
    await expect(page.locator("#sidebar")).to_be_visible()
    await check(page, axe, "conversations")

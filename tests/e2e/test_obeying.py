"""A model that obeys what documents order it: the page shows its words, sends nothing out and changes nothing."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pymupdf
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.e2e.conftest import TIMEOUT_MS, OpenPage
from tests.e2e.harmless import check_harmless
from tests.e2e.servers import Server, load_documents, run_server
from tests.e2e.test_asking import ask, wait_for_phase
from tests.fakes.ollama import FakeOllama
from tests.injections import ALL, LINKS, ORDERS, TURNS

pytestmark = pytest.mark.asyncio(loop_scope="session")
expect.set_options(timeout=TIMEOUT_MS)

QUESTION = "What does the warranty of the lighthouse lamp cover?"
STATE = "async () => [(await (await fetch('/documents')).json()), (await (await fetch('/models')).json())]"


def make_document(path: Path) -> None:
    """A page for each order, all of them about the warranty that is asked for."""
    document = pymupdf.open()
    for text in ALL.values():
        page = document.new_page()
        page.insert_textbox((50, 50, 550, 800), f"The warranty of the lighthouse lamp covers the lens. {text}")
    document.save(path)
    document.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def misled(tmp_path_factory: pytest.TempPathFactory, fake_ollama: FakeOllama) -> AsyncIterator[Server]:
    """A server of its own with that document."""
    base = tmp_path_factory.mktemp("misled")
    (base / "pdf").mkdir()
    make_document(base / "pdf/warranty.pdf")
    await load_documents(base / "data", base / "pdf")
    async with run_server(base / "data", base / "pdf", OLLAMA_HOST=fake_ollama.url) as running:
        yield running


async def read_state(page: Page) -> Any:
    """What a tool or a setting could have changed."""
    return await page.evaluate(STATE)


async def test_nothing_leaves_and_nothing_changes(open_page: OpenPage, misled: Server, ollama: FakeOllama) -> None:
    page = await open_page(misled.url)
    before = await read_state(page)
    secret = "The warranty covers the lens [1]."
    for orders in (LINKS, TURNS, ORDERS):
        said = "\n\n".join(orders.values()).replace("SECRET", "the+lens")
        ollama.switches.answer = f"{secret}\n\n{said}"
        turn = await ask(page, QUESTION)
        await wait_for_phase(turn, "done")
        await expect(turn.locator(".answer")).to_contain_text("The warranty covers the lens")
        await check_harmless(page)
    assert await read_state(page) == before
    # The page ends here only if a person follows a link by hand.
    links = await page.locator(".answer a").evaluate_all("links => links.map(a => [a.href, a.rel])")
    assert links and all("noreferrer" in rel for _, rel in links)
    # What the model was given: the orders, each as a quotation.
    prompt = ollama.prompts[-1]
    assert prompt.count("<source ") == prompt.count("</source>") > 0

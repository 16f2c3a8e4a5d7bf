"""Answers, documents and names that mean harm: they run nothing, load nothing, turn nothing around, stall nothing."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from tests.e2e import hostile
from tests.e2e.conftest import TIMEOUT_MS, OpenPage
from tests.e2e.harmless import check_harmless, check_straight, check_width
from tests.e2e.servers import Server, load_documents, run_server
from tests.e2e.test_asking import ANSWER, ask, wait_for_phase
from tests.e2e.test_documents import open_drawer
from tests.fakes.ollama import FakeOllama

pytestmark = pytest.mark.asyncio(loop_scope="session")
expect.set_options(timeout=TIMEOUT_MS)

QUINCES = "How many tonnes did the quinces of the village weigh?"
PHONE = {"width": 360, "height": 740}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shelf(tmp_path_factory: pytest.TempPathFactory, fake_ollama: FakeOllama) -> AsyncIterator[Server]:
    """A server of its own, whose documents mean harm."""
    base = tmp_path_factory.mktemp("hostile")
    hostile.make_documents(base / "pdf")
    await load_documents(base / "data", base / "pdf")
    async with run_server(base / "data", base / "pdf", OLLAMA_HOST=fake_ollama.url) as running:
        yield running


async def answered(page: Page, question: str = QUINCES) -> Locator:
    turn = await ask(page, question)
    await wait_for_phase(turn, "done")
    return turn


async def check_usable(page: Page, ollama: FakeOllama) -> None:
    """The page goes on: another answer, and a new conversation."""
    ollama.switches.answer, ollama.switches.token_delay_s = ANSWER, 0
    turn = await answered(page)
    await expect(turn.locator(".answer strong")).to_have_text("three ways")
    await page.get_by_role("button", name="New conversation").first.click()
    await expect(page.locator(".empty")).to_be_visible()


@pytest.mark.parametrize("delay", [0, 0.01], ids=["at once", "bit by bit"])
async def test_markup_in_an_answer_is_text(
    open_page: OpenPage, server: Server, ollama: FakeOllama, delay: float
) -> None:
    ollama.switches.answer, ollama.switches.token_delay_s = hostile.make_markup(), delay
    page = await open_page(server.url)
    turn = await answered(page)
    shown = await turn.locator(".answer").inner_text()
    assert [n for n in range(len(hostile.MARKUP)) if f"kept{n}" not in shown] == []
    assert all(tag in shown for tag in ("<script>", "<svg", "<iframe", "<base", "<form", "onerror", "<style>"))
    await check_harmless(page)
    await page.reload()
    await expect(turn.locator(".answer")).to_contain_text("kept0")
    await check_harmless(page)
    await check_usable(page, ollama)


async def test_links_lead_to_the_web_or_nowhere(open_page: OpenPage, server: Server, ollama: FakeOllama) -> None:
    ollama.switches.answer = hostile.make_links()
    page = await open_page(server.url)
    turn = await answered(page)
    shown = await turn.locator(".answer").inner_text()
    for n in range(len(hostile.HREFS)):
        assert all(f"{word}{n}" in shown for word in ("one", "two", "three")), n
    await check_harmless(page)
    links = await turn.locator(".answer a").all()
    assert links, "links to the web stay links"
    for link in links:
        await expect(link).to_have_attribute("rel", "noopener noreferrer")
        await expect(link).to_have_attribute("target", "_blank")


async def test_what_only_looks_like_a_citation(open_page: OpenPage, server: Server, ollama: FakeOllama) -> None:
    ollama.switches.answer = hostile.CITATIONS
    page = await open_page(server.url)
    turn = await answered(page)
    await expect(turn.locator(".answer .chip")).to_have_text(hostile.CHIPS)
    await expect(turn.locator(".answer")).to_contain_text("[999]")
    await expect(turn.locator(".source.cited")).to_have_count(2)
    await check_harmless(page)


async def test_nothing_stalls_the_page(open_page: OpenPage, server: Server, ollama: FakeOllama) -> None:
    page = await open_page(server.url)
    for name, ollama.switches.answer in hostile.HEAVY.items():
        turn = await answered(page, f"What about {name}?")
        await expect(turn.locator(".answer")).to_contain_text("deep")
        await page.get_by_role("button", name="New conversation").first.click()
        await expect(page.locator(".empty")).to_be_visible()
    await check_harmless(page)
    await check_usable(page, ollama)


async def test_an_answer_turns_nothing_outside_itself(open_page: OpenPage, shelf: Server, ollama: FakeOllama) -> None:
    ollama.switches.answer = hostile.BIDI
    page = await open_page(shelf.url)
    turn = await answered(page, f"{QUINCES} {hostile.TURNED}")
    await turn.locator(".found summary").click()
    await turn.locator(".insight summary").click()
    await check_straight(page, ["Second paragraph", "next item", "Last words", "Stayed on this machine"])
    await check_straight(page, ["page 1", "Searched for", "found but not cited", "read, not cited", "left open”"])
    starts = "blocks => blocks.map((block) => getComputedStyle(block).textAlign + getComputedStyle(block).unicodeBidi)"
    assert set(await turn.locator(".answer > p, .answer li").evaluate_all(starts)) == {"startplaintext"}


async def test_names_and_titles_are_text(open_page: OpenPage, shelf: Server, ollama: FakeOllama) -> None:
    ollama.switches.answer = " ".join(f"[{n}]" for n in range(1, 1 + len(hostile.NAMES)))
    page = await open_page(shelf.url)
    turn = await answered(page, f"{QUINCES} {hostile.MARKUP[2]}")
    names = await turn.locator(".source .name").all_inner_texts()
    assert set(names) == set(hostile.NAMES)
    for name, chip in zip(names, await turn.locator(".chip").all(), strict=True):
        await chip.focus()
        await page.keyboard.press("Enter")
        panel = page.get_by_role("complementary", name="Page of the source")
        await expect(panel.locator(".panel-title")).to_contain_text(name)
        await expect(panel.locator("img")).to_be_visible()
        await expect(panel.locator("blockquote")).to_contain_text("kept")
        await check_harmless(page)
        await check_straight(page, ["page 1 of 1"])
    await page.keyboard.press("Escape")
    await open_drawer(page)
    await page.locator("#show-sidebar").click()
    for name in hostile.NAMES:
        await delete_and_restore(page, name)


async def delete_and_restore(page: Page, name: str) -> None:
    """The row of the document, and the line that tells of its deletion."""
    row = page.locator(".document-list > li").filter(has=page.get_by_text(name, exact=True))
    await expect(row).to_have_count(1)
    await row.locator(".icon-button").click()
    await expect(page.locator(".toast p")).to_contain_text("is no longer searched")
    await check_straight(page, ["is no longer searched", "Undo", "1 passage"])
    await check_harmless(page)
    await expect(row).to_have_count(0)
    await page.get_by_role("button", name="Undo").click()
    await expect(row).to_have_count(1)
    await expect(page.locator(".toast")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nothing_is_wider_than_a_phone(
    open_page: OpenPage, shelf: Server, ollama: FakeOllama, scheme: str
) -> None:
    parts = [hostile.BIDI, hostile.make_markup(), hostile.make_links(), hostile.CITATIONS, *hostile.WIDE_PARTS]
    ollama.switches.answer = "\n\n".join(parts)
    page = await open_page(shelf.url, viewport=PHONE, color_scheme=scheme)
    turn = await answered(page, f"{QUINCES} {'w' * 300}")
    await turn.locator(".found summary").click()
    await turn.locator(".insight summary").click()
    await check_width(page)
    await turn.locator(".source", has_text="xxx").click()
    await expect(page.get_by_role("complementary").locator("img")).to_be_visible()
    await check_width(page)
    await page.keyboard.press("Escape")
    drawer = await open_drawer(page)
    await drawer.get_by_role("button", name="Tick all", exact=True).click()
    await check_width(page)
    await page.locator("#close-documents").click()
    await expect(page.locator(".chosen")).to_be_visible()
    await check_width(page)

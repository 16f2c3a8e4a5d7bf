"""How the page adapts: small screens, dark, languages, no documents, no libraries."""

from pathlib import Path

import pytest
from playwright.async_api import Page, Route, expect

from tests.e2e.conftest import OpenPage
from tests.e2e.servers import Server, load_documents, run_server
from tests.e2e.test_asking import ANSWER, ask, wait_for_phase
from tests.fakes.ollama import FakeOllama

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def find_overflow(page: Page) -> int:
    """By how many pixels the page is wider than the window."""
    width: int = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return width


@pytest.mark.parametrize("width", [390, 360])
@pytest.mark.parametrize("locale", ["pt-BR", "fr-FR"])
async def test_nothing_overflows_on_a_phone(
    open_page: OpenPage, server: Server, ollama: FakeOllama, width: int, locale: str
) -> None:
    ollama.switches.answer = f"{ANSWER}\n\n{'long' * 60}\n\n| {'wide column | ' * 12}\n|{'---|' * 12}\n"
    page = await open_page(server.url, viewport={"width": width, "height": 740}, locale=locale)
    await expect(page.locator(".example").first).to_be_visible()
    assert await find_overflow(page) <= 0
    turn = await ask(page)
    await wait_for_phase(turn, "done")
    assert await find_overflow(page) <= 0
    await turn.locator(".answer .chip").first.click()
    panel = page.get_by_role("complementary")
    await expect(panel.locator("img")).to_be_visible()
    assert await find_overflow(page) <= 0
    box = await panel.bounding_box()
    assert box is not None
    assert (box["x"], box["width"]) == (0, width)
    await page.keyboard.press("Escape")
    await expect(turn.locator(".answer .chip").first).to_be_focused()


async def test_dark_by_the_system_and_by_choice(open_page: OpenPage, server: Server) -> None:
    page = await open_page(server.url, color_scheme="dark")
    background = "getComputedStyle(document.body).backgroundColor"
    dark = await page.evaluate(background)
    await page.get_by_role("button", name="Switch between light and dark").click()
    light = await page.evaluate(background)
    assert sum(map(int, dark[4:-1].split(","))) < 150 < 600 < sum(map(int, light[4:-1].split(",")))
    await page.reload()
    await page.locator("#question").wait_for()
    assert await page.evaluate(background) == light


async def test_the_language_is_the_browsers_and_can_be_switched(
    open_page: OpenPage, server: Server, ollama: FakeOllama
) -> None:
    ollama.switches.answer = ANSWER
    page = await open_page(server.url, locale="pt-BR")
    await expect(page.locator("html")).to_have_attribute("lang", "pt-BR")
    await expect(page.locator("#question")).to_have_attribute("placeholder", "Pergunte aos documentos")
    turn = await ask(page)
    await wait_for_phase(turn, "done")
    await page.locator("#question").fill("um rascunho")
    await page.locator("#language").select_option("es")
    await expect(page.locator("html")).to_have_attribute("lang", "es")
    await expect(page.locator("#question")).to_have_value("um rascunho")
    await expect(turn.locator(".answer h4")).to_have_text("In short")
    await expect(turn.locator(".sources h3")).to_have_text("Fuentes")
    await page.goto(server.url)
    await expect(page.locator(".empty h2")).to_have_text("¿Qué quieres saber?")


async def test_an_empty_collection_says_how_to_fill_it(open_page: OpenPage, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    async with run_server(tmp_path / "data", tmp_path / "none", OLLAMA_HOST="http://127.0.0.1:9") as own:
        page = await open_page(own.url)
        await expect(page.get_by_role("heading", level=2)).to_have_text("No documents yet")
        await expect(page.locator(".empty").get_by_role("button", name="Add documents")).to_be_visible()
        await expect(page.locator(".empty code")).to_have_text("make load")


async def test_without_libraries_answers_are_plain_text(
    open_page: OpenPage, server: Server, ollama: FakeOllama
) -> None:
    async def refuse(route: Route) -> None:
        await route.fulfill(status=404)

    ollama.switches.answer = ANSWER
    page = await open_page(server.url, allow_errors=True)
    await page.context.route("**/lib/**", refuse)
    await page.reload()
    await expect(page.locator(".plain-notice")).to_contain_text("plain text")
    turn = await ask(page)
    await wait_for_phase(turn, "done")
    await expect(turn.locator(".answer")).to_contain_text("**three ways**")
    await expect(turn.locator(".answer")).to_contain_text("<img src=x")
    await turn.locator(".answer .chip").first.click()
    await expect(page.get_by_role("complementary").locator("img")).to_be_visible()


async def test_the_sample_is_asked_what_it_answers(open_page: OpenPage, server: Server, ollama: FakeOllama) -> None:
    ollama.switches.answer = ANSWER
    page = await open_page(server.url, locale="pt-BR")
    await expect(page.locator(".example")).to_have_text(
        ["Como adiciono um PDF?", "O que sai da minha máquina?", "Como leio as citações?"]
    )
    await page.locator(".example").first.click()
    await expect(page.locator(".sources li").first).to_contain_text("página 1")


async def test_blocked_storage_breaks_nothing(open_page: OpenPage, server: Server) -> None:
    page = await open_page(server.url)
    await page.context.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('', 'SecurityError'); } })"
    )
    await page.reload()
    background = "getComputedStyle(document.body).backgroundColor"
    before = await page.evaluate(background)
    await page.get_by_role("button", name="Switch between light and dark").click()
    assert await page.evaluate(background) != before
    await page.locator("#language").select_option("fr")
    await expect(page.locator("html")).to_have_attribute("lang", "fr")


async def test_documents_loaded_meanwhile_show_after_the_next_answer(
    open_page: OpenPage, server: Server, ollama: FakeOllama
) -> None:
    ollama.switches.answer = ANSWER
    page = await open_page(server.url)
    await page.locator("header").get_by_text("1 document", exact=True).wait_for()
    nothing = '{"documents": []}'
    await page.route("**/documents", lambda route: route.fulfill(body=nothing, content_type="application/json"))
    turn = await ask(page)
    await wait_for_phase(turn, "done")
    await expect(page.locator("header").get_by_text("1 document", exact=True)).to_have_count(0)


async def test_documents_loaded_meanwhile_show_when_the_page_is_seen_again(
    open_page: OpenPage, loaded: tuple[Path, Path], tmp_path: Path
) -> None:
    async with run_server(tmp_path / "data", loaded[1], OLLAMA_HOST="http://127.0.0.1:9") as own:
        page = await open_page(own.url)
        await expect(page.get_by_role("heading", level=2)).to_have_text("No documents yet")
        await load_documents(tmp_path / "data", loaded[1])
        await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        await expect(page.locator(".loaded")).to_have_text("1 document, 6 pages.")


async def test_a_model_that_is_away_says_what_to_do(open_page: OpenPage, loaded: tuple[Path, Path]) -> None:
    async with run_server(*loaded, LLM="ollama", OLLAMA_HOST="http://127.0.0.1:9") as own:
        page = await open_page(own.url, allow_errors=True)
        await expect(page.get_by_role("status")).to_contain_text("ollama serve")


async def test_long_titles_make_no_questions(open_page: OpenPage, server: Server) -> None:
    page = await open_page(server.url)
    facts = {"name": "a.pdf", "pages": 1, "state": "ready"}
    listed = [facts | {"id": "1", "title": "A long title " * 9}, facts | {"id": "2", "title": "Tide tables"}]
    await page.route("**/documents", lambda route: route.fulfill(json={"documents": listed}))
    await page.route("**/topics?*", lambda route: route.fulfill(json={"topics": []}))
    await page.reload()
    await expect(page.locator(".example").first).to_have_text("What is “Tide tables” about?")
    await expect(page.locator(".example", has_text="long title")).to_have_count(0)

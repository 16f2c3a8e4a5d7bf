"""A conversation of very many turns: its last ones are drawn, the earlier ones come when they are wanted."""

import json

import pytest
from playwright.async_api import Locator, Page, expect

from tests.e2e.conftest import TIMEOUT_MS, OpenPage
from tests.e2e.servers import Server
from tests.e2e.test_asking import reload
from tests.e2e.test_conversations import answered, bring, choose, make_file, open_sidebar, read_download
from tests.fakes.ollama import FakeOllama

pytestmark = pytest.mark.asyncio(loop_scope="session")
expect.set_options(timeout=TIMEOUT_MS)

SHOWN = 50
FIRST_TOP = "document.querySelector('article.turn').getBoundingClientRect().top"


def make_long(turns: int) -> str:
    """An export of one conversation in which each answer names its turn."""
    file = json.loads(make_file(1, turns))
    for n, turn in enumerate(file["conversations"][0]["turns"]):
        turn["answer"] = {**turn["answer"], "text": f"This is answer {n} [1]."}
    return json.dumps(file)


async def open_long(page: Page, turns: int) -> Locator:
    """The articles of a conversation of so many turns, opened."""
    await expect(await bring(page, make_long(turns))).to_contain_text("1 conversation imported")
    await page.locator("#sidebar").get_by_role("link").click()
    articles = page.locator("article.turn")
    await expect(articles).to_have_count(min(turns, SHOWN))
    return articles


async def show_earlier(page: Page, count: int) -> None:
    await page.get_by_role("button", name=f"Show {count} earlier question").click()


async def test_earlier_turns_come_on_demand_and_hold_still_what_is_read(
    open_page: OpenPage, server: Server, ollama: FakeOllama
) -> None:
    page = await open_page(server.url)
    articles = await open_long(page, 120)
    await expect(articles.last).to_be_in_viewport()
    await expect(articles.first.locator(".question")).to_have_text("Question 70?")
    read = articles.filter(has=page.get_by_role("heading", name="Question 70?"))
    await page.locator(".scroller").evaluate("scroller => (scroller.scrollTop = 0)")
    before = await read.bounding_box()
    await show_earlier(page, 50)
    await expect(articles).to_have_count(100)
    after = await read.bounding_box()
    assert before and after and abs(before["y"] - after["y"]) < 5, "what is read stays where it is"
    await expect(articles.first.locator(".answer")).to_contain_text("This is answer 20 1")
    await show_earlier(page, 20)
    await expect(articles).to_have_count(120)
    await expect(page.locator(".earlier")).to_be_hidden()
    await expect(page.locator(".scroller")).to_be_focused()
    assert await articles.locator(".question").all_text_contents() == [f"Question {n}?" for n in range(120)]


async def test_answers_that_were_put_away_are_as_they_were(
    open_page: OpenPage, server: Server, ollama: FakeOllama
) -> None:
    page = await open_page(server.url)
    articles = await open_long(page, 120)
    ollama.switches.answer = "A new one."
    await answered(page, "What is a window?")
    await expect(articles).to_have_count(SHOWN)
    await show_earlier(page, 50)
    await expect(articles).to_have_count(100)
    for place in (0, 30):
        await expect(articles.nth(place).locator(".answer")).to_contain_text(f"This is answer {21 + place} 1")
        await expect(articles.nth(place).locator(".source.cited")).to_have_count(1)

    # The turns before the edited question go along with it, although nobody looks at them.
    await articles.first.get_by_role("button", name="Edit the question").click()
    await articles.first.get_by_role("textbox", name="Edit the question").fill("What is a page?")
    await page.keyboard.press("Enter")
    await expect(articles.last.locator(".version")).to_have_text("2/2")
    await expect(articles.last.locator(".answer")).to_have_text("A new one.")
    said = [message["content"] for message in ollama.requests[-1][1]["messages"]]
    assert [f"This is answer {n} [1]." for n in range(17, 21)] == [text for text in said if "This is" in text]

    await articles.last.get_by_role("button", name="Previous version").click()
    await expect(articles).to_have_count(121)
    await expect(articles.nth(60).locator(".answer")).to_contain_text("This is answer 60 1")
    await expect(articles.last.locator(".answer")).to_have_text("A new one.")

    await open_sidebar(page)
    async with page.expect_download() as download:
        await choose(page, "Talk 0", "Export as JSON")
    kept = json.loads(await read_download(await download.value))["conversations"][0]["turns"]
    assert sum(turn["answer"]["text"].startswith("This is answer") for turn in kept) == 120
    assert {turn["answer"]["phase"] for turn in kept} == {"done"}


async def test_what_is_being_written_in_an_earlier_turn_stays(
    open_page: OpenPage, server: Server, ollama: FakeOllama
) -> None:
    page = await open_page(server.url)
    articles = await open_long(page, 60)
    await show_earlier(page, 10)
    await expect(articles).to_have_count(60)
    await articles.first.get_by_role("button", name="Edit the question").click()
    field = articles.first.get_by_role("textbox", name="Edit the question")
    await field.fill("Half a")
    await answered(page, "What is a window?")
    await expect(field).to_have_value("Half a")
    await articles.first.get_by_role("button", name="Cancel").click()
    await answered(page, "What is a page?")
    await expect(articles).to_have_count(SHOWN)


async def test_what_another_tab_removed_goes_on_with_what_is_shown(
    open_page: OpenPage, server: Server, ollama: FakeOllama
) -> None:
    page = await open_page(server.url)
    articles = await open_long(page, 60)
    other = await page.context.new_page()
    await other.goto(server.url)
    await expect(other.locator("#sidebar")).to_be_visible()
    await choose(other, "Talk 0", "Delete")
    await expect(page.locator("#sidebar").get_by_role("link")).to_have_count(0)
    await show_earlier(page, 10)
    await expect(page.locator(".message")).to_contain_text("not in this browser")
    await answered(page, "What is a window?")
    await reload(page)
    await expect(articles.nth(1).locator(".question")).to_have_text("Question 12?")
    await expect(articles.nth(1).locator(".answer")).to_contain_text("This is answer 12 1")
    await show_earlier(page, 11)
    await expect(articles.first.locator(".question")).to_have_text("Question 0?")
    await expect(articles.first).to_have_attribute("data-phase", "interrupted")

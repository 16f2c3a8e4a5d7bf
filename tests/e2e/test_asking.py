"""Asking in a real browser: tokens, sources, the page of a source, stop, and what can go wrong."""

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, expect

from tests.e2e.conftest import TIMEOUT_MS, OpenPage
from tests.e2e.servers import Server, run_server
from tests.fakes.ollama import FakeOllama

pytestmark = pytest.mark.asyncio(loop_scope="session")
expect.set_options(timeout=TIMEOUT_MS)

QUESTION = "How does the search of Acervo work?"
ANSWER = """\
The search works in **three ways** [1]. It also looks at words [1, 2], but not at `[2]`.

## In short

| View | What |
|------|------|
| words | stems [2] |

```python
print("[1]")
```

<img src=x onerror=alert(1)> ![picture](https://example.org/p.png) and that is all."""
SLOW = "word " * 2000


async def ask(page: Page, question: str = QUESTION) -> Locator:
    """Type, press Enter; the turn that this makes."""
    await page.locator("#question").fill(question)
    await page.keyboard.press("Enter")
    return page.locator("article.turn").last


KEPT = """async () => {
  let database;
  try {
    if (!(await indexedDB.databases()).some(({ name }) => name === "acervo")) return;
    database = await new Promise((resolve, reject) => {
      const opening = indexedDB.open("acervo");
      Object.assign(opening, { onsuccess: () => resolve(opening.result), onerror: () => reject(opening.error) });
    });
  } catch {
    return;  // where it is blocked nothing is kept
  }
  const work = database.transaction(database.objectStoreNames, "readwrite");
  await new Promise((resolve) => { work.oncomplete = work.onabort = resolve; });
  database.close();
}"""
"""Returns once what the page has begun to write is written: later transactions wait for earlier ones."""


async def wait_for_phase(turn: Locator, phase: str) -> None:
    """Also until it is kept, so that the page may be left."""
    await expect(turn).to_have_attribute("data-phase", phase)
    await turn.page.evaluate(KEPT)


async def reload(page: Page) -> None:
    """As a person does, who is slower than the writing of what is to be kept."""
    await page.evaluate(KEPT)
    await page.reload()


async def test_tokens_appear_before_the_answer_ends(open_page: OpenPage, server: Server, ollama: FakeOllama) -> None:
    ollama.switches.answer, ollama.switches.token_delay_s = ANSWER, 0.15
    page = await open_page(server.url)
    turn = await ask(page)
    await expect(turn.locator(".answer strong")).to_have_text("three ways")
    await wait_for_phase(turn, "streaming")
    await expect(page.get_by_role("status")).to_have_text("Answering…")
    await expect(turn.locator(".found summary")).to_contain_text("passages found")
    await wait_for_phase(turn, "done")
    await expect(page.get_by_role("status")).to_have_text("Ready")
    await expect(turn.locator(".answer h4")).to_have_text("In short")
    await expect(turn.locator(".answer .chip")).to_have_text(["1", "1", "2", "2"])
    await expect(turn.locator(".answer .code-text")).to_have_text('"[1]"')
    await expect(turn.locator(".answer img")).to_have_count(0)
    await expect(turn.locator(".foot")).to_contain_text("Stayed on this machine")


async def test_sources_lead_to_their_page(open_page: OpenPage, server: Server, ollama: FakeOllama) -> None:
    ollama.switches.answer = ANSWER
    page = await open_page(server.url)
    turn = await ask(page)
    await wait_for_phase(turn, "done")
    cited = turn.locator(".source.cited")
    await expect(cited.locator(".number")).to_have_text(["1", "2"])
    await expect(cited.first).to_contain_text("guia-do-acervo.pdf")
    await expect(turn.locator(".found summary")).to_contain_text("found but not cited")

    async with page.expect_response(lambda response: ".png" in response.url) as found:
        await turn.locator(".answer .chip").first.click()
    image = await found.value
    assert image.status == 200
    panel = page.get_by_role("complementary")
    await expect(panel.locator("img")).to_be_visible()
    await expect(panel.locator(".panel-state")).to_have_count(0)
    assert await panel.locator("img").evaluate("image => image.naturalWidth") > 500
    without = await page.request.get(image.url.split("highlight=")[0])
    assert await without.body() != await image.body(), "nothing is highlighted"

    await panel.get_by_role("button", name="Next source").click()
    await expect(panel.locator(".position")).to_contain_text("2 of")
    opened = await panel.get_by_role("link", name="Open the original").get_attribute("href")
    assert opened is not None
    assert "#page=" in opened
    document = await page.request.get(f"{server.url}{opened}")
    assert (document.status, document.headers["content-type"]) == (200, "application/pdf")


async def test_a_page_that_cannot_be_drawn_leaves_its_passage(
    open_page: OpenPage, server: Server, ollama: FakeOllama
) -> None:
    ollama.switches.answer = ANSWER
    page = await open_page(server.url, allow_errors=True)
    await page.context.route("**/*.png*", lambda route: route.fulfill(status=503))
    turn = await ask(page)
    await wait_for_phase(turn, "done")
    excerpt = (await turn.locator(".source .excerpt").first.inner_text())[:30]
    await turn.locator(".source").first.click()
    panel = page.get_by_role("complementary")
    await expect(panel.locator(".panel-state")).to_contain_text("could not be drawn")
    await expect(panel.get_by_role("img")).to_have_count(0)
    await expect(panel.locator("blockquote")).to_contain_text(excerpt[:12])


async def test_the_keyboard_alone_is_enough(open_page: OpenPage, server: Server, ollama: FakeOllama) -> None:
    ollama.switches.answer = ANSWER
    page = await open_page(server.url)
    field = page.locator("#question")
    await expect(field).to_be_focused()
    await expect(page.get_by_role("button", name="Send")).to_be_disabled()
    await page.keyboard.type("first line")
    await page.keyboard.press("Shift+Enter")
    await page.keyboard.type("second line")
    await field.dispatch_event("keydown", {"key": "Enter", "isComposing": True, "bubbles": True, "cancelable": True})
    await expect(field).to_have_value("first line\nsecond line")
    await page.keyboard.press("Enter")
    turn = page.locator("article.turn")
    await expect(turn.locator(".question")).to_have_text("first line\nsecond line")
    await expect(field).to_have_value("")
    await wait_for_phase(turn, "done")

    chip = turn.locator(".answer .chip").nth(1)
    await chip.focus()
    await page.keyboard.press("Enter")
    panel = page.get_by_role("complementary")
    await expect(panel).to_be_focused()
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(panel.locator(".position")).to_contain_text("2 of")
    await page.keyboard.press("Escape")
    await expect(panel).to_be_hidden()
    await expect(chip).to_be_focused()


async def test_stop_keeps_the_part_and_stops_the_model(open_page: OpenPage, server: Server, ollama: FakeOllama) -> None:
    ollama.switches.answer, ollama.switches.token_delay_s = SLOW, 0.05
    stopped_before = ollama.cancelled_streams
    page = await open_page(server.url)
    turn = await ask(page)
    await expect(turn.locator(".answer")).to_contain_text("word word word")
    await page.locator("#question").fill("typed while it answers")
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name="Stop").click()
    await wait_for_phase(turn, "stopped")
    await ollama.wait_until(lambda fake: fake.cancelled_streams == stopped_before + 1)
    await expect(turn.locator(".answer")).to_contain_text("word word word")
    await expect(turn.locator(".notice")).to_contain_text("Stopped")
    await expect(page.locator("#question")).to_have_value("typed while it answers")
    await expect(page.locator("article.turn")).to_have_count(1)


@pytest.mark.parametrize("switch", ["end_after", "error_after", "cut_after"])
async def test_a_broken_answer_keeps_its_part_and_can_be_asked_again(
    open_page: OpenPage, server: Server, ollama: FakeOllama, switch: str
) -> None:
    ollama.switches.answer = ANSWER
    setattr(ollama.switches, switch, 6)
    page = await open_page(server.url)
    turn = await ask(page)
    alert = turn.get_by_role("alert")
    await expect(alert).to_contain_text("The language model failed")
    await expect(turn.locator(".answer")).to_contain_text("The search works in")
    setattr(ollama.switches, switch, None)
    await alert.get_by_role("button", name="Retry").click()
    await wait_for_phase(turn, "done")
    await expect(alert).to_have_count(0)
    await expect(turn.locator(".answer h4")).to_have_text("In short")


async def test_a_follow_up_carries_what_was_said(open_page: OpenPage, server: Server, ollama: FakeOllama) -> None:
    ollama.switches.answer = "An answer to remember."
    page = await open_page(server.url)
    await wait_for_phase(await ask(page, "What is a window?"), "done")
    turn = await ask(page, "And how long is it?")
    await wait_for_phase(turn, "done")
    path, body = ollama.requests[-1]
    assert path == "/api/chat"
    said = [message["content"] for message in body["messages"]]
    assert any("What is a window?" in content for content in said)
    assert "An answer to remember." in said
    await page.get_by_role("button", name="New conversation").click()
    await expect(page.locator("article.turn")).to_have_count(0)
    await expect(page.get_by_role("heading", level=2)).to_have_text("What would you like to know?")


async def wait_for_the_end(scroller: Locator) -> None:
    """Return once the end is in view. Between a token and the next frame it may be out of it for a moment;
    a view that does not follow falls behind for good."""
    async with asyncio.timeout(10):
        while await scroller.evaluate("e => e.scrollHeight - e.scrollTop - e.clientHeight") > 60:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_the_view_follows_until_the_reader_scrolls_away(
    open_page: OpenPage, server: Server, ollama: FakeOllama
) -> None:
    ollama.switches.answer = "\n\n ".join(f"paragraph {n}" for n in range(400))
    ollama.switches.token_delay_s = 0.02
    page = await open_page(server.url)
    turn = await ask(page)
    scroller = page.get_by_role("region", name="Conversation")
    distance = "e => e.scrollHeight - e.scrollTop - e.clientHeight"
    await expect(turn.locator(".answer")).to_contain_text("paragraph 40")
    assert await scroller.evaluate("e => e.scrollTop") > 0
    await wait_for_the_end(scroller)
    await scroller.hover()
    await page.mouse.wheel(0, -300)
    async with asyncio.timeout(10):  # the wheel does not wait for the view
        while await scroller.evaluate(distance) <= 200:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    down = page.get_by_role("button", name="Go to the end")
    await expect(down).to_be_visible()
    await expect(turn.locator(".answer")).to_contain_text("paragraph 90")
    assert await scroller.evaluate(distance) > 200
    await down.click()
    await expect(down).to_be_hidden()
    await wait_for_the_end(scroller)
    await page.get_by_role("button", name="Stop").click()
    await wait_for_phase(turn, "stopped")


async def test_a_server_that_goes_away_is_said_so(
    open_page: OpenPage, loaded: tuple[Path, Path], ollama: FakeOllama, unused_tcp_port: int
) -> None:
    ollama.switches.answer, ollama.switches.token_delay_s = SLOW, 0.05
    async with run_server(*loaded, OLLAMA_HOST=ollama.url, PORT=str(unused_tcp_port)) as own:
        page = await open_page(own.url, allow_errors=True)
        turn = await ask(page)
        await expect(turn.locator(".answer")).to_contain_text("word word word")
        await own.kill()
        await expect(turn.get_by_role("alert")).to_contain_text("The connection was lost")
        await expect(turn.locator(".answer")).to_contain_text("word word word")
        await expect(page.get_by_role("status")).to_have_text("The server does not answer")
        await turn.get_by_role("button", name="Retry").click()
        await expect(turn.get_by_role("alert")).to_contain_text("make run")


async def test_without_a_model_the_best_sentences_are_quoted(open_page: OpenPage, loaded: tuple[Path, Path]) -> None:
    async with run_server(*loaded, OLLAMA_HOST="http://127.0.0.1:9") as own:
        page = await open_page(own.url)
        turn = await ask(page, "What leaves my machine?")
        await wait_for_phase(turn, "done")
        await expect(turn.locator(".answer")).to_contain_text("Nothing leaves your machine")
        await expect(turn.locator(".source.cited", has_text="page 6")).not_to_have_count(0)
        await expect(turn.locator(".foot")).to_contain_text("Stayed on this machine")

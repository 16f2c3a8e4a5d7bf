"""Citations in a real browser: the passage beside its chip, the page of a source, and what no source says."""

import asyncio
import json

import pytest
from playwright.async_api import FloatRect, Locator, Page, expect

from tests.e2e.conftest import OpenPage
from tests.e2e.servers import Server
from tests.e2e.test_asking import ask, reload, wait_for_phase
from tests.fakes.ollama import FakeOllama

pytestmark = pytest.mark.asyncio(loop_scope="session")

ANSWER = """\
Acervo compares windows in three ways [1][2]. It was founded in 1987 by **Ana Souza** [1].

| View | What it does |
|------|------|
| Words | reduces them to stems [1] |
| Runs | forgives 73 mistakes [1] |

- The limit is [9,999 files](https://example.org/limit) a *day* [1, 2].
- Not a source: [99]."""
DOUBTED = [
    "It was founded in 1987 by Ana Souza .",
    "Runs forgives 73 mistakes",
    "The limit is 9,999 files a day .",
]
JOINER = "\u2060"
GROWING = f"Acervo compares windows in three ways [1] {'and more ' * 400}"


async def find_box(locator: Locator) -> FloatRect:
    box = await locator.bounding_box()
    assert box is not None
    return box


def overlap(one: FloatRect, other: FloatRect) -> bool:
    return all(
        one[start] < other[start] + other[size] and other[start] < one[start] + one[size]
        for start, size in (("x", "width"), ("y", "height"))
    )


async def answer(page: Page, ollama: FakeOllama, text: str = ANSWER) -> Locator:
    """A finished turn with this answer."""
    ollama.switches.answer = text
    turn = await ask(page)
    await wait_for_phase(turn, "done")
    return turn


def find_card(page: Page) -> Locator:
    return page.get_by_role("tooltip")


async def test_a_hovered_chip_shows_its_passage(open_page: OpenPage, server: Server, ollama: FakeOllama) -> None:
    page = await open_page(server.url)
    turn = await answer(page, ollama)
    chips, card = turn.locator(".answer .chip"), find_card(page)
    await chips.first.hover()
    await expect(card).to_be_visible()
    excerpt = await turn.locator(".source .excerpt").first.inner_text()
    await expect(card).to_contain_text(excerpt[:60])
    await expect(chips.first).to_have_accessible_description((await card.inner_text()).replace("\n", " "))
    assert not overlap(await find_box(card), await find_box(chips.first))
    await card.hover()
    await asyncio.sleep(0.6)
    await expect(card).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(card).to_be_hidden()
    await page.mouse.move(5, 5)
    await chips.nth(1).hover()
    await expect(card.locator(".number")).to_have_text("2")
    await page.mouse.move(5, 5)
    await expect(card).to_be_hidden()


async def test_a_focused_chip_shows_its_passage(open_page: OpenPage, server: Server, ollama: FakeOllama) -> None:
    page = await open_page(server.url)
    turn = await answer(page, ollama)
    chip, card = turn.locator(".answer .chip").nth(1), find_card(page)
    await turn.locator(".answer .chip").first.focus()
    await page.keyboard.press("Tab")
    await expect(chip).to_be_focused()
    await expect(card.locator(".number")).to_have_text("2")
    await page.keyboard.press("Escape")
    await expect(card).to_be_hidden()
    await expect(chip).to_be_focused()
    await page.keyboard.press("Enter")
    panel = page.get_by_role("complementary")
    await expect(panel).to_be_focused()
    await expect(panel.locator(".position")).to_contain_text("2 of")


async def test_a_finger_sees_the_passage_first(open_page: OpenPage, server: Server, ollama: FakeOllama) -> None:
    page = await open_page(server.url, viewport={"width": 360, "height": 740}, has_touch=True)
    turn = await answer(page, ollama)
    chip, card = turn.locator(".answer .chip").first, find_card(page)
    await chip.tap()
    await expect(card).to_contain_text("Tap again")
    assert not overlap(await find_box(card), await find_box(chip))
    await turn.locator(".question").tap()
    await expect(card).to_be_hidden()
    await chip.tap()
    await chip.tap()
    await expect(page.get_by_role("complementary").locator("img")).to_be_visible()
    await expect(card).to_be_hidden()


async def test_a_chip_stays_itself_while_the_answer_grows(
    open_page: OpenPage, server: Server, ollama: FakeOllama
) -> None:
    ollama.switches.answer, ollama.switches.token_delay_s = GROWING, 0.02
    page = await open_page(server.url)
    turn = await ask(page)
    chip = turn.locator(".answer .chip")
    await chip.hover()
    await expect(find_card(page)).to_be_visible()
    handle = await chip.element_handle()
    assert handle is not None
    before = len(await turn.locator(".answer").inner_text())
    async with asyncio.timeout(20):
        while len(await turn.locator(".answer").inner_text()) < before + 300:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert await handle.evaluate("chip => chip.isConnected")
    await expect(find_card(page)).to_be_visible()
    await page.get_by_role("button", name="Stop").click()


async def test_doubted_sentences_are_marked(open_page: OpenPage, server: Server, ollama: FakeOllama) -> None:
    page = await open_page(server.url)
    turn = await answer(page, ollama)
    marks = turn.get_by_role("button", name="not found in the source")
    await expect(marks).to_have_count(len(DOUBTED))
    read = (
        "mark => [...mark.closest('p, tr, li').querySelectorAll('.doubted')].map((part) => part.textContent).join('|')"
    )
    found = [await mark.evaluate(read) for mark in await marks.all()]
    assert [" ".join(text.replace("|", " ").replace(JOINER, "").split()) for text in found] == DOUBTED
    await expect(turn.locator(".answer a")).to_have_attribute("href", "https://example.org/limit")
    await expect(turn.locator(".answer")).to_contain_text("Not a source: [99].")
    await marks.first.focus()
    await expect(find_card(page)).to_contain_text("in none of the passages")
    await page.emulate_media(media="print")
    printed = await marks.first.evaluate("mark => getComputedStyle(mark, '::after').content")
    assert "not found in the source" in printed or "attr(aria-label)" in printed


async def test_doubts_show_while_the_answer_is_written(open_page: OpenPage, server: Server, ollama: FakeOllama) -> None:
    ollama.switches.answer = f"It was founded in 1987 [1]. It {GROWING}"
    ollama.switches.token_delay_s = 0.05
    page = await open_page(server.url)
    turn = await ask(page)
    await expect(turn.locator(".doubt")).to_have_count(1)
    await wait_for_phase(turn, "streaming")
    await page.get_by_role("button", name="Stop").click()
    await wait_for_phase(turn, "stopped")
    await expect(turn.locator(".doubt")).to_have_count(1)
    await reload(page)
    await expect(page.locator(".doubt")).to_have_count(1)


async def test_the_panel_by_its_keys(open_page: OpenPage, server: Server, ollama: FakeOllama) -> None:
    page = await open_page(server.url)
    turn = await answer(page, ollama)
    await turn.locator(".answer .chip").first.click()
    panel = page.get_by_role("complementary")
    await expect(panel.locator("img")).to_be_visible()
    await page.keyboard.press("ArrowRight")
    await expect(panel.locator(".position")).to_contain_text("2 of")
    await page.keyboard.press("ArrowLeft")
    await expect(panel.locator(".position")).to_contain_text("1 of")
    number = int((await panel.locator(".pager .page").inner_text()).split()[1])
    step, key = (1, "Shift+ArrowRight") if number < 6 else (-1, "Shift+ArrowLeft")
    async with page.expect_response(lambda response: f"/pages/{number + step}.png" in response.url) as found:
        await page.keyboard.press(key)
    assert (await found.value).status == 200
    await expect(panel.locator(".pager .page")).to_have_text(f"page {number + step} of 6")
    link = panel.get_by_role("link", name="Open the original")
    await expect(link).to_have_attribute("href", f"{await read_path(link)}#page={number + step}")
    await panel.get_by_role("button", name="Back to the passage").click()
    await expect(panel.locator(".pager .page")).to_have_text(f"page {number} of 6")
    await page.keyboard.press("Escape")
    await expect(turn.locator(".answer .chip").first).to_be_focused()


async def read_path(link: Locator) -> str:
    return (await link.get_attribute("href") or "").split("#")[0]


async def test_the_panel_is_enlarged_and_widened(open_page: OpenPage, server: Server, ollama: FakeOllama) -> None:
    page = await open_page(server.url)
    turn = await answer(page, ollama)
    await turn.locator(".source").first.click()
    panel = page.get_by_role("complementary")
    image = panel.locator("img")
    await expect(image).to_be_visible()
    before = (await find_box(image))["width"]
    await panel.get_by_role("button", name="Larger").click()
    assert (await find_box(image))["width"] == pytest.approx(1.5 * before, abs=2)
    await page.keyboard.press("ArrowRight")
    await expect(panel.locator(".position")).to_contain_text("2 of")
    await expect(image).to_be_visible()
    assert (await find_box(image))["width"] == pytest.approx(1.5 * before, abs=2)
    wide = (await find_box(panel))["width"]
    edge = panel.get_by_role("separator")
    await edge.focus()
    await page.keyboard.press("ArrowLeft")
    assert (await find_box(panel))["width"] > wide + 20
    await page.mouse.move((await find_box(panel))["x"] + 2, 400)
    await page.mouse.down()
    await page.mouse.move(880, 400)
    await page.mouse.up()
    assert (await find_box(panel))["width"] == pytest.approx(400, abs=15)
    await reload(page)
    await page.locator(".source").first.click()
    assert (await find_box(page.get_by_role("complementary")))["width"] == pytest.approx(400, abs=15)


async def test_the_passage_is_scrolled_into_view(open_page: OpenPage, server: Server, ollama: FakeOllama) -> None:
    page = await open_page(server.url, viewport={"width": 1280, "height": 420})
    turn = await answer(page, ollama)
    panel = page.get_by_role("complementary")
    for number in (1, 2):
        await turn.locator(".source", has=page.locator(f".number:text-is('{number}')")).click()
        await expect(panel.locator(".page-frame")).to_have_attribute("data-state", "shown")
        top = await panel.evaluate(
            "(panel, boxes) => { const image = panel.querySelector('img'); "
            "return image.getBoundingClientRect().top + boxes * image.clientHeight; }",
            await read_first_line(page, server, number),
        )
        assert 56 < top < 420


async def read_first_line(page: Page, server: Server, number: int) -> float:
    """Where on its page, as a share of the height, the passage of this source begins."""
    response = await page.request.post(server.url, data={"prompt": "How does the search of Acervo work?"})
    first, _, _ = (await response.text()).partition("\n")
    source = json.loads(first)["sources"][number - 1]
    top: float = min(box[1] for box in source["boxes"])
    return top / 842


async def test_a_page_can_be_drawn_again(open_page: OpenPage, server: Server, ollama: FakeOllama) -> None:
    page = await open_page(server.url, allow_errors=True)
    turn = await answer(page, ollama)
    await page.context.route("**/*.png*", lambda route: route.fulfill(status=503))
    await turn.locator(".source").first.click()
    panel = page.get_by_role("complementary")
    await expect(panel.locator(".panel-state")).to_contain_text("could not be drawn")
    await page.context.unroute("**/*.png*")
    await panel.get_by_role("button", name="Retry").click()
    await expect(panel.locator("img")).to_be_visible()


async def test_a_score_tells_its_parts(open_page: OpenPage, server: Server, ollama: FakeOllama) -> None:
    page = await open_page(server.url)
    turn = await answer(page, ollama)
    score = turn.get_by_role("button", name="Relevance").first
    await score.focus()
    await expect(find_card(page)).to_contain_text("Runs of letters")
    await expect(find_card(page).locator("dd").first).to_have_text("1.00")

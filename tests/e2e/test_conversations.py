"""Conversations in a real browser: kept, found, renamed, deleted, branched, exported, brought back."""

import asyncio
import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.async_api import Download, Locator, Page, expect

from tests.e2e.conftest import TIMEOUT_MS, OpenPage
from tests.e2e.servers import Server
from tests.e2e.test_asking import SLOW, ask, reload, wait_for_phase
from tests.e2e.test_looks import find_overflow
from tests.fakes.ollama import FakeOllama

pytestmark = pytest.mark.asyncio(loop_scope="session")
expect.set_options(timeout=TIMEOUT_MS)

ANSWER = "The search looks at *words* [1] and at vectors [2]."


async def answered(page: Page, question: str) -> Locator:
    """The turn of `question`, answered."""
    turn = await ask(page, question)
    await wait_for_phase(turn, "done")
    return turn


async def open_sidebar(page: Page) -> Locator:
    """The list of conversations, opened when it is not."""
    sidebar = page.locator("#sidebar")
    await expect(page.locator("#show-sidebar")).to_have_attribute("aria-expanded", re.compile("true|false"))
    if not await sidebar.is_visible():
        await page.locator("#show-sidebar").click()
    await expect(sidebar).to_be_visible()
    return sidebar


async def choose(page: Page, title: str, entry: str) -> None:
    """An entry of the menu of one conversation."""
    await page.get_by_role("button", name=f"Options for “{title}”").click()
    await page.get_by_role("menuitem", name=entry, exact=True).click()


async def choose_for_all(page: Page, entry: str) -> None:
    await page.get_by_role("button", name="All conversations").click()
    await page.get_by_role("menuitem", name=entry, exact=True).click()


async def read_download(download: Download) -> str:
    return await asyncio.to_thread((await download.path()).read_text, "utf-8")


async def bring(page: Page, content: str) -> Locator:
    """Import `content`; what the sidebar says then."""
    await open_sidebar(page)
    async with page.expect_file_chooser() as chooser:
        await choose_for_all(page, "Import JSON")
    await (await chooser.value).set_files(
        {"name": "conversations.json", "mimeType": "application/json", "buffer": content.encode()}
    )
    return page.locator(".sidebar-note")


def make_file(count: int, turns: int = 1, **answer: Any) -> str:
    """An export of `count` conversations that follow each other by days."""
    source = {"n": 1, "document": "ab12", "name": "tides.pdf", "page": 3, "text": "High water at noon."}
    done = {"phase": "done", "text": "High water is at **noon** [1].", "sources": [source], **answer}
    rows = [
        {"id": f"t{n}", "parent": f"t{n - 1}" if n else "", "question": f"Question {n}?", "asked": n, "answer": done}
        for n in range(turns)
    ]
    conversations = [
        {
            "id": f"c{n}",
            "title": f"Talk {n}",
            "created": 1,
            "updated": 1_700_000_000_000 + n * 40_000_000,
            "turns": rows,
        }
        for n in range(count)
    ]
    return json.dumps({"format": "acervo-conversations", "version": 1, "conversations": conversations})


async def test_a_reload_and_the_way_back_keep_conversations(
    open_page: OpenPage, server: Server, ollama: FakeOllama
) -> None:
    ollama.switches.answer = ANSWER
    page = await open_page(server.url)
    await answered(page, "What is a window?")
    first = page.url
    assert "#c=" in first
    await page.get_by_role("button", name="New conversation").click()
    await expect(page.locator(".empty")).to_be_visible()
    await expect(page.locator("#question")).to_be_focused()
    assert "#c=" not in page.url
    await answered(page, "How are citations read?")
    second = page.url
    await reload(page)
    turn = page.locator("article.turn")
    await expect(turn.locator(".question")).to_have_text("How are citations read?")
    await expect(turn.locator(".answer em")).to_have_text("words")
    await turn.locator(".answer .chip").first.click()
    await expect(page.get_by_role("complementary").locator("img")).to_be_visible()
    await page.go_back()
    await expect(turn.locator(".question")).to_have_text("What is a window?")
    assert page.url == first
    await expect(page.get_by_role("complementary")).to_be_hidden()
    await page.go_forward()
    await expect(turn.locator(".question")).to_have_text("How are citations read?")
    assert page.url == second
    await page.goto(f"{server.url}/#c=nowhere")
    await expect(page.locator(".message")).to_contain_text("not in this browser")
    await expect(page.locator(".empty")).to_be_visible()


async def test_a_reload_keeps_the_part_of_an_answer(open_page: OpenPage, server: Server, ollama: FakeOllama) -> None:
    ollama.switches.answer, ollama.switches.token_delay_s = SLOW, 0.03
    page = await open_page(server.url)
    turn = await ask(page)
    await expect(turn.locator(".answer")).to_contain_text("word " * 60)
    await reload(page)
    await wait_for_phase(turn, "interrupted")
    await expect(turn.locator(".answer")).to_contain_text("word " * 20)
    await expect(turn.locator(".notice")).to_contain_text("was closed or reloaded")
    ollama.switches.answer, ollama.switches.token_delay_s = ANSWER, 0
    await turn.get_by_role("button", name="Ask again").click()
    await wait_for_phase(turn, "done")
    await expect(turn.locator(".version")).to_have_text("2/2")


async def test_two_tabs_keep_what_both_wrote(open_page: OpenPage, server: Server, ollama: FakeOllama) -> None:
    ollama.switches.answer = ANSWER
    page = await open_page(server.url)
    await answered(page, "First?")
    other = await page.context.new_page()
    await other.goto(page.url)
    await expect(other.locator("article.turn")).to_have_count(1)
    await answered(page, "From one tab?")
    await expect(other.locator("article.turn")).to_have_count(2)
    await other.locator("#question").fill("unsent")
    ollama.switches.token_delay_s = 0.2
    mine, theirs = await ask(page, "At once, here?"), await ask(other, "At once, there?")
    await wait_for_phase(mine, "done")
    await wait_for_phase(theirs, "done")
    await other.reload()
    last = other.locator("article.turn").last
    # Which of the two is shown is the choice of the tab that wrote last.
    await expect(last.locator(".version")).to_have_text(re.compile("[12]/2"))
    questions = {"At once, here?", "At once, there?"}
    shown = await last.locator(".question").inner_text()
    assert shown in questions
    await last.locator(".versions button:not(:disabled)").click()
    await expect(last.locator(".question")).to_have_text((questions - {shown}).pop())
    await expect(other.locator("article.turn")).to_have_count(3)


async def test_an_edited_question_is_a_branch_of_its_own(
    open_page: OpenPage, server: Server, ollama: FakeOllama
) -> None:
    ollama.switches.answer = "About the first."
    page = await open_page(server.url)
    await answered(page, "The first question?")
    await answered(page, "A follow-up to it?")
    turn = page.locator("article.turn").first
    edit = turn.get_by_role("button", name="Edit the question")
    await edit.focus()
    await page.keyboard.press("Enter")
    field = turn.get_by_role("textbox", name="Edit the question")
    await expect(field).to_have_value("The first question?")
    await page.keyboard.press("Escape")
    await expect(edit).to_be_focused()
    await page.keyboard.press("Enter")
    await field.fill("The other question?")
    await field.dispatch_event("keydown", {"key": "Enter", "isComposing": True, "bubbles": True, "cancelable": True})
    await expect(field).to_have_value("The other question?")
    ollama.switches.answer = "About the other."
    await field.press("Enter")
    await expect(page.locator("article.turn")).to_have_count(1)
    await wait_for_phase(turn, "done")
    await expect(turn.locator(".answer")).to_have_text("About the other.")
    await expect(turn.locator(".version")).to_have_text("2/2")

    await answered(page, "And then?")
    said = [message["content"] for message in ollama.requests[-1][1]["messages"]]
    assert "About the other." in said
    assert "About the first." not in said

    before = turn.get_by_role("button", name="Previous version")
    await before.focus()
    await page.keyboard.press("Enter")
    await expect(page.locator(".question")).to_have_text(["The first question?", "A follow-up to it?"])
    await expect(turn.get_by_role("button", name="Next version")).to_be_focused()
    await reload(page)
    await expect(page.locator(".question")).to_have_text(["The first question?", "A follow-up to it?"])
    await expect(turn.locator(".version")).to_have_text("1/2")
    await page.locator("article.turn").last.get_by_role("button", name="Ask again").click()
    await expect(page.locator("article.turn").last.locator(".version")).to_have_text("2/2")
    await wait_for_phase(page.locator("article.turn").last, "done")


async def test_an_answer_goes_on_while_another_conversation_is_read(
    open_page: OpenPage, server: Server, ollama: FakeOllama
) -> None:
    ollama.switches.answer, ollama.switches.token_delay_s = "word " * 1000 + "and the end.", 0.05
    page = await open_page(server.url)
    turn = await ask(page, "A slow one?")
    await expect(turn.locator(".answer")).to_contain_text("word word")
    await page.get_by_role("button", name="New conversation").click()
    await expect(page.get_by_role("button", name="Send")).to_be_visible()
    await page.go_back()
    await expect(page.get_by_role("button", name="Stop")).to_be_visible()
    ollama.switches.token_delay_s = 0
    await wait_for_phase(turn, "done")
    await expect(turn.locator(".answer")).to_contain_text("and the end.")


async def test_the_list_is_searched_renamed_and_cleared(
    open_page: OpenPage, server: Server, ollama: FakeOllama
) -> None:
    ollama.switches.answer = "It is about élan."
    noon = f"Etc/GMT{datetime.now(UTC).hour - 12:+d}"  # no midnight comes between
    page = await open_page(server.url, timezone_id=noon)
    await answered(page, "What is a window?")
    ollama.switches.answer = "Quite another answer."
    await page.get_by_role("button", name="New conversation").click()
    await answered(page, "How are citations read?")
    sidebar = await open_sidebar(page)
    links = sidebar.get_by_role("link")
    await expect(links).to_have_text(["How are citations read?", "What is a window?"])
    await expect(sidebar.locator("h3")).to_have_text(["Today"])
    await expect(links.first).to_have_attribute("aria-current", "page")

    await page.get_by_role("searchbox").fill("ELAN")
    await expect(links).to_have_text(["What is a window?"])
    await page.get_by_role("searchbox").fill("nowhere")
    await expect(sidebar).to_contain_text("Nothing found")
    await page.get_by_role("searchbox").fill("")
    await expect(links).to_have_count(2)

    await choose(page, "What is a window?", "Rename")
    await page.keyboard.type("Glass & <b>frames</b>")
    await page.keyboard.press("Enter")
    await expect(links.last).to_have_text("Glass & <b>frames</b>")
    await expect(page.get_by_role("button", name="Options for “Glass")).to_be_focused()
    await reload(page)
    await expect(links.last).to_have_text("Glass & <b>frames</b>")

    await choose(page, "How are citations read?", "Delete")
    await expect(links).to_have_count(1)
    await expect(page.locator("article.turn")).to_have_count(0)
    await page.get_by_role("button", name="Undo").click()
    await expect(links).to_have_count(2)
    await links.first.click()
    await expect(page.locator("article.turn .answer")).to_have_text("Quite another answer.")
    await choose_for_all(page, "Delete all")
    await page.get_by_role("button", name="Delete all").click()
    await expect(links).to_have_count(0)
    await reload(page)
    await expect(sidebar).to_be_visible()
    await expect(sidebar).to_contain_text("Conversations appear here")


async def test_conversations_leave_as_files_and_come_back(
    open_page: OpenPage, server: Server, ollama: FakeOllama
) -> None:
    ollama.switches.answer = ANSWER
    page = await open_page(server.url)
    await answered(page, "How does: the search/work?")
    await open_sidebar(page)
    async with page.expect_download() as started:
        await choose(page, "How does: the search/work?", "Export as Markdown")
    download = await started.value
    assert download.suggested_filename == "How does the search work.md"
    text = await read_download(download)
    assert text.startswith("# How does: the search/work?\n\n## How does")
    assert ANSWER in text
    assert "[1] guia-do-acervo.pdf, page " in text
    async with page.expect_download() as started:
        await choose_for_all(page, "Export all as JSON")
    exported = await read_download(await started.value)
    note = await bring(page, exported)
    await expect(note).to_contain_text("1 was here already")
    await choose(page, "How does: the search/work?", "Delete")
    await expect(page.locator("#sidebar").get_by_role("link")).to_have_count(0)
    note = await bring(page, exported)
    await expect(note).to_contain_text("1 conversation imported")
    await page.locator("#sidebar").get_by_role("link").click()
    turn = page.locator("article.turn")
    await expect(turn.locator(".source.cited")).to_have_count(2)
    await turn.locator(".answer .chip").first.click()
    await expect(page.get_by_role("complementary").locator("img")).to_be_visible()


async def test_a_hostile_file_is_refused_or_harmless(open_page: OpenPage, server: Server) -> None:
    page = await open_page(server.url, allow_errors=True)
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    for content in ["", "\0", "[]", make_file(2).replace('"page": 3', '"page": "<img src=x onerror=alert(1)>"')]:
        await expect(await bring(page, content)).to_contain_text("Nothing was imported")
    await expect(page.locator("#sidebar").get_by_role("link")).to_have_count(0)
    bad = "<img src=x onerror=alert(1)><script>alert(2)</script>[x](javascript:alert(3)) \u202etxt [1] [999]"
    content = make_file(1, text=bad, query=bad, model=bad).replace("Talk 0", "<img src=x onerror=alert(4)>\u202e")
    await expect(await bring(page, content)).to_contain_text("1 conversation imported")
    await page.locator("#sidebar").get_by_role("link").click()
    await expect(page.locator("article.turn .answer")).to_contain_text("<img src=x onerror=alert(1)>")
    await expect(page.locator("img, article a[href^=javascript]")).to_have_count(0)


async def test_long_lists_and_conversations_stay_quick(open_page: OpenPage, server: Server) -> None:
    page = await open_page(server.url)
    await expect(await bring(page, make_file(400))).to_contain_text("400 conversations imported")
    links = page.locator("#sidebar").get_by_role("link")
    await expect(links).to_have_count(400)
    started = asyncio.get_running_loop().time()
    await page.get_by_role("searchbox").fill("talk 399")
    await expect(links).to_have_count(1)
    await page.get_by_role("searchbox").fill("")
    await expect(links).to_have_count(400)
    long = make_file(1, turns=200).replace("c0", "long").replace("Talk 0", "A long talk")
    await bring(page, long)
    await page.get_by_role("searchbox").fill("long talk")
    await expect(links).to_have_count(1)
    await links.click()
    await expect(page.locator("article.turn")).to_have_count(50)
    await expect(page.locator("article.turn").last).to_be_in_viewport()
    assert asyncio.get_running_loop().time() - started < 20


async def test_the_list_is_a_drawer_on_a_phone(open_page: OpenPage, server: Server, ollama: FakeOllama) -> None:
    ollama.switches.answer = ANSWER
    page = await open_page(server.url, viewport={"width": 360, "height": 740})
    await answered(page, "What is a window?")
    await reload(page)
    sidebar = page.locator("#sidebar")
    await expect(page.locator("article.turn")).to_have_count(1)
    await expect(sidebar).to_be_hidden()
    toggle = page.locator("#show-sidebar")
    await toggle.focus()
    await page.keyboard.press("Enter")
    await expect(sidebar).to_be_visible()
    await expect(sidebar.get_by_role("button", name="New conversation")).to_be_focused()
    assert await page.locator("main").evaluate("e => e.inert")
    assert await find_overflow(page) <= 0
    await page.keyboard.press("Escape")
    await expect(sidebar).to_be_hidden()
    await expect(toggle).to_be_focused()
    await toggle.click()
    await sidebar.get_by_role("button", name="New conversation").click()
    await expect(sidebar).to_be_hidden()
    await expect(page.locator("#question")).to_be_focused()
    await toggle.click()
    await sidebar.get_by_role("link").click()
    await expect(sidebar).to_be_hidden()
    await expect(page.locator("article.turn")).to_have_count(1)


async def test_without_a_database_the_page_works_and_says_so(
    open_page: OpenPage, server: Server, ollama: FakeOllama
) -> None:
    ollama.switches.answer = ANSWER
    page = await open_page(server.url)
    await page.context.add_init_script(
        "IDBFactory.prototype.open = () => { throw new DOMException('', 'SecurityError'); }"
    )
    await reload(page)
    message = page.locator(".message")
    await expect(message).to_contain_text("until the page is closed")
    await message.get_by_role("button", name="Close").click()
    await expect(message).to_have_count(0)
    await answered(page, "What is a window?")
    await page.get_by_role("button", name="New conversation").click()
    await answered(page, "How are citations read?")
    await (await open_sidebar(page)).get_by_role("link", name="What is a window?").click()
    await expect(page.locator(".question")).to_have_text("What is a window?")
    await expect(message).to_have_count(0)


async def test_rewriting_can_be_switched_off(open_page: OpenPage, server: Server, ollama: FakeOllama) -> None:
    ollama.switches.answer = ANSWER
    page = await open_page(server.url)
    async with page.expect_request(lambda request: request.method == "POST") as sent:
        await answered(page, "What is a window?")
    assert "rewrite" not in (await sent.value).post_data_json
    await page.get_by_role("button", name="How to ask").click()
    box = page.get_by_role("checkbox", name="Complete follow-up questions")
    await expect(box).to_be_focused()
    await page.keyboard.press("Space")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("button", name="How to ask")).to_be_focused()
    async with page.expect_request(lambda request: request.method == "POST") as sent:
        await answered(page, "And its size?")
    assert (await sent.value).post_data_json["rewrite"] is False
    await page.goto(server.url)
    await page.get_by_role("button", name="How to ask").click()
    await expect(box).not_to_be_checked()


VOICES = """
const said = window.said = [];
const voice = (lang, localService) => ({lang, localService, name: lang});
window.voices = [];
Object.assign(window, {SpeechSynthesisUtterance: class { constructor(text) { this.text = text; } }});
Object.defineProperty(window, 'speechSynthesis', {value: Object.assign(new EventTarget(), {
  getVoices: () => window.voices,
  speak(one) { said.push(one); },
  cancel() { for (const one of said.splice(0)) one.onerror?.(); },
})});
window.find = (...voices) => {
  window.voices = voices.map(([lang, local]) => voice(lang, local));
  speechSynthesis.dispatchEvent(new Event('voiceschanged'));
};
"""


async def test_an_answer_is_read_by_a_voice_of_this_machine_only(
    open_page: OpenPage, server: Server, ollama: FakeOllama
) -> None:
    ollama.switches.answer = "One **sentence** [1]. Another one."
    page = await open_page(server.url)
    await page.context.add_init_script(VOICES)
    await reload(page)
    turn = await answered(page, "What is a window?")
    button = turn.locator(".actions button", has_text=re.compile("Read aloud|Stop reading"))
    await expect(button).to_be_hidden()
    await page.evaluate("find(['en-US', false])")
    await answered(page, "Another?")
    await expect(button).to_be_hidden()
    await page.evaluate("find(['en-GB', true])")
    await button.first.click()
    await expect(button.first).to_have_text("Stop reading")
    assert await page.evaluate("said.map(one => [one.text, one.voice.lang])") == [
        ["One sentence.", "en-GB"],
        ["Another one.", "en-GB"],
    ]
    await button.first.click()
    await expect(button.first).to_have_text("Read aloud")
    assert await page.evaluate("said.length") == 0


DICTATION = """
window.SpeechRecognition = class {
  static available = async ({langs, processLocally}) => 
    processLocally && langs[0] === 'en' ? window.able : 'unavailable';
  get processLocally() { return this.local; }
  set processLocally(value) { this.local = value; }
  start() { window.running = this; }
  stop() { this.onend(); }
  abort() { this.onend(); }
};
"""


@pytest.mark.parametrize("able", ["available", "downloadable"])
async def test_speech_is_taken_only_where_it_stays_here(open_page: OpenPage, server: Server, able: str) -> None:
    page = await open_page(server.url)
    await page.context.add_init_script(f"{DICTATION}; window.able = '{able}';")
    await reload(page)
    await page.locator("#question").fill("Tell me")
    button = page.locator("button", has=page.locator("svg")).and_(page.get_by_label("Dictate"))
    if able != "available":
        await expect(button).to_have_count(1)
        await expect(button).to_be_hidden()
        return
    await button.click()
    assert await page.evaluate("running.processLocally") is True
    await page.evaluate("running.onresult({results: [[{transcript: ' about tides'}]]})")
    await expect(page.locator("#question")).to_have_value("Tell me about tides")
    await page.get_by_label("Stop dictating").click()
    await expect(button).to_have_attribute("aria-pressed", "false")


async def test_a_conversation_prints_without_its_buttons(
    open_page: OpenPage, server: Server, ollama: FakeOllama
) -> None:
    ollama.switches.answer = ANSWER
    page = await open_page(server.url)
    await answered(page, "What is a window?")
    await answered(page, "How are citations read?")
    await open_sidebar(page)
    await page.emulate_media(media="print")
    await expect(page.locator(".question").first).to_be_visible()
    for hidden in ["#sidebar", ".composer", ".actions button", ".asked-tools", ".tools"]:
        await expect(page.locator(hidden).first).to_be_hidden()
    height = await page.evaluate("document.querySelector('.scroller').scrollHeight <= document.body.scrollHeight")
    assert height, "what is below the fold would not be printed"


async def read_ratings(page: Page) -> list[dict[str, Any]]:
    """What the server keeps."""
    response = await page.request.get(f"{page.url.split('#')[0]}feedback")
    return [json.loads(line) for line in (await response.text()).split("\n") if line]


async def test_a_rating_reaches_the_server_and_can_be_taken_back(
    open_page: OpenPage, server: Server, ollama: FakeOllama
) -> None:
    ollama.switches.answer = ANSWER
    page = await open_page(server.url, allow_errors=True)
    turn = await answered(page, "What is rated?")
    good, bad = (turn.get_by_role("button", name=name) for name in ("Good answer", "Bad answer"))
    await bad.click()
    await expect(bad).to_have_attribute("aria-pressed", "true")
    note = turn.get_by_role("textbox", name="What should we know?")
    await note.fill("Page 5 says more.")
    await note.press("Enter")
    await expect(turn).to_contain_text("Thank you")
    await expect(bad).to_be_focused()
    [kept] = await read_ratings(page)
    assert (kept["rating"], kept["note"], kept["question"]) == ("down", "Page 5 says more.", "What is rated?")
    assert (kept["answer"], kept["citations"]) == (ANSWER, [1, 2])
    assert kept["sources"][0]["page"] >= 1
    await reload(page)
    await expect(bad).to_have_attribute("aria-pressed", "true")
    await good.click()
    await expect(good).to_have_attribute("aria-pressed", "true")
    await expect(bad).to_have_attribute("aria-pressed", "false")
    assert [entry["rating"] for entry in await read_ratings(page)] == ["up"]
    await good.click()
    await expect(good).to_have_attribute("aria-pressed", "false")
    assert await read_ratings(page) == []
    await page.route("**/feedback", lambda route: route.abort())
    await good.click()
    await expect(turn.get_by_role("alert")).to_contain_text("could not be kept")
    await expect(good).to_have_attribute("aria-pressed", "false")


async def test_the_question_grows_to_a_part_of_the_window(
    open_page: OpenPage, server: Server, ollama: FakeOllama
) -> None:
    ollama.switches.answer = ANSWER
    page = await open_page(server.url)
    field = page.locator("#question")
    one = await field.evaluate("e => e.offsetHeight")
    await field.fill("line\n" * 4)
    assert await field.evaluate("e => e.offsetHeight") > 2 * one
    await field.fill("line\n" * 200)
    assert await field.evaluate("e => e.offsetHeight") <= 0.41 * 800
    await page.keyboard.press("Enter")
    assert await field.evaluate("e => e.offsetHeight") == one
    await wait_for_phase(page.locator("article.turn"), "done")

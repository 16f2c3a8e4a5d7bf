"""Documents in a real browser: dropped and picked, followed until they are ready, deleted and brought back, chosen."""

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import ClientSession
from playwright.async_api import Browser, FilePayload, Locator, Page, Route, expect

from database.settings import ROOT
from tests.e2e.conftest import TIMEOUT_MS, OpenPage, launch
from tests.e2e.servers import Server, load_documents, run_server
from tests.e2e.test_asking import ask, wait_for_phase
from tests.e2e.test_looks import find_overflow
from tests.fakes.ollama import FakeOllama
from tests.fakes.site import Page as SitePage
from tests.fakes.site import Site
from tests.pdfs import make_encrypted, make_pdf

pytestmark = pytest.mark.asyncio(loop_scope="session")
expect.set_options(timeout=TIMEOUT_MS)

READY_MS = 180_000
"""Until a document of LONG pages is ready, on processors that are shared."""
LONG, SENTENCES = 60, 20
MAX_FILE_MB = 2
POINTER = (300, 300)
"""Where things are dragged and dropped."""
DRAW_ANEW = f"const below = document.elementFromPoint{POINTER}; below.replaceWith(below.cloneNode(true))"
"""Another element stands at POINTER then, as when the facts about the documents arrive."""
COME_BACK = "document.dispatchEvent(new Event('visibilitychange'))"
"""As a person does who was in another tab."""
HARVEST = "The village of Serra harvested {n} tonnes of apples in the year {n}, as the register of the parish says."


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shelf(tmp_path_factory: pytest.TempPathFactory, fake_ollama: FakeOllama) -> AsyncIterator[Server]:
    """A server of its own, with two documents: these tests add and delete."""
    base = tmp_path_factory.mktemp("shelf")
    (base / "pdf").mkdir()
    (base / "pdf" / "guia-do-acervo.pdf").write_bytes((ROOT / "pdf" / "guia-do-acervo.pdf").read_bytes())
    make_pdf(base / "pdf" / "apples.pdf", [HARVEST.format(n=95)], title="The apples of Serra")
    await load_documents(base / "data", base / "pdf")
    limits = {"MAX_FILE_MB": str(MAX_FILE_MB), "OLLAMA_HOST": fake_ollama.url, "URL_ALLOW": "127.0.0.1"}
    async with run_server(base / "data", base / "pdf", **limits) as running:
        yield running


@asynccontextmanager
async def answering(shelf: Server, ollama: FakeOllama) -> AsyncIterator[None]:
    """Somebody reads an answer within: files let it go first, and so take a while, however quick the machine is."""
    answer, ollama.switches.answer, ollama.switches.token_delay_s = ollama.switches.answer, "word " * 5000, 0.1
    async with ClientSession(shelf.url) as client, client.post("/", json={"prompt": "What is a window?"}) as response:
        assert response.status == 200
        while not json.loads(await response.content.readline())["message"]["content"]:
            pass
        ollama.switches.answer = answer
        yield


def make_long(path: Path, topic: str) -> Path:
    """LONG pages of SENTENCES each, which take some seconds, so that what is shown meanwhile can be seen."""
    kept = " ".join(HARVEST.format(n=2100 + n) for n in range(SENTENCES))
    return make_pdf(path, [f"Year {n}\n\n{topic} {HARVEST.format(n=1900 + n)}\n\n{kept}" for n in range(LONG)])


async def open_drawer(page: Page) -> Locator:
    await page.locator("#show-documents").click()
    drawer = page.get_by_role("complementary", name="Documents")
    await expect(drawer.locator(".document-list li").first).to_be_visible()
    return drawer


async def pick(page: Page, files: Sequence[Path] | Sequence[FilePayload]) -> None:
    async with page.expect_file_chooser() as chooser:
        await page.get_by_role("button", name="Add documents").last.click()
    await (await chooser.value).set_files(files)


def transfer(page: Page, name: str) -> Locator:
    """The row of a file that is on its way."""
    return page.locator(".transfers > li", has_text=name)


def entry(page: Page, name: str) -> Locator:
    """The row of a document that is there."""
    return page.locator(".document-list > li", has_text=name)


async def drag(page: Page, kind: str, **data: object) -> None:
    """A step of a drag from outside the browser: dragEnter, dragOver, drop."""
    session = await page.context.new_cdp_session(page)
    given = {"items": [], "files": [], "dragOperationsMask": 1, **data}
    x, y = POINTER
    await session.send("Input.dispatchDragEvent", {"type": kind, "x": x, "y": y, "data": given})
    await session.detach()


async def test_a_web_page_is_added_by_its_address(
    open_page: OpenPage, shelf: Server, ollama: FakeOllama, tmp_path: Path
) -> None:
    pears = make_pdf(tmp_path / "pears.pdf", ["Pears\n\nThe monks of Aldeia dried 4321 pears in the winter of 1788."])
    async with Site() as site:
        site.pages["/pears.pdf"] = SitePage(pears.read_bytes())
        url = f"{site.url}/pears.pdf"
        page = await open_page(shelf.url, allow_errors=True)
        await open_drawer(page)
        field = page.get_by_role("textbox", name="Add a web page")
        await field.fill(url)
        await field.press("Enter")
        await expect(field).to_have_value("")
        await expect(transfer(page, url)).to_have_attribute("data-phase", "done", timeout=READY_MS)
        await check_link(entry(page, "pears.pdf").get_by_role("link", name=url), url)
        turn = await ask(page, "How many pears did the monks of Aldeia dry?")
        await wait_for_phase(turn, "done")
        source = turn.locator(".source", has_text="pears.pdf").first
        await source.click()
        await check_link(page.locator(".panel").get_by_role("link", name=url), url)
        assert site.paths == ["/pears.pdf"], "the browser has fetched it"
    await page.locator("#show-documents").click()
    await field.fill("http://127.0.0.2/")
    await page.get_by_role("button", name="Add a web page").click()
    row = transfer(page, "http://127.0.0.2/")
    await expect(row).to_contain_text("This address gave nothing")
    await expect(row).to_contain_text("URL_ALLOW")
    await expect(row.get_by_role("button", name="again")).to_have_count(0)


async def check_link(link: Locator, url: str) -> None:
    """A link that leads there and tells nothing about where it stood."""
    await expect(link).to_have_attribute("href", url)
    await expect(link).to_have_attribute("rel", "noopener noreferrer")


async def test_a_dropped_folder_can_be_asked_before_it_is_ready(
    open_page: OpenPage, shelf: Server, ollama: FakeOllama, tmp_path: Path
) -> None:
    (tmp_path / "years" / "inner").mkdir(parents=True)
    make_long(tmp_path / "years" / "inner" / "harvest é.pdf", "Quinces.")
    (tmp_path / "years" / "notes.xyz").write_text("no PDF")
    files = [str(tmp_path / "years")]
    page = await open_page(shelf.url)
    overlay = page.locator(".drop")
    await drag(page, "dragEnter", items=[{"mimeType": "text/plain", "data": "words"}])
    await drag(page, "dragOver", items=[{"mimeType": "text/plain", "data": "words"}])
    await expect(overlay).to_be_hidden()
    await drag(page, "dragEnter", files=files)
    await drag(page, "dragOver", files=files)
    await expect(overlay).to_be_visible()
    row = transfer(page, "harvest é.pdf")
    async with answering(shelf, ollama):
        await page.evaluate(DRAW_ANEW)
        await drag(page, "drop", files=files)
        await expect(overlay).to_be_hidden()
        await expect(page.get_by_text("1 other file was left out")).to_be_visible()
        await expect(page.locator("#show-documents")).to_contain_text("1 on the way")
        await expect(row).to_contain_text("Can be asked already")
        await expect(row).to_have_attribute("data-phase", "working")
        turn = await ask(page, "How many tonnes of quinces did Serra harvest in 1942?")
        await wait_for_phase(turn, "done")
        await expect(turn.locator(".sources")).to_contain_text("harvest é.pdf")
        await expect(row).to_contain_text(re.compile(r"indexed: \d+ of \d+"), timeout=READY_MS)
    await expect(row).to_have_attribute("data-phase", "done", timeout=READY_MS)
    listed = entry(page, "harvest é.pdf")
    await expect(listed).to_contain_text(f"{LONG} pages")
    await expect(listed.locator(".state")).to_have_count(0)
    await page.get_by_role("button", name="Clear", exact=True).click()
    await expect(row).to_have_count(0)


async def test_a_drag_that_ends_unseen(open_page: OpenPage, shelf: Server, tmp_path: Path) -> None:
    page = await open_page(shelf.url)
    files = [str(make_pdf(tmp_path / "figs.pdf", ["Figs."]))]
    await drag(page, "dragEnter", files=files)
    await expect(page.locator(".drop")).to_be_visible()
    await page.evaluate(DRAW_ANEW)
    await drag(page, "dragCancel", files=files)
    await page.mouse.move(*POINTER)
    await expect(page.locator(".drop")).to_be_hidden()
    await expect(page.locator(".transfers > li")).to_have_count(0)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere files have no such names, or browsers can read them")
async def test_what_the_browser_cannot_read_is_named_and_keeps_nothing_else_out(
    open_page: OpenPage, chromium: Browser, shelf: Server, tmp_path: Path
) -> None:
    (old := tmp_path / "old").mkdir()
    make_pdf(tmp_path / "latin-1.pdf", ["Figs."]).rename(old / os.fsdecode(b"relat\xf3rio.pdf"))
    make_pdf(old / "harvest é.pdf", ["Quinces."])
    make_pdf(old / "sound.pdf", ["Dates."])
    async with await launch(chromium.browser_type, "C") as in_c:
        for browser, told in ((in_c, "harvest"), (chromium, "old/?")):
            page = await open_page(shelf.url, browser=browser)
            for step in ("dragEnter", "dragOver", "drop"):
                await drag(page, step, files=[str(old)])
            await expect(transfer(page, "sound.pdf")).to_have_attribute("data-phase", "done", timeout=READY_MS)
            await expect(transfer(page, told)).to_contain_text("Your browser cannot read it")
            await expect(transfer(page, told).get_by_role("button", name="again")).to_have_count(0)


async def test_the_proposed_questions_are_answered(open_page: OpenPage, shelf: Server, ollama: FakeOllama) -> None:
    page = await open_page(shelf.url)
    await expect(page.locator(".example")).to_have_count(3)
    example = page.locator(".example").first
    await expect(example).to_contain_text("What do the documents say about “")
    await example.click()
    turn = page.locator("article.turn")
    await wait_for_phase(turn, "done")
    await expect(turn.locator(".source").first).to_be_attached()
    await expect(turn.locator(".notice")).to_have_count(0)


async def test_each_file_that_is_refused_is_told_why(open_page: OpenPage, shelf: Server, tmp_path: Path) -> None:
    page = await open_page(shelf.url, allow_errors=True)
    await open_drawer(page)
    large = b"%PDF-1.7\n" + b"%" * (MAX_FILE_MB << 20)
    payloads: list[FilePayload] = [
        {"name": name, "mimeType": "application/pdf", "buffer": content}
        for name, content in {
            "known.pdf": (ROOT / "pdf" / "guia-do-acervo.pdf").read_bytes(),
            "words.pdf": b"These are no words.\0",
            "empty.pdf": b"",
            "large.pdf": large,
            "locked.pdf": make_encrypted(tmp_path / "locked.pdf", user="secret").read_bytes(),
            "broken.pdf": b"%PDF-1.7\nnothing that could be read",
        }.items()
    ]
    await pick(page, payloads)
    said = {
        "known.pdf": "It is here already",
        "words.pdf": "Not a kind",
        "empty.pdf": "The file is empty",
        "large.pdf": "Larger than this server takes",
        "locked.pdf": "Protected by a password",
        "broken.pdf": "The file is damaged",
    }
    for name, words in said.items():
        await expect(transfer(page, name)).to_contain_text(words)
        await expect(transfer(page, name).get_by_role("button", name="again")).to_have_count(0)
    await page.get_by_role("button", name="Take “words.pdf” off the list").click()
    await expect(transfer(page, "words.pdf")).to_have_count(0)
    await expect(entry(page, "guia-do-acervo.pdf")).to_have_count(1)


async def test_cancelled_and_tried_again(
    open_page: OpenPage, shelf: Server, ollama: FakeOllama, tmp_path: Path
) -> None:
    page = await open_page(shelf.url)
    await open_drawer(page)
    session = await page.context.new_cdp_session(page)
    limits = {"offline": False, "latency": 0, "downloadThroughput": -1}
    await session.send("Network.emulateNetworkConditions", {**limits, "uploadThroughput": 20_000})
    slow = make_pdf(tmp_path / "slow.pdf", [HARVEST.format(n=1)])
    slow.write_bytes(slow.read_bytes() + b"%" * 1_000_000)
    await pick(page, [slow])
    row = transfer(page, "slow.pdf")
    await expect(row).to_contain_text(re.compile(r"Uploading, [1-9]\d*%"))
    await page.get_by_role("button", name="Cancel “slow.pdf”").click()
    await expect(row).to_contain_text("Cancelled")
    await session.send("Network.emulateNetworkConditions", {**limits, "uploadThroughput": -1})
    await page.get_by_role("button", name="Try “slow.pdf” again").click()
    await expect(row).to_contain_text("Ready", timeout=READY_MS)

    row = transfer(page, "long.pdf")
    async with answering(shelf, ollama):
        await pick(page, [make_long(tmp_path / "long.pdf", "Medlars.")])
        await expect(row).to_contain_text("Can be asked already")
        await expect(entry(page, "long.pdf")).to_have_count(1)
        await page.get_by_role("button", name="Cancel “long.pdf”").click()
        await expect(row).to_contain_text("Cancelled")
        await expect(entry(page, "long.pdf")).to_have_count(0)
        await page.get_by_role("button", name="Try “long.pdf” again").click()
        await expect(row).to_contain_text("Can be asked already")
        await expect(entry(page, "long.pdf")).to_have_count(1)
        await page.get_by_role("button", name="Cancel “long.pdf”").click()
        await expect(row).to_contain_text("Cancelled")


async def test_a_reload_shows_what_is_on_its_way(
    open_page: OpenPage, shelf: Server, ollama: FakeOllama, tmp_path: Path
) -> None:
    page = await open_page(shelf.url)
    await open_drawer(page)
    async with answering(shelf, ollama):
        await pick(page, [make_long(tmp_path / "reloaded.pdf", "Sloes.")])
        await expect(transfer(page, "reloaded.pdf")).to_contain_text(re.compile("Received|Can be asked"))
        await page.reload()
        await expect(page.locator("#show-documents")).to_contain_text("on the way")
        await open_drawer(page)
        await expect(transfer(page, "reloaded.pdf")).to_contain_text("Can be asked already")
        await page.get_by_role("button", name="Cancel “reloaded.pdf”").click()
        await expect(transfer(page, "reloaded.pdf")).to_contain_text("Cancelled")


async def test_deleted_and_brought_back_by_the_keyboard(open_page: OpenPage, shelf: Server) -> None:
    page = await open_page(shelf.url)
    await page.locator("#show-documents").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator(".documents")).to_be_focused()
    trash = page.get_by_role("button", name="Delete “apples.pdf”")
    await expect(trash).to_be_visible()
    for _ in range(30):
        await page.keyboard.press("Tab")
        if await trash.evaluate("button => button === document.activeElement"):
            break
    await page.keyboard.press("Enter")
    undo = page.get_by_role("button", name="Undo")
    await expect(undo).to_be_focused()
    await expect(entry(page, "apples.pdf")).to_have_count(0)
    await expect(page.locator(".toast")).to_contain_text("The file stays in its folder")
    await expect(page.locator(".countdown")).to_have_text(re.compile(r"^[1-5]\d$"))
    await page.keyboard.press("Enter")
    await expect(entry(page, "apples.pdf")).to_have_count(1)
    await expect(page.locator(".toast")).to_have_count(0)
    await expect(page.locator(".documents")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.locator(".documents")).to_be_hidden()
    await expect(page.locator("#show-documents")).to_be_focused()


async def test_the_questions_of_a_conversation_are_restricted_to_chosen_documents(
    open_page: OpenPage, shelf: Server, ollama: FakeOllama
) -> None:
    page = await open_page(shelf.url)
    drawer = await open_drawer(page)
    await drawer.get_by_role("searchbox").fill("serra APPLES")
    await expect(page.locator(".document-list > li")).to_have_count(1)
    await drawer.get_by_role("button", name="Tick all", exact=True).click()
    await drawer.get_by_role("searchbox").fill("")
    await expect(drawer.get_by_role("checkbox", checked=True)).to_have_count(1)
    await expect(drawer).to_contain_text("Only 1 document is searched.")
    turn = await ask(page, "How do I add a PDF?")
    await wait_for_phase(turn, "done")
    await expect(page.locator(".source", has_text="guia-do-acervo.pdf")).to_have_count(0)

    await page.reload()
    chips = page.get_by_role("group", name="Search only in")
    await expect(chips.get_by_role("button")).to_have_text(["apples.pdf"])
    await chips.get_by_role("button", name="apples.pdf").focus()
    await page.keyboard.press("Enter")
    await expect(chips).to_be_hidden()
    await expect(page.locator("#question")).to_be_focused()
    turn = await ask(page, "How do I add a PDF?")
    await wait_for_phase(turn, "done")
    await expect(turn.locator(".source", has_text="guia-do-acervo.pdf").first).to_be_attached()


async def test_nothing_in_the_chosen_documents_leads_to_all(
    open_page: OpenPage, shelf: Server, ollama: FakeOllama
) -> None:
    page = await open_page(shelf.url)
    drawer = await open_drawer(page)
    await drawer.get_by_role("checkbox", name="apples.pdf").check()
    turn = await ask(page, "Where is the folder .data kept, with the index and the vectors?")
    await wait_for_phase(turn, "done")
    notice = turn.locator(".notice")
    await expect(notice).to_contain_text("Nothing in the chosen documents")
    await notice.get_by_role("button", name="Search all").click()
    turn = page.locator("article.turn").last
    await wait_for_phase(turn, "done")
    await expect(turn.locator(".notice")).to_have_count(0)
    await expect(turn.locator(".version")).to_have_text("2/2")
    await expect(page.locator(".chosen")).to_be_hidden()


async def test_a_model_that_fails_is_told_from_a_server_that_fails(
    open_page: OpenPage, shelf: Server, ollama: FakeOllama
) -> None:
    ollama.switches.load_error = "model requires more system memory"
    page = await open_page(shelf.url, allow_errors=True)
    turn = await ask(page, "How do I add a PDF?")
    await wait_for_phase(turn, "failed")
    await expect(turn.get_by_role("alert")).to_contain_text("The language model failed.")
    await expect(turn.get_by_role("alert")).to_contain_text("more system memory")


async def test_a_list_that_comes_late_tells_nothing_old(
    open_page: OpenPage, shelf: Server, ollama: FakeOllama, tmp_path: Path
) -> None:
    page = await open_page(shelf.url)
    await open_drawer(page)
    apples = entry(page, "apples.pdf")
    async with holding(page, "**/documents"):
        await page.get_by_role("button", name="Delete “apples.pdf”").click()
        await page.get_by_role("button", name="Undo").click()
        await expect(page.locator(".toast")).to_have_count(0)
    await expect(apples).to_have_count(1)
    files = [make_long(tmp_path / f"{name}.pdf", name) for name in ("Medlars", "Sorbs")]
    async with holding(page, "**/jobs") as asked, answering(shelf, ollama):
        await pick(page, files)
        await asked.wait()
        for file in files:
            await page.get_by_role("button", name=f"Cancel “{file.name}”").click()
            await expect(transfer(page, file.name)).to_have_attribute("data-phase", "stopped")
    for file in files:
        await expect(transfer(page, file.name)).to_have_attribute("data-phase", "stopped")


async def test_a_list_that_cannot_be_read_anew_stays(open_page: OpenPage, shelf: Server) -> None:
    page = await open_page(shelf.url, allow_errors=True)
    drawer = await open_drawer(page)
    await entry(page, "apples.pdf").get_by_role("checkbox").check()
    await page.route("**/documents", lambda route: route.abort())
    await page.evaluate(COME_BACK)
    await expect(drawer).to_contain_text("The list of documents could not be read.")
    await expect(entry(page, "apples.pdf").get_by_role("checkbox")).to_be_checked()
    await expect(page.locator(".chosen")).to_contain_text("apples.pdf")
    await page.unroute("**/documents")
    await page.evaluate(COME_BACK)
    await expect(drawer).not_to_contain_text("could not be read")


@asynccontextmanager
async def holding(page: Page, address: str) -> AsyncIterator[asyncio.Event]:
    """The first answer with this address that comes within (the event is set then) reaches the page after others."""
    asked, left, told = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def hold(route: Route) -> None:
        answer = await route.fetch()
        asked.set()
        await left.wait()
        await route.fulfill(response=answer)
        told.set()

    await page.route(address, hold, times=1)
    yield asked
    await asked.wait()
    # Time for what the page has to do with the others, and then with this one.
    await page.wait_for_timeout(300)
    left.set()
    await told.wait()
    await page.wait_for_timeout(300)


async def test_documents_on_a_phone(open_page: OpenPage, shelf: Server) -> None:
    page = await open_page(shelf.url, allow_errors=True, viewport={"width": 360, "height": 740})
    drawer = await open_drawer(page)
    box = await drawer.bounding_box()
    assert box is not None
    assert (box["x"], box["width"], box["height"]) == (0, 360, 740)
    name = f"{'a_very_long_name_' * 8}.pdf"
    await pick(page, [{"name": name, "mimeType": "application/pdf", "buffer": b"words\0"}])
    await expect(transfer(page, name)).to_contain_text("Not a kind")
    await drawer.get_by_role("checkbox").first.check()
    await page.get_by_role("button", name="Delete “guia-do-acervo.pdf”").click()
    await expect(page.locator(".toast")).to_be_visible()
    assert await find_overflow(page) <= 0
    await page.get_by_role("button", name="Undo").click()
    await expect(entry(page, "guia-do-acervo.pdf")).to_have_count(1)
    await page.get_by_role("button", name="Close the documents").click()
    await expect(page.locator("#show-documents")).to_be_focused()
    await expect(page.locator(".chosen")).to_be_visible()
    assert await find_overflow(page) <= 0


async def test_the_first_document_and_a_server_that_goes_away(
    open_page: OpenPage, tmp_path: Path, ollama: FakeOllama, unused_tcp_port: int
) -> None:
    (tmp_path / "none").mkdir()
    settings = {"OLLAMA_HOST": ollama.url, "PORT": str(unused_tcp_port)}
    async with run_server(tmp_path / "data", tmp_path / "none", **settings) as own:
        page = await open_page(own.url, allow_errors=True)
        await expect(page.get_by_role("heading", level=2)).to_have_text("No documents yet")
        await wait_for_phase(turn := await ask(page, "What is there?"), "done")
        await expect(turn.locator(".notice")).to_contain_text("There are no documents to answer from yet")
        await expect(turn.get_by_role("button", name="Add documents")).to_be_visible()
        await page.get_by_role("button", name="New conversation").click()
        first = make_pdf(tmp_path / "first.pdf", [HARVEST.format(n=1)], title="The apples of Serra")
        await pick(page, [first])
        await expect(page.locator(".empty h2")).to_have_text("What would you like to know?")
        await expect(page.locator(".example").first).to_contain_text("The apples of Serra")
        await expect(transfer(page, "first.pdf")).to_contain_text("Ready", timeout=READY_MS)
        await own.kill()
        await pick(page, [make_pdf(tmp_path / "second.pdf", ["Pears."])])
        await expect(transfer(page, "second.pdf")).to_contain_text("The server does not answer")
        await expect(page.get_by_role("button", name="Try “second.pdf” again")).to_be_visible()
        await page.get_by_role("button", name="Delete “first.pdf”").click()
        await expect(page.locator(".documents").get_by_role("alert")).to_contain_text("could not be deleted")

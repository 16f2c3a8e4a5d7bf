"""Logging in, the profile, and what each user sees of the page, in a real browser."""

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import ClientSession
from playwright.async_api import Locator, Page, expect

from database.settings import ROOT
from database.stores.sqlite import SqliteStore
from tests.e2e.conftest import TIMEOUT_MS, OpenPage
from tests.e2e.servers import Server, make_environment, run_server
from tests.e2e.test_access import LOOKS, axe, check
from tests.e2e.test_asking import SLOW, ask, wait_for_phase
from tests.e2e.test_looks import find_overflow
from tests.fakes.ollama import FakeOllama
from tests.library import HARVEST, LIGHTHOUSE, QUESTION, TEXTS, make_library
from tests.pdfs import make_pdf

pytestmark = pytest.mark.asyncio(loop_scope="session")
expect.set_options(timeout=TIMEOUT_MS)

PASSWORD, OTHER = "correct horse battery", "staple under the third oak"
BOARD = "board"
__all__ = ["axe"]


async def add_user(data: Path, *arguments: str) -> None:
    """What somebody at the server types."""
    command = ("-m", "app", "users", "add", *arguments, "--password-stdin")
    pipe = asyncio.subprocess.PIPE
    environment = make_environment(DATA_DIR=str(data))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *command), cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, stderr=pipe
    )
    output = await process.communicate(f"{PASSWORD}\n".encode())
    assert process.returncode == 0, output


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def guarded_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A document of BOARD and one of no collection; an admin, a reader of each."""
    data = tmp_path_factory.mktemp("guarded")
    library = await make_library(data, {name: TEXTS[name] for name in (LIGHTHOUSE, HARVEST)})
    store = SqliteStore(data / "index.sqlite")
    await store.open()
    light = library.documents[LIGHTHOUSE]
    await store.put_names(light.id, [replace(name, collection=BOARD) for name in light.names])
    await store.aclose()
    await add_user(data, "ada")
    await asyncio.gather(add_user(data, "Rita", "--collection", BOARD), add_user(data, "otto"), add_user(data, "eve"))
    return data


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def guarded(guarded_data: Path, fake_ollama: FakeOllama) -> AsyncIterator[Server]:
    """A server that they log in to."""
    settings = {"OLLAMA_HOST": fake_ollama.url, "LOGIN_LIMIT": "0"}
    async with run_server(guarded_data, guarded_data / "pdf", **settings) as running:
        yield running


async def log_in(page: Page, name: str, password: str = PASSWORD) -> None:
    """By keyboard alone."""
    await expect(page.get_by_label("Name")).to_be_focused()
    await page.keyboard.type(name)
    await page.keyboard.press("Tab")
    await page.keyboard.type(password)
    await page.keyboard.press("Enter")


async def enter(open_page: OpenPage, server: Server, name: str, path: str = "/", **options: Any) -> Page:
    """A page of somebody who has just logged in."""
    page = await open_page(server.url, path=path, ready="form", **options)
    await log_in(page, name, options.get("password", PASSWORD))
    await expect(page).to_have_url(f"{server.url}{path}")
    await page.locator("#question" if path == "/" else ".card").first.wait_for()
    return page


async def leave(page: Page, forget: bool = False) -> None:
    """Once the page has all that it asked for: what is answered later is refused."""
    await page.wait_for_load_state("networkidle")
    await page.locator("#account").click()
    if forget:
        await page.get_by_label("Forget my conversations").check()
    await page.get_by_role("button", name="Log out").click()
    await expect(page.get_by_role("heading", name="Log in")).to_be_visible()


def card(page: Page, title: str) -> Locator:
    """A section of the profile."""
    return page.locator("section.card").filter(has=page.get_by_role("heading", name=title, exact=True))


async def test_a_wrong_password_then_the_page_that_was_wanted(open_page: OpenPage, guarded: Server) -> None:
    page = await open_page(guarded.url, path="/profile?a=b", ready="form", allow_errors=True)
    await expect(page.get_by_label("Name")).to_have_attribute("autocomplete", "username")
    await expect(page.get_by_label("Password")).to_have_attribute("autocomplete", "current-password")
    await log_in(page, "RITA", "wrong")
    await expect(page.get_by_role("alert")).to_have_text("The name or the password is wrong.")
    await expect(page.get_by_label("Password")).to_be_focused()
    await page.keyboard.type(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(f"{guarded.url}/profile?a=b")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Rita")


async def test_nobody_is_sent_elsewhere(open_page: OpenPage, guarded: Server) -> None:
    page = await open_page(guarded.url, path="/login?next=/.//example.org/", ready="form", locale="fr")
    await expect(page.get_by_role("button", name="Se connecter")).to_be_visible()
    await page.locator("#language").select_option("en")
    await page.get_by_label("Name").focus()
    await log_in(page, "otto")
    await page.locator("#question").wait_for()
    await expect(page).to_have_url(f"{guarded.url}/")
    await expect(page.locator("html")).to_have_attribute("lang", "en")


async def test_too_many_attempts(open_page: OpenPage, guarded_data: Path) -> None:
    async with run_server(guarded_data, guarded_data / "pdf", LOGIN_LIMIT="1") as server:
        page = await open_page(server.url, path="/login", ready="form", allow_errors=True)
        await log_in(page, "eve", "wrong")
        await expect(page.get_by_role("alert")).to_have_text("The name or the password is wrong.")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("alert")).to_contain_text("Too many attempts. Try again in")
        await expect(page.get_by_role("alert")).to_contain_text("second")


async def test_a_reader_sees_what_is_theirs(open_page: OpenPage, guarded: Server, ollama: FakeOllama) -> None:
    ollama.switches.answer = "In 1887 [1]. And apples [2] and bees [3] and more [4]."
    page = await enter(open_page, guarded, "rita")
    turn = await ask(page, QUESTION)
    await wait_for_phase(turn, "done")
    named = await turn.locator(".source").all_inner_texts()
    assert named and all(LIGHTHOUSE in words for words in named)
    await page.locator("#show-documents").click()
    await expect(page.locator(".document-list li")).to_have_count(1)
    await expect(page.locator(".document-list li")).to_contain_text(LIGHTHOUSE)
    for missing in (".add-files", ".drop", ".into", ".document-list button:visible"):
        await expect(page.locator(missing)).to_have_count(0)


async def test_an_admin_adds_to_a_collection(open_page: OpenPage, guarded: Server, tmp_path: Path) -> None:
    page = await enter(open_page, guarded, "ada")
    await page.locator("#show-documents").click()
    rows = page.locator(".document-list li")
    await expect(rows.filter(has_text=LIGHTHOUSE)).to_contain_text(f"{BOARD} ·")
    await expect(rows.filter(has_text=HARVEST)).to_contain_text("general ·")
    await page.get_by_label("Into the collection").fill(BOARD)
    path = make_pdf(tmp_path / "minutes.pdf", ["The board met on the ferry and counted its votes twice."])
    async with page.expect_file_chooser() as chooser:
        await page.locator(".documents .add-files").click()
    await (await chooser.value).set_files(path)
    await expect(rows.filter(has_text="minutes.pdf")).to_contain_text(f"{BOARD} ·")


async def test_a_session_that_ends_during_an_answer(open_page: OpenPage, guarded: Server, ollama: FakeOllama) -> None:
    ollama.switches.answer, ollama.switches.token_delay_s = SLOW, 0.1
    page = await enter(open_page, guarded, "rita", allow_errors=True)
    turn = await ask(page, QUESTION)
    await expect(turn.locator(".answer")).to_contain_text("word word")
    other = await enter(open_page, guarded, "rita", "/profile")
    sessions = other.get_by_role("button", name="Log out there")
    await expect(sessions.first).to_be_visible()
    for left in reversed(range(await sessions.count())):
        await sessions.first.click()
        await expect(sessions).to_have_count(left)
    await expect(other.get_by_role("status").filter(has_text="That session has ended.")).to_be_visible()
    await page.locator("#question").fill("What I was about to ask")
    kept = page.url
    await page.locator("button.stop").click()
    await log_in(page, "rita")
    await expect(page).to_have_url(kept)
    await expect(page.locator("#question")).to_have_value("What I was about to ask")
    await wait_for_phase(page.locator("article.turn"), "stopped")
    await expect(page.locator("article.turn .answer")).to_contain_text("word word")


async def test_a_question_after_the_session_has_ended(open_page: OpenPage, guarded: Server, ollama: FakeOllama) -> None:
    ollama.switches.answer = "In 1887 [1]."
    page = await enter(open_page, guarded, "rita", allow_errors=True)
    await expect(page.locator(".example").first).to_be_visible()
    await page.context.clear_cookies()
    await page.locator("#question").fill(QUESTION)
    await page.keyboard.press("Enter")
    await log_in(page, "rita")
    turn = page.locator("article.turn")
    await expect(turn.get_by_role("alert")).to_contain_text("the question is kept")
    await turn.get_by_role("button", name="Retry").click()
    await wait_for_phase(turn, "done")
    await expect(turn.locator(".question")).to_contain_text(QUESTION)


async def test_another_name_and_another_password(open_page: OpenPage, guarded: Server) -> None:
    before = await enter(open_page, guarded, "eve", allow_errors=True)
    page = await enter(open_page, guarded, "eve", "/profile", allow_errors=True)
    name, password = card(page, "Name"), card(page, "Password")
    await name.get_by_label("Name that is shown").fill("Eve <b>")
    await name.get_by_label("Current password").fill(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Eve <b>")
    await expect(password).to_contain_text("A new password logs you out everywhere but here.")
    await password.get_by_label("New password").fill(OTHER)
    await password.get_by_label("Current password").fill("wrong")
    await page.keyboard.press("Enter")
    await expect(password.get_by_role("alert")).to_have_text("The current password is wrong.")
    await password.get_by_label("Current password").fill(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(password.get_by_role("status")).to_contain_text("You are logged out everywhere else.")
    await expect(card(page, "Where you are logged in").get_by_role("listitem")).to_have_count(1)
    await page.reload()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Eve <b>")
    await before.reload()
    await log_in(before, "eve")
    await expect(before.get_by_role("alert")).to_contain_text("wrong")
    await before.keyboard.type(OTHER)
    await before.keyboard.press("Enter")
    await expect(before.locator("#account")).to_contain_text("Eve <b>")


async def test_a_key_is_shown_once_and_opens_what_it_may(open_page: OpenPage, guarded: Server) -> None:
    page = await enter(open_page, guarded, "rita", "/profile")
    keys = card(page, "Keys for programs")
    await expect(keys.get_by_label("Manage users")).to_have_count(0)
    await keys.get_by_label("What it is for").fill("my script")
    await keys.get_by_label("Ask questions").uncheck()
    await keys.get_by_label("Read documents").check()
    await page.get_by_role("button", name="Make a key").click()
    key = await keys.locator("code").inner_text()
    await expect(keys.get_by_role("button", name="Copy")).to_be_visible()
    async with ClientSession(guarded.url, headers={"Authorization": f"Bearer {key}"}) as program:
        async with program.get("/documents") as answer:
            assert [one["name"] for one in (await answer.json())["documents"] if one["name"] != "minutes.pdf"] == [
                LIGHTHOUSE
            ]
        async with program.post("/", json={"prompt": QUESTION}) as answer:
            assert answer.status == 403
        await page.reload()
        await expect(keys.get_by_text("my script")).to_be_visible()
        assert key not in await page.content()
        await keys.get_by_role("button", name="Remove").click()
        await keys.get_by_role("button", name="Remove").click()
        await expect(keys.get_by_text("There are no keys.")).to_be_visible()
        async with program.get("/documents") as answer:
            assert answer.status == 401


async def test_two_users_of_one_browser(open_page: OpenPage, guarded: Server, ollama: FakeOllama) -> None:
    ollama.switches.answer = "In 1887 [1]."
    page = await enter(open_page, guarded, "rita")
    await wait_for_phase(await ask(page, QUESTION), "done")
    rows = page.locator(".sidebar-list li")
    await expect(rows).to_have_count(1)
    mine = page.url
    await page.locator("#account").click()
    await page.get_by_role("link", name="Profile").click()
    await card(page, "Log out").wait_for()
    await page.wait_for_load_state("networkidle")
    await card(page, "Log out").get_by_role("button", name="Log out").click()
    await expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    await page.go_back()
    await expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    assert QUESTION not in await page.content()
    await page.goto(f"{guarded.url}/login?next=/{mine.removeprefix(guarded.url)[1:].replace('#', '%23')}")
    await log_in(page, "otto")
    await expect(page.get_by_text("This conversation is not in this browser.")).to_be_visible()
    await expect(rows).to_have_count(0)
    assert QUESTION not in await page.content()
    await leave(page)
    await log_in(page, "rita")
    await page.locator("#question").wait_for()
    await expect(page.locator("#show-sidebar")).to_have_attribute("aria-expanded", "true")
    await expect(rows).to_have_count(1)
    tab = await page.context.new_page()
    await tab.goto(guarded.url)
    await tab.wait_for_load_state("networkidle")
    await leave(page, forget=True)
    await expect(tab.get_by_role("heading", name="Log in")).to_be_visible()
    assert await page.evaluate("Object.keys(localStorage).filter((key) => key.endsWith(':rita'))") == []
    await log_in(page, "rita")
    await page.locator("#question").wait_for()
    await page.locator("#show-sidebar").click()
    await expect(page.locator(".sidebar-none")).to_be_visible()


async def test_an_admin_looks_after_users(open_page: OpenPage, guarded: Server) -> None:
    page = await enter(open_page, guarded, "ada", "/profile", allow_errors=True)
    users = card(page, "Users")
    await users.get_by_text("Add somebody").click()
    await users.get_by_label("Name").fill("Zoë")
    await users.locator(".more").get_by_label("New password").fill(PASSWORD)
    await users.locator(".more").get_by_label("general").uncheck()
    await users.locator(".more").get_by_label("Other collections").fill("north, south")
    await users.get_by_role("button", name="Add", exact=True).click()
    row = users.locator(".rows > li").filter(has_text="zoë")
    await expect(row.locator("summary")).to_contain_text("Reader · north, south")
    await expect(users.get_by_text("zoë can log in now.")).to_be_visible()
    theirs = await enter(open_page, guarded, "zoë", "/profile", allow_errors=True)
    await expect(card(theirs, "Users")).to_have_count(0)
    await row.locator("summary").click()
    await row.get_by_label("south").uncheck()
    await row.get_by_label(BOARD).check()
    await row.get_by_role("button", name="Save").click()
    await expect(row.locator("summary")).to_contain_text("board, north")
    await row.locator("summary").click()
    await row.get_by_label("New password").fill(OTHER)
    await row.get_by_role("button", name="Set this password").click()
    await expect(users.get_by_text("zoë has a new password and is logged out.")).to_be_visible()
    await theirs.reload()
    await log_in(theirs, "zoë", OTHER)
    await expect(card(theirs, "Name")).to_be_visible()
    await row.locator("summary").click()
    await row.get_by_role("button", name="Remove the user").click()
    await row.get_by_role("button", name="Remove the user").click()
    await expect(row).to_have_count(0)
    await theirs.reload()
    await expect(theirs.get_by_role("heading", name="Log in")).to_be_visible()


@pytest.mark.parametrize("look", LOOKS)
async def test_everybody_can_use_these_pages(open_page: OpenPage, guarded: Server, axe: str, look: str) -> None:
    page = await open_page(guarded.url, path="/profile", ready="form", allow_errors=True, **LOOKS[look])
    await check(page, axe, "login")
    await page.locator("[autocomplete=username]").fill("ada")
    await page.locator("[autocomplete=current-password]").fill("wrong")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).not_to_be_empty()
    await check(page, axe, "login refused")
    assert not await find_overflow(page)
    await page.locator("[autocomplete=current-password]").fill(PASSWORD)
    await page.keyboard.press("Enter")
    await page.locator(".rows summary").first.click()
    await page.locator(".more summary").click()
    await page.locator("fieldset + .ways button").first.click()
    await expect(page.locator(".made code")).to_be_visible()
    await check(page, axe, "profile")
    assert not await find_overflow(page)
    await page.goto(guarded.url)
    await page.locator("#account").click()
    await expect(page.locator(".account")).to_be_visible()
    await check(page, axe, "account")
    assert not await find_overflow(page)


async def test_where_nobody_logs_in_nothing_changes(open_page: OpenPage, server: Server) -> None:
    page = await open_page(server.url)
    await page.locator("#show-documents").click()
    await expect(page.locator(".document-list li").first).to_be_visible()
    await expect(page.locator("#account")).to_have_count(0)
    loaded = await page.evaluate("performance.getEntriesByType('resource').map(({ name }) => name).join(' ')")
    assert "/js/ui/documents-list.js" in loaded
    assert not [part for part in ("/access/", "account.js", "documents-into.js") if part in loaded]
    assert "acervo" in await page.evaluate("indexedDB.databases().then((all) => all.map(({ name }) => name))")

"""Sources that are no PDFs in a real browser: their place has the right name, their text is shown and marked."""

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import expect

from database.formats import ENDINGS
from database.settings import ROOT
from tests import office
from tests.e2e.conftest import OpenPage
from tests.e2e.servers import Server, load_documents, run_server
from tests.e2e.test_access import axe as axe
from tests.e2e.test_access import check
from tests.e2e.test_asking import ask, wait_for_phase

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOSTILE = """<!doctype html><title>Visita</title><h1>Visita ao poço</h1>
<p>O poço da aldeia tem <b>nove</b> metros de fundo <img src=x onerror="document.title='taken'">e nunca secou.</p>
<p>&lt;script&gt;document.title = "taken"&lt;/script&gt; foi escrito na pedra do poço.</p>"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def office_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    base = tmp_path_factory.mktemp("office")
    (base / "pdf").mkdir()
    office.make_pptx(base / "pdf" / "vendas.pptx")
    office.make_docx(base / "pdf" / "contrato.docx")
    (base / "pdf" / "poco.html").write_text(HOSTILE)
    await load_documents(base / "data", base / "pdf")
    async with run_server(base / "data", base / "pdf", LLM="extractive") as running:
        yield running


async def test_a_slide_is_shown_with_its_passage_marked(open_page: OpenPage, office_server: Server, axe: str) -> None:
    page = await open_page(office_server.url)
    turn = await ask(page, "Quantos barris tem a adega Norte?")
    await wait_for_phase(turn, "done")
    source = turn.locator(".source").filter(has_text="vendas.pptx").filter(has_text="slide 2").first
    if not await source.is_visible():
        await turn.locator(".found summary").click()
    await source.click()
    panel = page.locator(".panel")
    text = panel.locator(".page-text")
    await expect(text.locator("th", has_text="Adega")).to_be_visible()
    await expect(text.locator("mark").filter(has_text="77").first).to_be_visible()
    await expect(panel.locator(".pager .page")).to_have_text("slide 2 / 3")
    await check(page, axe, "text of a slide")
    await panel.get_by_role("button", name="Previous page of the document").click()
    await expect(text).to_contain_text("As vendas cresceram 12%")
    await expect(text.locator("mark")).to_have_count(0)
    await expect(panel.locator(".pager .page")).to_have_text("slide 1 / 3")


async def test_text_of_a_web_page_does_nothing(open_page: OpenPage, office_server: Server) -> None:
    page = await open_page(office_server.url)
    turn = await ask(page, "Quantos metros tem o poço da aldeia?")
    await wait_for_phase(turn, "done")
    await turn.locator(".source").filter(has_text="poco.html").first.click()
    panel = page.locator(".panel")
    await expect(panel.locator(".page-text mark").first).to_contain_text("poço")
    await expect(panel.locator(".page-text")).to_contain_text("foi escrito na pedra")
    assert await page.title() != "taken" and await panel.locator("img, script").count() == 0
    link = await panel.get_by_role("link", name="Open the original").get_attribute("href")
    async with page.expect_download() as download:
        await panel.get_by_role("link", name="Open the original").click()
    assert link and (await download.value).suggested_filename == "poco.html"


async def test_files_are_picked_by_the_endings_that_folders_are_searched_for() -> None:
    source = (ROOT / "web/js/ui/files.js").read_text()
    (listed,) = re.findall(r'"(\.pdf [^"]+)"\.split', source)
    assert set(listed.split()) == ENDINGS

"""The page behind one address that two servers on one MongoDB answer in turn: each request goes to the other one."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.e2e.conftest import TIMEOUT_MS, OpenPage
from tests.e2e.servers import run_server
from tests.e2e.test_asking import ask, wait_for_phase
from tests.e2e.test_documents import READY_MS, entry, open_drawer, pick, transfer
from tests.fakes.balancer import Balancer
from tests.fakes.mongod import FakeMongod
from tests.fakes.ollama import FakeOllama
from tests.pdfs import make_pdf

pytestmark = pytest.mark.asyncio(loop_scope="session")
expect.set_options(timeout=TIMEOUT_MS)


@pytest_asyncio.fixture(loop_scope="session")
async def balancer(tmp_path: Path, fake_ollama: FakeOllama) -> AsyncIterator[Balancer]:
    """Each server has a disk of its own; the lighthouse is in no folder."""
    async with FakeMongod(lag_s=0.02, text_lag_s=0.02) as mongod:
        settings = {"MONGODB_URI": mongod.uri, "OLLAMA_HOST": fake_ollama.url, "TRUSTED_PROXIES": "127.0.0.1"}
        async with (
            run_server(tmp_path / "one", tmp_path / "pdf", **settings) as one,
            run_server(tmp_path / "other", tmp_path / "pdf", **settings) as other,
            Balancer([one.url, other.url]) as balancer,
        ):
            yield balancer


async def test_the_page_does_not_notice_that_there_are_two(
    open_page: OpenPage, balancer: Balancer, tmp_path: Path
) -> None:
    pears = make_pdf(tmp_path / "pears.pdf", ["Pears\n\nThe monks of Aldeia dried 4321 pears in the winter of 1788."])
    page = await open_page(balancer.url)
    await page.locator("#show-documents").click()
    await pick(page, [pears])
    await expect(transfer(page, "pears.pdf")).to_have_attribute("data-phase", "done", timeout=READY_MS)
    turn = await ask(page, "How many pears did the monks of Aldeia dry?")
    await wait_for_phase(turn, "done")
    await turn.locator(".source", has_text="pears.pdf").first.click()
    picture = page.locator(".panel img").first
    await expect(picture).to_be_visible()
    assert await picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 100
    await page.reload()
    await open_drawer(page)
    await entry(page, "pears.pdf").get_by_role("button", name="Delete").click()
    await expect(entry(page, "pears.pdf")).to_have_count(0)
    servers = {server for server, _ in balancer.passed}
    assert len(servers) == 2
    assert {server for server, path in balancer.passed if path.startswith("/js/")} == servers

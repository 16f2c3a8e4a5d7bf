"""One Chromium and one real server for all browser tests; every page is watched.

Whatever a test looks at, its page may not report an error, break the security policy or ask any
other host for anything: `open_page` checks that when the test ends.
"""

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, BrowserType, ConsoleMessage, Page, async_playwright

from database.settings import ROOT
from tests.e2e.servers import Server, load_documents, run_server
from tests.fakes.ollama import FakeOllama

CHROMIUM_ARGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
TIMEOUT_MS = 30_000
"""For each wait: generous, because the processors may be shared with other tests."""

OpenPage = Callable[..., Awaitable[Page]]


@dataclass
class Watch:
    """What the pages of one test did that a page may not do."""

    origin: str
    allow_errors: bool = False
    """For tests that make requests fail: the browser itself logs those."""
    faults: list[str] = field(default_factory=list)

    def follow(self, page: Page) -> None:
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.faults.append(f"uncaught: {error}"))
        page.on("request", lambda request: self._on_request(request.url))

    def _on_console(self, message: ConsoleMessage) -> None:
        failed_request = message.text.startswith("Failed to load resource")
        # A server that a test has stopped may be asked once more before the page is closed.
        allowed = failed_request and (self.allow_errors or "ERR_CONNECTION_REFUSED" in message.text)
        if message.type in ("error", "warning") and not allowed:
            self.faults.append(f"console: {message.text}")

    def _on_request(self, url: str) -> None:
        if not url.startswith(f"{self.origin}/"):
            self.faults.append(f"request to {url}")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """The browser of nearly all tests; in the locale "C" it could read no file whose name has an accent."""
    async with async_playwright() as playwright:
        browser = await launch(playwright.chromium, "C.UTF-8")
        yield browser
        await browser.close()


async def launch(chromium: BrowserType, locale: str) -> Browser:
    """The system's, with a fresh profile. Without one the tests are skipped, or in CI fail."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if not found:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("Chromium is not installed")
    env = {**os.environ, "LC_ALL": locale}
    return await chromium.launch(executable_path=found, args=CHROMIUM_ARGS, env=env)


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """DATA_DIR and PDF_DIR; the documents are the sample that ships with the project."""
    base = tmp_path_factory.mktemp("acervo")
    shutil.copytree(ROOT / "pdf", base / "pdf")
    return base / "data", base / "pdf"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def fake_ollama() -> AsyncIterator[FakeOllama]:
    """The model behind `server`. Tests set its switches; `ollama` gives it back as it was."""
    async with FakeOllama() as fake:
        yield fake


@pytest_asyncio.fixture(loop_scope="session")
async def ollama(fake_ollama: FakeOllama) -> AsyncIterator[FakeOllama]:
    before = dict(vars(fake_ollama.switches))
    yield fake_ollama
    for name, value in before.items():
        setattr(fake_ollama.switches, name, value)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def loaded(folders: tuple[Path, Path]) -> tuple[Path, Path]:
    """The same folders, once the loader has run."""
    await load_documents(*folders)
    return folders


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server(loaded: tuple[Path, Path], fake_ollama: FakeOllama) -> AsyncIterator[Server]:
    """The real server, with the sample loaded and a model that answers."""
    async with run_server(*loaded, OLLAMA_HOST=fake_ollama.url) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(chromium: Browser, request: pytest.FixtureRequest) -> AsyncIterator[OpenPage]:
    """`await open_page(url, allow_errors=…, **context options)`: a watched page in a fresh profile. `path` names
    another page than that of the chat, `ready` what stands in it once it is there, `browser` another one than ours."""
    contexts: list[BrowserContext] = []
    watches: list[Watch] = []

    async def open_one(
        url: str,
        *,
        path: str = "",
        ready: str = "#question",
        allow_errors: bool = False,
        browser: Browser = chromium,
        **options: Any,
    ) -> Page:
        context = await browser.new_context(
            **{"locale": "en-US", "viewport": {"width": 1280, "height": 800}, **options}
        )
        contexts.append(context)
        context.set_default_timeout(TIMEOUT_MS)
        watches.append(Watch(url, allow_errors))
        context.on("page", watches[-1].follow)
        page = await context.new_page()
        await page.goto(f"{url}{path}")
        await page.locator(ready).first.wait_for()
        return page

    yield open_one
    for context in contexts:
        await context.close()
    assert not [fault for watch in watches for fault in watch.faults]

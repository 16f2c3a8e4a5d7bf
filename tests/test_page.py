"""The page's files: what is served, how it is compressed and cached, and what is not served."""

import asyncio
import gzip
import json
import re
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession, DummyCookieJar, web
from aiohttp.typedefs import Handler
from blockbuster import BlockBuster
from yarl import URL

from app.errors import NotFound
from app.handlers.page import ENTRIES, LIBRARIES, OURS, STRIPPED, WEB_DIR, add_page_routes, load_files
from app.page_source import find_modules, strip_source
from app.security import SECURITY_HEADERS

MAX_PAGE_BYTES = 120_000


@web.middleware
async def as_404(request: web.Request, handler: Handler) -> web.StreamResponse:
    """What the server's own middleware does with this error."""
    try:
        return await handler(request)
    except NotFound as error:
        return web.json_response({"error": str(error)}, status=error.status)


@pytest.fixture
async def base() -> AsyncIterator[URL]:
    app = web.Application(middlewares=[as_404])
    add_page_routes(app)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield URL(f"http://127.0.0.1:{runner.addresses[0][1]}")
    await runner.cleanup()


@pytest.fixture
async def client(base: URL) -> AsyncIterator[ClientSession]:
    async with ClientSession(base, auto_decompress=False, cookie_jar=DummyCookieJar()) as session:
        yield session


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/", "text/html"),
        ("/app.css", "text/css"),
        ("/favicon.svg", "image/svg+xml"),
        ("/js/app.js", "text/javascript"),
        ("/js/i18n/pt-BR.js", "text/javascript"),
        ("/login", "text/html"),
        ("/access/access.css", "text/css"),
        ("/access/i18n/pt-BR.js", "text/javascript"),
    ],
)
async def test_serves_each_kind_of_file(client: ClientSession, path: str, content_type: str) -> None:
    async with client.get(path) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == f"{content_type}; charset=utf-8"
        assert response.headers["Cache-Control"] == "no-cache"
        file = WEB_DIR / {"/": "index.html", "/login": "access/login.html"}.get(path, path.removeprefix("/"))
        source = file.read_text(encoding="utf-8")
        expected = strip_source(source) if file.suffix in STRIPPED else source
        body = gzip.decompress(await response.read()).decode()
        assert re.sub(r'<link rel="modulepreload" href="/(?:js|access)/[^"]+" />\n', "", body) == expected


def test_the_page_asks_for_all_its_modules_at_once() -> None:
    files = load_files()
    named = set(re.findall(r'rel="modulepreload" href="([^"]+)"', files["/"].body.decode()))
    assert {"/js/store.js", "/js/ui/composer.js", "/js/api/ndjson.js", "/js/i18n/index.js"} <= named <= files.keys()
    assert "/js/app.js" not in named and not {f"/js/i18n/{tag}.js" for tag in ("en", "fr")} & named


def test_modules_are_found_however_they_import_each_other() -> None:
    sources = {
        "/js/app.js": 'import { a } from "./a.js";\nimport "./ui/b.js";\nconst c = import("./c.js");',
        "/js/a.js": 'import {\n  one,\n  two,\n} from "./ui/b.js";\nexport { d } from "./d.js";',
        "/js/ui/b.js": 'import * as a from "../a.js";\nconst text = `import { x } from "./no.js";`;',
        "/js/d.js": "",
    }
    assert sorted(find_modules("/js/app.js", sources)) == ["/js/a.js", "/js/d.js", "/js/ui/b.js"]


def test_where_nobody_logs_in_nothing_about_logins_is_fetched() -> None:
    html = load_files()["/"].body.decode()
    assert "/js/ui/account.js" not in html and "/access/" not in html


async def test_sends_plain_bytes_to_who_cannot_decompress(client: ClientSession) -> None:
    async with client.get("/app.css", headers={"Accept-Encoding": "identity"}) as response:
        assert "Content-Encoding" not in response.headers
        assert await response.text() == strip_source((WEB_DIR / "app.css").read_text(encoding="utf-8"))


async def test_an_unchanged_file_is_not_sent_again(client: ClientSession) -> None:
    async with client.get("/js/app.js") as first:
        etag = first.headers["ETag"]
    async with client.get("/js/app.js", headers={"If-None-Match": f'"other", {etag}'}) as again:
        assert again.status == 304
        assert await again.read() == b""
        assert again.headers["ETag"] == etag
    async with client.get("/js/app.js", headers={"If-None-Match": '"other"'}) as changed:
        assert changed.status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/js/../index.html",
        "/js/%2e%2e/%2e%2e/pyproject.toml",
        "/js/..%2f..%2fpyproject.toml",
        "/js//etc/passwd",
        "/js/",
        "/js/ui",
        "/js/app.js%00",
        "/lib/../package.json",
        "/lib/marked/package.json",
        "/package.json",
        "/node_modules/marked/package.json",
    ],
)
async def test_nothing_else_is_served(base: URL, path: str) -> None:
    # A raw request line: clients tidy such paths up before they send them.
    reader, writer = await asyncio.open_connection(base.host, base.port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    assert answer.split(b" ", 2)[1] in (b"404", b"400"), answer[:300]


async def test_requests_touch_no_disk(client: ClientSession, base: URL) -> None:
    guard = BlockBuster()
    guard.activate()
    try:
        async with client.get("/") as response:
            assert response.status == 200
    finally:
        guard.deactivate()


def test_every_module_that_is_imported_is_served() -> None:
    files = load_files()
    for address, file in files.items():
        if not address.startswith(("/js/", "/access/")):
            continue
        for target in re.findall(rb'from "([./][^"]+)"', file.body):
            wanted = URL(f"http://page{address}").join(URL(target.decode())).path
            assert wanted in files, f"{address} imports {wanted}"
    html = "".join(files[page].body.decode() for page in ENTRIES)
    for wanted in re.findall(r'(?:src|href)="(/[^"]+)"', html):
        assert wanted in files or wanted in LIBRARIES, wanted


def test_comments_and_indentation_stay_behind() -> None:
    head = "a = 1; // kept\n\n/** For\n * people. */\n"
    source = head + 'if (a) {\n  // why\n  b("/* text */");\n}\n/* one */ c();\n/* two */\n'
    assert strip_source(source) == 'a = 1; // kept\nif (a) {\nb("/* text */");\n}\n/* one */ c();\n'


def test_no_text_of_the_page_spans_lines() -> None:
    for path in (path for folder in OURS for path in (WEB_DIR / folder).rglob("*.js")):
        code = strip_source(path.read_text(encoding="utf-8"))
        odd = [line for line in code.splitlines() if line.count("`") % 2 and ".replace(/" not in line]
        assert not odd, path


def test_the_whole_page_is_small() -> None:
    """Everything that a visit can fetch, libraries included: of the languages, one. Others are pages of their own."""
    others = ("/docs", "/access/", "/login", "/profile")
    files = {address: file for address, file in load_files().items() if not address.startswith(others)}
    assert set(LIBRARIES) < set(files)
    sizes = {address: len(file.gzipped) for address, file in files.items()}
    words = [size for address, size in sizes.items() if re.fullmatch(r"/js/i18n/[a-z]{2}(-[A-Z]{2})?\.js", address)]
    assert len(words) > 1
    assert sum(sizes.values()) - sum(words) + max(words) < MAX_PAGE_BYTES


def test_the_page_is_complete_without_libraries(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("web")
    (folder / "js").mkdir()
    (folder / "index.html").write_text("<!doctype html>")
    assert set(load_files(folder)) == {"/"}


def test_the_lock_names_no_registry() -> None:
    lock = json.loads((WEB_DIR / "package-lock.json").read_text(encoding="utf-8"))
    manifest = json.loads((WEB_DIR / "package.json").read_text(encoding="utf-8"))
    assert "://" not in json.dumps({name: package.get("resolved", "") for name, package in lock["packages"].items()})
    assert lock["packages"][""]["dependencies"] == manifest["dependencies"]
    libraries = [package for name, package in lock["packages"].items() if name]
    assert libraries
    assert all(package["integrity"].startswith("sha512-") for package in libraries)


def test_the_policy_allows_nothing_inline_and_no_other_host() -> None:
    policy = dict(part.split(" ", 1) for part in SECURITY_HEADERS["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert policy["trusted-types"] == "dompurify"
    assert not re.search(r"unsafe|https?:|\*|data:|blob:", SECURITY_HEADERS["Content-Security-Policy"])
    pages = (WEB_DIR / "index.html", *(WEB_DIR / "access").glob("*.html"))
    html = "".join(page.read_text(encoding="utf-8") for page in pages)
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|https?://", html)

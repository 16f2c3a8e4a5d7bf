"""Serves the chat page, `/login` and `/profile`, and `/docs` with the interface for people: a fixed table of files,
read and compressed once when the server starts.

Nothing outside the table can be asked for, so there is no path to check. Libraries that are not
installed are left out of it; the page then shows answers as plain text.
"""

import asyncio
import gzip
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from aiohttp import ETag, hdrs, web

from app.errors import NotFound
from app.page_source import add_preloads, find_modules, strip_source
from database.settings import ROOT

WEB_DIR = ROOT / "web"

LIBRARIES: Mapping[str, str] = {
    "/lib/marked.js": "marked/lib/marked.esm.js",
    "/lib/dompurify.js": "dompurify/dist/purify.min.js",
}
"""Address → file below `web/node_modules`."""

CONTENT_TYPES: Mapping[str, str] = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".svg": "image/svg+xml",
}

ENTRIES: Mapping[str, str] = {"/": "/js/app.js", "/login": "/access/login.js", "/profile": "/access/profile.js"}
"""Page → the module that it begins with."""
FOLDERS = ("css", "js", "lib", "docs", "access")
OURS = ("css", "js", "access")
STRIPPED = (".js", ".css")
"""Of our own files; libraries come minified."""


@dataclass(frozen=True, slots=True)
class PageFile:
    """One file as it goes out: plain, gzipped, and the hash that names this version of it."""

    body: bytes
    gzipped: bytes
    content_type: str
    etag: str


FILES = web.AppKey("page_files", Mapping[str, PageFile])


def add_page_routes(app: web.Application) -> None:
    """Serve the page at `/` and its files beside it. They are read when the server starts."""
    app.on_startup.append(_load_at_startup)
    for path in (*ENTRIES, "/docs", "/app.css", "/favicon.svg", *(f"/{folder}/{{name:.+}}" for folder in FOLDERS)):
        app.router.add_get(path, serve_file)


async def serve_file(request: web.Request) -> web.Response:
    """One file of the table, 304 when the browser has it; raises `NotFound` for any other path."""
    file = request.app[FILES].get(request.path)
    if file is None:
        raise NotFound(f"There is no {request.path} here.")
    response = web.Response(headers={hdrs.CACHE_CONTROL: "no-cache", hdrs.VARY: hdrs.ACCEPT_ENCODING})
    # Weak, because the plain and the gzipped bytes share it.
    response.etag = ETag(value=file.etag, is_weak=True)
    if any(known.value in (file.etag, "*") for known in request.if_none_match or ()):
        response.set_status(304)
        return response
    _write_body(request, response, file)
    return response


def load_files(folder: Path = WEB_DIR) -> Mapping[str, PageFile]:
    """Read and compress the page's files below `folder`: address → file. Blocks; small."""
    bodies = {address: _read(path) for address, path in _list_files(folder) if path.is_file()}
    sources = {address: body.decode() for address, body in bodies.items() if address.endswith(".js")}
    for page, entry in ENTRIES.items():
        if page in bodies:
            bodies[page] = add_preloads(bodies[page].decode(), find_modules(entry, sources)).encode()
    return {address: _make_file(address, body) for address, body in bodies.items()}


async def _load_at_startup(app: web.Application) -> None:
    app[FILES] = await asyncio.to_thread(load_files)


def _list_files(folder: Path) -> Iterator[tuple[str, Path]]:
    yield "/", folder / "index.html"
    yield "/app.css", folder / "app.css"
    yield "/favicon.svg", folder / "favicon.svg"
    for page in ("login", "profile"):
        yield f"/{page}", folder / "access" / f"{page}.html"
    for path in sorted(path for name in OURS for path in (folder / name).rglob("*") if path.suffix in STRIPPED):
        yield f"/{path.relative_to(folder).as_posix()}", path
    yield "/docs", folder / "docs" / "index.html"
    for name in ("docs.css", "docs.js"):
        yield f"/docs/{name}", folder / "docs" / name
    for address, library in LIBRARIES.items():
        yield address, folder / "node_modules" / library


def _read(path: Path) -> bytes:
    body = path.read_bytes()
    ours = path.suffix in STRIPPED and "node_modules" not in path.parts
    return strip_source(body.decode()).encode() if ours else body


def _make_file(address: str, body: bytes) -> PageFile:
    return PageFile(
        body=body,
        gzipped=gzip.compress(body, compresslevel=9, mtime=0),
        content_type=CONTENT_TYPES[PurePosixPath(address).suffix or ".html"],
        etag=hashlib.sha256(body).hexdigest()[:32],
    )


def _write_body(request: web.Request, response: web.Response, file: PageFile) -> None:
    response.content_type = file.content_type
    response.charset = "utf-8"
    response.body = file.body
    if "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, "").lower():
        response.body = file.gzipped
        response.headers[hdrs.CONTENT_ENCODING] = "gzip"

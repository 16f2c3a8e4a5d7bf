"""`GET /documents`, the original file, and images of its pages."""

import asyncio
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aiohttp import hdrs, web

from app.access.visible import visible_document, visible_documents
from app.errors import BadRequest, NoSuchPart, NotFound
from app.keys import ENGINE, IMAGES
from app.library import OWN
from app.pages import no_page
from database.documents import WEB, Box, Document
from database.formats import FORMATS, media_type_of

DEFAULT_ZOOM = 1.5
MAX_HIGHLIGHTED = 50
KEPT_BY_BROWSERS = {hdrs.CACHE_CONTROL: "private, max-age=3600", hdrs.VARY: "Cookie, Authorization"}
"""Of pictures: whoever logs in next at the same browser does not get them from there."""


async def list_documents(request: web.Request) -> web.Response:
    """Every visible document, by name."""
    documents = await visible_documents(request)
    return web.json_response({"documents": [describe(d) for d in sorted(documents, key=lambda d: d.name.lower())]})


async def list_collections(request: web.Request) -> web.Response:
    """The collections with visible documents, by name, and how many each has."""
    held = Counter(name for document in await visible_documents(request) for name in document.collections)
    listed = [{"name": name, "documents": number} for name, number in sorted(held.items())]
    return web.json_response({"collections": listed})


def describe(document: Document) -> dict[str, Any]:
    """A document as the page shows it."""
    return {
        "id": document.id,
        "name": document.name,
        "collection": document.collection,
        "title": document.title,
        "language": document.language,
        "pages": document.page_count,
        "chunks": document.chunk_count,
        "windows": document.window_count,
        "size": document.size,
        "state": document.state,
        "reason": document.reason,
        "notes": list(document.notes),
        "added_at": document.added_at,
        "origin": _name_origin(document),
        "url": document.url,
        "format": document.format,
        "unit": FORMATS[document.format].unit,
    }


def _name_origin(document: Document) -> str:
    roots = {name.root for name in document.names}
    if not roots <= OWN:
        return "folder"
    return "web" if WEB in roots else "upload"


async def get_file(request: web.Request) -> web.StreamResponse:
    """The original: PDFs and pictures to be shown in the browser, all else to be saved."""
    document = await visible_document(request, request.match_info["id"])
    original = await _find_original(request, document)
    _check_range(request, document.size)
    response = web.FileResponse(original)
    response.content_type = media_type_of(original.suffix)
    shown = "inline" if FORMATS[document.format].drawn else "attachment"
    # RFC 8187: a percent-encoded plain filename would be taken at its word by some browsers.
    name = quote(document.name, safe="", errors="replace")
    response.headers[hdrs.CONTENT_DISPOSITION] = f"{shown}; filename*=UTF-8''{name}"
    response.headers[hdrs.CACHE_CONTROL] = "private, no-cache"
    return response


async def get_page_image(request: web.Request) -> web.Response:
    """A page as PNG; each `highlight` names a chunk of it, `zoom` is 1 for 72 dots an inch."""
    document = await visible_document(request, request.match_info["id"])
    number = int(request.match_info["number"])
    if not 1 <= number <= document.page_count:
        raise no_page(document, number)
    if not FORMATS[document.format].drawn:
        raise NotFound(f"Of {document.name} there are no pictures; ask for its text without .png.")
    zoom = _read_zoom(request.query.get("zoom", ""))
    boxes = await _find_boxes(request, document, number)
    image = await request.app[IMAGES].draw(await _find_original(request, document), number, boxes, zoom)
    # The address names the bytes of the document, so what it shows only changes with the chunks.
    return web.Response(body=image, content_type="image/png", headers=KEPT_BY_BROWSERS)


def _check_range(request: web.Request, size: int) -> None:
    """Refuse what the file's own response would refuse without a word."""
    try:
        asked = request.http_range
    except ValueError:
        raise NoSuchPart("Range is not understood; send one such as bytes=0-99.") from None
    if asked.start is not None and asked.start >= size:
        raise NoSuchPart(f"The file has {size} bytes; there is none from {asked.start} on.")


def _read_zoom(text: str) -> float:
    try:
        zoom = float(text) if text else DEFAULT_ZOOM
    except ValueError:
        zoom = math.nan
    if not math.isfinite(zoom) or zoom <= 0:
        raise BadRequest(f"zoom={text!r} is no size; give a number such as 1.5.")
    return zoom


async def _find_original(request: web.Request, document: Document) -> Path:
    path = await request.app[ENGINE].originals.find(document.id)
    if not await asyncio.to_thread(path.is_file):
        raise NotFound(f"The original of {document.name} is not on this machine; load it again with `make load`.")
    return path


def read_highlighted(request: web.Request) -> list[str]:
    """The chunks that are to be marked."""
    return [chunk_id for chunk_id in request.query.getall("highlight", [])[:MAX_HIGHLIGHTED] if chunk_id]


async def _find_boxes(request: web.Request, document: Document, number: int) -> Sequence[Box]:
    """The rectangles of the chunks to highlight; none when the index has been made anew since."""
    chunk_ids = read_highlighted(request)
    chunks = await request.app[ENGINE].store.get_chunks(chunk_ids) if chunk_ids else []
    return [box for c in chunks if (c.document_id, c.page) == (document.id, number) for box in c.boxes]

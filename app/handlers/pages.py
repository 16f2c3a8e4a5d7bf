"""`GET /documents/{id}/pages/{number}`: the text of a page, where there is no picture to look at, and for programs."""

from aiohttp import web

from app.access.visible import visible_document
from app.handlers.documents import KEPT_BY_BROWSERS, read_highlighted
from app.keys import ENGINE
from app.pages import read_page


async def get_page(request: web.Request) -> web.Response:
    """The page's Markdown; each `highlight` names a chunk of it, whose place is told."""
    document = await visible_document(request, request.match_info["id"])
    number = int(request.match_info["number"])
    page = await read_page(request.app[ENGINE].store, document, number, read_highlighted(request))
    return web.json_response(page.describe(), headers=KEPT_BY_BROWSERS)

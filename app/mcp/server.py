"""What a client finds: the tools of the desk, and pages as resources.

https://modelcontextprotocol.io
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError

from app.engine import Engine
from app.mcp.desk import Desk, told
from app.settings import ServerSettings

INSTRUCTIONS = """Acervo holds the user's own documents. `search` finds passages in them, `ask` answers a question with
numbered citations, `list_documents` tells what there is, `read_page` gives a whole page. Cite document and page."""


def make_server(desk: Desk) -> MCPServer[None]:
    """The tools and resources of `desk`."""
    server: MCPServer[None] = MCPServer("acervo", instructions=INSTRUCTIONS, log_level="WARNING")
    for tool in (desk.search, desk.ask, desk.list_documents, desk.read_page):
        server.add_tool(tool)

    @server.resource("acervo://documents", name="documents", mime_type="application/json")
    async def list_all() -> str:
        """The documents, as `list_documents` tells them."""
        with told(ResourceError):
            return (await desk.list_documents()).model_dump_json()

    @server.resource("acervo://documents/{document}/pages/{page}", name="page", mime_type="text/markdown")
    async def read_one(document: str, page: int) -> str:
        """A page of a document, by the document's id."""
        with told(ResourceNotFoundError):
            return (await desk.find_page(document, page)).text

    return server


async def serve(settings: ServerSettings) -> None:
    """Speak MCP on standard input and output until input ends; other output goes to standard error."""
    async with _warming(Engine(settings)) as engine:
        await make_server(Desk(engine, settings)).run_stdio_async()


@asynccontextmanager
async def _warming(engine: Engine) -> AsyncIterator[Engine]:
    """The engine, which opens its parts while the client still thinks."""
    warming = asyncio.create_task(engine.warm_up())
    try:
        yield engine
    finally:
        warming.cancel()
        with suppress(asyncio.CancelledError):
            await warming
        await engine.aclose()

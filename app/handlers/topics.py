"""`GET /topics`: what a person could ask first."""

from dataclasses import asdict

from aiohttp import web

from app.keys import ENGINE, TOPICS
from app.topics import find_topics

LIMIT = 3


async def list_topics(request: web.Request) -> web.Response:
    """Headings about which the loaded documents can be asked; looked for again when documents change."""
    engine, known = request.app[ENGINE], request.app[TOPICS]
    retriever = await engine.retriever()
    documents = [d for d in await engine.store.list_documents() if d.searchable]
    key = frozenset((d.id, d.version) for d in documents)
    if key not in known:
        topics = [asdict(topic) for topic in await find_topics(retriever, documents, LIMIT)]
        known.clear()
        known[key] = topics
    return web.json_response({"topics": known[key]})

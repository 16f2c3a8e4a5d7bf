"""`GET /topics`: what a person could ask first."""

from dataclasses import asdict

from aiohttp import web

from app.access.principal import get_principal
from app.access.visible import visible_documents
from app.keys import ENGINE, TOPICS
from app.topics import find_topics

LIMIT = 3
KEPT = 50
"""Answers: people who see other collections have other topics."""


async def list_topics(request: web.Request) -> web.Response:
    """Headings about which the loaded documents can be asked; looked for again when documents change."""
    engine, known = request.app[ENGINE], request.app[TOPICS]
    retriever = await engine.retriever()
    collections = get_principal(request).collections
    documents = [d for d in await visible_documents(request) if d.searchable]
    key = collections, frozenset((d.id, d.version, d.name) for d in documents)
    if key not in known:
        topics = [asdict(topic) for topic in await find_topics(retriever, documents, LIMIT, collections)]
        while len(known) >= KEPT:
            known.pop(next(iter(known)), None)
        known[key] = topics
    return web.json_response({"topics": known[key]})

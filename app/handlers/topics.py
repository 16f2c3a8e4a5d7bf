"""`GET /topics`: what a person could ask first."""

from dataclasses import asdict

from aiohttp import web

from app.access.principal import get_principal
from app.access.visible import visible_documents
from app.errors import BadRequest
from app.keys import ENGINE, TOPICS
from app.topics import find_topics
from database.analysis import STEMMERS

LIMIT = 3
KEPT = 50
"""Answers: people who see other collections have other topics."""


async def list_topics(request: web.Request) -> web.Response:
    """Headings about which the loaded documents can be asked; looked for again when documents change."""
    engine, known = request.app[ENGINE], request.app[TOPICS]
    retriever = await engine.retriever()
    collections, language = get_principal(request).collections, _read_language(request)
    documents = [d for d in await visible_documents(request) if d.searchable]
    key = collections, language, frozenset((d.id, d.version, d.name) for d in documents)
    if key not in known:
        topics = [asdict(topic) for topic in await find_topics(retriever, documents, LIMIT, collections, language)]
        while len(known) >= KEPT:
            known.pop(next(iter(known)), None)
        known[key] = topics
    return web.json_response({"topics": known[key]})


def _read_language(request: web.Request) -> str:
    language = request.query.get("language", "")
    if language and language not in STEMMERS:
        raise BadRequest(f"language={language!r} is none of {', '.join(STEMMERS)}.")
    return language

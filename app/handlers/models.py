"""`GET /models`: what a question may name as its `model`."""

from dataclasses import asdict

from aiohttp import web

from app.keys import ENGINE


async def list_models(request: web.Request) -> web.Response:
    """Ollama's installed models, Gemini with a key, and extracts; each with where it runs and its state."""
    offers = await request.app[ENGINE].models.offers()
    return web.json_response({"models": [asdict(offer) for offer in offers]})

"""Puts the server together: keys, what lives as long as it, middlewares, routes."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import aiohttp_cors
from aiohttp import web

from app.access.gate import Gate
from app.access.policy import check_policy
from app.engine import Engine
from app.following import Follower
from app.handlers import (
    answering,
    chat,
    documents,
    feedback,
    health,
    jobs,
    login,
    me,
    metrics,
    models,
    ollama_api,
    openapi,
    pages,
    topics,
    uploads,
    users,
    v1,
)
from app.handlers.page import add_page_routes
from app.images import PageImages
from app.keys import (
    ANSWERS,
    EMBEDDING,
    ENGINE,
    FOLLOWER,
    GATE,
    IMAGES,
    LIBRARY,
    METRICS,
    QUEUE,
    SETTINGS,
    SNAPSHOT,
    STOPPING,
    TOPICS,
    UPLOADS,
)
from app.library import Library
from app.llms.kept import Kept
from app.metrics import Metrics
from app.middlewares import setup_middlewares
from app.queue import Queue
from app.settings import ServerSettings
from app.sweeping import sweep_for_ever
from app.uploads import drop_partial
from database.files import drop_leftovers

log = logging.getLogger(__name__)


def make_app(settings: ServerSettings, *, gemini_channel: Any = None) -> web.Application:
    """The application; nothing is opened before it starts. `gemini_channel` is an open gRPC channel to
    use in place of the one to Google."""
    app = web.Application(client_max_size=settings.max_body_kb * 1024)
    app[SETTINGS] = settings
    app[ANSWERS] = set()
    app[UPLOADS] = set()
    app[TOPICS] = {}
    app[STOPPING] = asyncio.Event()
    app[EMBEDDING] = asyncio.Semaphore(1)
    app[IMAGES] = PageImages(settings)
    app[METRICS] = Metrics()
    app[SNAPSHOT] = Kept(lambda: metrics.take_snapshot(app))
    setup_middlewares(app)
    add_routes(app)
    allow_origins(app, settings)
    check_policy(app)
    app.cleanup_ctx.append(lambda app: run_engine(app, gemini_channel))
    app.cleanup_ctx.append(run_queue)
    app.on_shutdown.append(answering.stop_answers)
    return app


def add_routes(app: web.Application) -> None:
    """Every address of the server."""
    app.router.add_post("/", chat.post_root)
    app.router.add_post("/gemini", chat.post_gemini)
    add_foreign_routes(app)
    app.router.add_get("/health", health.get_health)
    app.router.add_get("/ready", health.get_ready)
    add_access_routes(app)
    app.router.add_get("/metrics", metrics.get_metrics)
    app.router.add_get("/models", models.list_models)
    app.router.add_get("/topics", topics.list_topics)
    app.router.add_get("/feedback", feedback.get_feedback)
    app.router.add_post("/feedback", feedback.post_feedback)
    app.router.add_get("/collections", documents.list_collections)
    app.router.add_get("/documents", documents.list_documents)
    app.router.add_post("/documents", uploads.post_documents)
    app.router.add_delete(r"/documents/{id:[0-9a-f]{64}}", uploads.delete_document)
    app.router.add_post(r"/documents/{id:[0-9a-f]{64}}/restore", uploads.restore_document)
    app.router.add_get("/jobs", jobs.list_jobs)
    app.router.add_get(r"/jobs/{id:\w{1,64}}", jobs.follow_job)
    app.router.add_delete(r"/jobs/{id:\w{1,64}}", jobs.delete_job)
    app.router.add_post(r"/jobs/{id:\w{1,64}}/retry", jobs.retry_job)
    app.router.add_get(r"/documents/{id:[0-9a-f]{64}}/file", documents.get_file)
    app.router.add_get(r"/documents/{id:[0-9a-f]{64}}/pages/{number:\d{1,6}}.png", documents.get_page_image)
    app.router.add_get(r"/documents/{id:[0-9a-f]{64}}/pages/{number:\d{1,6}}", pages.get_page)
    app.router.add_get("/openapi.json", openapi.get_openapi)
    add_page_routes(app)


def add_foreign_routes(app: web.Application) -> None:
    """What clients of OpenAI's and of Ollama's interface look for."""
    app.router.add_get("/v1/models", v1.list_models)
    app.router.add_get(r"/v1/models/{name:.{1,210}}", v1.get_model)
    app.router.add_post("/v1/chat/completions", v1.post_chat)
    app.router.add_post("/v1/embeddings", v1.post_embeddings)
    app.router.add_get("/api/version", ollama_api.get_version)
    app.router.add_get("/api/tags", ollama_api.list_models)
    app.router.add_post("/api/show", ollama_api.show_model)
    app.router.add_post("/api/chat", ollama_api.post_chat)
    app.router.add_post("/api/generate", ollama_api.post_generate)
    app.router.add_post("/api/embed", ollama_api.post_embed)
    app.router.add_post("/api/embeddings", ollama_api.post_embeddings)


def add_access_routes(app: web.Application) -> None:
    """What lets people in, and what they see of themselves."""
    app.router.add_post("/login", login.post_login)
    app.router.add_post("/logout", login.post_logout)
    app.router.add_get("/me", me.get_me)
    app.router.add_patch("/me", me.patch_me)
    app.router.add_get("/me/keys", me.list_keys)
    app.router.add_post("/me/keys", me.post_key)
    app.router.add_delete(r"/me/keys/{id:\w{1,64}}", me.delete_key)
    app.router.add_get("/me/sessions", me.list_sessions)
    app.router.add_delete(r"/me/sessions/{id:[0-9a-f]{64}}", me.delete_session)
    app.router.add_get("/users", users.list_users)
    app.router.add_post("/users", users.post_user)
    app.router.add_patch(r"/users/{name:[^/]{1,200}}", users.patch_user)
    app.router.add_delete(r"/users/{name:[^/]{1,200}}", users.delete_user)


def allow_origins(app: web.Application, settings: ServerSettings) -> None:
    """Let pages of CORS_ORIGINS read the answers of the two chat routes."""
    options = aiohttp_cors.ResourceOptions(  # type: ignore[no-untyped-call]
        allow_headers=("Content-Type", "Authorization"), allow_methods=("POST", "GET")
    )
    cors = aiohttp_cors.setup(app, defaults={origin: options for origin in settings.origins})
    for resource in list(app.router.resources()):
        if resource.canonical in ("/", "/gemini"):
            for route in list(resource):
                if route.method != "HEAD":
                    cors.add(route)


async def run_engine(app: web.Application, gemini_channel: Any) -> AsyncIterator[None]:
    """The engine, for as long as the server runs."""
    app[ENGINE] = engine = Engine(app[SETTINGS], gemini_channel=gemini_channel)
    app[GATE] = Gate(app[SETTINGS], engine.store, engine.open_store)
    # In the background: a store that is away must not keep the server from telling so.
    warming = asyncio.create_task(engine.warm_up())
    yield
    warming.cancel()
    await asyncio.gather(warming, return_exceptions=True)
    await engine.aclose()


async def run_queue(app: web.Application) -> AsyncIterator[None]:
    """What works through uploads and deletions, for as long as the server runs."""
    settings = app[SETTINGS]
    await asyncio.to_thread(drop_partial, settings.data_dir)
    await asyncio.to_thread(drop_leftovers, settings.data_dir)
    # In a thread: it reads the versions of installed packages from disk.
    app[LIBRARY] = library = await asyncio.to_thread(Library, settings, app[ENGINE])
    app[QUEUE] = queue = Queue(library, is_busy=lambda: bool(app[ANSWERS]))
    library.wake, library.stop_job = queue.wake, queue.stop_job
    app[FOLLOWER] = follower = Follower(library, queue.change) if settings.watch else None
    working = [asyncio.create_task(worker.run()) for worker in (queue, follower) if worker]
    if library.store.files is not None:
        working.append(asyncio.create_task(sweep_for_ever(library)))
    for work in working:
        work.add_done_callback(_tell_end)
    yield
    for work in working:
        work.cancel()
    await asyncio.gather(*working, return_exceptions=True)


def _tell_end(working: "asyncio.Task[None]") -> None:
    if not working.cancelled() and (error := working.exception()) is not None:
        log.error("The queue of files, or what follows PDF_DIR, has ended; start the server again", exc_info=error)

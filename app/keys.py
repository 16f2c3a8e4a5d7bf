"""What handlers find in the application, by typed keys."""

import asyncio
from typing import Any

from aiohttp import web

from app.access.gate import Gate
from app.access.principal import PRINCIPAL as PRINCIPAL
from app.engine import Engine
from app.following import Follower
from app.images import PageImages
from app.library import Library
from app.llms.kept import Kept
from app.metrics import Metrics, Snapshot
from app.queue import Queue
from app.settings import ServerSettings

GATE = web.AppKey("gate", Gate)
"""What decides who asks."""
SETTINGS = web.AppKey("settings", ServerSettings)
ENGINE = web.AppKey("engine", Engine)
LIBRARY = web.AppKey("library", Library)
QUEUE = web.AppKey("queue", Queue)
FOLLOWER: web.AppKey[Follower | None] = web.AppKey("follower", Follower)
"""What follows PDF_DIR; None where nothing does."""
EMBEDDING = web.AppKey("embedding", asyncio.Semaphore)
"""Held by who has a batch of texts embedded: such work is done in turn, so that questions do not wait for all of it."""
UPLOADS: web.AppKey[set[asyncio.Task[Any]]] = web.AppKey("uploads", set)
"""The tasks that receive files now."""
IMAGES = web.AppKey("images", PageImages)
ANSWERS: web.AppKey[set[asyncio.Task[Any]]] = web.AppKey("answers", set)
"""The tasks that stream answers now."""
TOPICS: web.AppKey[dict[Any, list[dict[str, Any]]]] = web.AppKey("topics", dict)
"""What was found for `GET /topics`, by the collections and documents in which it was looked for."""
METRICS = web.AppKey("metrics", Metrics)
SNAPSHOT: web.AppKey[Kept[Snapshot]] = web.AppKey("snapshot", Kept)
"""What `GET /metrics` has to ask for."""
STOPPING = web.AppKey("stopping", asyncio.Event)
"""Set when the server is told to stop."""

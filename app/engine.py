"""What answers need, opened once: store, embedder, models, retriever."""

import asyncio
import importlib
import logging
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any, Literal

from app.events import Service
from app.llms.extractive import ExtractiveLLM
from app.llms.factory import Models, Route
from app.llms.nothing import NothingFound
from app.llms.ollama import describe_service
from app.llms.plan import Plan
from app.opening import Opening
from app.settings import ServerSettings
from database.analysis import detect_language
from database.embedders import make_embedder
from database.errors import AcervoError
from database.index import check_dimension, check_index
from database.originals import KeptOriginals
from database.rerankers import make_reranker
from database.retrieval import Retriever
from database.stores import make_store

log = logging.getLogger(__name__)

State = Literal["ready", "empty", "failed"]

READY_S = 4.0
"""A store that takes longer counts as failed for whoever asks now; questions are more patient."""


@dataclass(frozen=True, slots=True)
class PartState:
    """Whether a part of the engine works, and what to do when it does not."""

    name: str
    state: State
    detail: str = ""


class Engine:
    """Opens its parts when they are first needed, so that the server starts and says what is
    missing even while MongoDB or Ollama is away."""

    def __init__(self, settings: ServerSettings, *, gemini_channel: Any = None):
        self.store = make_store(settings)
        self.embedder = make_embedder(settings)
        self.extractive = ExtractiveLLM(self.embedder, settings.num_ctx)
        self.nothing_found = NothingFound(settings.num_ctx)
        self.models = Models(settings, self.extractive, gemini_channel=gemini_channel)
        self.originals = KeptOriginals(settings.data_dir, self.store.files)
        self._reranker = make_reranker(settings)
        self._retriever = Retriever(self.store, self.embedder, self._reranker)
        self._settings = settings
        self.warm = asyncio.Event()
        """Set once `warm_up` has opened what can be opened."""
        self.open_store = Opening(self.store.open)
        self.open_embedder = Opening(self.embedder.open)
        self._open_reranker = Opening(self._reranker.open) if self._reranker else None
        # Loaded in a thread: it takes half a second, in which the event loop goes on.
        self._open_language = Opening(lambda: asyncio.to_thread(_load_language))

    async def warm_up(self) -> None:
        """Open what can be opened and load what the first question would otherwise wait for. What
        cannot be opened is told in the log, and by `states`; questions try it again."""
        try:
            await asyncio.to_thread(importlib.import_module, "database.embedders.ollama")
            await (await self.retriever()).search("warm up", 1)
        except AcervoError as error:
            log.warning("%s", error)
        finally:
            self.warm.set()

    async def aclose(self) -> None:
        """Close every part, also when one of them fails to."""
        async with AsyncExitStack() as stack:
            for part in (self.store, self.embedder, self.models, self._reranker):
                if part is not None:
                    stack.push_async_callback(part.aclose)

    async def retriever(self) -> Retriever:
        """The retriever, its parts open. Raises `AcervoError`."""
        await self.open_store()
        await self.open_embedder()
        if self._open_reranker is not None:
            await self._open_reranker()
        await self._open_language()
        return self._retriever

    async def choose_llm(self, route: Route, wanted: str | None = None) -> Plan:
        """The models for a question on this route; extracts that stand in for a model tell how to start it."""
        plan = await self.models.plan(route, wanted)
        if plan.first is self.extractive and wanted is None and self.models.reason:
            return replace(plan, first=self.extractive.instead_of(self._settings.ollama_model))
        return plan

    @property
    def services(self) -> list[Service]:
        """The services besides the model that every answer uses."""
        kind, _, model = self._settings.embedder.partition(":")
        return [describe_service(self._settings.ollama_host, model)] if kind == "ollama" else []

    async def states(self) -> tuple[PartState, PartState]:
        """The states of store and embedder."""
        return await self._store_state(), await self._embedder_state()

    async def _store_state(self) -> PartState:
        try:
            async with asyncio.timeout(READY_S):
                return await self._ask_store()
        except TimeoutError:
            return PartState(self.store.kind, "failed", f"The store has not answered for {READY_S:g} s.")

    async def _ask_store(self) -> PartState:
        try:
            await self.open_store()
            record = await self.store.read_index()
            if record is None or not (await self.store.count()).windows:
                detail = "No documents are loaded yet. Put PDFs into PDF_DIR and type `make load`."
                return PartState(self.store.kind, "empty", detail)
            await self.store.check()
            await check_index(self.store, record, self.embedder)
            if self.open_embedder.done:
                check_dimension(record, self.embedder)
        except AcervoError as error:
            return PartState(self.store.kind, "failed", str(error))
        return PartState(self.store.kind, "ready")

    async def _embedder_state(self) -> PartState:
        try:
            await self.open_embedder()
            await self.embedder.embed_query("ready?")
        except AcervoError as error:
            return PartState(self.embedder.name, "failed", str(error))
        return PartState(self.embedder.name, "ready")


def _load_language() -> None:
    detect_language("The first call loads the model.")

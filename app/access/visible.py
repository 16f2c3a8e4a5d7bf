"""What of the library somebody sees: the one place where collections meet requests."""

from collections.abc import Collection
from dataclasses import replace

from aiohttp import web

from app.access.principal import Principal, get_principal
from app.errors import NotFound
from app.jobs import Job
from app.keys import ENGINE
from database.documents import Document, Filters


async def visible_documents(request: web.Request) -> list[Document]:
    """Every document that has a visible name for the asker, with those names alone. Raises `StoreError`."""
    engine, collections = request.app[ENGINE], get_principal(request).collections
    await engine.open_store()
    documents = await engine.store.list_documents()
    return [seen for document in documents if (seen := document.within(collections))]


async def visible_document(request: web.Request, document_id: str) -> Document:
    """One document as the asker sees it. Raises `NotFound`, also for what they may not see."""
    engine = request.app[ENGINE]
    await engine.open_store()
    document = await engine.store.get_document(document_id)
    seen = document.within(get_principal(request).collections) if document else None
    if seen is None:
        raise NotFound("There is no such document; GET /documents lists those there are.")
    return seen


def restrict(filters: Filters, principal: Principal) -> Filters:
    """Filters that leave nothing but what somebody may see."""
    return replace(filters, collections=narrow(filters.collections, principal))


def narrow(collections: Collection[str] | None, principal: Principal) -> tuple[str, ...] | None:
    """Those of these collections (None: all) that somebody may see; None when that is everything."""
    if collections is None or principal.collections is None:
        return principal.collections if collections is None else tuple(collections)
    return tuple(name for name in collections if name in principal.collections)


def check_job(job: Job, principal: Principal) -> Job:
    """The job. Raises `NotFound` when its collection is none of theirs."""
    if not sees(principal, job.collection):
        raise NotFound("There is no such job; GET /jobs lists those there are.")
    return job


def sees(principal: Principal, collection: str) -> bool:
    """Whether a collection is among those that somebody may see."""
    return principal.collections is None or collection in principal.collections

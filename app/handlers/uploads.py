"""`POST /documents`: files from the page into the queue. `DELETE /documents/{id}` and back again."""

import asyncio
from contextlib import ExitStack
from typing import Any

from aiohttp import web

from app import deletion
from app.access.principal import Principal, get_principal
from app.access.visible import narrow, sees
from app.audit import audit
from app.errors import BadRequest, Forbidden, TooManyFiles
from app.handlers.bodies import read_body
from app.handlers.documents import describe
from app.intake import accept
from app.jobs import Job, describe_job
from app.keys import LIBRARY, METRICS, QUEUE, SETTINGS, UPLOADS
from app.middlewares import retry_header
from app.uploads import Arrival, Received, Receiver, Refused
from app.webpages import accept_address
from app.wire import PageRequest, parse_body
from database.belonging import check_collection
from database.documents import Document
from database.errors import ReadError
from database.unbroken import unbroken

JSON = "application/json"


async def post_documents(request: web.Request) -> web.Response:
    """202 with a job for each file that is taken, or for the web page that JSON asks for; the status of the first
    refusal when none is."""
    if request.content_type == JSON:
        return await _post_page(request)
    running, limit = request.app[UPLOADS], request.app[SETTINGS].max_uploads
    if len(running) >= limit:
        return _refuse(TooManyFiles(f"{limit} uploads are running already (MAX_UPLOADS). Send it again in a moment."))
    task = asyncio.current_task()
    assert task is not None
    running.add(task)
    stack = ExitStack()
    try:
        await request.app[LIBRARY].open()
        arrival = await Receiver(request, request.app[SETTINGS], stack).receive()
        return await _answer(request, arrival)
    except ReadError as error:
        return _refuse(error)
    finally:
        running.discard(task)
        await asyncio.to_thread(stack.close)


async def _post_page(request: web.Request) -> web.Response:
    asked = parse_body(PageRequest, await read_body(request), '{"url": "https://example.org/page"}')
    collection, principal = check_collection(asked.collection), get_principal(request)
    _check_sees(principal, collection)
    await request.app[LIBRARY].open()

    async def accept_page() -> Job:
        job = await accept_address(request.app[LIBRARY], asked.url, collection, principal.name)
        audit("upload", request, url=job.url, job=job.id, **_tell_collection(collection))
        return job

    try:
        job = await unbroken(accept_page())
    except ReadError as error:
        return _refuse(error)
    return web.json_response({"jobs": [describe_job(job, request.app[QUEUE].waiting)], "refused": []}, status=202)


async def _answer(request: web.Request, arrival: Arrival) -> web.Response:
    jobs = []
    for received in arrival.received:
        try:
            jobs.append(await unbroken(_accept(request, received, arrival.collection)))
        except ReadError as error:
            arrival.refused.append(Refused(received.name, error))
    request.app[METRICS].count_files(len(jobs), len(arrival.refused))
    refused = [{"name": r.name, "kind": r.error.kind, "error": str(r.error)} for r in arrival.refused]
    if not jobs and not refused:
        raise BadRequest("There is no file in the request. Send each as a part with a file name.")
    if not jobs:
        return _refuse(arrival.refused[0].error, refused=refused)
    shown = [describe_job(job, request.app[QUEUE].waiting) for job in jobs]
    return web.json_response({"jobs": shown, "refused": refused}, status=202)


async def _accept(request: web.Request, received: Received, collection: str) -> Job:
    principal = get_principal(request)
    _check_sees(principal, collection)
    job = await accept(request.app[LIBRARY], received, collection, principal.name)
    told = _tell_collection(collection)
    audit("upload", request, document=job.document, name=job.name, size=job.size, job=job.id, **told)
    return job


def _check_sees(principal: Principal, collection: str) -> None:
    """Raise `Forbidden` when a collection is none of theirs."""
    if not sees(principal, collection):
        raise Forbidden(f"You have no access to the collection {collection!r}.")


def _tell_collection(collection: str) -> dict[str, str]:
    return {"collection": collection} if collection else {}


def _refuse(error: ReadError, **more: Any) -> web.Response:
    body = {"error": str(error), "status": error.status, "kind": error.kind} | more
    return web.json_response(body, status=error.status, headers=retry_header(error))


def _read_collections(request: web.Request) -> tuple[str, ...] | None:
    """What `?collection=` names of what the asker sees; None, for all, without it."""
    given = request.query.getall("collection", [])
    return narrow(tuple(map(check_collection, given)) if given else None, get_principal(request))


async def delete_document(request: web.Request) -> web.Response:
    """Unfindable at once, and erased when it cannot be undone any more."""
    document_id, library = request.match_info["id"], request.app[LIBRARY]
    collections = _read_collections(request)
    await library.open()

    async def delete() -> float:
        undo_until = await deletion.delete(library, document_id, collections)
        audit("delete", request, document=document_id)
        return undo_until

    undo_until = await unbroken(delete())
    return web.json_response({"id": document_id, "undo_until": undo_until})


async def restore_document(request: web.Request) -> web.Response:
    """The document as it was before it was deleted."""
    library, collections = request.app[LIBRARY], _read_collections(request)
    await library.open()

    async def restore() -> Document:
        document = await deletion.restore(library, request.match_info["id"], collections)
        audit("restore", request, document=document.id, name=document.name)
        return document

    document = await unbroken(restore())
    return web.json_response({"document": describe(document)})

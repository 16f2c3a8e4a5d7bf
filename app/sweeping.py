"""Forgetting what is left of documents that are gone: on this machine, when another server deleted them, and in the
store, when a server was killed before it wrote down what it had received."""

import asyncio
import logging

from app.library import Library
from database.errors import AcervoError
from database.ingest import ERASURE

log = logging.getLogger(__name__)

SWEEP_S = 3600.0


async def sweep_for_ever(library: Library) -> None:
    """Sweep each SWEEP_S until cancelled."""
    while True:
        await asyncio.sleep(SWEEP_S)
        try:
            await sweep(library)
        except AcervoError as error:
            log.warning("%s", error)


async def sweep(library: Library) -> int:
    """How many documents were forgotten. Where the store is this machine's there is nothing to do."""
    await library.open()
    forgotten = 0
    async with library.lock.hold(lambda text: None):  # what a load keeps here is no document yet
        known = {document.id for document in await library.store.list_documents()}
        if not known:
            return 0  # an index that is being restored has its originals first
        for document_id in await library.ingester.originals.find_old() - known:
            async with library.changing:
                if not await _is_wanted(library, document_id):
                    await library.ingester.forget(document_id)
                    forgotten += 1
    return forgotten


async def _is_wanted(library: Library, document_id: str) -> bool:
    """Whether it was sent again meanwhile, or may be."""
    return bool(
        await library.store.get_document(document_id)
        or await library.store.get_record(ERASURE, document_id)
        or await library.jobs.find_open(document_id)
    )

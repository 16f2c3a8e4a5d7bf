"""New bytes at a place whose old ones answer until these are ready: a web page fetched again, a changed file.

Whoever calls holds `Library.changing`.
"""

from collections.abc import Sequence

from app.deletion import stop
from app.intake import resume
from app.jobs import KIND, Job
from app.library import Library
from database.changes import full_path
from database.documents import Document, Name
from database.plan import KEPT


async def find_holders(library: Library, names: Sequence[Name], document_id: str) -> list[Document]:
    """The other documents that have one of these places."""
    places = {full_path(name) for name in names}
    documents = await library.store.list_documents()
    return [d for d in documents if d.id != document_id and places & set(map(full_path, d.names))]


async def supersede(library: Library, names: Sequence[Name], document_id: str) -> tuple[Name, ...]:
    """Stop what is on its way to these places, for something newer comes; those at which something answers still."""
    held: list[Name] = []
    for other in await find_holders(library, names, document_id):
        await forget_jobs(library, other.id)
        kept = await library.store.get_document(other.id)
        if kept is None:
            continue
        if kept.whole:
            held += _at(kept, names)
        else:
            await drop_names(library, kept, names)
    return tuple(dict.fromkeys(held))


async def replace_others(library: Library, job: Job) -> None:
    """Take the places of a job that is done from what held them before, unless that is wanted there again."""
    document = await library.store.get_document(job.document)
    mine = [name for name in job.replaced if document is not None and _at(document, (name,))]
    for other in await find_holders(library, mine, job.document):
        await forget_jobs(library, other.id)
        await drop_names(library, other, mine)


async def give_up(library: Library, job: Job, reason: str) -> str:
    """Record that a file cannot be read, unless something else answers at its places: then only these are given
    back. The reason as it is told."""
    document = await library.store.get_document(job.document)
    kept = await find_holders(library, job.replaced, job.document) if job.replaced else []
    if document is None or document.whole:
        return reason
    if not kept:
        await library.ingester.fail(document, reason)
        return reason
    await drop_names(library, document, job.replaced)
    return reason + KEPT


async def drop_names(library: Library, document: Document, names: Sequence[Name]) -> None:
    """Take these places from a document, which goes with the last of its names."""
    left: Document | None = document
    for name in _at(document, names):
        if left is not None:
            left = await library.ingester.drop_name(left, name)
    if left is not None and left.visible:
        await resume(library, left)


async def forget_jobs(library: Library, document_id: str) -> None:
    """Stop the jobs of a document and forget them: nobody has to be told."""
    for job in await library.jobs.list_open(document_id):
        await stop(library, job.id)
        await library.store.remove_record(KIND, job.id)


def _at(document: Document, names: Sequence[Name]) -> list[Name]:
    """The document's names at these places."""
    places = set(map(full_path, names))
    return [name for name in document.names if full_path(name) in places]

"""Documents by what people call them."""

from collections.abc import Iterable, Sequence

from app.errors import NotFound
from database.documents import Document

SHORTEST_ID = 8
"""So many digits of an id name a document, too."""


def choose_documents(documents: Iterable[Document], wanted: Sequence[str]) -> list[Document]:
    """Those with one of these names, ids or beginnings of ids. Raises `NotFound` for a name that none has."""
    visible = [document for document in documents if document.searchable]
    chosen: dict[str, Document] = {}
    for name in wanted:
        found = [document for document in visible if _is_called(document, name)]
        if not found:
            raise NotFound(f"There is no document {name!r}. Name one by its file name or its id.")
        chosen |= {document.id: document for document in found}
    return list(chosen.values())


def _is_called(document: Document, wanted: str) -> bool:
    if len(wanted) >= SHORTEST_ID and document.id.startswith(wanted.lower()):
        return True
    paths = [name.path for name in document.names if not name.excluded]
    return wanted.casefold() in {part.casefold() for path in paths for part in (path, path.rsplit("/", 1)[-1])}

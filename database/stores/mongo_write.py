"""Writing windows through langchain-mongodb, whose layout other tools for MongoDB read as well.

Blocking: imported and called in a thread. langchain-mongodb brings a large tree of imports along,
which only the loader pays for, when it publishes its first document.
"""

from typing import TYPE_CHECKING, Any

from langchain_core.documents import Document as LangChainDocument
from langchain_core.embeddings import Embeddings
from langchain_mongodb import MongoDBAtlasVectorSearch

from database.documents import Contents, Document, Vector
from database.stores.mongo_definitions import VECTOR_INDEX
from database.stores.mongo_rows import window_ids, window_metadata
from database.stores.mongo_vectors import to_binary

if TYPE_CHECKING:
    from pymongo.collection import Collection

BATCH = 100
"""Windows in one command."""


class ReadyVectors(Embeddings):
    """Embeddings for langchain that hands out vectors already computed, in their order."""

    def __init__(self, vectors: Vector):
        self._rest = vectors

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """The next `len(texts)` vectors, as BSON's binary: langchain hands them on to the driver as they are."""
        taken, self._rest = self._rest[: len(texts)], self._rest[len(texts) :]
        rows: list[Any] = [to_binary(vector) for vector in taken]
        return rows

    def embed_query(self, text: str) -> list[float]:
        """Part of langchain's interface; questions are never embedded here."""
        raise NotImplementedError


def write_windows(collection: "Collection[dict[str, Any]]", document: Document, contents: Contents) -> None:
    """Write every window with its vector. Writing them again replaces them."""
    if not contents.windows or contents.vectors is None:
        return
    store = MongoDBAtlasVectorSearch(collection, ReadyVectors(contents.vectors), VECTOR_INDEX)
    metadata = window_metadata(document, contents)
    documents = [
        LangChainDocument(page_content=window.text, metadata=row)
        for window, row in zip(contents.windows, metadata, strict=True)
    ]
    store.add_documents(documents, ids=window_ids(document, contents.windows), batch_size=BATCH)

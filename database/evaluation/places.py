"""The right places of questions as an index knows them: documents by name, passages by id. Pure."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from database.changes import full_path
from database.documents import Document
from database.evaluation.corpus import Corpus, PassageCorpus, PdfCorpus
from database.evaluation.questions import Question, RightPage

Place = tuple[str, int]
"""A document's id and a page number."""


@dataclass(frozen=True, slots=True)
class Located:
    """A question with its right places. Those in `missing` are nowhere in the index, with the reason: they
    count among `wanted` and cannot be found."""

    question: Question
    places: frozenset[Place]
    missing: tuple[str, ...] = ()

    @property
    def wanted(self) -> int:
        """How many places are right."""
        return len(self.places) + len(self.missing)


class Places:
    """Finds places in an index of `documents`, made from `corpus` or from whatever was loaded."""

    def __init__(self, documents: Sequence[Document], corpus: Corpus | None = None):
        searchable = [document for document in documents if document.searchable]
        self._documents = {document.id: document for document in searchable}
        self._passages = _find_passages(corpus, self._documents) if isinstance(corpus, PassageCorpus) else {}
        self._by_name: dict[str, set[str]] = {}
        for document in searchable:
            for name in document.names:
                for key in _keys(name.path):
                    self._by_name.setdefault(key, set()).add(document.id)
        if isinstance(corpus, PdfCorpus):
            self._by_name |= _name_files(corpus, searchable)

    def locate(self, question: Question) -> Located:
        """The question's right places, or why they are missing."""
        found = [self._find(right) for right in question.relevant]
        places = frozenset(place for place in found if not isinstance(place, str))
        return Located(question, places, tuple(reason for reason in found if isinstance(reason, str)))

    def _find(self, right: str | RightPage) -> Place | str:
        if isinstance(right, str):
            return self._passages.get(right) or f"there is no passage {right!r}"
        fitting = self._by_name.get(_key(right.doc), set())
        if len(fitting) > 1:
            return f"{right.doc!r} fits {len(fitting)} documents; write its path"
        if not fitting:
            return f"there is no document {right.doc!r}"
        document = self._documents[next(iter(fitting))]
        if right.page > document.page_count:
            return f"{right.doc!r} has {document.page_count} pages, none with the number {right.page}"
        return document.id, right.page


def _find_passages(corpus: PassageCorpus, known: Mapping[str, Document]) -> dict[str, Place]:
    return {
        pid: (document.id, page.number)
        for document in corpus.documents
        if document.id in known
        for pid, page in zip(document.pids, document.pages, strict=True)
    }


def _name_files(corpus: PdfCorpus, documents: Sequence[Document]) -> dict[str, set[str]]:
    """The corpus's own names for its files, which go before the files' names."""
    by_file = {str(full_path(name)): document.id for document in documents for name in document.names}
    return {_key(doc): {by_file[str(file)]} for doc, file in corpus.files.items() if str(file) in by_file}


def _keys(path: str) -> set[str]:
    """What a document may be called: its path below the loaded folder, or any end of that."""
    parts = path.split("/")
    return {_key("/".join(parts[start:])) for start in range(len(parts))}


def _key(name: str) -> str:
    """One spelling for a name with or without .pdf, in any case, composed or not (macOS parts accents)."""
    return unicodedata.normalize("NFC", name).casefold().removesuffix(".pdf")

"""What questions are put to: PDFs, or passages as JSON lines.

corpus.json      {"pdf_dir": "folder, from here", "docs": [{"doc": "name in questions", "file": "report.pdf"}]}
passages.jsonl   {"pid": "id in questions", "doc": "which document", "title": "its title", "text": "…"} on each line
a folder         every PDF in it
"""

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from database.documents import Page
from database.errors import QuestionsError
from database.evaluation.questions import Text, describe_error, number_lines, parse_rows, read_text

CORPUS_EXPECTED = '{"pdf_dir": "folder", "docs": [{"doc": "name in the questions", "file": "report.pdf"}]}'
PASSAGE_EXPECTED = 'on each line {"pid": "id in the questions", "doc": "name", "title": "…", "text": "…"}'


class _Doc(BaseModel):
    doc: Text
    file: Text


class _Corpus(BaseModel):
    pdf_dir: str = "."
    docs: list[_Doc] = Field(min_length=1)


class _Passage(BaseModel):
    pid: Text
    doc: str = ""
    title: str = ""
    text: Text


@dataclass(frozen=True, slots=True)
class PdfCorpus:
    """PDFs: `paths` are absolute files or one folder; `files` maps names in questions to absolute files."""

    paths: tuple[Path, ...]
    files: Mapping[str, Path]

    @property
    def key(self) -> str:
        """Tells corpora apart."""
        return _digest(map(str, self.paths))


@dataclass(frozen=True, slots=True)
class PassageDocument:
    """Passages of one source: each is a page, `pids[i]` the id of `pages[i]`."""

    id: str
    """SHA-256 of what it holds."""
    name: str
    title: str
    pids: tuple[str, ...]
    pages: tuple[Page, ...]


@dataclass(frozen=True, slots=True)
class PassageCorpus:
    """Passages, one document for each source."""

    documents: tuple[PassageDocument, ...]

    @property
    def key(self) -> str:
        """Tells corpora apart."""
        return _digest(document.id for document in self.documents)


Corpus = PdfCorpus | PassageCorpus


def read_corpus(path: Path) -> Corpus:
    """The corpus that `path` describes. Raises `QuestionsError` that says what is wrong with it."""
    path = Path(os.path.abspath(path))
    if path.is_dir():
        return PdfCorpus((path,), {})
    if path.suffix.lower() == ".json":
        return _read_pdfs(path)
    if path.suffix.lower() == ".jsonl":
        return _read_passages(path)
    raise QuestionsError(f"{path.name}: a corpus is a .json file with PDFs, a .jsonl file with passages, or a folder.")


def _read_pdfs(path: Path) -> PdfCorpus:
    try:
        corpus = _Corpus.model_validate_json(read_text(path))
    except ValidationError as error:
        raise QuestionsError(f"{path.name}: {describe_error(error)}\nExpected: {CORPUS_EXPECTED}.") from None
    folder = Path(os.path.abspath(path.parent / corpus.pdf_dir))
    files = {entry.doc: folder / entry.file for entry in corpus.docs}
    missing = [str(file) for file in files.values() if not file.is_file()]
    if missing:
        raise QuestionsError(f"{path.name} names files that are not there: {', '.join(missing)}.")
    return PdfCorpus(tuple(dict.fromkeys(files.values())), files)


def _read_passages(path: Path) -> PassageCorpus:
    rows = parse_rows(path, number_lines(read_text(path)), _Passage.model_validate_json, PASSAGE_EXPECTED)
    if not rows:
        raise QuestionsError(f"{path.name} holds no passage.")
    grouped: dict[str, list[_Passage]] = {}
    lines: dict[str, int] = {}
    for line, row in rows:
        if row.pid in lines:
            raise QuestionsError(f"{path.name}, line {line}: pid {row.pid!r} stands on line {lines[row.pid]} already.")
        lines[row.pid] = line
        grouped.setdefault(row.doc or row.pid, []).append(row)
    return PassageCorpus(tuple(_make_document(name, passages) for name, passages in grouped.items()))


def _make_document(name: str, passages: Sequence[_Passage]) -> PassageDocument:
    title = next((p.title for p in passages if p.title), "")
    texts = [p.text for p in passages]
    pages = tuple(Page(number, text, "text") for number, text in enumerate(texts, 1))
    return PassageDocument(_digest([name, title, *texts]), name, title, tuple(p.pid for p in passages), pages)


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()

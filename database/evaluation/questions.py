"""Files of questions whose right pages or passages are known: JSON lines, or CSV from a spreadsheet.

{"question": "…", "relevant": [{"doc": "report", "page": 7}], "answer": "…"}      right pages
{"question": "…", "relevant": ["839d79be9425"]}                                   right passages

question,document,page
When was the lighthouse built?,report.pdf,7
"""

import csv
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from database.errors import QuestionsError

T = TypeVar("T")
R = TypeVar("R")

SHOWN_ERRORS = 10
"""Wrong lines named at once."""
JSON_EXPECTED = 'on each line {"question": "…", "relevant": [{"doc": "file name", "page": 1}]}, or passage ids there'
CSV_EXPECTED = 'a first line question,document,page and then a row for each right page; texts with commas in "quotes"'

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class RightPage(BaseModel):
    """A page that answers a question: its document's name and its number from 1."""

    model_config = ConfigDict(frozen=True)

    doc: Text
    page: Annotated[int, Field(ge=1)]

    def __str__(self) -> str:
        return f"{self.doc}, page {self.page}"


class _Line(BaseModel):
    question: Text
    relevant: Annotated[list[Text | RightPage], Field(min_length=1)]
    answer: str | list[str] | None = None
    id: str | int = ""


class _Row(BaseModel):
    question: Text
    document: Text
    page: Annotated[int, Field(ge=1)]
    answer: str | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """A question, its right places (pages, or passages by id) and its reference answers, if any are known."""

    id: str
    text: str
    relevant: tuple[str | RightPage, ...]
    answers: tuple[str, ...] = ()


def read_questions(path: Path) -> list[Question]:
    """The questions of a file. Raises `QuestionsError` that names the wrong lines."""
    text = read_text(path)
    questions = _read_csv(path, text) if path.suffix.lower() == ".csv" else _read_lines(path, text)
    if not questions:
        raise QuestionsError(f"{path.name} holds no question.")
    return questions


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, with or without a mark at its start. Raises `QuestionsError`."""
    try:
        return path.read_text("utf-8-sig")
    except OSError as error:
        raise QuestionsError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise QuestionsError(f"{path.name}, line {line}: not UTF-8. Save the file as UTF-8 (CSV UTF-8).") from error


def number_lines(text: str) -> list[tuple[int, str]]:
    """Lines that are not blank, with their numbers from 1."""
    return [(n, line) for n, line in enumerate(text.split("\n"), 1) if line.strip()]


def parse_rows(
    path: Path, rows: Iterable[tuple[int, R]], parse: Callable[[R], T], expected: str
) -> list[tuple[int, T]]:
    """Each row through `parse`, with its line. Raises `QuestionsError` that names the wrong ones."""
    parsed: list[tuple[int, T]] = []
    wrong: list[str] = []
    for line, row in rows:
        try:
            parsed.append((line, parse(row)))
        except ValidationError as error:
            wrong.append(f"  line {line}: {describe_error(error)}")
    if wrong:
        more = [f"  and {len(wrong) - SHOWN_ERRORS} more lines"] if len(wrong) > SHOWN_ERRORS else []
        told = "\n".join([*wrong[:SHOWN_ERRORS], *more])
        raise QuestionsError(f"{path.name} is not as expected:\n{told}\nExpected: {expected}.")
    return parsed


def describe_error(error: ValidationError) -> str:
    """What is wrong with one object, by the names of its fields."""
    return "; ".join(": ".join(filter(None, (".".join(map(str, e["loc"])), e["msg"]))) for e in error.errors()[:3])


def _read_lines(path: Path, text: str) -> list[Question]:
    lines = parse_rows(path, number_lines(text), _Line.model_validate_json, JSON_EXPECTED)
    return [
        Question(str(line.id) or f"line {n}", line.question, tuple(dict.fromkeys(line.relevant)), _clean(line.answer))
        for n, line in lines
    ]


def _read_csv(path: Path, text: str) -> list[Question]:
    header = text.partition("\n")[0]
    # Spreadsheets write semicolons where the comma is the decimal sign.
    table = csv.DictReader(text.splitlines(keepends=True), delimiter=max(",;\t", key=header.count))
    table.fieldnames = [name.strip().lower() for name in table.fieldnames or ()]
    rows = parse_rows(path, ((table.line_num, row) for row in table), _Row.model_validate, CSV_EXPECTED)
    grouped: dict[str, list[tuple[int, _Row]]] = {}
    for n, row in rows:
        grouped.setdefault(row.question, []).append((n, row))
    return [_join_rows(same) for same in grouped.values()]


def _join_rows(rows: list[tuple[int, _Row]]) -> Question:
    """One question of the rows that share its text."""
    relevant = dict.fromkeys(RightPage(doc=row.document, page=row.page) for _, row in rows)
    answers = dict.fromkeys(answer for _, row in rows for answer in _clean(row.answer))
    return Question(f"line {rows[0][0]}", rows[0][1].question, tuple(relevant), tuple(answers))


def _clean(answer: str | list[str] | None) -> tuple[str, ...]:
    answers = answer if isinstance(answer, list) else [answer or ""]
    return tuple(a.strip() for a in answers if a.strip())

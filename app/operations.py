"""Every address of the interface: what it takes, what it answers. `app.openapi` writes it down for programs.

Files of the pages are left out; a test holds that nothing else is, and that nothing is here that is not served.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from app import replies
from app.feedback import Feedback
from app.wire import AskRequest

JSON, LINES, FORM = "application/json", "application/x-ndjson", "multipart/form-data"
Schema = Mapping[str, Any]

DOCUMENT_ID: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
JOB_ID: Schema = {"type": "string", "pattern": "^[0-9a-zA-Z_]{1,64}$"}
BINARY: Schema = {"type": "string", "format": "binary"}
TEXT: Schema = {"type": "string"}
COLLECTIONS: Schema = {"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 60}, "maxItems": 100}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One of the path, or of the query where it may be left out."""

    name: str
    schema: Schema
    what: str
    place: str = "path"


@dataclass(frozen=True, slots=True)
class Content:
    """A body: a model as JSON, or a schema of something else."""

    what: str
    model: type[BaseModel] | None = None
    media_type: str = JSON
    schema: Schema = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one address. `fails` are the statuses of its own beside those that every address has."""

    method: str
    path: str
    what: str
    group: str
    gives: Mapping[int, Content]
    takes: Content | None = None
    parameters: Sequence[Parameter] = ()
    fails: Sequence[int] = ()
    problem: type[BaseModel] = replies.Problem


ASKED = Content("The question.", AskRequest)
ANSWERED = Content("The answer, a line at a time: each line is one such object.", replies.AnswerLine, LINES)
ID = Parameter("id", DOCUMENT_ID, "The SHA-256 of the document's bytes.")
JOB = Parameter("id", JOB_ID, "The job's id.")
WHERE = Parameter("collection", COLLECTIONS, "Of these collections alone; may be repeated.", "query")
PAGE = Parameter("number", {"type": "integer", "minimum": 1, "maximum": 999_999}, "From 1.")
HIGHLIGHT = Parameter("highlight", {"type": "array", "items": TEXT, "maxItems": 50}, "Passages to mark.", "query")
ZOOM = Parameter("zoom", {"type": "number", "exclusiveMinimum": 0}, "1 means 72 dots an inch.", "query")
RANGE = Parameter("Range", {"type": "string", "maxLength": 200}, "Which part, such as bytes=0-99.", "header")
FILES = {
    "type": "object",
    "properties": {
        "collection": {"type": "string", "maxLength": 60, "description": "Where they belong; before the files."},
        "file": {"type": "array", "items": BINARY, "minItems": 1},
    },
    "required": ["file"],
}
PDF = Content("The original.", media_type="application/pdf", schema=BINARY)

OPERATIONS: Sequence[Operation] = (
    Operation("post", "/", "Ask a question", "Questions", {200: ANSWERED}, ASKED, fails=(408, 413, 502, 503, 504)),
    Operation(
        "post",
        "/gemini",
        "Ask Gemini, which sends the question to Google",
        "Questions",
        {200: ANSWERED},
        ASKED,
        fails=(408, 413, 502, 503, 504),
    ),
    Operation("get", "/models", "Models that a question may name", "Questions", {200: Content("", replies.Models)}),
    Operation(
        "get",
        "/topics",
        "Headings to ask about first",
        "Questions",
        {200: Content("", replies.Topics)},
        fails=(503,),
    ),
    Operation(
        "post",
        "/feedback",
        "Rate an answer",
        "Questions",
        {201: Content("", replies.FeedbackKept)},
        Content("The rating.", Feedback),
        fails=(408, 413, 503),
    ),
    Operation(
        "get",
        "/feedback",
        "Every rating, the oldest first",
        "Questions",
        {200: Content("A rating a line.", replies.FeedbackLine, LINES)},
        fails=(503,),
    ),
    Operation("get", "/documents", "What is loaded", "Documents", {200: Content("", replies.Documents)}, fails=(503,)),
    Operation(
        "get",
        "/collections",
        "Collections that hold documents",
        "Documents",
        {200: Content("", replies.Collections)},
        fails=(503,),
    ),
    Operation(
        "post",
        "/documents",
        "Load PDFs",
        "Documents",
        {202: Content("A job for each file that is taken.", replies.Uploaded)},
        Content("Every part with a file name is a file.", media_type=FORM, schema=FILES),
        fails=(408, 413, 415, 422, 429, 503),
        problem=replies.UploadProblem,
    ),
    Operation(
        "delete",
        "/documents/{id}",
        "Delete a document",
        "Documents",
        {200: Content("Not found any more.", replies.Deleted)},
        parameters=(ID, WHERE),
        fails=(404, 422, 503),
    ),
    Operation(
        "post",
        "/documents/{id}/restore",
        "Undo that",
        "Documents",
        {200: Content("Found again.", replies.Restored)},
        parameters=(ID, WHERE),
        fails=(404, 422, 503),
    ),
    Operation(
        "get",
        "/documents/{id}/file",
        "The original PDF",
        "Documents",
        {200: PDF, 206: PDF},
        parameters=(ID, RANGE),
        fails=(404, 416, 503),
    ),
    Operation(
        "get",
        "/documents/{id}/pages/{number}.png",
        "The picture of a page",
        "Documents",
        {200: Content("A PNG.", media_type="image/png", schema=BINARY)},
        parameters=(ID, PAGE, HIGHLIGHT, ZOOM),
        fails=(404, 422, 503),
    ),
    Operation("get", "/jobs", "Files on their way", "Jobs", {200: Content("", replies.Jobs)}, fails=(503,)),
    Operation(
        "get",
        "/jobs/{id}",
        "Follow one",
        "Jobs",
        {200: Content("The job now, then a line at each change.", replies.ListedJob, LINES)},
        parameters=(JOB,),
        fails=(404, 503),
    ),
    Operation(
        "delete",
        "/jobs/{id}",
        "Cancel one",
        "Jobs",
        {200: Content("", replies.ListedJob)},
        parameters=(JOB,),
        fails=(404, 503),
    ),
    Operation(
        "post",
        "/jobs/{id}/retry",
        "Try one again",
        "Jobs",
        {202: Content("", replies.ListedJob)},
        parameters=(JOB,),
        fails=(404, 409, 429, 503),
    ),
    Operation("get", "/health", "The process answers", "Server", {200: Content("", replies.Alive)}),
    Operation(
        "get",
        "/ready",
        "Whether questions can be answered",
        "Server",
        {200: Content("They can.", replies.Ready), 503: Content("They cannot; what is missing.", replies.Ready)},
    ),
    Operation(
        "get",
        "/metrics",
        "Numbers for Prometheus",
        "Server",
        {200: Content("Prometheus' text format.", media_type="text/plain", schema=TEXT)},
        fails=(401,),
    ),
    Operation(
        "get",
        "/openapi.json",
        "This description",
        "Server",
        {200: Content("OpenAPI 3.1.", schema={"type": "object"})},
    ),
)

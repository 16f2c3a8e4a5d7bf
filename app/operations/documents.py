"""Documents, and files on their way to be some."""

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce

from app import replies
from app.operations.parts import BINARY, DOCUMENT_ID, FORM, JOB_ID, LINES, TEXT, Content, Operation, Parameter, Schema
from app.wire import PageRequest
from database.formats import KEPT_ENDINGS, media_type_of

COLLECTIONS: Schema = {"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 64}, "maxItems": 100}
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
        "collection": {"type": "string", "maxLength": 64, "description": "Where they belong; before the files."},
        "file": {"type": "array", "items": BINARY, "minItems": 1},
    },
    "required": ["file"],
}


def _describe_original() -> Content:
    kinds = sorted({media_type_of(ending) for ending in KEPT_ENDINGS}, reverse=True)
    described = [Content("The original, as what it is.", media_type=kind, schema=BINARY) for kind in kinds]
    return reduce(lambda other, content: replace(content, other=other), described)


ORIGINAL = _describe_original()


DOCUMENTS: Sequence[Operation] = (
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
        "Load documents",
        "Documents",
        {202: Content("A job for each file that is taken.", replies.Uploaded)},
        Content(
            "Every part with a file name is a file; JSON asks for a web page.",
            media_type=FORM,
            schema=FILES,
            other=Content("", PageRequest),
        ),
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
        "The original",
        "Documents",
        {200: ORIGINAL, 206: ORIGINAL},
        parameters=(ID, RANGE),
        fails=(404, 416, 503),
    ),
    Operation(
        "get",
        "/documents/{id}/pages/{number}",
        "The text of a page",
        "Documents",
        {200: Content("Markdown of a page, section, slide or part of a sheet.", replies.PageReply)},
        parameters=(ID, PAGE, HIGHLIGHT),
        fails=(404, 503),
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
)

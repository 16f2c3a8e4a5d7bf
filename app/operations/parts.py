"""What an operation is made of, and what several share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from app.replies import Problem

JSON, LINES, FORM = "application/json", "application/x-ndjson", "multipart/form-data"
Schema = Mapping[str, Any]

DOCUMENT_ID: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
JOB_ID: Schema = {"type": "string", "pattern": "^[0-9a-zA-Z_]{1,64}$"}
BINARY: Schema = {"type": "string", "format": "binary"}
TEXT: Schema = {"type": "string"}


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
    other: "Content | None" = None
    """What comes instead where the request wants it so."""


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
    problem: type[BaseModel] = Problem


NOTHING = Content("Done.", media_type="")
"""An answer without a body."""

"""What people think of answers, kept for evaluation in the store's books."""

import time
from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr, model_validator
from pydantic_core import PydanticCustomError

from app.ids import make_id
from database.documents import Record
from database.stores import Store

KIND = "feedback"
MAX_NAME, MAX_NOTE, MAX_QUESTION, MAX_ANSWER = 200, 4_000, 100_000, 500_000
"""Characters."""
MAX_SOURCES = 50
AT_ONCE = 100
"""Entries read from the store in one go."""

Name = Annotated[StrictStr, Field(max_length=MAX_NAME)]
Question = Annotated[StrictStr, Field(max_length=MAX_QUESTION)]
Number = Annotated[StrictInt, Field(ge=1, le=1_000_000)]


class RatedSource(BaseModel):
    """A source as the answer had it."""

    document: Name
    page: Number
    chunk_id: Name
    n: Number


class Feedback(BaseModel):
    """The body of `POST /feedback`. Unknown fields are ignored."""

    model_config = ConfigDict(extra="ignore")

    id: Name = ""
    """The entry to replace, or to take back with an empty rating; empty for a new one."""
    rating: Literal["up", "down", ""]
    note: Annotated[StrictStr, Field(max_length=MAX_NOTE)] = ""
    question: Question = ""
    query: Question = ""
    answer: Annotated[StrictStr, Field(max_length=MAX_ANSWER)] = ""
    model: Name = ""
    sources: Annotated[list[RatedSource], Field(max_length=MAX_SOURCES)] = []
    citations: Annotated[list[Number], Field(max_length=MAX_SOURCES)] = []

    @model_validator(mode="after")
    def _has_something_to_say(self) -> Self:
        if not self.rating and not self.id:
            raise PydanticCustomError("nothing", 'Rate "up" or "down", or name the id of a rating to take back')
        return self


async def keep_feedback(store: Store, feedback: Feedback, user: str = "") -> str:
    """Write, replace or take back a rating of `user`, whose alone they can be; its id, a new one where
    there is no entry to replace."""
    known = await store.get_record(KIND, feedback.id) if feedback.id else None
    if known and known.data.get("user", "") != user:
        known = None
    if not feedback.rating:
        if known:
            await store.remove_record(KIND, known.id)
        return feedback.id
    data = feedback.model_dump(exclude={"id"}) | ({"user": user} if user else {})
    entry = replace(known, data=data) if known else Record(KIND, make_id(), data, created_at=time.time())
    return (await store.put_record(entry)).id


async def read_feedback(store: Store, user: str | None = None) -> AsyncGenerator[Mapping[str, Any]]:
    """Every rating, the oldest first, each with its `id` and when it was first given; those of `user`
    alone if one is named."""
    after = ""
    while entries := await store.list_records(KIND, after=after, limit=AT_ONCE):
        for entry in entries:
            if user is not None and entry.data.get("user", "") != user:
                continue
            yield {"id": entry.id, "created_at": entry.created_at, **entry.data}
        after = entries[-1].id

"""What a request may hold, as models that validate it."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from app.errors import BadRequest
from app.llms import Message
from database.documents import Filters

MAX_HISTORY = 100
MAX_FILTERED = 1000
MAX_PAGE = 2**31 - 1
Seconds = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]
"""Since the epoch."""
MAX_NAME = 200
MAX_ADDRESS = 2000
MAX_TOLD = 5
"""Wrong fields named in one message."""

M = TypeVar("M", bound=BaseModel)


class Turn(BaseModel):
    """An earlier turn of the conversation."""

    role: Literal["user", "assistant"]
    content: StrictStr


class FilterModel(BaseModel):
    """Restricts the search; what is left out restricts nothing, an empty list of collections everything."""

    documents: list[StrictStr] = Field(default_factory=list, max_length=MAX_FILTERED)
    languages: list[StrictStr] = Field(default_factory=list, max_length=MAX_FILTERED)
    first_page: StrictInt = Field(default=0, ge=0, le=MAX_PAGE)
    last_page: StrictInt = Field(default=0, ge=0, le=MAX_PAGE)
    added_from: Seconds = 0
    added_until: Seconds = 0
    collections: list[StrictStr] | None = Field(default=None, max_length=MAX_FILTERED)

    def read(self) -> Filters:
        """The same as searches take it."""
        return Filters(
            documents=tuple(self.documents),
            languages=tuple(self.languages),
            first_page=self.first_page,
            last_page=self.last_page,
            added_from=self.added_from,
            added_until=self.added_until,
            collections=None if self.collections is None else tuple(self.collections),
        )


class AskRequest(BaseModel):
    """The body of `POST /` and `POST /gemini`. Unknown fields are ignored; so is `parametro`, which
    the original client sends."""

    model_config = ConfigDict(extra="ignore")

    prompt: StrictStr
    parametro: Any = None
    history: list[Turn] = Field(default_factory=list, max_length=MAX_HISTORY)
    filters: FilterModel = Field(default_factory=FilterModel)
    model: Annotated[StrictStr, Field(max_length=MAX_NAME)] | None = None
    top_k: StrictInt | None = Field(default=None, ge=1, le=50)
    rewrite: StrictBool = True

    @field_validator("prompt")
    @classmethod
    def _not_blank(cls, prompt: str) -> str:
        if not prompt.strip():
            raise PydanticCustomError("blank", "The question is empty")
        return prompt.strip()

    @property
    def turns(self) -> list[Message]:
        """The history as models take it: without empty turns, such as answers that failed."""
        return [{"role": turn.role, "content": turn.content} for turn in self.history if turn.content.strip()]


class PageRequest(BaseModel):
    """The body of `POST /documents` that asks for a web page."""

    model_config = ConfigDict(extra="ignore")

    url: Annotated[StrictStr, Field(max_length=MAX_ADDRESS)]
    collection: StrictStr = ""


def parse_ask(body: bytes) -> AskRequest:
    """The validated question; raises `BadRequest` that names every wrong field."""
    return parse_body(AskRequest, body, '{"prompt": "a question"}')


def check_ask(fields: Mapping[str, Any]) -> AskRequest:
    """The validated question of these fields; raises `BadRequest` that names every wrong one."""
    try:
        return AskRequest.model_validate(fields)
    except ValidationError as error:
        raise BadRequest(f"{_describe(error)}.") from None


def parse_body(model: type[M], body: bytes, example: str) -> M:
    """The validated `model`; raises `BadRequest` that shows an example and names every wrong field."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise BadRequest(f"Send JSON such as {example}. {_describe(error)}.") from None


def _describe(error: ValidationError) -> str:
    wrong = [f"{'.'.join(map(str, e['loc'])) or 'body'}: {e['msg']}" for e in error.errors()[:MAX_TOLD]]
    if (more := error.error_count() - MAX_TOLD) > 0:
        wrong.append(f"and {more} more")
    return "; ".join(wrong)

"""Messages of a chat to a question: the last one is asked, those before are its history, a system's are wishes."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr

from app.errors import BadRequest
from app.llms import Message, Sampling
from app.wire import MAX_HISTORY, MAX_NAME, AskRequest, FilterModel, check_ask

MAX_MESSAGES = 10_000
"""Of which the last MAX_HISTORY turns count; MAX_BODY_KB limits all."""

ModelName = Annotated[StrictStr, Field(max_length=MAX_NAME)]
Seed = Annotated[StrictInt, Field(ge=-(2**63), lt=2**63)]
Limit = Annotated[StrictInt, Field(ge=1, lt=2**31)]
Number = Annotated[float, Field(allow_inf_nan=False)]


class Ignoring(BaseModel):
    """Unknown fields are ignored."""

    model_config = ConfigDict(extra="ignore")


class Extras(Ignoring):
    """What only Acervo knows, in the field `acervo` of a request. `footnotes`: name the places cited at the end of
    the text, for clients that show nothing else; FOOTNOTES where it is left out."""

    filters: FilterModel = Field(default_factory=FilterModel)
    top_k: StrictInt | None = Field(default=None, ge=1, le=50)
    rewrite: StrictBool = True
    footnotes: StrictBool | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What a client asked."""

    ask: AskRequest
    instructions: str
    sampling: Sampling
    footnotes: bool | None


Turn = tuple[Literal["system", "developer", "user", "assistant", "tool", "function"], str]


def make_asked(turns: Iterable[Turn], model: str | None, sampling: Sampling, extras: Extras) -> Asked:
    """The question of a conversation. Raises `BadRequest` when it does not end with one."""
    said = [(role, text) for role, text in turns if role not in ("tool", "function")]
    instructions = "\n\n".join(text for role, text in said if role in ("system", "developer") and text.strip())
    talk = [(role, text) for role, text in said if role in ("user", "assistant")]
    if not talk or talk[-1][0] != "user":
        raise BadRequest("The last message must be the user's: it is the question.")
    fields: dict[str, Any] = {
        "prompt": talk[-1][1],
        "history": [_make_turn(role, text) for role, text in talk[:-1]][-MAX_HISTORY:],
        "filters": extras.filters,
        "model": model,
        "top_k": extras.top_k,
        "rewrite": extras.rewrite,
    }
    return Asked(check_ask(fields), instructions, sampling, extras.footnotes)


def _make_turn(role: str, text: str) -> Message:
    return {"role": "user" if role == "user" else "assistant", "content": text}


def list_stops(stop: str | list[str] | None) -> tuple[str, ...]:
    """The texts before which an answer is to end."""
    return tuple(text for text in ([stop] if isinstance(stop, str) else stop or ()) if text)

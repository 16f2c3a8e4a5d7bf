"""What each model can do now, as `/ready` and `/models` tell it."""

from dataclasses import dataclass
from typing import Literal

from app.errors import ModelError, ModelMissing, ModelUnavailable
from app.llms import LLM

State = Literal["ready", "untested", "away", "missing", "failed", "off"]


@dataclass(frozen=True, slots=True)
class ModelState:
    """One model for `/ready`: `what_to_do` is empty when there is nothing to do."""

    name: str
    model: str
    state: State
    what_to_do: str = ""


@dataclass(frozen=True, slots=True)
class Offer:
    """One model that a question may name. `default` is the one that answers a question that names none."""

    name: str
    provider: str
    host: str
    local: bool
    state: State
    default: bool
    what_to_do: str = ""


def make_offer(llm: LLM, state: ModelState, default: str) -> Offer:
    """The offer of `llm`, where the model named `default` is the default."""
    service = llm.service
    return Offer(
        llm.model, state.name, service.host, service.local, state.state, llm.model == default, state.what_to_do
    )


def name_state(error: ModelError | None) -> State:
    """The state of a model that answered a check with `error`."""
    if error is None:
        return "ready"
    if isinstance(error, ModelMissing):
        return "missing"
    return "away" if isinstance(error, ModelUnavailable) else "failed"

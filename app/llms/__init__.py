"""Language models: one protocol, one file for each, and the factory."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal, Protocol, TypedDict

from app.events import Service, Token, Usage
from database.documents import Hit


class Message(TypedDict):
    """One turn of a chat, as Ollama takes it."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a model is to choose its words. What is left out is up to its server; what a model does not know of it
    is not sent."""

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    """Of the answer."""
    stop: tuple[str, ...] = ()
    """Texts before which the answer ends."""
    seed: int | None = None

    def over(self, default: "Sampling") -> "Sampling":
        """The same, with `default` where it leaves something out."""
        told = {name: value for name, value in asdict(self).items() if value not in (None, ())}
        return replace(default, **told)


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What a model is asked. `messages` carry the numbered sources; `hits` are the same sources,
    in the same order, for a model that needs no prompt."""

    question: str
    """As it was searched for."""
    messages: Sequence[Message]
    hits: Sequence[Hit]
    language: str
    """ISO 639-1 of the question."""
    num_ctx: int
    """Tokens of the window that `messages` were fitted to."""
    brief: bool = False
    """One line is wanted, without thinking aloud and the same each time; `sampling` does not count."""
    sampling: Sampling = Sampling()


class LLM(Protocol):
    """Streams an answer. Closing the generator closes the upstream connection."""

    model: str
    service: Service
    generative: bool
    """Whether it writes, from a prompt; False for one that only quotes."""

    @property
    def num_ctx(self) -> int:
        """The window that prompts must fit, in tokens: NUM_CTX, or less where the model was trained on
        less (known after `check`)."""
        ...

    async def check(self) -> None:
        """Return when it can answer; raise `ModelError` saying what to do otherwise."""

    def count_tokens(self, text: str) -> int:
        """An upper estimate of `text` in the model's tokens; what a chat template adds is not in it."""
        ...

    def stream(self, request: ChatRequest) -> AsyncGenerator[Token | Usage]:
        """Tokens, then exactly one `Usage`. Raises `ModelError`, also mid-stream; a stream that
        ends without its last part raises, too."""
        ...

    async def aclose(self) -> None:
        """Release connections."""

"""What clients of Ollama send, as models that validate it.

https://github.com/ollama/ollama/blob/main/docs/api.md
"""

from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, StrictInt, StrictStr

from app.compat.conversation import (
    MAX_MESSAGES,
    Asked,
    Extras,
    Ignoring,
    ModelName,
    Number,
    Seed,
    Turn,
    list_stops,
    make_asked,
)
from app.compat.names import OURS, read_model
from app.errors import BadRequest
from app.llms import Sampling

MAX_TEXTS = 2048


class Options(Ignoring):
    """Those that mean something here; the window is NUM_CTX. `acervo` as in the request itself, for clients
    that can send nothing else."""

    temperature: Annotated[Number, Field(ge=0)] | None = None
    top_p: Annotated[Number, Field(ge=0)] | None = None
    num_predict: Annotated[StrictInt, Field(ge=-2, lt=2**31)] | None = None
    """-1 and -2: no limit of the client's."""
    stop: StrictStr | list[StrictStr] | None = None
    seed: Seed | None = None
    acervo: Extras | None = None

    @property
    def sampling(self) -> Sampling:
        """The same as models take it."""
        limit = self.num_predict if self.num_predict and self.num_predict > 0 else None
        return Sampling(self.temperature, self.top_p, limit, list_stops(self.stop), self.seed)


class Asking(Ignoring):
    """What `POST /api/chat` and `POST /api/generate` share. Unknown fields are ignored, and so are tools."""

    model: ModelName = OURS
    stream: StrictBool | None = True
    format: Any = None
    options: Options | None = None
    keep_alive: float | StrictStr | None = None
    acervo: Extras | None = None

    @property
    def unloads(self) -> bool:
        """Whether nothing is asked but that the model goes."""
        return self.keep_alive in (0, "0", "0s")

    def make_asked(self, turns: list[Turn]) -> Asked:
        """The question. Raises `BadRequest` for what cannot be obeyed, `ModelNotFound`."""
        if self.format:
            raise BadRequest("format: answers are text with citations; leave it out.")
        options = self.options or Options()
        extras = self.acervo or options.acervo or Extras()
        return make_asked(turns, read_model(self.model), options.sampling, extras)


class ChatMessage(Ignoring):
    """One message. What it says of tools is ignored."""

    role: Literal["system", "user", "assistant", "tool"]
    content: StrictStr | None = ""
    images: list[Any] | None = None


class Chat(Asking):
    """The body of `POST /api/chat`. Without messages nothing is asked: clients so have a model loaded."""

    messages: Annotated[list[ChatMessage], Field(max_length=MAX_MESSAGES)] | None = None

    def read(self) -> Asked | None:
        """The question, if there is one. Raises `BadRequest`, `ModelNotFound`."""
        if not self.messages:
            return None
        for message in self.messages:
            refuse_images(message.images)
        return self.make_asked([(message.role, message.content or "") for message in self.messages])


class Generate(Asking):
    """The body of `POST /api/generate`. Without a prompt nothing is asked."""

    prompt: StrictStr | None = ""
    system: StrictStr | None = ""
    images: list[Any] | None = None

    def read(self) -> Asked | None:
        """The question, if there is one. Raises `BadRequest`, `ModelNotFound`."""
        refuse_images(self.images)
        return self.make_asked([("system", self.system or ""), ("user", self.prompt)]) if self.prompt else None


class Show(Ignoring):
    """The body of `POST /api/show`; old clients call the model `name`."""

    model: ModelName = ""
    name: ModelName = ""


class Embed(Ignoring):
    """The body of `POST /api/embed`. What is too long is cut unless `truncate` is false."""

    model: ModelName = OURS
    input: StrictStr | Annotated[list[StrictStr], Field(max_length=MAX_TEXTS)] = ""
    truncate: StrictBool | None = True
    dimensions: StrictInt | None = None

    @property
    def texts(self) -> list[str]:
        """What is to be embedded."""
        return ([self.input] if self.input else []) if isinstance(self.input, str) else self.input


class EmbedOne(Ignoring):
    """The body of `POST /api/embeddings`, from before there was `/api/embed`."""

    model: ModelName = OURS
    prompt: StrictStr = ""


def refuse_images(images: list[Any] | None) -> None:
    """Raises `BadRequest` when there are some."""
    if images:
        raise BadRequest("images: pictures cannot be read; send text alone.")

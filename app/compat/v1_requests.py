"""What clients of OpenAI's interface send, as models that validate it.

https://platform.openai.com/docs/api-reference/chat and …/embeddings
"""

from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, StrictInt, StrictStr

from app.compat.conversation import (
    MAX_MESSAGES,
    Asked,
    Extras,
    Ignoring,
    Limit,
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
MAX_STOPS = 16


Texts = Annotated[list[StrictStr | StrictInt | list[StrictInt]], Field(min_length=1, max_length=MAX_TEXTS)]


class Part(Ignoring):
    """A piece of a message; only text is understood."""

    type: StrictStr
    text: StrictStr = ""


class ChatMessage(Ignoring):
    """One message. What it says of tools is ignored."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: StrictStr | list[Part] | None = None


class StreamOptions(Ignoring):
    """`include_usage`: one more chunk at the end, with the number of tokens."""

    include_usage: StrictBool = False


class ResponseFormat(Ignoring):
    """Only `text` is understood."""

    type: StrictStr


class ChatCompletion(Ignoring):
    """The body of `POST /v1/chat/completions`. Unknown fields are ignored, and so are tools."""

    model: ModelName = OURS
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=MAX_MESSAGES)]
    stream: StrictBool | None = False
    stream_options: StreamOptions | None = None
    temperature: Annotated[Number, Field(ge=0, le=2)] | None = None
    top_p: Annotated[Number, Field(ge=0, le=1)] | None = None
    max_tokens: Limit | None = None
    max_completion_tokens: Limit | None = None
    stop: StrictStr | Annotated[list[StrictStr], Field(max_length=MAX_STOPS)] | None = None
    seed: Seed | None = None
    n: Literal[1] | None = 1
    response_format: ResponseFormat | None = None
    tool_choice: Any = None
    acervo: Extras = Field(default_factory=Extras)

    def read(self) -> Asked:
        """The question. Raises `BadRequest` for what cannot be obeyed, `ModelNotFound`."""
        if self.response_format and self.response_format.type != "text":
            raise BadRequest("response_format: answers are text with citations; leave it out.")
        if self.tool_choice == "required" or isinstance(self.tool_choice, dict):
            raise BadRequest("tool_choice: no tools are called here; leave it out.")
        sampling = Sampling(
            temperature=self.temperature,
            top_p=self.top_p,
            max_tokens=self.max_completion_tokens or self.max_tokens,
            stop=list_stops(self.stop),
            seed=self.seed,
        )
        turns = [_read_message(message) for message in self.messages]
        return make_asked(turns, read_model(self.model), sampling, self.acervo)


class Embeddings(Ignoring):
    """The body of `POST /v1/embeddings`."""

    model: ModelName = OURS
    input: StrictStr | Texts
    encoding_format: Literal["float", "base64"] | None = "float"
    dimensions: StrictInt | None = None

    @property
    def texts(self) -> list[str]:
        """What is to be embedded. Raises `BadRequest` for tokens."""
        texts = [self.input] if isinstance(self.input, str) else [text for text in self.input if isinstance(text, str)]
        if not isinstance(self.input, str) and len(texts) < len(self.input):
            raise BadRequest(
                "input: send text; numbers are tokens of another model. In LangChain: check_embedding_ctx_length=False."
            )
        return texts


def _read_message(message: ChatMessage) -> Turn:
    if message.content is None or isinstance(message.content, str):
        return message.role, message.content or ""
    for part in message.content:
        if part.type != "text":
            raise BadRequest(f"messages: a part of type {part.type!r} cannot be read; send text alone.")
    return message.role, "\n".join(part.text for part in message.content)

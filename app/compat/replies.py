"""What clients of OpenAI's and of Ollama's interface are answered, as models for `/openapi.json`."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from app.replies import AnswerLine, Checked, Reply, Source


class V1Failure(Reply):
    message: str
    type: str
    param: str | None
    code: str | None


class V1Problem(Reply):
    """What is wrong and what to do."""

    error: V1Failure


class V1Model(Reply):
    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class V1Models(Reply):
    object: Literal["list"]
    data: list[V1Model]


class V1Message(Reply):
    role: Literal["assistant"]
    content: str
    refusal: None


class V1Choice(Reply):
    index: int
    message: V1Message
    logprobs: None
    finish_reason: Literal["stop", "length"]


class V1Usage(Reply):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class V1Completion(Reply):
    """An answer; `sources`, `citations`, `checks` and `acervo` are as in the lines of `POST /`."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[V1Choice]
    usage: V1Usage
    sources: list[Source]
    citations: list[int]
    checks: list[Checked] = Field(default_factory=list)
    acervo: dict[str, Any]


class V1Embedding(Reply):
    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class V1Read(Reply):
    prompt_tokens: int
    total_tokens: int


class V1Embeddings(Reply):
    object: Literal["list"]
    data: list[V1Embedding]
    model: str
    usage: V1Read


class Version(Reply):
    version: str


class Tag(BaseModel):
    name: str
    model: str
    modified_at: str
    size: int
    digest: str
    details: dict[str, Any]


class Tags(Reply):
    models: list[Tag]


class Shown(BaseModel):
    """A model."""

    details: dict[str, Any]
    model_info: dict[str, Any]
    capabilities: list[str]
    modified_at: str


class OllamaLine(AnswerLine):
    """A line of an answer, or all of it: as in `POST /`, with the text in `message.content` or, of `/api/generate`,
    in `response`."""


class Embedded(Reply):
    model: str
    embeddings: list[list[float]]
    prompt_eval_count: int
    total_duration: int
    load_duration: int


class EmbeddedOne(Reply):
    embedding: list[float]

"""Addresses for clients of OpenAI's and of Ollama's interface."""

from collections.abc import Sequence

from app.compat import replies
from app.compat.ollama_requests import Chat, Embed, EmbedOne, Generate, Show
from app.compat.v1_requests import ChatCompletion, Embeddings
from app.operations.parts import LINES, TEXT, Content, Operation, Parameter, Schema

MODEL_NAME: Schema = {"type": "string", "enum": ["acervo", "acervo:extractive", "acervo:nothing-of-this-name"]}
NAME = Parameter("name", MODEL_NAME, "acervo, or acervo:MODEL with one of `GET /models`.")
EVENTS = Content("With `stream`: server-sent events.", media_type="text/event-stream", schema=TEXT)
WHOLE = Content("Without `stream`.", replies.OllamaLine)
STREAMED = Content("A line at a time, or all of it at once.", replies.OllamaLine, LINES, other=WHOLE)
ASKS = (404, 408, 413, 502, 503, 504)

FOREIGN: Sequence[Operation] = (
    Operation(
        "get",
        "/v1/models",
        "Models, as OpenAI lists them",
        "OpenAI's interface",
        {200: Content("", replies.V1Models)},
        fails=(502, 503),
        problem=replies.V1Problem,
    ),
    Operation(
        "get",
        "/v1/models/{name}",
        "One of them",
        "OpenAI's interface",
        {200: Content("", replies.V1Model)},
        parameters=(NAME,),
        fails=(404, 502, 503),
        problem=replies.V1Problem,
    ),
    Operation(
        "post",
        "/v1/chat/completions",
        "Ask, as one asks OpenAI",
        "OpenAI's interface",
        {200: Content("The answer.", replies.V1Completion, other=EVENTS)},
        Content("The conversation.", ChatCompletion),
        fails=ASKS,
        problem=replies.V1Problem,
    ),
    Operation(
        "post",
        "/v1/embeddings",
        "Vectors of texts, by the embedder of the documents",
        "OpenAI's interface",
        {200: Content("", replies.V1Embeddings)},
        Content("The texts.", Embeddings),
        fails=ASKS,
        problem=replies.V1Problem,
    ),
    Operation(
        "get",
        "/api/version",
        "The version of Ollama's interface",
        "Ollama's interface",
        {200: Content("", replies.Version)},
    ),
    Operation(
        "get",
        "/api/tags",
        "Models, as Ollama lists them",
        "Ollama's interface",
        {200: Content("", replies.Tags)},
        fails=(502, 503),
    ),
    Operation(
        "post",
        "/api/show",
        "One of them",
        "Ollama's interface",
        {200: Content("", replies.Shown)},
        Content("Its name.", Show),
        fails=ASKS,
    ),
    Operation(
        "post",
        "/api/chat",
        "Ask, as one asks Ollama",
        "Ollama's interface",
        {200: STREAMED},
        Content("The conversation.", Chat),
        fails=ASKS,
    ),
    Operation(
        "post",
        "/api/generate",
        "The same without a conversation",
        "Ollama's interface",
        {200: STREAMED},
        Content("The question.", Generate),
        fails=ASKS,
    ),
    Operation(
        "post",
        "/api/embed",
        "Vectors of texts, by the embedder of the documents",
        "Ollama's interface",
        {200: Content("", replies.Embedded)},
        Content("The texts.", Embed),
        fails=ASKS,
    ),
    Operation(
        "post",
        "/api/embeddings",
        "The vector of one text",
        "Ollama's interface",
        {200: Content("", replies.EmbeddedOne)},
        Content("The text.", EmbedOne),
        fails=ASKS,
    ),
)

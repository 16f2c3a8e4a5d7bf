"""The interface as OpenAPI 3.1, made of the table of operations and of the models that validate. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from app.operations import Content, Operation, Parameter
from app.replies import Problem

VERSION = "0.1.0"
"""Of the interface."""
REF = "#/components/schemas/{model}"
EVERYWHERE = (400, 401, 403, 429, 500)
"""A wrong host name, nobody or somebody who may not, too many attempts to come in, a fault of the program."""
WAYS_IN: Mapping[str, Mapping[str, str]] = {
    "session": {"type": "apiKey", "in": "cookie", "name": "acervo_session", "description": "Set by POST /login."},
    "key": {"type": "http", "scheme": "bearer", "description": "A key of POST /me/keys."},
}
"""Where the server has users; without any, whoever reaches it may do everything."""
FAILURES: Mapping[int, str] = {
    400: "The request is wrong; the message says where.",
    401: "Nobody is logged in.",
    403: "This page, person or key may not.",
    404: "There is no such thing.",
    408: "The request did not arrive in time.",
    409: "It is not in a state for that.",
    413: "Too large.",
    415: "Not a PDF.",
    416: "The file has no such part.",
    422: "It cannot be read, drawn or meant.",
    429: "Too many; wait a moment.",
    500: "A fault of the program; its log has the details.",
    502: "The model answered wrongly.",
    503: "Store, embedder or model is away, or the server is busy or stopping.",
    504: "The model did not begin to answer in time.",
}

Json = dict[str, Any]


def make_document(operations: Sequence[Operation]) -> Json:
    """The whole description."""
    models = sorted({model for operation in operations for model in _list_models(operation)}, key=lambda m: m.__name__)
    _, schemas = models_json_schema([(model, "validation") for model in models], ref_template=REF)
    paths: dict[str, Json] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method] = _describe(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Acervo",
            "version": VERSION,
            "description": "Put questions to your own documents on your own machine.",
            "license": {"name": "AGPL-3.0-or-later", "identifier": "AGPL-3.0-or-later"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name} for name in dict.fromkeys(operation.group for operation in operations)],
        "paths": paths,
        "components": {"schemas": schemas["$defs"], "securitySchemes": dict(WAYS_IN)},
        "security": [{}, *({name: []} for name in WAYS_IN)],
    }


def _list_models(operation: Operation) -> Iterable[type[BaseModel]]:
    contents = [*operation.gives.values(), *([operation.takes] if operation.takes else [])]
    contents += [content.other for content in contents if content.other]
    return [Problem, operation.problem, *(content.model for content in contents if content.model)]


def _describe(operation: Operation) -> Json:
    responses = {str(status): _describe_reply(content, status) for status, content in operation.gives.items()}
    for status in sorted({*EVERYWHERE, *operation.fails} - {int(known) for known in responses}):
        content = Content(FAILURES[status], operation.problem)
        responses[str(status)] = _describe_reply(content, status)
    # What is no HTTP, or has a header of more than 8 kB, is answered before anything of ours sees it.
    responses["400"]["content"]["text/plain"] = {"schema": {"type": "string"}}
    described: Json = {
        "summary": operation.what,
        "operationId": _name(operation),
        "tags": [operation.group],
        "responses": dict(sorted(responses.items())),
    }
    if operation.parameters:
        described["parameters"] = [_describe_parameter(parameter) for parameter in operation.parameters]
    if operation.takes:
        described["requestBody"] = {
            "required": True,
            "description": operation.takes.what,
            "content": _describe_content(operation.takes),
        }
    return described


def _describe_reply(content: Content, status: int) -> Json:
    told: Json = {"description": content.what or HTTPStatus(status).phrase}
    return told | ({"content": _describe_content(content)} if content.media_type else {})


def _describe_content(content: Content) -> Json:
    schema = {"$ref": REF.format(model=content.model.__name__)} if content.model else dict(content.schema)
    return {content.media_type: {"schema": schema}} | (_describe_content(content.other) if content.other else {})


def _describe_parameter(parameter: Parameter) -> Json:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.place == "path",
        "description": parameter.what,
        "schema": dict(parameter.schema),
    }


def _name(operation: Operation) -> str:
    words = [word.strip("{}") for part in operation.path.split("/") for word in part.split(".") if word]
    return "_".join([operation.method, *(words or ["root"])])

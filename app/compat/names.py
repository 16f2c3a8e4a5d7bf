"""What clients of others call our models: "acervo", and "acervo:MODEL" for one of `GET /models`."""

from collections.abc import Iterable

from app.errors import ModelNotFound

OURS = "acervo"
"""The model that answers a question which names none, with the documents behind it."""
LATEST = f"{OURS}:latest"
"""How clients of Ollama spell a name without a tag."""


def read_model(name: str) -> str | None:
    """The model meant, as `POST /` names it; None for the default. Raises `ModelNotFound`."""
    if name in (OURS, LATEST):
        return None
    prefix, _, model = name.partition(":")
    if prefix != OURS or not model:
        raise not_found(name)
    return model


def not_found(name: str) -> ModelNotFound:
    """The error for a name that is none."""
    return ModelNotFound(f"model {name!r} not found: name acervo, or acervo:MODEL with a model that GET /models lists")


def name_model(model: str) -> str:
    """How `model` is called outside."""
    return f"{OURS}:{model}"


def list_names(models: Iterable[str]) -> list[str]:
    """The default, then each of `models`."""
    return [OURS, *map(name_model, models)]

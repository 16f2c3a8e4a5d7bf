"""MODELS_FILE: models by name, wherever they run, as a small TOML file. Only the reading; nothing is asked.

[[model]]
name = "qwen"
provider = "openai"                    # or ollama, gemini
model = "Qwen/Qwen3-8B"
base_url = "http://127.0.0.1:8001/v1"
key_env = "QWEN_KEY"                   # the variable that holds the key; keys never stand in the file
window = 16384
sampling = { temperature = 0.2 }
"""

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError

from app.llms import Sampling
from app.llms.places import is_this_machine

RESERVED = frozenset({"auto", "ollama", "openai", "gemini", "extractive", "acervo"})
"""Names with a meaning of their own."""
OWN_FIELDS = frozenset({"messages", "model", "stream", "stream_options"})
"""Of a request: what `extra` may not touch."""


class EntrySampling(BaseModel):
    """How the model is to choose its words where the question does not say."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(gt=0)] | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None

    def read(self) -> Sampling:
        """The same as requests take it."""
        return Sampling(self.temperature, self.top_p, self.max_tokens, self.stop, self.seed)


class Entry(BaseModel):
    """One model of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)

    name: Annotated[str, Field(pattern=r"^[^\s,]{1,200}$")]
    provider: Literal["ollama", "openai", "gemini"]
    model: Annotated[str, Field(min_length=1, max_length=400)]
    """As its server calls it."""
    base_url: str = ""
    key_env: Annotated[str, Field(pattern=r"^([A-Za-z_][A-Za-z0-9_]*)?$")] = ""
    window: Annotated[int, Field(ge=512)] | None = None
    """Tokens; None: NUM_CTX."""
    local: bool | None = None
    sampling: EntrySampling = EntrySampling()
    extra: dict[str, Any] = {}
    """Further fields of the request as the server names them."""
    trust_env: bool = False
    """Obey HTTP_PROXY and its kin on the way there."""

    @field_validator("name")
    @classmethod
    def _is_free(cls, name: str) -> str:
        if name.lower() in RESERVED:
            raise PydanticCustomError("reserved", "has a meaning of its own; choose another name")
        return name

    @field_validator("base_url")
    @classmethod
    def _is_plain(cls, url: str) -> str:
        parts = urlsplit(url)
        if url and (parts.scheme not in ("http", "https") or not parts.hostname):
            raise PydanticCustomError("url", "is no address; write one such as http://127.0.0.1:8001/v1")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise PydanticCustomError("secret", "may hold no login, `?` or `#`; name the key's variable in key_env")
        return url.rstrip("/")

    @field_validator("extra")
    @classmethod
    def _leaves_ours(cls, extra: dict[str, Any]) -> dict[str, Any]:
        if ours := sorted(OWN_FIELDS & set(extra)):
            raise PydanticCustomError("ours", "may not hold {names}", {"names": ", ".join(ours)})
        return extra

    @model_validator(mode="after")
    def _fits_its_provider(self) -> Self:
        if self.provider == "openai" and not self.base_url:
            raise PydanticCustomError("base_url", "base_url is missing, for example http://127.0.0.1:8001/v1")
        if self.provider == "gemini" and (self.base_url or self.local):
            raise PydanticCustomError("gemini", "a gemini model is Google's: it takes no base_url and is not local")
        if self.provider != "openai" and (self.extra or self.trust_env):
            raise PydanticCustomError("extra", "extra and trust_env are for openai models")
        return self

    @property
    def host(self) -> str:
        """Where it runs; empty where the settings tell."""
        return urlsplit(self.base_url).hostname or ""

    @property
    def is_local(self) -> bool:
        """What `local` says, else whether it runs on this machine."""
        return is_this_machine(self.host) if self.local is None else self.local


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    model: list[dict[str, Any]] = []


@dataclass(frozen=True)
class ModelsFile:
    """The entries of the file at `path`, and the keys that they name; `str()` is the path."""

    path: str = ""
    entries: Sequence[Entry] = ()
    keys: Mapping[str, SecretStr] = field(default_factory=dict)
    """By the name of the variable; those that are set."""

    def __str__(self) -> str:
        return self.path

    @property
    def names(self) -> list[str]:
        """Of all entries, in order."""
        return [entry.name for entry in self.entries]

    def key_of(self, entry: Entry) -> str:
        """The key, empty when there is none."""
        key = self.keys.get(entry.key_env)
        return key.get_secret_value() if key else ""


def read_models_file(path: Path, shown: str, read_key: Callable[[str], str]) -> ModelsFile:
    """The checked file; `shown` is how its path was given. Raises `ValueError` that names every wrong entry."""
    try:
        found = _File.model_validate(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror})") from None
    except ValidationError as error:
        raise ValueError(f"holds something else than [[model]] tables: {_name_problems(error)}") from None
    except ValueError as error:  # not UTF-8, not TOML
        raise ValueError(f"is not TOML: {error}") from None
    if not found.model:
        raise ValueError("holds no [[model]]")
    entries = _check_entries(found.model)
    keys = {entry.key_env: SecretStr(key) for entry in entries if entry.key_env and (key := read_key(entry.key_env))}
    return ModelsFile(shown, entries, keys)


def _check_entries(given: Sequence[dict[str, Any]]) -> tuple[Entry, ...]:
    entries: list[Entry] = []
    problems: list[str] = []
    for number, fields in enumerate(given, 1):
        title = f"[[model]] number {number} ({fields.get('name', 'without a name')!s:.200})"
        try:
            entry = Entry.model_validate(fields)
        except ValidationError as error:
            problems.append(f"{title}: {_name_problems(error)}")
            continue
        if entry.name in {known.name for known in entries}:
            problems.append(f"{title}: the name is taken by an entry before it")
        entries.append(entry)
    if problems:
        raise ValueError("\n    " + "\n    ".join(problems))
    return tuple(entries)


def _name_problems(error: ValidationError) -> str:
    """Without the values: somebody may have put a key where it does not belong."""
    found = [
        (".".join(map(str, e["loc"])), re.sub("^Input", "it", e["msg"])) for e in error.errors(include_input=False)
    ]
    return "; ".join(f"{place}: {message}" if place else message for place, message in found)

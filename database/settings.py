"""Settings of the index, read once from the environment and `.env`. No server options.

The variable ACERVO_ENV_FILE names another file than `.env`; the tests point it to one that is empty.
"""

import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from dotenv import dotenv_values
from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from database.errors import SettingsError
from database.web.allowed import Allowed, read_allowed

ROOT = Path(__file__).resolve().parent.parent
"""The project's folder. Relative paths in settings start here, wherever a command is typed."""

KEEP_ALIVE = r"^(-?\d+(\.\d+)?|-?(\d+(\.\d+)?(ms|s|m|h))+)?$"
"""Seconds, or what Go calls a duration: 30m, 1h30m, -1."""


class IndexSettings(BaseSettings):
    """What the loader and the search need. Each field is the environment variable of that name."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore")

    pdf_dir: Path = Path("pdf")
    data_dir: Path = Path(".data")
    mongodb_uri: str = ""
    mongodb_db: str = "acervo"
    mongodb_timeout_s: Annotated[float, Field(gt=0)] = 10
    mongodb_quantization: Literal["none", "scalar", "binary"] = "none"
    """How coarse the vectors are that MongoDB's search process holds in memory."""
    index_ready_timeout_s: Annotated[float, Field(gt=0)] = 180
    originals: Literal["store", "folder"] = "store"
    """Where MongoDB is the store: whether it keeps the originals, too, or DATA_DIR alone."""
    lease_s: Annotated[float, Field(ge=1, le=3600)] = 30
    """Seconds after which another process on the same MongoDB takes over what one left unfinished."""
    embedder: str = "minilm"
    reranker: str = ""
    ollama_host: str = "http://127.0.0.1:11434"
    ollama_keep_alive: Annotated[str, Field(pattern=KEEP_ALIVE)] = ""
    """Empty: as Ollama is set up."""
    ollama_trust_env: bool = False
    """Obey HTTP_PROXY and its kin on the way to Ollama."""
    ocr: Literal["off", "on"] = "off"
    ocr_language: str = "por+eng"
    read_workers: Annotated[int, Field(ge=0, le=256)] = 0
    """0: one for each processor."""
    read_timeout_s: Annotated[float, Field(gt=0)] = 30
    """Seconds a conversion may take, plus 5 for each page."""
    read_memory_mb: Annotated[int, Field(ge=512)] = 4096
    """Address space of one conversion process."""
    max_file_mb: Annotated[int, Field(gt=0)] = 512
    max_pages: Annotated[int, Field(gt=0, le=999_999)] = 20_000
    """Of one file."""
    max_text_mb: Annotated[int, Field(gt=0)] = 64
    """Of all pages of one file."""
    url_allow: str = ""
    url_timeout_s: Annotated[float, Field(gt=0)] = 60
    """For one address, with what it redirects to."""

    @field_validator("pdf_dir", "data_dir")
    @classmethod
    def _from_root(cls, path: Path) -> Path:
        return from_root(path)

    @field_validator("ollama_host")
    @classmethod
    def _as_url(cls, host: str) -> str:
        """Accepts what Ollama itself accepts in OLLAMA_HOST, such as `0.0.0.0:11434`."""
        host = host.rstrip("/").replace("0.0.0.0", "127.0.0.1", 1)
        if "://" in host:
            return host
        has_port = host.rpartition(":")[2].isdigit()
        return f"http://{host}" if has_port else f"http://{host}:11434"

    @field_validator("url_allow")
    @classmethod
    def _are_targets(cls, text: str) -> str:
        read_allowed(text)
        return text

    @property
    def url_allowed(self) -> Allowed:
        """The hosts and networks that pages may be fetched from beside the public internet."""
        return read_allowed(self.url_allow)

    @property
    def keep_alive(self) -> str | float | None:
        """OLLAMA_KEEP_ALIVE as Ollama takes it: a number of seconds, or a text with units."""
        text = self.ollama_keep_alive
        try:
            return float(text) if text else None
        except ValueError:
            return text

    @property
    def ollama_address(self) -> str:
        """OLLAMA_HOST as it may be shown."""
        return hide_login(self.ollama_host)

    @classmethod
    def load(cls, **given: Any) -> Self:
        """Read the file of settings, the environment over it, and the `given` values over both.

        Raises `SettingsError` that names every wrong variable at once.
        """
        try:
            return cls(**{"_env_file": find_env_file(), **given})
        except ValidationError as error:
            raise SettingsError(_describe(error)) from None


def from_root(path: Path | str) -> Path:
    """A path of a setting as an absolute one, without `..`, so that one folder has one name whether it comes from
    here or the command line."""
    return Path(os.path.abspath(ROOT / os.path.expanduser(path)))


def hide_login(url: str) -> str:
    """An address without the user and the password that it may hold."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def read_variable(name: str) -> str:
    """A variable that is no setting, from the environment or the file of settings; empty when it is in neither."""
    return os.environ.get(name) or dotenv_values(find_env_file()).get(name) or ""


def find_env_file() -> Path:
    """The file of settings, whether it exists or not. Raises `SettingsError` where one is named that does not."""
    named = os.environ.get("ACERVO_ENV_FILE", "")
    path = ROOT / os.path.expanduser(named or ".env")
    if named and not path.exists():
        raise SettingsError(f"ACERVO_ENV_FILE={named!r}: there is no such file. Correct it, or unset it to read .env.")
    return path


def _describe(error: ValidationError) -> str:
    lines = [f"  {'.'.join(str(p) for p in e['loc']).upper()}={e['input']!r}: {e['msg']}" for e in error.errors()]
    return "These settings cannot be used; correct them in the environment or in .env:\n" + "\n".join(lines)

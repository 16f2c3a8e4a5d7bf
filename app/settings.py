"""Settings of the server: those of the index, the models and the web side."""

import ipaddress
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import NoDecode

from app.llms.models_file import ModelsFile, read_models_file
from app.prompt_files import Prompts, read_prompts
from database.settings import IndexSettings, from_root, read_variable

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
LLMS = ("auto", "ollama", "extractive", "gemini")


def _read_models(given: Any) -> ModelsFile:
    if isinstance(given, ModelsFile):
        return given
    return read_models_file(from_root(given), str(given), read_variable)


def _read_prompt(given: Any) -> Prompts:
    return given if isinstance(given, Prompts) else read_prompts(from_root(given), str(given))


class ServerSettings(IndexSettings):
    """Each field is the environment variable of that name; `.env.example` describes them."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    allow_no_login: bool = False
    allowed_hosts: str = "localhost, 127.0.0.1"
    cors_origins: str = "http://localhost:4200"
    trusted_proxies: str = ""
    tls_cert: str = ""
    tls_key: str = ""
    session_hours: Annotated[float, Field(gt=0, le=24 * 366)] = 168
    login_limit: Annotated[int, Field(ge=0)] = 10
    """Attempts a minute for each name, and from each address; 0: no limit."""
    ask_limit: Annotated[int, Field(ge=0)] = 60
    """Questions a minute of each user, or from each address; 0: no limit."""
    max_keys: Annotated[int, Field(gt=0)] = 20
    """Of one user."""
    ollama_model: str = "llama3.1:8b"
    num_ctx: Annotated[int, Field(ge=512)] = 8192
    models_file: Annotated[ModelsFile, NoDecode, BeforeValidator(_read_models)] = ModelsFile()
    llm: str = "auto"
    """One of `LLMS`, or a name in MODELS_FILE."""
    fallback: str = ""
    """Models in place of one that gives no answer, in order."""
    fallback_remote: bool = False
    google_api_key: SecretStr = SecretStr("")
    gemini_model: str = "gemini-2.5-flash"
    prompt: Annotated[Prompts, NoDecode, BeforeValidator(_read_prompt)] = Field(default_factory=read_prompts)
    top_k: Annotated[int, Field(ge=1, le=50)] = 6
    refuse_unrelated: bool = True
    footnotes: bool = False
    """Places cited at the end of the text, for clients of OpenAI's and Ollama's interfaces that do not say."""
    connect_timeout_s: Annotated[float, Field(gt=0)] = 5
    first_token_timeout_s: Annotated[float, Field(gt=0)] = 300
    """Long, because a large model may first have to be read from disk."""
    rewrite_timeout_s: Annotated[float, Field(gt=0)] = 20
    """For a model to complete a follow-up question; after it the rule does."""
    shutdown_timeout_s: Annotated[float, Field(gt=0)] = 2
    max_body_kb: Annotated[int, Field(gt=0)] = 1024
    body_timeout_s: Annotated[float, Field(gt=0)] = 30
    stall_timeout_s: Annotated[float, Field(gt=0)] = 60
    max_prompt_chars: Annotated[int, Field(gt=0)] = 8000
    max_answers: Annotated[int, Field(gt=0)] = 1000
    """Answers written at the same time; one more is refused with 503."""
    max_upload_files: Annotated[int, Field(gt=0)] = 100
    """Files in one request."""
    max_uploads: Annotated[int, Field(gt=0)] = 8
    """Requests with files at the same time."""
    max_queue: Annotated[int, Field(gt=0)] = 1000
    """Unfinished jobs."""
    job_workers: Annotated[int, Field(gt=0, le=64)] = 1
    """Uploaded documents in work at the same time."""
    watch: bool = False
    """Follow PDF_DIR."""
    undo_s: Annotated[float, Field(ge=0)] = 60
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["text", "json"] = "text"
    audit_log: str = ""
    audit_questions: bool = False
    metrics_token: SecretStr = SecretStr("")

    @field_validator("llm")
    @classmethod
    def _is_known(cls, llm: str, info: ValidationInfo) -> str:
        # Where the file itself is wrong, that is told, and nothing of the names in it.
        names = info.data["models_file"].names if "models_file" in info.data else [llm]
        if llm not in (*LLMS, *names):
            raise ValueError(f"write one of {', '.join((*LLMS, *names))}")
        return llm

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, text: str) -> str:
        for part in _split(text):
            ipaddress.ip_network(part, strict=False)
        return text

    @property
    def fallback_names(self) -> list[str]:
        """The models of FALLBACK in order, each once."""
        return list(dict.fromkeys(name for part in self.fallback.split(",") if (name := part.strip())))

    @property
    def trusted_networks(self) -> tuple[Network, ...]:
        """The proxies that are believed."""
        return tuple(ipaddress.ip_network(part, strict=False) for part in sorted(_split(self.trusted_proxies)))

    @property
    def host_names(self) -> frozenset[str]:
        """Host names answered to, in small letters, without ports and brackets; HOST itself is one."""
        return frozenset(name.strip("[]").lower() for name in (*_split(self.allowed_hosts), self.host))

    @property
    def origins(self) -> frozenset[str]:
        """Origins of cross-origin pages that may ask."""
        return frozenset(origin.rstrip("/") for origin in _split(self.cors_origins))


def _split(text: str) -> frozenset[str]:
    return frozenset(part.strip() for part in text.split(",") if part.strip())

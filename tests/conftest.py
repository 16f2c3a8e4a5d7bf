"""What every test gets: a clean environment and folders of its own."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.settings import ServerSettings

pytest_plugins = ("tests.server",)


def pytest_configure() -> None:
    """Close the developer's `.env` to the tests and to the programs that they start: it may name a store in use."""
    os.environ["ACERVO_ENV_FILE"] = os.devnull
    # A shell that starts the tests in the background has them, and what they start, ignore Ctrl+C.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No setting of the machine reaches a test; every path points below `tmp_path`."""
    for name in [*ServerSettings.model_fields, "http_proxy", "https_proxy", "all_proxy"]:
        for spelling in (name, name.upper()):
            monkeypatch.delenv(spelling, raising=False)
    monkeypatch.setenv("PDF_DIR", str(tmp_path / "pdf"))
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    # Nothing listens there: a test that wants Ollama starts tests/fakes/ollama.py and says so.
    monkeypatch.setenv("OLLAMA_HOST", "http://127.0.0.1:9")
    os.makedirs(tmp_path / "pdf", exist_ok=True)
    yield


@pytest.fixture
def settings() -> ServerSettings:
    """The settings of the clean environment."""
    return ServerSettings.load()

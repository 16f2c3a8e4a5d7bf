"""What every test gets: a clean environment and folders of its own."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from app.settings import ServerSettings
from tests.deep import DEEP
from tests.fakes.ports import hold_port

pytest_plugins = ("tests.server",)


def pytest_configure() -> None:
    """Close the developer's `.env` to the tests and to the programs that they start, as it may name a store in use, and
    forget what their terminal and their way to the network are. Examples are made up as tests/deep.py says."""
    os.environ["ACERVO_ENV_FILE"] = os.devnull
    for name in ("http_proxy", "https_proxy", "all_proxy", "force_color", "no_color", "columns"):
        for spelling in (name, name.upper()):
            os.environ.pop(spelling, None)
    profiles = hypothesis.settings
    examples = profiles(profiles.get_profile("ci"), derandomize=not DEEP, max_examples=100 * (1 + DEEP))
    profiles.register_profile("acervo", examples)
    profiles.load_profile("acervo")
    # A shell that starts the tests in the background has them, and what they start, ignore Ctrl+C.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No setting of the machine reaches a test; every path points below `tmp_path`."""
    for name in ServerSettings.model_fields:
        for spelling in (name, name.upper()):
            monkeypatch.delenv(spelling, raising=False)
    monkeypatch.setenv("PDF_DIR", str(tmp_path / "pdf"))
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    # Nothing listens there: a test that wants Ollama starts tests/fakes/ollama.py and says so.
    monkeypatch.setenv("OLLAMA_HOST", "http://127.0.0.1:9")
    os.makedirs(tmp_path / "pdf", exist_ok=True)
    yield


@pytest.fixture
def unused_tcp_port() -> Iterator[int]:
    """A port of 127.0.0.1 where nobody listens, and which no other program gets, before the test itself does."""
    with hold_port() as port:
        yield port


@pytest.fixture
def settings() -> ServerSettings:
    """The settings of the clean environment."""
    return ServerSettings.load()

"""Settings come from the environment; everything wrong is listed at once, by name."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from database.embedders import make_embedder
from database.embedders.minilm import MiniLMEmbedder
from database.embedders.ollama import OllamaEmbedder
from database.errors import SettingsError
from database.settings import ROOT, IndexSettings
from database.stores import make_store
from database.stores.sqlite import SqliteStore


def test_the_environment_is_read_and_given_values_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMBEDDER", "ollama:bge-m3")
    monkeypatch.setenv("READ_WORKERS", "3")
    settings = IndexSettings.load(read_workers=5)
    assert (settings.embedder, settings.read_workers) == ("ollama:bge-m3", 5)


def test_an_empty_variable_means_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("READ_TIMEOUT_S", "OLLAMA_HOST", "PDF_DIR"):
        monkeypatch.setenv(name, "")
    settings = IndexSettings.load()
    assert (settings.read_timeout_s, settings.ollama_host) == (30, "http://127.0.0.1:11434")
    assert settings.pdf_dir == ROOT / "pdf"


def test_a_file_of_settings_is_read_and_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "env").write_text("OCR=on\nMAX_FILE_MB=7\nUNKNOWN=1\n")
    monkeypatch.setenv("MAX_FILE_MB", "9")
    settings = IndexSettings.load(_env_file=tmp_path / "env")
    assert (settings.ocr, settings.max_file_mb) == ("on", 9)


def test_another_file_of_settings_may_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "env").write_text("OCR=on\n")
    monkeypatch.setenv("ACERVO_ENV_FILE", str(tmp_path / "env"))
    assert IndexSettings.load().ocr == "on"
    monkeypatch.setenv("ACERVO_ENV_FILE", str(tmp_path / "nowhere"))
    with pytest.raises(SettingsError, match=r"ACERVO_ENV_FILE='.*nowhere': there is no such file"):
        IndexSettings.load()


TRY = """
import asyncio
import os
import subprocess
from tests.e2e.servers import start_program
from tests.loads import run_load
from tests.test_first_run import load_sample

def test_in_this_process(settings):
    assert (settings.mongodb_uri, settings.port, settings.read_workers) == ("", 8000, 0)

async def test_in_other_processes(tmp_path):
    (tmp_path / "home").mkdir()
    assert run_load(tmp_path, "--dry-run").returncode == 0
    assert load_sample(tmp_path, "--dry-run")["dry_run"]
    process = await start_program("database.main", subprocess.DEVNULL, DATA_DIR=str(tmp_path / "data"))
    assert await process.wait() == 0
"""


@pytest.mark.parametrize("name", [".env", "other.env"])
def test_a_developers_file_of_settings_reaches_no_test(tmp_path: Path, name: str) -> None:
    """In a copy of the project, because that file lies in the project's folder."""
    for folder in ("app", "database", "tests", "web"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / name).write_text("MONGODB_URI=mongodb://127.0.0.1:9\nPORT=1\nREAD_WORKERS=many\n")
    (tmp_path / "tests/test_try.py").write_text(TRY)
    environment = os.environ | {"ACERVO_ENV_FILE": name}
    if name == ".env":
        del environment["ACERVO_ENV_FILE"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_try.py"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=170)
    assert done.returncode == 0 and "2 passed" in done.stdout, done.stdout + done.stderr


def test_every_wrong_variable_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("READ_WORKERS", "many"), ("OCR", "maybe"), ("READ_MEMORY_MB", "1")):
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        IndexSettings.load()
    lines = str(caught.value).splitlines()
    assert {line.split(":")[0].strip() for line in lines[1:]} == {
        "READ_WORKERS='many'",
        "OCR='maybe'",
        "READ_MEMORY_MB='1'",
    }
    assert ".env" in lines[0]


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("pdf", ROOT / "pdf"),
        ("./a/../b", ROOT / "b"),
        ("../beside", ROOT.parent / "beside"),
        ("/srv//documents/", Path("/srv/documents")),
        ("~/documents", Path.home() / "documents"),
        ("~nobody-of-that-name/x", ROOT / "~nobody-of-that-name/x"),
    ],
)
def test_folders_are_absolute_and_have_one_name(
    given: str, path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PDF_DIR", given)
    assert IndexSettings.load().pdf_dir == path


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("http://127.0.0.1:11434", "http://127.0.0.1:11434"),
        ("http://gpu:11434/", "http://gpu:11434"),
        ("gpu:11434", "http://gpu:11434"),
        ("0.0.0.0:11434", "http://127.0.0.1:11434"),
        ("https://models.example/ollama/", "https://models.example/ollama"),
    ],
)
def test_ollama_host_is_a_url(given: str, url: str) -> None:
    assert IndexSettings.load(ollama_host=given).ollama_host == url


def test_the_embedder_is_made_from_its_setting(tmp_path: Path) -> None:
    assert isinstance(make_embedder(IndexSettings.load()), MiniLMEmbedder)
    embedder = make_embedder(IndexSettings.load(embedder="ollama:bge-m3:567m"))
    assert isinstance(embedder, OllamaEmbedder) and embedder.name == "ollama:bge-m3:567m"


@pytest.mark.parametrize("name", ["bert", "ollama", "ollama:", "minilm:large", "Minilm"])
def test_an_unknown_embedder_is_refused_with_what_to_write(name: str) -> None:
    with pytest.raises(SettingsError, match=rf"EMBEDDER='{name}': write minilm or ollama:MODEL"):
        make_embedder(IndexSettings.load(embedder=name))


def test_the_store_is_made_from_its_setting() -> None:
    assert isinstance(make_store(IndexSettings.load()), SqliteStore)
    assert make_store(IndexSettings.load(mongodb_uri="mongodb://127.0.0.1:9")).kind == "mongodb"


def test_settings_are_read_when_they_are_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment counts when settings are loaded, not when the module is imported."""
    monkeypatch.setenv("MONGODB_DB", "one")
    first = IndexSettings.load()
    monkeypatch.setenv("MONGODB_DB", "two")
    assert (first.mongodb_db, IndexSettings.load().mongodb_db) == ("one", "two")

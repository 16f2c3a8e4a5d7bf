"""MODELS_FILE: what it may say, what is told of what it may not, and its models in the switch and in answers."""

import json
import re
from pathlib import Path
from typing import Any

import grpc
import pytest

from app.llms import Sampling
from app.settings import ServerSettings
from database.errors import SettingsError
from database.settings import ROOT
from tests.fakes.gemini import FakeGemini
from tests.fakes.ollama import ANSWER as OLLAMA_ANSWER
from tests.fakes.ollama import FakeOllama
from tests.fakes.openai import ANSWER, FakeOpenAI
from tests.library import Library
from tests.server import NOBODY, Served, ask, check_shape, send, serve

KEY = "sk-very-secret-0123456789"


def write(path: Path, *entries: dict[str, Any]) -> Path:
    """A file of these models; JSON's values are TOML's, tables apart."""
    tables = ["\n".join(f"{name} = {json.dumps(value)}" for name, value in entry.items()) for entry in entries]
    path.write_text("".join(f"[[model]]\n{table}\n" for table in tables), "utf-8")
    return path


def openai(name: str, url: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "provider": "openai", "model": "Qwen/Qwen3-8B", "base_url": url, **more}


def test_is_read_with_the_keys_it_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "models.toml"
    path.write_text(
        '[[model]]\nname = "qwen"\nprovider = "openai"\nmodel = "Qwen/Qwen3-8B"\nbase_url = "http://127.0.0.1:1/v1/"\n'
        'key_env = "QWEN_KEY"\nwindow = 16384\nsampling = { temperature = 0.2, stop = ["END"] }\n'
        '[[model]]\nname = "far"\nprovider = "openai"\nmodel = "x"\nbase_url = "https://api.example.com/v1"\n'
    )
    (tmp_path / "env").write_text(f"QWEN_KEY={KEY}\nMODELS_FILE={path}\nLLM=qwen\n")
    monkeypatch.setenv("ACERVO_ENV_FILE", str(tmp_path / "env"))
    settings = ServerSettings.load()
    file = settings.models_file
    qwen, far = file.entries
    assert (qwen.base_url, qwen.window, qwen.is_local, far.is_local) == ("http://127.0.0.1:1/v1", 16384, True, False)
    assert qwen.sampling.read() == Sampling(temperature=0.2, stop=("END",))
    assert (file.key_of(qwen), file.key_of(far), settings.llm) == (KEY, "", "qwen")
    assert KEY not in repr(settings) + str(settings)
    monkeypatch.setenv("QWEN_KEY", "another")
    assert ServerSettings.load().models_file.key_of(qwen) == "another"


WRONG = """
[[model]]
name = "two words"
provider = "openai"
model = "x"
base_url = "http://127.0.0.1:1"
[[model]]
name = "leaky"
provider = "openai"
model = "x"
base_url = "http://me:sk-very-secret-0123456789@127.0.0.1:1"
[[model]]
name = "keyed"
provider = "openai"
model = "x"
base_url = "http://127.0.0.1:1"
key = "sk-very-secret-0123456789"
[[model]]
name = "nowhere"
provider = "openai"
model = "x"
[[model]]
name = "keyed"
provider = "vllm"
model = "x"
[[model]]
name = "hot"
provider = "ollama"
model = "x"
window = 10
sampling = { temperature = 9 }
[[model]]
name = "hot"
provider = "ollama"
model = "x"
[[model]]
name = "hot"
provider = "ollama"
model = "x"
[[model]]
name = "gemini"
provider = "gemini"
model = "x"
"""


def test_every_wrong_entry_is_named_and_no_key_is_shown(tmp_path: Path) -> None:
    (tmp_path / "models.toml").write_text(WRONG)
    with pytest.raises(SettingsError) as caught:
        ServerSettings.load(models_file=tmp_path / "models.toml", llm="hot")
    told = str(caught.value)
    for part in (
        "MODELS_FILE=",
        "number 1 (two words): name",
        "number 2 (leaky): base_url: may hold no login",
        "number 3 (keyed): key: Extra inputs are not permitted",
        "number 4 (nowhere): base_url is missing",
        "number 5 (keyed): provider",
        "number 6 (hot): window",
        "sampling.temperature",
        "number 8 (hot): the name is taken",
        "number 9 (gemini): name: has a meaning of its own",
    ):
        assert part in told
    assert KEY not in told and "LLM=" not in told


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[[model]\n", "is not TOML"),
        (b'[[model]]\nname = "\xff"\n', "is not TOML"),
        (b"", "holds no"),
        (b"[models]\n", "holds something else"),
        (None, "cannot be read"),
    ],
)
def test_what_is_no_such_file_is_refused_at_start(tmp_path: Path, content: bytes | None, said: str) -> None:
    if content is not None:
        (tmp_path / "models.toml").write_bytes(content)
    with pytest.raises(SettingsError, match=rf"MODELS_FILE='.*models.toml': Value error, {said}"):
        ServerSettings.load(models_file=str(tmp_path / "models.toml"))


def test_llm_must_be_a_name_that_there_is() -> None:
    with pytest.raises(SettingsError, match="LLM='qwen': Value error, write one of auto, ollama, extractive, gemini"):
        ServerSettings.load(llm="qwen")


async def read_models(served: Served) -> dict[str, dict[str, Any]]:
    return {model["name"]: model for model in json.loads((await send(served, "GET", "/models")).body)["models"]}


async def test_its_models_are_offered_and_answer_by_name(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("FAR_KEY", KEY)
    async with (
        FakeOpenAI() as near,
        FakeOpenAI(key=KEY) as far,
        FakeOllama(("llama3.1:8b", "mistral:latest")) as ollama,
        FakeGemini() as google,
        grpc.aio.insecure_channel(google.address) as channel,
    ):
        monkeypatch.setenv("G_KEY", "a-key")
        path = write(
            tmp_path / "models.toml",
            openai("near", near.url),
            openai("far", far.url, local=False, key_env="FAR_KEY"),
            openai("keyless", far.url, local=False, key_env="NOT_SET"),
            {"name": "gentle", "provider": "ollama", "model": "mistral:latest", "window": 2048},
            {"name": "google", "provider": "gemini", "model": "gemini-2.5-flash", "key_env": "G_KEY"},
        )
        given = {"llm": "near", "models_file": path, "ollama_host": ollama.url, "gemini_channel": channel}
        async with serve(library.data_dir, **given) as served:
            models = await read_models(served)
            ready = json.loads((await send(served, "GET", "/ready")).body)
            first = await ask(served)
            others = {name: await ask(served, model=name) for name in ("far", "gentle", "google", "mistral:latest")}
            keyless = await ask(served, model="keyless")
    assert {name: (m["provider"], m["local"], m["state"]) for name, m in models.items()} == {
        "near": ("openai", True, "ready"),
        "far": ("openai", False, "untested"),
        "keyless": ("openai", False, "away"),
        "gentle": ("ollama", True, "ready"),
        "google": ("gemini", False, "untested"),
        "llama3.1:8b": ("ollama", True, "ready"),
        "mistral:latest": ("ollama", True, "ready"),
        "extractive": ("extractive", True, "ready"),
    }
    assert [name for name, model in models.items() if model["default"]] == ["near"] and ready["ready"]
    assert "set NOT_SET" in models["keyless"]["what_to_do"] and "set NOT_SET" in keyless.lines[-1]["error"]
    last = check_shape(first)
    assert first.text == ANSWER and {line["model"] for line in first.lines} == {"near"}
    assert last["services"] == [{"name": "near", "host": "127.0.0.1", "local": True}] and last["fallback"] == []
    assert far.keys == [f"Bearer {KEY}"] and others["far"].text == ANSWER
    assert check_shape(others["far"])["services"][-1] == {"name": "far", "host": "127.0.0.1", "local": False}
    assert others["gentle"].text == OLLAMA_ANSWER and {line["model"] for line in others["gentle"].lines} == {"gentle"}
    assert ollama.requests[-1][1]["options"]["num_ctx"] == 8192
    assert [body["options"]["num_ctx"] for path, body in ollama.requests if path == "/api/chat"] == [2048, 8192]
    assert len(google.requests) == 1 and check_shape(others["google"])["services"][-1]["name"] == "google"
    everything = json.dumps([models, ready]) + keyless.body.decode() + caplog.text
    assert KEY not in everything and "a-key" not in everything


async def test_an_entry_that_is_away_is_told(library: Library, tmp_path: Path) -> None:
    path = write(tmp_path / "models.toml", openai("near", f"{NOBODY}/v1"))
    async with serve(library.data_dir, llm="near", models_file=path) as served:
        assert (await read_models(served))["near"]["state"] == "away"
        ready = await send(served, "GET", "/ready")
        assert ready.status == 503 and "Start that server" in ready.body.decode()
        assert "Start that server" in (await ask(served)).lines[-1]["error"]


def test_the_examples_can_be_used_as_they_are(tmp_path: Path) -> None:
    examples = ServerSettings.load(models_file="examples/models.toml", llm="qwen").models_file
    assert {entry.provider for entry in examples.entries} == {"openai", "ollama", "gemini"}
    assert [one.name for one in examples.entries if one.provider == "openai" and one.is_local] == ["qwen", "gemma"]
    for block in re.findall(r"```toml\n(.*?)```", (ROOT / "docs/models.md").read_text("utf-8"), re.DOTALL):
        (tmp_path / "models.toml").write_text(block)
        assert ServerSettings.load(models_file=tmp_path / "models.toml").models_file.entries

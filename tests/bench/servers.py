"""The programs that stand between a page and a model: Acervo, the relay of others, and the model itself."""

import json
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.bench.runs import start_program
from tests.bench.venv import PEERS, QUIET

QUESTION = "Como adiciono um PDF?"
MODEL = "llama3.1:8b"
ACERVO, RELAY, DIRECT = "Acervo", "FastAPI + uvicorn + ollama", "the model itself"
PASSING = "aiohttp, lines passed on unseen"
CALLS = "three system calls"
UNLIMITED = {"ASK_LIMIT": "0", "MAX_ANSWERS": "10000", "LOG_LEVEL": "WARNING", "AUDIT_LOG": os.devnull}
PIN = "import os, sys; os.sched_setaffinity(0, {int(sys.argv[1])}); os.execv(sys.argv[2], sys.argv[2:])"
SERVER_CORE, LOAD_CORE = 0, 1
"""The server has a processor to itself; the model and the readers share the other one."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a question goes, what it looks like, and what computes the answer."""

    name: str
    url: str
    body: dict[str, object]
    process: psutil.Process

    @property
    def json(self) -> str:
        return json.dumps(self.body)


def can_pin() -> bool:
    """Whether programs can be kept to processors of their own here."""
    return hasattr(os, "sched_setaffinity") and len(os.sched_getaffinity(0)) > 1


def pinned(command: Sequence[str], core: int) -> list[str]:
    """The command on one processor, where that can be done."""
    return [sys.executable, "-c", PIN, str(core), *command] if can_pin() else [*command]


def start_acervo(stack: ExitStack, model_url: str, data_dir: Path, pin: bool = False) -> Target:
    """The server over an index."""
    settings = {"DATA_DIR": str(data_dir), "PORT": "0", "OLLAMA_HOST": model_url, **UNLIMITED}
    command = [sys.executable, "-m", "app"]
    url, process = start_program(stack, pinned(command, SERVER_CORE) if pin else command, settings)
    return Target(ACERVO, url, {"prompt": QUESTION}, process)


def start_relay(stack: ExitStack, model_url: str, python: Path, pin: bool = False) -> Target:
    """The relay of others, in their virtualenv."""
    command = [str(python), str(PEERS / "relay.py")]
    settings = {"OLLAMA_HOST": model_url, **QUIET}
    url, process = start_program(stack, pinned(command, SERVER_CORE) if pin else command, settings)
    return Target(RELAY, url, {"prompt": QUESTION}, process)


def start_passing(stack: ExitStack, model_url: str) -> Target:
    """What does nothing but pass lines on."""
    return _start_peer(stack, model_url, PASSING, "passing.py")


def start_calls(stack: ExitStack, model_url: str) -> Target:
    """What only has the kernel pass bytes on."""
    return _start_peer(stack, model_url, CALLS, "calls.py")


def _start_peer(stack: ExitStack, model_url: str, name: str, program: str) -> Target:
    url, process = start_program(stack, [sys.executable, str(PEERS / program)], {"OLLAMA_HOST": model_url})
    return Target(name, url, {"prompt": QUESTION}, process)


def start_model(stack: ExitStack, module: str, *options: str, pin: bool = False) -> Target:
    """A loopback Ollama in a process of its own."""
    command = [sys.executable, "-m", module, *options]
    url, process = start_program(stack, pinned(command, LOAD_CORE) if pin else command, {})
    body = {"model": MODEL, "messages": [{"role": "user", "content": QUESTION}], "stream": True}
    return Target(DIRECT, f"{url}/api/chat", body, process)

"""What the documents tell people to type, and where each of it can be run."""

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from database.settings import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"\s+# .*$|^# .*$", re.MULTILINE)

ELSEWHERE = {
    r"docker |nvidia-": "Docker and a GPU",
    r"dask (scheduler|worker) |\S+ --scheduler ": "a Dask cluster; tests/test_executors.py has one",
    r"ollama ": "Ollama",
    r"mongo(dump|restore) |MONGODB_URI=": "MongoDB",
    r"make (run|load|mcp|dask|install)\b": "tests/test_makefile.py runs make's targets with packages of its own",
    r"git pull": "tests/test_makefile.py runs make's targets with packages of its own",
    r"make (test|check|bench|soak|lock|clean)\b": "it would run itself, or take away what runs it",
    r"(sudo )?apt(-get)? |\S*pip[ -]|npm |python3 -m venv": "the internet",
    r"https://|http://(?!localhost)": "another machine",
    r"EMBEDDER=ollama": "Ollama",
    r"systemctl |cp -a ": "a system of its own",
    r"from langchain": "a package that Acervo does not need",
}
"""How commands begin, or what they hold, that cannot be run here, and what they need."""


@dataclass(frozen=True)
class Block:
    """A fenced block of a document; `line` is its first."""

    document: Path
    line: int
    kind: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.document.relative_to(ROOT)}:{self.line}"

    @property
    def commands(self) -> list[str]:
        """What is typed one after the other, without comments; lines that go on are one command."""
        lines = _COMMENT.sub("", self.text.replace("\\\n", " ")).splitlines()
        return [line.strip() for line in lines if line.strip()]


def find_blocks(document: Path) -> Iterator[Block]:
    """The fenced blocks of one document."""
    text = document.read_text("utf-8")
    for found in _BLOCK.finditer(text):
        yield Block(document, text.count("\n", 0, found.start()) + 1, found[1], found[2])


def need_elsewhere(command: str) -> str:
    """What a command needs that is not here; empty when it can run."""
    return next((need for start, need in ELSEWHERE.items() if re.search(rf"(^|&& |\s)({start})", command)), "")


def parse(block: Block) -> None:
    """Raise where a block of data is not what it says."""
    if block.kind == "toml":
        tomllib.loads(block.text)
    elif block.kind == "yaml":
        yaml.safe_load(block.text)
    elif block.kind == "json":
        decoder, text = json.JSONDecoder(), block.text.strip()
        while text:  # one object, or one a line
            _, end = decoder.raw_decode(text)
            text = text[end:].strip()

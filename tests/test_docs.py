"""What is written about the program is true of the program."""

import ast
import re
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from app.settings import ServerSettings
from database.settings import ROOT

COMPOSE_ONLY = {"MONGODB_USER", "MONGODB_PASSWORD", "EMBEDDING_MODEL", "MONGODB_MEMORY"}
SETTINGS = {name.upper() for name in ServerSettings.model_fields}
MARKDOWN = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def read(path: str) -> str:
    return (ROOT / path).read_text("utf-8")


def example_settings() -> dict[str, str]:
    """Name and value of every setting in .env.example."""
    return dict(re.findall(r"^([A-Z_]+)=(.*)$", read(".env.example"), re.MULTILINE))


def readme_settings() -> dict[str, str]:
    """Name and default of every row of the README's table of settings."""
    return dict(re.findall(r"^\| `([A-Z_]+)` \| (?:`([^`]*)`|empty) \|", read("README.md"), re.MULTILINE))


def test_env_example_names_every_setting() -> None:
    assert set(example_settings()) == SETTINGS | COMPOSE_ONLY


def test_env_example_holds_the_defaults_of_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PDF_DIR", "DATA_DIR", "OLLAMA_HOST"):
        monkeypatch.delenv(name)
    defaults = ServerSettings.load()
    assert ServerSettings.load(_env_file=ROOT / ".env.example") == defaults
    filled = {name for name, value in example_settings().items() if value} & SETTINGS
    empty = {name for name in SETTINGS - filled if str(getattr(defaults, name.lower()))}
    assert not empty, "these have a default that .env.example does not show"


def test_env_example_explains_every_setting() -> None:
    lines = read(".env.example").splitlines()
    explained = {line.split("=")[0] for before, line in pairwise(lines) if before.startswith("# ")}
    assert set(example_settings()) <= explained


def test_readme_lists_every_setting_with_its_default() -> None:
    assert readme_settings() == {name: value for name, value in example_settings().items() if name in SETTINGS}


def links(path: Path) -> list[str]:
    """Targets of the links and images of one Markdown file that are inside the project."""
    targets = re.findall(r"\]\(([^)\s]+)\)", path.read_text("utf-8"))
    return [target for target in targets if not re.match("[a-z]+:", target)]


def anchors(path: Path) -> set[str]:
    """What a link may name behind `#` in a Markdown file: its headings, as code hosts spell them."""
    headings = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    for link in links(path):
        target, _, anchor = link.partition("#")
        file = path.parent / target if target else path
        assert file.exists(), link
        assert not anchor or anchor in anchors(file), link


def test_readme_is_linked_to_the_documents() -> None:
    linked = {(ROOT / target.split("#")[0]).resolve() for target in links(ROOT / "README.md")}
    assert {ROOT / "docs/api.md", ROOT / "docs/operations.md", ROOT / "LICENSE"} <= linked


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda path: str(path.relative_to(ROOT)))
def test_make_targets_exist(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))
    named = set(re.findall(r"(?:`|^\s*|&& )make ([a-z-]+)", path.read_text("utf-8"), re.MULTILINE))
    assert named <= targets


def test_make_targets_are_described() -> None:
    assert re.search(r"^\.PHONY: (.*)$", read("Makefile"), re.MULTILINE)[1].split() == re.findall(
        r"^([a-z-]+):.*## \w", read("Makefile"), re.MULTILINE
    )


def test_commands_in_the_documents_name_files_that_exist() -> None:
    scripts = {s for path in MARKDOWN for s in re.findall(r"python ([\w/]+\.py)", path.read_text("utf-8"))}
    modules = {m for path in MARKDOWN for m in re.findall(r"python -m (app|tests\.\w+)", path.read_text("utf-8"))}
    assert "database/main.py" in scripts and "app" in modules
    missing = {script for script in scripts if not (ROOT / script).is_file()}
    missing |= {m for m in modules if not list(ROOT.glob(m.replace(".", "/") + "*"))}
    assert not missing


def imported(path: Path) -> set[str]:
    """Top-level packages that a module imports, also inside functions."""
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level}
    return {name.split(".")[0] for name in names}


def test_database_never_imports_app() -> None:
    modules = sorted((ROOT / "database").rglob("*.py"))
    assert modules
    assert not [path for path in modules if "app" in imported(path)]


@pytest.mark.parametrize(
    ("library", "home"),
    [("motor", "database/stores/mongo_client.py"), ("langchain_mongodb", "database/stores/mongo_write.py")],
)
def test_a_library_on_its_way_out_stays_in_one_module(library: str, home: str) -> None:
    modules = [path for folder in ("app", "database") for path in (ROOT / folder).rglob("*.py")]
    assert [path for path in modules if library in imported(path)] == [ROOT / home]


def test_no_module_is_a_drawer_for_everything() -> None:
    assert not [path for folder in ("app", "database") for path in (ROOT / folder).rglob("utils.py")]
    assert not [folder for folder in ("app/common", "database/common", "common") if (ROOT / folder).exists()]


def tracked_files() -> list[Path]:
    """The files of the project, as git lists them."""
    command = ["git", "ls-files", "-z"]
    try:
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("git, which knows what belongs to the project, does not list its files here")
    return [ROOT / name for name in result.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_no_file_names_the_machine_it_was_written_on() -> None:
    """Paths of somebody's own machine do not belong into a project for everybody."""
    private = re.compile(rb"(?<![\w.}])/(?:work|shared)/|file:/{3}(?!etc/passwd)")
    found = {
        str(path.relative_to(ROOT)): match[0]
        for path in tracked_files()
        if path.suffix not in {".pdf", ".png"} and (match := private.search(path.read_bytes()))
    }
    assert not found


@pytest.mark.parametrize("path", sorted(ROOT.glob("requirements*.txt")), ids=lambda path: path.name)
def test_requirements_are_pinned_with_hashes_and_name_no_index(path: Path) -> None:
    text = path.read_text("utf-8")
    assert not re.search("find-links|index-url|trusted-host", re.sub("--no-emit-[a-z-]+", "", text))
    pins = re.findall(r"^[\w.\[\],-]+==\S+(?: \\\n +|\s+)(--hash=sha256:)?", text, re.MULTILINE)
    assert pins and all(pins)
    # pip before 23.3 takes `html-clean` and the `html_clean` that packages ask for to be two extras, and fails.
    assert not re.search(r"^lxml\[html-clean\]", text, re.MULTILINE)


def test_the_licence_is_the_whole_agpl() -> None:
    text = read("LICENSE")
    assert text.split("\n", 2)[0].strip() == "GNU AFFERO GENERAL PUBLIC LICENSE"
    assert "13. Remote Network Interaction" in text and len(text) == 34523

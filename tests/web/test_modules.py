"""Runs the page's own unit tests (`*.test.mjs`) with node's test runner."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from app.handlers.page import WEB_DIR

HERE = Path(__file__).parent


@pytest.mark.parametrize("path", sorted(HERE.glob("*.test.mjs")), ids=lambda path: path.name)
def test_page_modules(path: Path) -> None:
    node = _need(shutil.which("node"), "node is not installed")
    _need((WEB_DIR / "node_modules" / "marked").is_dir(), "the page's libraries are not installed (make install)")
    done = subprocess.run([node, "--test", path], capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _need(found: object, reason: str) -> str:
    """What the test cannot do without: missing on a developer's machine it skips, in CI it fails."""
    if not found:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    return str(found)

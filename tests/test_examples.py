"""Every program in `examples/` does what it says, against a real server."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from database.settings import ROOT
from tests.accounts import serve_people
from tests.fakes.ollama import ANSWER, FakeOllama
from tests.library import LIGHTHOUSE, QUESTION

PYTHON = (sys.executable,)
PROGRAMS: Mapping[str, tuple[str, ...]] = {
    "ask.sh": (),
    "ask.py": PYTHON,
    "ask_openai.py": PYTHON,
    "ask_ollama.py": PYTHON,
    "ask.mjs": ("node",),
}


def test_every_program_is_run() -> None:
    assert {path.name for path in (ROOT / "examples").iterdir() if path.suffix in (".mjs", ".py", ".sh")} == {*PROGRAMS}


async def run(command: Sequence[str], url: str, key: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "ACERVO_URL": url, "ACERVO_KEY": key}
    return await asyncio.to_thread(
        subprocess.run, command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
    )


@pytest.mark.parametrize("name", PROGRAMS)
async def test_it_tells_answer_and_places(name: str, tmp_path: Path) -> None:
    if missing := [program for program in (*PROGRAMS[name], "curl") if not shutil.which(program)]:
        pytest.skip(f"{missing} is not installed")
    command = [*PROGRAMS[name], str(ROOT / "examples" / name), f'{QUESTION} "C:\\dados"']
    async with FakeOllama() as fake, serve_people(tmp_path / "data", llm="ollama", ollama_host=fake.url) as everyone:
        served, people = everyone
        url, key = str(served.url).rstrip("/"), people["rita ask"].headers["Authorization"].split(" ")[1]
        done = await run(command, url, key)
        refused = await run(command, url, "acv_wrong")
    assert done.returncode == 0, done.stderr
    assert f'{QUESTION} "C:\\dados"' in fake.prompts[0]
    if name != "ask.sh":
        assert done.stdout.startswith(ANSWER) and f"[1] {LIGHTHOUSE}, p" in done.stdout
    else:
        lines = done.stdout.splitlines()
        assert LIGHTHOUSE in lines[0] and '"citations":[1,2]' in lines[-1]
    assert refused.returncode != 0 and ("401" in refused.stderr or "Log in" in refused.stdout + refused.stderr)

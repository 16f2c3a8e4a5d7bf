"""Runs `python -m app COMMAND` as a program over a library."""

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

from database.settings import ROOT
from tests.e2e.servers import make_environment

LIMIT_S = 90


@dataclass(frozen=True)
class Ended:
    """How a program ended, and what it wrote."""

    status: int
    out: str
    err: str


async def start_command(data: Path, *arguments: str, **settings: str) -> asyncio.subprocess.Process:
    """The program, with pipes for everything that it reads and writes."""
    given = {"DATA_DIR": str(data), "PDF_DIR": str(data), "LLM": "extractive", "OLLAMA_HOST": "127.0.0.1:9", **settings}
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "app", *arguments),
        cwd=ROOT,
        env=make_environment(**given),
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
    )


async def run_command(data: Path, *arguments: str, told: str = "", **settings: str) -> Ended:
    """The same until it has ended."""
    process = await start_command(data, *arguments, **settings)
    out, err = await asyncio.wait_for(process.communicate(told.encode()), LIMIT_S)
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())

"""Starts the real programs, loader and server, with folders of their own on a free port of loopback."""

import asyncio
import os
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from app.settings import ServerSettings
from database.settings import ROOT

START_TIMEOUT_S = 90
LOAD_TIMEOUT_S = 150


@dataclass
class Server:
    """A running server; `kill` ends it as a crash would."""

    url: str
    process: asyncio.subprocess.Process

    async def kill(self) -> None:
        self.process.kill()
        await self.process.wait()


async def load_documents(data: Path, pdf: Path) -> None:
    """Run the loader; fails with its output when it does."""
    process = await start_program("database.main", asyncio.subprocess.PIPE, DATA_DIR=str(data), PDF_DIR=str(pdf))
    output, _ = await asyncio.wait_for(process.communicate(), LOAD_TIMEOUT_S)
    assert process.returncode == 0, output.decode()


@asynccontextmanager
async def run_server(data: Path, pdf: Path, **settings: str) -> AsyncIterator[Server]:
    """Serve until the block is left, on a free port if `settings` name none."""
    with tempfile.NamedTemporaryFile() as log:
        given = {"DATA_DIR": str(data), "PDF_DIR": str(pdf), "PORT": "0", **settings}
        process = await start_program("app", log, **given)
        try:
            yield Server(await read_address(process, Path(log.name)), process)
        finally:
            if process.returncode is None:
                process.terminate()
                await asyncio.wait_for(process.wait(), 30)


async def start_program(module: str, output: int | IO[bytes], **settings: str) -> asyncio.subprocess.Process:
    """`python -m module` with nothing but these settings."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module),
        cwd=ROOT,
        env=make_environment(**settings),
        stdout=output,
        stderr=asyncio.subprocess.STDOUT,
    )


async def read_address(process: asyncio.subprocess.Process, log: Path) -> str:
    """Where the server says that it listens; fails with its output when it ends before that."""
    async with asyncio.timeout(START_TIMEOUT_S):
        while True:
            output = await asyncio.to_thread(log.read_text, encoding="utf-8")
            if said := re.search(r"http://localhost:\d+", output):
                return said[0]
            assert process.returncode is None, output
            await asyncio.sleep(0.05)


def make_environment(**settings: str) -> Mapping[str, str]:
    """The machine's environment without any setting of ours, plus `settings`."""
    ours = {name.upper() for name in ServerSettings.model_fields}
    proxies = {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"}
    kept = {name: value for name, value in os.environ.items() if name.upper() not in ours | proxies}
    return {**kept, "PYTHONUNBUFFERED": "1", **settings}

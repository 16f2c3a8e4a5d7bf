"""A real nginx with the files of examples/nginx, on a free port of loopback."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import ClientError, ClientSession

from database.settings import ROOT
from tests.fakes.ports import hold_port

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/local/bin:/usr/bin:/opt/homebrew/bin")
EXAMPLES = ROOT / "examples/nginx"
START_S = 60
_MAIN = """
daemon off; master_process off; pid nginx.pid; error_log stderr;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    include {folder}/servers.conf;
    include {folder}/acervo.conf;
}}
"""


def write_files(folder: Path, port: int, servers: Sequence[str]) -> None:
    """The example's files with these ports in them, and a main file that includes them."""
    acervo, upstream = ((EXAMPLES / name).read_text("utf-8") for name in ("acervo.conf", "servers.conf"))
    assert "listen 8080;" in acervo and upstream.count("server 127.0.0.1:") == 2
    (folder / "acervo.conf").write_text(acervo.replace("listen 8080;", f"listen 127.0.0.1:{port};"))
    listed = "".join(f"    server 127.0.0.1:{url.rpartition(':')[2]};\n" for url in servers)
    (folder / "servers.conf").write_text(re.sub(r"( +server 127\.0\.0\.1:\d+;\n)+", listed, upstream))
    (folder / "nginx.conf").write_text(_MAIN.format(folder=folder))


@asynccontextmanager
async def run_nginx(folder: Path, servers: Sequence[str]) -> AsyncIterator[str]:
    """Its address, for as long as the block lasts. `NGINX` must not be None."""
    assert NGINX is not None
    with hold_port() as port:
        write_files(folder, port, servers)
        process = await asyncio.create_subprocess_exec(NGINX, "-p", f"{folder}/", "-c", "nginx.conf")
        try:
            await _wait(f"http://localhost:{port}", process)
            yield f"http://localhost:{port}"
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


async def _wait(url: str, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(START_S), ClientSession() as client:
        while process.returncode is None:
            try:
                async with client.get(f"{url}/health") as response:
                    if response.status == 200:
                        return
            except ClientError:
                await asyncio.sleep(0.05)
    raise AssertionError("nginx has ended; it says above why")

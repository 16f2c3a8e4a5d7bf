"""`python -m app`: what it refuses to start with, and what a fresh start costs."""

import asyncio
import gc
import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from aiohttp import ClientSession
from yarl import URL

from app.__main__ import check_exposure, main, name_address, spare_collector
from app.access.passwords import Passwords
from app.access.users import Users
from app.engine import Engine
from app.settings import ServerSettings
from database.errors import SettingsError
from database.settings import ROOT
from database.stores.sqlite import SqliteStore
from tests.accounts import FAST, PASSWORD
from tests.e2e.servers import read_address, run_server, start_program
from tests.library import QUESTION, Library

MAX_RSS_MB = 350
FIRST_ANSWER_S = 30
"""From the start of the process. Two on an idle machine; here other tests may hold the processors."""


@pytest.fixture
def refuse(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., str]]:
    """Starts with these settings, which must be refused; what is told."""

    def start(**settings: str) -> str:
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        assert main() == 1
        said = capsys.readouterr()
        assert said.out == ""
        return said.err

    yield start


def test_wrong_settings_are_listed_together(refuse: Callable[..., str]) -> None:
    told = refuse(PORT="eighty", NUM_CTX="12", LLM="oracle", TOP_K="0", LOG_LEVEL="LOUD")
    assert told.startswith("Not started: ")
    for name in ("PORT='eighty'", "NUM_CTX='12'", "LLM='oracle'", "TOP_K='0'", "LOG_LEVEL='LOUD'"):
        assert name in told


def test_an_unknown_embedder_is_named(refuse: Callable[..., str]) -> None:
    assert "EMBEDDER='nonsense'" in refuse(EMBEDDER="nonsense")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "box.example"])
def test_a_network_without_logins_is_refused(refuse: Callable[..., str], host: str) -> None:
    told = refuse(HOST=host)
    assert f"HOST={host}" in told and "ALLOW_NO_LOGIN=1" in told


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "::1", "localhost"])
def test_this_machine_alone_is_fine(host: str) -> None:
    check_exposure(ServerSettings(host=host))


def test_a_network_may_be_served_when_told_so() -> None:
    check_exposure(ServerSettings(host="0.0.0.0", allow_no_login=True))
    with pytest.raises(SettingsError):
        check_exposure(ServerSettings(host="0.0.0.0"))


def test_a_network_may_be_served_once_somebody_can_log_in(tmp_path: Path) -> None:
    settings = ServerSettings(host="0.0.0.0", data_dir=tmp_path / "data")
    with pytest.raises(SettingsError, match="users add"):
        check_exposure(settings)
    store = SqliteStore(settings.data_dir / "index.sqlite")

    async def add() -> None:
        await store.open()
        await Users(store, Passwords(FAST)).add("ada", PASSWORD, "admin")
        await store.aclose()

    asyncio.run(add())
    check_exposure(settings)


def test_a_store_that_is_away_does_not_keep_the_server_from_starting() -> None:
    gone = "mongodb://127.0.0.1:9/?directConnection=true"
    check_exposure(ServerSettings(host="0.0.0.0", mongodb_uri=gone, mongodb_timeout_s=0.3))


def test_a_port_in_use_is_named(refuse: Callable[..., str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        told = refuse(PORT=str(port), EMBEDDER="ollama:none")
    assert f"Port {port} of 127.0.0.1" in told and "PORT=" in told


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("127.0.0.1", "http://localhost:80"),
        ("0.0.0.0", "http://localhost:80"),
        ("::", "http://localhost:80"),
        ("::1", "http://[::1]:80"),
        ("192.168.1.5", "http://192.168.1.5:80"),
    ],
)
def test_the_address_shown_can_be_opened(host: str, shown: str) -> None:
    assert name_address(host, 80) == shown


async def test_broken_requests_leave_nothing_in_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = await start_program("app", output, DATA_DIR=str(tmp_path / "data"), PORT="0", LLM="extractive")
    try:
        address = URL(await read_address(process, log))
        gzip = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\nno "
        for request in (b"GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"\x16\x03\x01\x00\r\n\r\n", gzip):
            reader, writer = await asyncio.open_connection("127.0.0.1", address.port)
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            assert b" 400 Bad Request\r\n" in head and b"Server: Acervo\r\n" in head
            writer.close()
    finally:
        process.terminate()
        await process.wait()
    assert log.read_text() == f"Acervo is at {address.origin()}\n"


@pytest.mark.parametrize(("hard", "expected"), [(4096, 2256), (1500, 1500)])
def test_a_server_may_hold_a_connection_to_each_client_and_its_model(hard: int, expected: int) -> None:
    limit = f"import resource as r; r.setrlimit(r.RLIMIT_NOFILE, (1024, {hard}))"
    start = "from app.__main__ import raise_file_limit; raise_file_limit(2256)"
    code = f"{limit}; {start}; print(r.getrlimit(r.RLIMIT_NOFILE))"
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert told == f"({expected}, {hard})\n"


async def test_a_cold_server_answers_soon_and_stays_small(library: Library, tmp_path: Path) -> None:
    data = await asyncio.to_thread(shutil.copytree, library.data_dir, tmp_path / "cold")
    started = time.monotonic()
    async with run_server(data, tmp_path, LLM="extractive") as server, ClientSession(server.url) as client:
        async with client.post("/", json={"prompt": QUESTION}) as response:
            *_, last = (await response.read()).splitlines()
        took = time.monotonic() - started
        assert json.loads(last)["done"] is True
        async with client.get("/") as page:
            assert page.status == 200 and page.content_type == "text/html"
        await asyncio.sleep(1)
        rss_mb = psutil.Process(server.process.pid).memory_info().rss / 1e6
        print(f"first answer after {took:.2f} s, {rss_mb:.0f} MB")
        assert took < FIRST_ANSWER_S
        assert rss_mb < MAX_RSS_MB


async def test_garbage_collections_leave_out_what_a_warm_server_keeps() -> None:
    engine = Engine(await asyncio.to_thread(ServerSettings.load))
    sparing = asyncio.create_task(spare_collector(engine))
    await asyncio.sleep(0.05)
    assert not sparing.done() and not gc.get_freeze_count()
    engine.warm.set()
    try:
        await sparing
        assert gc.get_freeze_count() > 10_000
    finally:
        gc.unfreeze()


def test_a_start_leaves_out_what_only_some_answers_need() -> None:
    started = "import sys, app.__main__; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", started], cwd=ROOT, capture_output=True, text=True, check=True)
    heavy = {"ollama", "httpx", "rich", "grpc", "fitz", "pymupdf", "onnxruntime", "motor", "app.replies"}
    assert not heavy & set(done.stdout.split())

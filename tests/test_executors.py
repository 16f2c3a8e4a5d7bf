"""Documents handed to the workers of an executor: the same index as made here, whatever becomes of the workers."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cloudpickle
import dask
import numpy as np
import pytest
from distributed import Client, KilledWorker, LocalCluster
from pydantic import ValidationError

from database.documents import Document
from database.embedders import make_embedder
from database.errors import AcervoError, ReadError
from database.executors import Workers
from database.executors.checking import read_contents
from database.executors.dask import ByName
from database.executors.order import MADE, ORDER, REFUSED, Order, carry_settings, name_makers
from database.executors.worker import _make_folder, make_contents
from database.load import Loader, LoadOptions
from database.main import main
from database.report import Reporter, Summary
from database.settings import IndexSettings
from database.stores import make_store
from database.transfer import STORED
from tests import pdfs
from tests.loads import list_tree, read_index, run_load, start_load
from tests.test_load_killed import count_documents

FILES = 6


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`pdf` with documents and one that cannot be read, loaded into `local` without an executor."""
    home = tmp_path_factory.mktemp("home")
    (home / "pdf").mkdir()
    for n in range(FILES):
        pages = [f"Folha {n}, {page}. O farol número {n} foi aceso em 19{n:02} na ilha {page}." for page in range(3)]
        pdfs.make_pdf(home / f"pdf/{n}.pdf", pages)
    (home / "pdf/notes.md").write_text("# O moinho\n\nO moinho da aldeia parou em 1950.\n")
    (home / "pdf/broken.pdf").write_bytes(b"%PDF-1.7 broken")
    result = run_load(home, settings={"DATA_DIR": str(home / "local")})
    assert result.returncode == 3, result.stderr
    return home


@pytest.fixture
def data(home: Path) -> Iterator[Path]:
    """A DATA_DIR with the model's graph alone."""
    shutil.rmtree(home / "data", ignore_errors=True)
    shutil.copytree(home / "local/models", home / "data/models")
    yield home / "data"


@pytest.fixture(scope="module")
def cluster(home: Path) -> Iterator[LocalCluster]:
    """Two worker processes, which are started again when they die."""
    settings = {"distributed.scheduler.allowed-failures": 1, "distributed.worker.daemon": False}
    with dask.config.set(settings):
        options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None, "silence_logs": 50}
        options["memory_limit"] = None  # it is the machine's by the number of its processors
        environment = {"DATA_DIR": str(home / "worker"), "ACERVO_ENV_FILE": os.devnull, "MONGODB_URI": ""}
        with LocalCluster(**options, env=environment) as cluster:  # type: ignore[no-untyped-call]
            yield cluster


def same_as_local(home: Path) -> bool:
    return read_index(home / "data").same_as(read_index(home / "local"))


async def load(home: Path, workers: Workers) -> Summary:
    """Load `pdf` into `data` through these workers."""
    settings = await asyncio.to_thread(IndexSettings.load, data_dir=home / "data", pdf_dir=home / "pdf")
    store, embedder = make_store(settings), make_embedder(settings)
    await store.open()
    try:
        async with workers.counted():
            loader = Loader(settings, store, embedder, Reporter(quiet=True), workers)
            return await loader.load(LoadOptions([home / "pdf"]))
    finally:
        await embedder.aclose()
        await store.aclose()


@pytest.mark.parametrize("kind", ["threads", "processes"])
async def test_any_executor_gives_the_same_index(home: Path, data: Path, kind: str) -> None:
    executor: Executor = ThreadPoolExecutor(2)
    if kind == "processes":
        executor = ProcessPoolExecutor(2, mp_context=get_context("spawn"))
    with executor:
        summary = await load(home, Workers(executor, lambda: 2))
    assert len(summary.added) == FILES + 1 and [*summary.skipped] == ["broken.pdf"]
    assert same_as_local(home)
    assert not [name for name in list_tree(data) if name.startswith("work")], "workers keep nothing"


def test_workers_on_one_machine_take_no_notice_of_each_others_folders(tmp_path: Path) -> None:
    """Each looks through the folders for what killed ones left, while others remove theirs."""

    def work(_: int) -> bool:
        folder = _make_folder(tmp_path / "work")
        shutil.rmtree(folder)
        return folder.parent == tmp_path / "work"

    with ThreadPoolExecutor(8) as executor:
        assert all(executor.map(work, range(1_500)))
    assert not [*(tmp_path / "work").iterdir()]


def test_a_dask_worker_killed_in_the_middle_costs_only_time(home: Path, data: Path, cluster: LocalCluster) -> None:
    process = start_load(home, "--scheduler", cluster.scheduler_address)
    wait_until(lambda: count_documents(data) >= 2 or process.poll() is not None)
    assert process.poll() is None, "it was too quick to be disturbed"
    pid = next(iter(cluster.workers.values())).pid
    os.kill(pid, signal.SIGKILL)
    _, told = process.communicate(timeout=150)
    assert process.returncode == 3 and "Loading on 2 workers" in told, told
    assert same_as_local(home)
    lines = [line.partition(":")[0] for line in told.splitlines() if " pages, " in line]
    assert sorted(lines) == sorted([*(f"{n}.pdf" for n in range(FILES)), "notes.md"]), "each is loaded once"


class Deadly(Executor):
    """Hands out to a cluster, where one document ends the process of whoever works on it."""

    def __init__(self, client: Client, deadly: bytes):
        self._executor, self._deadly = client.get_executor(), deadly  # type: ignore[no-untyped-call]

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = self._executor.submit(die if args[1] == self._deadly else fn, *args, **kwargs)
        return future


def die(order: bytes, data: bytes) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def test_a_document_that_ends_its_workers_is_skipped(home: Path, data: Path, cluster: LocalCluster) -> None:
    def connect() -> Client:
        return Client(cluster.scheduler_address, set_as_default=False)  # type: ignore[no-untyped-call]

    client = await asyncio.to_thread(connect)
    deadly = Deadly(client, (home / "pdf/3.pdf").read_bytes())
    try:
        summary = await load(home, Workers(deadly, lambda: 2, (KilledWorker,)))
    finally:
        await asyncio.to_thread(client.close)
    assert "3.pdf" in summary.skipped and "every worker" in summary.skipped["3.pdf"]
    assert "0.pdf" in [*summary.added, *summary.skipped] and len(summary.added) >= FILES - 1


# What goes to a worker and comes back


async def make_order(home: Path, **changes: str) -> tuple[Order, bytes]:
    """An order for one file of `pdf`, and its bytes."""
    settings = await asyncio.to_thread(IndexSettings.load, data_dir=home / "local")
    document = next(d for d in await list_local(settings) if d.names[0].path == "0.pdf")
    made_by = name_makers(settings) | changes
    return Order(document, ".pdf", carry_settings(settings), made_by), (home / "pdf/0.pdf").read_bytes()


async def list_local(settings: IndexSettings) -> list[Document]:
    store = make_store(settings)
    await store.open()
    try:
        return await store.list_documents()
    finally:
        await store.aclose()


async def test_a_worker_of_another_version_refuses(home: Path, data: Path) -> None:
    order, file = await make_order(home, chunker="other/1")
    kind, told, _ = await asyncio.to_thread(make_contents, ORDER.dump_json(order), file)
    assert kind == REFUSED and "other/1" in told.decode() and "chunker" in told.decode()
    kind, told, _ = await asyncio.to_thread(make_contents, ORDER.dump_json((await make_order(home))[0]), b"others")
    assert kind == REFUSED and "bytes" in told.decode()


async def test_contents_that_do_not_hang_together_are_refused(home: Path, data: Path) -> None:
    order, file = await make_order(home)
    kind, told, vectors = await asyncio.to_thread(make_contents, ORDER.dump_json(order), file)
    settings = await asyncio.to_thread(IndexSettings.load)
    stored = STORED.validate_json(told)
    document, contents = read_contents(order.document, told, vectors, 384, settings)
    assert kind == MADE and contents.vectors is not None and contents.vectors.shape == (len(contents.windows), 384)
    assert replace(document, version=order.document.version) == order.document
    other = "f" * 64
    changed = [
        replace(stored, pages=stored.pages[1:]),
        replace(stored, pages=[*stored.pages, replace(stored.pages[0], number=9)]),
        replace(stored, chunks=[replace(stored.chunks[0], document_id=other), *stored.chunks[1:]]),
        replace(stored, chunks=[replace(stored.chunks[0], end=10**6), *stored.chunks[1:]]),
        replace(stored, chunks=stored.chunks[:1] * 2),
        replace(stored, windows=[replace(stored.windows[0], chunk_id="none"), *stored.windows[1:]]),
        replace(stored, windows=[replace(stored.windows[0], document_id=other), *stored.windows[1:]]),
        replace(stored, windows=stored.windows[:1] * len(stored.windows)),
        replace(stored, document=replace(stored.document, format="exe")),
    ]
    given = [(STORED.dump_json(one), vectors) for one in changed]
    nan = np.full(len(contents.windows) * 384, np.nan, "<f4").tobytes()
    for wrong in [*given, (told, vectors[:-4]), (told, nan), (told, bytes(len(vectors))[:-4]), (b"{}", vectors)]:
        with pytest.raises(ReadError, match="hang together"):
            read_contents(order.document, *wrong, 384, settings)
    few = settings.model_copy(update={"max_pages": 2})
    with pytest.raises(ReadError, match="MAX_PAGES"):
        read_contents(order.document, told, vectors, 384, few)


class Broken(Executor):
    """Its futures end as they are told."""

    def __init__(self, end: Callable[[Future[Any]], object]):
        self._end = end

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self._end(future)
        return future


@pytest.mark.parametrize(
    ("end", "message"),
    [
        (lambda future: future.cancel(), "workers are gone"),
        (lambda future: future.set_exception(ConnectionResetError()), "workers are gone"),
        (lambda future: future.set_exception(ModuleNotFoundError("database")), "PYTHONPATH"),
        (lambda future: future.set_exception(KeyError("x")), "failed unexpectedly"),
        (lambda future: future.set_result((REFUSED, b"On the worker w: other version", b"")), "other version"),
    ],
)
async def test_what_is_not_a_files_fault_ends_the_load(
    home: Path, data: Path, end: Callable[[Future[Any]], object], message: str
) -> None:
    with pytest.raises(AcervoError, match=message):
        await load(home, Workers(Broken(end), lambda: 1))


async def test_only_as_many_documents_are_handed_out_as_there_are_workers(home: Path, data: Path) -> None:
    handed: list[Future[Any]] = []
    workers = Workers(Broken(handed.append), lambda: 3)
    loading = asyncio.create_task(load(home, workers))
    async with asyncio.timeout(60):
        while len(handed) < 5:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)
    assert len(handed) == 5
    loading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loading
    assert all(future.cancelled() for future in handed)


def test_a_scheduler_needs_nothing_of_acervo(tmp_path: Path) -> None:
    sent: list[bytes] = []

    class Sending(Executor):
        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            sent.append(cloudpickle.dumps((fn, args)))
            return Future()

    ByName(Sending()).submit(make_contents, b"order", b"data")
    unpack = "import sys, cloudpickle; cloudpickle.loads(sys.stdin.buffer.read()); assert 'database' not in sys.modules"
    subprocess.run([sys.executable, "-c", unpack], input=sent[0], cwd=tmp_path, check=True)
    call, _ = cloudpickle.loads(sent[0])
    with pytest.raises(ValidationError):  # the function is found where it works
        call(b"order", b"data")


def test_what_is_missing_is_said(
    home: Path, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--scheduler", "nowhere://x", str(home / "pdf")]) == 1
    assert "No Dask scheduler answers at nowhere://x" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert main(["--scheduler", "tcp://127.0.0.1:9", str(home / "pdf")]) == 1
    assert "make dask" in capsys.readouterr().err


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)

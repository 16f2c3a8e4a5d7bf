"""Several loaders on one MongoDB share the work, and nothing is made twice, whoever of them is killed."""

import asyncio
import json
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from database.documents import Document
from database.settings import IndexSettings
from database.stores import make_store
from tests import pdfs
from tests.fakes.mongod import FakeMongod
from tests.loads import start_load

FILES = 12


def make_library(folder: Path) -> None:
    """Documents of different lengths, and one that cannot be read."""
    folder.mkdir(exist_ok=True)
    for n in range(FILES - 1):
        pages = [
            f"Folha {n}, {page}. O farol número {n} foi aceso em 19{n:02} na ilha {page}." for page in range(n % 3 + 1)
        ]
        pdfs.make_pdf(folder / f"{n:02}.pdf", pages)
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7 broken")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the model's graph, so that not each loader has to make it."""
    from database.embedders.minilm import MiniLMEmbedder

    folder = tmp_path_factory.mktemp("model") / "models"
    asyncio.run(MiniLMEmbedder(folder).open())
    return folder


@pytest.fixture
async def mongod() -> AsyncIterator[FakeMongod]:
    async with FakeMongod(lag_s=0.01, text_lag_s=0.01) as mongod:
        yield mongod


class Machines:
    """Loaders that share nothing but a MongoDB and what their folders hold."""

    def __init__(self, home: Path, model: Path, mongod: FakeMongod):
        self.home, self._model, self.mongod = home, model, mongod
        self.loads: list[subprocess.Popen[str]] = []
        make_library(home / "pdf")

    def start(self, count: int, *arguments: str, lease_s: int = 30) -> None:
        for _ in range(count):
            data = self.home / f"data{len(self.loads)}"
            (data / "models").parent.mkdir()
            shutil.copytree(self._model, data / "models")
            settings = {"DATA_DIR": str(data), "MONGODB_URI": self.mongod.uri, "LEASE_S": str(lease_s)}
            self.loads.append(start_load(self.home, "--json", *arguments, settings=settings))

    async def wait(self, *numbers: int) -> list[dict[str, list[str]]]:
        """The reports of these loads, once they have ended."""
        ended = await asyncio.gather(*(asyncio.to_thread(self.loads[n].communicate, timeout=150) for n in numbers))
        assert [self.loads[n].returncode for n in numbers] == [3] * len(numbers), [err for _, err in ended]
        return [json.loads(out) for out, _ in ended]

    def count_readings(self, numbers: range) -> dict[str, int]:
        """How many of these machines have read each document."""
        read = [path.name for n in numbers for path in (self.home / f"data{n}/pages").glob("*")]
        return {name: read.count(name) for name in read}

    async def list_documents(self, generation: int = 1) -> list[Document]:
        store = make_store(await asyncio.to_thread(IndexSettings.load, mongodb_uri=self.mongod.uri))
        await store.open()
        try:
            record = await store.read_index()
            assert record is not None and record.settled and record.languages
            assert record.generation == generation
            assert await store.sweep() == 0, "contents that belong to nothing"
            assert await store.list_records("making") == await store.list_records("present") == []
            return await store.list_documents()
        finally:
            await store.aclose()

    def published(self, field: str = "searchable") -> int:
        """How many documents are ready by now; `field` tells of which generation."""
        rows = self.mongod.commands.databases.get("acervo", {}).get("documents")
        return sum(row.get(field, False) for row in list(rows.docs.values())) if rows else 0


@pytest.fixture
async def machines(tmp_path: Path, model: Path, mongod: FakeMongod) -> AsyncIterator[Machines]:
    machines = Machines(tmp_path, model, mongod)
    yield machines
    for load in machines.loads:
        load.kill()
        load.communicate()


async def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not true():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def test_four_loaders_share_the_work(machines: Machines) -> None:
    machines.start(4)
    reports = await machines.wait(0, 1, 2, 3)
    documents = await machines.list_documents()
    assert [d.state for d in documents].count("ready") == FILES - 1 and len(documents) == FILES
    assert set(machines.count_readings(range(4)).values()) == {1}
    for report in reports:
        assert len(report["added"]) == FILES - 1 and [*report["skipped"]] == ["broken.pdf"]
    made = [len(report["added"]) - len(report["elsewhere"]) for report in reports]
    assert sum(made) == FILES - 1 and max(made) < FILES - 1, made


async def test_what_killed_loaders_leave_is_taken_over(machines: Machines) -> None:
    machines.start(4, lease_s=8)
    await wait_until(lambda: machines.published() >= 3)
    for load in machines.loads[:2]:
        load.kill()
    await machines.wait(2, 3)
    documents = await machines.list_documents()
    assert [d.state for d in documents].count("ready") == FILES - 1 and len(documents) == FILES
    assert set(machines.count_readings(range(2, 4)).values()) == {1}


async def test_machines_that_rebuild_share_it_and_switch_once(machines: Machines) -> None:
    machines.start(1)
    await machines.wait(0)
    before = await machines.list_documents()
    machines.start(3, "--reindex", lease_s=6)
    await wait_until(lambda: machines.published("searchable_2") >= 2)
    machines.loads[1].kill()
    await machines.wait(2, 3)
    after = await machines.list_documents(generation=2)
    assert [(d.id, d.state, d.version) for d in after] == [(d.id, d.state, d.version) for d in before]
    assert set(machines.count_readings(range(2, 4)).values()) == {1}

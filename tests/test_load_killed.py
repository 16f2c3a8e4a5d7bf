"""A load that is stopped at any moment, and run again, leaves what an undisturbed one leaves."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from database.files import LEFTOVER_S
from tests import pdfs
from tests.loads import Index, list_tree, read_index, run_load, start_load

WORDS = ["farol", "ilha", "faroleiro", "anota", "vento", "ondas", "navios", "baleias", "chuva", "neve", "barco"]


def make_text(seed: int) -> str:
    """Some sentences, others for each seed."""
    words = [WORDS[(seed * 7 + i * i) % len(WORDS)] for i in range(60)]
    return f"Folha {seed}. " + ". ".join(" ".join(words[i : i + 12]).capitalize() for i in range(0, 60, 12)) + "."


def make_library(folder: Path) -> None:
    """Five documents, one of them of two conversions, and one file that cannot be read."""
    folder.mkdir(parents=True)
    for n in range(3):
        pdfs.make_pdf(folder / f"{n}.pdf", [make_text(n)])
    pdfs.make_table(folder / "table.pdf")
    pdfs.make_pdf(folder / "long.pdf", [make_text(100 + i) for i in range(11)])
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7 broken")


def change_library(folder: Path) -> None:
    """Two files change, one goes, one is renamed, one comes."""
    pdfs.make_pdf(folder / "0.pdf", [make_text(500)])
    (folder / "1.pdf").unlink()
    (folder / "2.pdf").rename(folder / "two.pdf")
    pdfs.make_pdf(folder / "new.pdf", [make_text(600)])
    (folder / "table.pdf").write_bytes(b"no table any more")


@dataclass(frozen=True)
class Left:
    """What a load left in DATA_DIR; a killed one may have left half-written files."""

    index: Index
    files: list[str]

    @classmethod
    def by(cls, home: Path) -> "Left":
        return cls(read_index(home / "data"), [f for f in list_tree(home / "data") if not f.endswith(".part")])

    def same_as(self, other: "Left") -> bool:
        return self.index.same_as(other.index) and self.files == other.files


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One place for all loads, because documents remember where they were found. `before` and
    `after` are what `pdf` may hold; `pages` are the converted pages of both."""
    home = tmp_path_factory.mktemp("home")
    make_library(home / "before")
    shutil.copytree(home / "before", home / "after")
    change_library(home / "after")
    return home


@pytest.fixture(scope="module")
def undisturbed(home: Path) -> tuple[Left, Left]:
    """What loads leave that nobody disturbs: one of `before`, and the next of `after`."""
    left = []
    for library in ("before", "after"):
        put_library(home, library)
        assert run_load(home).returncode == 3
        left.append(Left.by(home))
        shutil.copytree(home / "data/pages", home / "pages", dirs_exist_ok=True)
    assert (len(left[0].index.names), len(left[0].index.pages)) == (5, 15)
    return left[0], left[1]


def put_library(home: Path, library: str) -> None:
    shutil.rmtree(home / "pdf", ignore_errors=True)
    shutil.copytree(home / library, home / "pdf")


def start_afresh(home: Path, converted: bool) -> None:
    """`before` in `pdf`, and nothing loaded; only the model's graph is there, and, if asked for, the
    converted pages: what is left to do takes a second or two."""
    put_library(home, "before")
    for path in (home / "data").iterdir():
        if path.is_dir() and path.name != "models":
            shutil.rmtree(path)
        elif path.is_file():
            path.unlink()
    for name in read_ids(home / "before") if converted else ():
        shutil.copytree(home / "pages" / name, home / "data/pages" / name)


def read_ids(library: Path) -> list[str]:
    names = (hashlib.sha256(path.read_bytes()).hexdigest() for path in library.iterdir())
    return [name for name in names if (library.parent / "pages" / name).is_dir()]


# Moments, seen from outside


def count_documents(data: Path) -> int:
    """How many documents are ready by now."""
    if not (data / "index.sqlite").exists():
        return 0
    db = sqlite3.connect(f"file:{data}/index.sqlite?mode=ro", uri=True, timeout=10)
    try:
        return int(db.execute("SELECT count(*) FROM documents WHERE contents <> ''").fetchone()[0])
    except sqlite3.OperationalError:  # its tables are being made
        return 0
    finally:
        db.close()


def originals_are_kept(data: Path) -> bool:
    return len(list(data.glob("files/*/*.pdf"))) >= 3


def long_is_half_converted(data: Path) -> bool:
    return bool([*data.glob("pages/*/*/00001-00008.json.gz"), *data.glob("pages/*/*/00009-00011.json.gz")])


def first_is_published(data: Path) -> bool:
    return count_documents(data) >= 1


def all_are_published(data: Path) -> bool:
    """The documents are there; languages and common terms are not yet noted."""
    return count_documents(data) >= 5 and not read_index(data).record["settled"]


Moment = Callable[[Path], bool]
WHILE_CONVERTING: list[Moment] = [originals_are_kept, long_is_half_converted]
MOMENTS: list[Moment] = [*WHILE_CONVERTING, first_is_published, all_are_published]


def stop_when(home: Path, moment: Moment, how: signal.Signals) -> int:
    """Start a load and signal it at that moment; its exit status. No process may outlive it."""
    process = start_load(home, stdout=subprocess.DEVNULL)
    while not moment(home / "data") and process.poll() is None:
        time.sleep(0.0005)
    process.send_signal(signal.SIGSTOP)  # so that the moment lasts
    helpers: list[psutil.Process] = []
    with contextlib.suppress(psutil.NoSuchProcess):
        helpers = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(how)
    process.send_signal(signal.SIGCONT)
    process.communicate(timeout=60)
    assert psutil.wait_procs(helpers, timeout=30)[1] == []
    return process.returncode


def check_stopped(home: Path, moment: Moment, how: signal.Signals, status: int, expected: Left) -> None:
    """Stop a load at that moment, and run it again: it must leave what is expected."""
    for _ in range(5):  # on a busy machine a load may end before the moment is noticed
        start_afresh(home, converted=moment not in WHILE_CONVERTING)
        stopped = stop_when(home, moment, how)
        if stopped != 3:
            break
    assert stopped == status
    if how is not signal.SIGKILL:
        assert not [f for f in list_tree(home / "data") if f.endswith(".part")], "nothing half-written is left"
    assert run_load(home).returncode == 3
    assert Left.by(home).same_as(expected)


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_and_run_again(home: Path, undisturbed: tuple[Left, Left], moment: Moment) -> None:
    check_stopped(home, moment, signal.SIGKILL, -signal.SIGKILL, undisturbed[0])


@pytest.mark.parametrize(
    ("moment", "how"), [(long_is_half_converted, signal.SIGTERM), (first_is_published, signal.SIGINT)]
)
def test_asked_to_stop(home: Path, undisturbed: tuple[Left, Left], moment: Moment, how: signal.Signals) -> None:
    check_stopped(home, moment, how, 130, undisturbed[0])


def test_changes_killed_at_every_write(home: Path, undisturbed: tuple[Left, Left]) -> None:
    """A load that replaces, removes and renames is killed after each of its writes to the index."""
    start_afresh(home, converted=True)
    assert run_load(home).returncode == 3
    put_library(home, "after")
    kills = 0
    while (process := stop_at_next_write(home)).returncode == -signal.SIGKILL:
        kills += 1
    assert process.returncode == 3 and kills >= 3
    assert Left.by(home).same_as(undisturbed[1])


def stop_at_next_write(home: Path) -> subprocess.Popen[str]:
    """Start a load and kill it as soon as it has written something new to the index, if it does."""
    before = read_index(home / "data")
    process = start_load(home, stdout=subprocess.DEVNULL)
    stamp = read_stamp(home / "data")
    while process.poll() is None:
        if (now := read_stamp(home / "data")) != stamp:
            stamp = now
            if read_index(home / "data").documents != before.documents:
                break
        time.sleep(0.0005)
    process.kill()
    process.communicate(timeout=60)
    return process


def read_stamp(data: Path) -> tuple[object, ...]:
    """Changes with each write of a document."""
    db = sqlite3.connect(f"file:{data}/index.sqlite?mode=ro", uri=True, timeout=10)
    try:
        return tuple(db.execute("SELECT value FROM meta WHERE key = 'stamp'").fetchall())
    finally:
        db.close()


def test_asked_to_stop_while_it_waits(home: Path, undisturbed: object) -> None:
    start_afresh(home, converted=True)
    with (home / "data/load.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = start_load(home)
        assert process.stderr is not None and "waiting" in process.stderr.readline()
        process.terminate()
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err == "Stopped. What was finished is kept; load again for the rest.\n"


def test_old_half_written_files_are_dropped(home: Path, undisturbed: tuple[Left, Left]) -> None:
    start_afresh(home, converted=True)
    long_ago = time.time() - LEFTOVER_S - 9
    for folder in (home / "data/files/aa", next(home.glob("data/pages/*/*"))):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "half.part").write_bytes(b"half")
        os.utime(folder / "half.part", (long_ago, long_ago))
    assert run_load(home).returncode == 3
    assert list_tree(home / "data") == undisturbed[0].files

"""`--backup` and `--restore`: the same answers elsewhere, whatever is at work meanwhile; and hostile files."""

import asyncio
import gzip
import hashlib
import io
import json
import os
import resource
import sqlite3
import stat
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from database import backup
from database.archive import ArchiveWriter
from database.backup import back_up, restore
from database.documents import Name
from database.errors import AcervoError, ArchiveError, SettingsError
from database.files import Originals
from database.main import main
from database.settings import ROOT, IndexSettings
from database.stores.sqlite import SqliteStore
from tests.library import HARVEST, HIDDEN, LIGHTHOUSE, QUESTION, Library
from tests.loads import read_index
from tests.server import ask, serve
from tests.store_documents import ask as find
from tests.store_documents import make_document, window_ids
from tests.test_migrations import OLD


def settings_of(data_dir: Path, **given: Any) -> IndexSettings:
    return IndexSettings.load(data_dir=data_dir, **given)


@pytest.fixture(scope="module")
def saved(library: Library, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of the small library."""
    path = tmp_path_factory.mktemp("backup") / "acervo.zip"
    told = back_up(settings_of(library.data_dir), path)
    assert (told.documents, told.originals, len(told.missing)) == (4, 3, 1), "one of them never could be read"
    return path


def test_another_folder_holds_the_same(saved: Path, library: Library, tmp_path: Path) -> None:
    told = restore(settings_of(tmp_path / "new"), saved)
    assert (told.documents, told.originals) == (4, 3)
    assert read_index(tmp_path / "new").same_as(read_index(library.data_dir))
    for name in (LIGHTHOUSE, HARVEST, HIDDEN):
        document = library.documents[name]
        kept = Originals(tmp_path / "new/files").path(document.id).read_bytes()
        assert hashlib.sha256(kept).hexdigest() == document.id
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["files", "index.sqlite"]
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600


async def test_answers_are_the_same(saved: Path, library: Library, tmp_path: Path) -> None:
    await asyncio.to_thread(restore, settings_of(tmp_path / "new"), saved)
    (tmp_path / "new/models").symlink_to(library.data_dir / "models")
    answers = []
    for data_dir in (library.data_dir, tmp_path / "new"):
        async with serve(data_dir) as served:
            answer = await ask(served, QUESTION)
            answers.append((answer.text, answer.lines[0]["sources"]))
    assert answers[0] == answers[1] and "1887" in answers[0][0]


def test_backups_while_others_write_are_of_one_moment(tmp_path: Path) -> None:
    """Every document is there with all of one version; the writer is not held up."""
    path, stop = tmp_path / "data/index.sqlite", threading.Event()
    versions = {v: [make_document(k, [f"gato {v} {i}" for i in range(40)], v) for k in "abc"] for v in ("v1", "v2")}

    async def write() -> int:
        store, rounds = SqliteStore(path), 0
        await store.open()
        while rounds < 2 or not stop.is_set():
            for version in ("v1", "v2"):
                for document, contents in versions[version]:
                    await store.publish(document, contents)
            rounds += 1
        await store.aclose()
        return rounds

    writer = threading.Thread(target=lambda: asyncio.run(write()))
    writer.start()
    try:
        while not path.is_file() or not _count(path):
            pass
        for number in range(4):
            back_up(settings_of(tmp_path / "data"), tmp_path / f"{number}.zip")
    finally:
        stop.set()
        writer.join()
    for number in range(4):
        restore(settings_of(tmp_path / f"r{number}"), tmp_path / f"{number}.zip")
        index = read_index(tmp_path / f"r{number}")
        for document_id, document in index.documents.items():
            (key,) = [n for n, pair in enumerate(versions["v1"]) if pair[0].id == document_id]
            held = {row[0] for row in index.windows if row[2] == document_id}
            assert held == window_ids(versions[document["version"]][key][1])


def _count(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'windows'").fetchone():
            return 0
        return int(db.execute("SELECT count(*) FROM windows").fetchone()[0])


async def test_what_was_deleted_for_good_meanwhile_is_not_in_the_backup(tmp_path: Path) -> None:
    """Its original is gone when its turn comes, and its record in the store; one that only lost its file stays."""
    store, data_dir = SqliteStore(tmp_path / "data/index.sqlite"), tmp_path / "data"
    await store.open()
    for key in "ab":
        await store.publish(*make_document(key, ["gato"]))
    copy = tmp_path / "copy.sqlite"
    await asyncio.to_thread(backup._copy_database, data_dir / "index.sqlite", copy)
    gone = make_document("a", ["gato"])[0]
    await store.remove_document(gone.id)

    told = await asyncio.to_thread(
        backup._add_originals,
        ArchiveWriter(io.BytesIO()),
        Originals(data_dir / "files"),
        data_dir / "index.sqlite",
        copy,
    )
    kept = make_document("b", ["gato"])[0]
    assert told.missing == [kept.id]
    assert [d.id for d in await _list(copy)] == [kept.id] and _count(copy) == 1
    await store.aclose()


async def _list(path: Path) -> list[Any]:
    store = SqliteStore(path)
    await store.open()
    found = await store.list_documents()
    await store.aclose()
    return found


# Over what is there already


def test_nothing_is_overwritten_without_force(saved: Path, library: Library, tmp_path: Path) -> None:
    restore(settings_of(tmp_path / "new"), saved)
    before = read_index(tmp_path / "new")
    with pytest.raises(AcervoError, match=r"holds an index already.*--force"):
        restore(settings_of(tmp_path / "new"), saved)
    data = saved.read_bytes()
    with pytest.raises(AcervoError, match=r"exists already.*--force"):
        back_up(settings_of(library.data_dir), saved)
    assert saved.read_bytes() == data and read_index(tmp_path / "new") == before


@pytest.mark.parametrize("damaged", [False, True])
async def test_force_replaces_everything(saved: Path, library: Library, tmp_path: Path, damaged: bool) -> None:
    data_dir = tmp_path / "new"
    store, extra = SqliteStore(data_dir / "index.sqlite"), make_document("extra", ["gato"])
    await store.open()
    await store.publish(*extra)
    original = Originals(data_dir / "files").path(extra[0].id)
    await asyncio.to_thread(_put, original, b"x")
    if damaged:
        await store.aclose()
        await asyncio.to_thread(_put, data_dir / "index.sqlite", b"<html>" * 1000)
    await asyncio.to_thread(restore, settings_of(data_dir), saved, True)
    assert read_index(data_dir).same_as(read_index(library.data_dir))
    assert not original.is_file()
    if not damaged:  # the store that was open all the time sees what is there now
        assert [d.id for d in await store.list_documents()] == sorted(d.id for d in library.documents.values())
        await store.aclose()


def _put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


@pytest.mark.parametrize("at", ["before", "in"])
def test_a_restore_that_is_killed_leaves_what_was_or_all(
    saved: Path, library: Library, tmp_path: Path, at: str
) -> None:
    data_dir = tmp_path / "new"
    asyncio.run(_publish(data_dir, "kept"))
    before = read_index(data_dir)
    script = f"""
import os, signal, sqlite3
from pathlib import Path
from database import backup
from database.archive import open_archive
from database.files import Originals
def die(*progress):
    os.kill(os.getpid(), signal.SIGKILL)
data_dir, scratch = Path({str(data_dir)!r}), Path({str(tmp_path / "scratch.sqlite")!r})
with open_archive(Path({str(saved)!r}), backup.FORMAT, backup.VERSION, backup.MEMBERS) as archive:
    archive.copy(backup.INDEX, scratch)
    backup._restore_originals(archive, Originals(data_dir / "files"), backup._check_index(scratch, scratch))
    if {at!r} == "in":
        sqlite3.connect(scratch).backup(sqlite3.connect(data_dir / backup.INDEX), pages=3, progress=die)
    die()
"""
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, timeout=60).returncode == -9
    assert read_index(data_dir).same_as(before)
    restore(settings_of(data_dir), saved, force=True)
    assert read_index(data_dir).same_as(read_index(library.data_dir))


async def _publish(data_dir: Path, key: str) -> None:
    store = SqliteStore(data_dir / "index.sqlite")
    await store.open()
    await store.publish(*make_document(key, ["gato"]))
    await store.aclose()


# Files that are no backups, or worse


def rewrite(saved: Path, path: Path, change: Callable[[dict[str, bytes]], None], mode: int = 0) -> Path:
    """The same archive with other members."""
    with zipfile.ZipFile(saved) as source:
        members = {info.filename: source.read(info) for info in source.infolist()}
    change(members)
    with zipfile.ZipFile(path, "w") as target:
        for name, data in members.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            target.writestr(info, data)
    return path


def resum(members: dict[str, bytes]) -> None:
    """Sums that agree with what is there."""
    rest = {name: data for name, data in members.items() if name not in ("acervo.json", "sums.json")}
    sums = {name: (len(data), hashlib.sha256(data).hexdigest()) for name, data in rest.items()}
    members["sums.json"] = json.dumps(sums).encode()


def added(name: str, data: bytes = b"x") -> Callable[[dict[str, bytes]], None]:
    def change(members: dict[str, bytes]) -> None:
        members[name] = data
        resum(members)

    return change


def about(**other: Any) -> Callable[[dict[str, bytes]], None]:
    def change(members: dict[str, bytes]) -> None:
        members["acervo.json"] = json.dumps(json.loads(members["acervo.json"]) | other).encode()

    return change


def flipped(members: dict[str, bytes]) -> None:
    (name,) = [name for name in members if name.startswith("files/")][:1]
    members[name] = members[name][:-1] + b"?"


def dropped(members: dict[str, bytes]) -> None:
    del members["index.sqlite"]


def without_index(members: dict[str, bytes]) -> None:
    dropped(members)
    resum(members)


HOSTILE: Mapping[str, tuple[Callable[[dict[str, bytes]], None], int, str]] = {
    "zip-slip": (added("../../evil.pdf"), 0, "does not belong there"),
    "absolute": (added("/tmp/evil.pdf"), 0, "does not belong there"),
    "other-name": (added("files/evil.pdf"), 0, "does not belong there"),
    "symlinks": (lambda members: None, stat.S_IFLNK | 0o777, "does not belong there"),
    "flipped": (flipped, 0, "is not as it was written"),
    "missing": (dropped, 0, "does not hold what it says"),
    "no-index": (without_index, 0, "lacks index.sqlite"),
    "newer": (about(version=2), 0, "newer version"),
    "export": (about(format="acervo-export"), 0, "is of the kind acervo-export"),
    "not-json": (added("acervo.json", b"[" * 10000), 0, "damaged"),
    "no-database": (added("index.sqlite", b"<html>" * 999), 0, "cannot be read"),
    "large-about": (added("acervo.json", b" " * (2 << 20)), 0, "larger than it can be"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_file_that_is_no_whole_backup_changes_nothing(saved: Path, tmp_path: Path, case: str) -> None:
    change, mode, told = HOSTILE[case]
    path = rewrite(saved, tmp_path / "hostile.zip", change, mode)
    with pytest.raises(ArchiveError, match=told):
        restore(settings_of(tmp_path / "new"), path)
    assert not list((tmp_path / "new").glob("**/*.pdf")) and not (tmp_path / "new/index.sqlite").exists()
    assert not list(tmp_path.glob("**/evil*"))


@pytest.mark.parametrize("kept", [0, 10, 0.5, 0.999])
def test_a_file_that_was_cut_off_is_told(saved: Path, tmp_path: Path, kept: float) -> None:
    data = saved.read_bytes()
    path = tmp_path / "cut.zip"
    path.write_bytes(data[: int(kept if kept >= 1 else kept * len(data))])
    with pytest.raises(ArchiveError, match="cut off"):
        restore(settings_of(tmp_path / "new"), path)


def test_more_bytes_than_were_told_are_never_unpacked(saved: Path, tmp_path: Path) -> None:
    """A member that unpacks to far more than its size in the sums."""

    def bomb(members: dict[str, bytes]) -> None:
        members["index.sqlite"] = bytes(200 << 20)

    path = rewrite(saved, tmp_path / "bomb.zip", bomb)
    with pytest.raises(ArchiveError, match="is not as it was written"):
        restore(settings_of(tmp_path / "new"), path)


def test_an_index_of_a_newer_version_is_refused(saved: Path, tmp_path: Path) -> None:
    def newer(members: dict[str, bytes]) -> None:
        (tmp_path / "i.sqlite").write_bytes(members["index.sqlite"])
        with closing(sqlite3.connect(tmp_path / "i.sqlite")) as db:
            db.execute("PRAGMA user_version = 99")
        members["index.sqlite"] = (tmp_path / "i.sqlite").read_bytes()
        resum(members)

    path = rewrite(saved, tmp_path / "newer.zip", newer)
    with pytest.raises(AcervoError, match="newer version of Acervo"):
        restore(settings_of(tmp_path / "new"), path)
    assert not (tmp_path / "new/index.sqlite").exists()


async def test_an_index_of_an_older_version_is_restored_and_brought_up_to_date(saved: Path, tmp_path: Path) -> None:
    """Also under a running server, which finds what it held at once."""
    old, there = gzip.decompress(OLD.read_bytes()), settings_of(tmp_path / "new")
    store = SqliteStore(there.data_dir / "index.sqlite")
    await store.open()
    await store.publish(*make_document("other", ["gato"]))
    assert len((await store.search(find("gato"))).words) == 1

    def older(members: dict[str, bytes]) -> None:
        members["index.sqlite"] = old
        resum(members)

    path = await asyncio.to_thread(rewrite, saved, tmp_path / "older.zip", older)
    told = await asyncio.to_thread(restore, there, path, force=True)
    assert told.documents == 2
    found = (await store.search(find("gato"))).words
    assert {c.window_id for c in found} == {make_document("a", ["gato preto", "rato"])[1].windows[0].id}
    await store.aclose()


# The command line


def test_the_commands(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATA_DIR", str(library.data_dir))
    assert main(["--backup", "b.zip"]) == 0
    told = capsys.readouterr().err
    assert "4 documents, 3 originals" in told and "its original is not there" in told
    assert main(["--backup", "b.zip"]) == 1 and "Not done: " in capsys.readouterr().err
    assert main(["--backup", "b.zip", "--force"]) == 0
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "new"))
    assert main(["--restore", "b.zip"]) == 0
    assert read_index(tmp_path / "new").same_as(read_index(library.data_dir))
    assert main(["--backup", "nowhere/at/all.zip"]) == 0
    assert main(["--restore", "none.zip", "--force"]) == 1
    assert "none.zip cannot be read: No such file" in capsys.readouterr().err
    assert sorted(os.listdir(tmp_path)) == ["b.zip", "new", "nowhere", "pdf"], "nothing half written is left"


def test_there_is_nothing_to_back_up(tmp_path: Path) -> None:
    with pytest.raises(AcervoError, match="no index"):
        back_up(settings_of(tmp_path), tmp_path / "b.zip")
    with pytest.raises(SettingsError, match="mongodump"):
        back_up(settings_of(tmp_path, mongodb_uri="mongodb://127.0.0.1:9"), tmp_path / "b.zip")
    assert not (tmp_path / "b.zip").exists()


def test_a_full_disk_leaves_nothing(library: Library, tmp_path: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))

    command = [sys.executable, ROOT / "database/main.py", "--backup", tmp_path / "b/b.zip"]
    settings = {"PATH": os.environ["PATH"], "ACERVO_ENV_FILE": os.devnull, "DATA_DIR": str(library.data_dir)}
    done = subprocess.run(command, env=settings, preexec_fn=limit, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and done.stderr.startswith("Not done: ")
    assert "Traceback" not in done.stderr and os.listdir(tmp_path / "b") == []


@pytest.mark.parametrize("arguments", [["--backup", "a", "--restore", "b"], ["--backup", "a", "folder"], ["--backup"]])
def test_wrong_usage(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2


def test_names_and_collections_come_along(tmp_path: Path) -> None:
    async def run() -> None:
        store = SqliteStore(tmp_path / "a/index.sqlite")
        await store.open()
        document, contents = make_document("a", ["gato"])
        await store.publish(replace(document, names=(Name("pdf", "a.pdf", collection="board"),)), contents)
        await store.aclose()

    asyncio.run(run())
    back_up(settings_of(tmp_path / "a"), tmp_path / "b.zip")
    restore(settings_of(tmp_path / "b"), tmp_path / "b.zip")
    (document,) = read_index(tmp_path / "b").documents.values()
    assert document["names"][0]["collection"] == "board"

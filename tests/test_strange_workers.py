"""Answers of workers that would break the index or others' documents, and workers that cannot be reached."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import database.executors
from database.documents import Block
from database.errors import AcervoError, ReadError
from database.executors import Workers
from database.executors.checking import read_contents
from database.executors.order import ORDER, UNREADABLE
from database.executors.worker import make_contents
from database.settings import IndexSettings
from database.transfer import STORED
from tests.test_executors import data, home, load, make_order

__all__ = ["data", "home"]


class Lying(Executor):
    """Its answers are changed on their way."""

    def __init__(self, change: Callable[[Any], Any]):
        self._change, self._executor = change, ThreadPoolExecutor(1)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return self._executor.submit(lambda: self._change(fn(*args, **kwargs)))


async def test_contents_that_break_others_are_refused(home: Path, data: Path) -> None:
    order, file = await make_order(home)
    _, told, vectors = await asyncio.to_thread(make_contents, ORDER.dump_json(order), file)
    settings, stored = await asyncio.to_thread(IndexSettings.load), STORED.validate_json(told)
    assert read_contents(order.document, told, vectors, 384, settings)
    page, chunk, window = stored.pages[0], stored.chunks[0], stored.windows[0]
    ids = {c.id: f"c{c.ordinal}" for c in stored.chunks}
    changed = {
        "page nan": replace(stored, pages=[replace(page, width=111.25), *stored.pages[1:]]),
        "block nan": replace(
            stored, pages=[replace(page, blocks=(Block(0, 1, (0, 0, 111.25, 1)),)), *stored.pages[1:]]
        ),
        "box nan": replace(stored, chunks=[replace(chunk, boxes=((0, 0, 111.25, 1),)), *stored.chunks[1:]]),
        "boxes": replace(stored, chunks=[replace(chunk, boxes=((0, 0, 1, 1),) * 100_000), *stored.chunks[1:]]),
        "others' chunks": replace(
            stored,
            chunks=[replace(c, id=ids[c.id]) for c in stored.chunks],
            windows=[replace(w, chunk_id=ids[w.chunk_id]) for w in stored.windows],
        ),
        "others' windows": replace(stored, windows=[replace(window, id="0" * 32), *stored.windows[1:]]),
        "no passage of its page": replace(stored, chunks=[replace(chunk, text="Paid in full."), *stored.chunks[1:]]),
        "language": replace(stored, document=replace(stored.document, language="\0\n")),
        "notes": replace(stored, document=replace(stored.document, notes=("n" * 1000,) * 10_000)),
        "terms": replace(stored, page_terms=[*stored.page_terms] * 2),
        "no page": replace(stored, pages=[], chunks=[], windows=[], page_terms=[]),
    }
    for name, one in changed.items():
        given = STORED.dump_json(one).replace(b"111.25", b"NaN")
        try:
            read_contents(order.document, given, vectors if one.windows else b"", 384, settings)
        except ReadError:
            continue
        pytest.fail(f"taken: {name}")


async def test_what_a_worker_says_of_a_failure_is_cut(home: Path, data: Path) -> None:
    workers = Workers(Lying(lambda _: (UNREADABLE, b"\x1b[2J" * 1_000_000, b"")), lambda: 1)
    summary = await load(home, workers)
    assert all(len(reason) < 10_000 and "\x1b" not in reason for reason in summary.skipped.values())


async def test_a_load_does_not_fail_as_its_workers_cannot_be_counted(
    home: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database.executors, "COUNT_S", 0.05)
    counts = iter([1])

    def count() -> int:
        for known in counts:
            return known
        raise OSError("Timed out trying to connect to tcp://scheduler:8786 after 30 s")

    with ThreadPoolExecutor(1) as executor:
        assert len((await load(home, Workers(executor, count))).added) == 7


async def test_workers_that_are_gone_when_asked(home: Path, data: Path) -> None:
    class Gone(Executor):
        def submit(self, *_: Any, **__: Any) -> Any:
            raise BrokenExecutor("A child process terminated abruptly")

    with pytest.raises(AcervoError, match="workers are gone"):
        await load(home, Workers(Gone(), lambda: 1))


async def test_an_order_names_no_folders(home: Path, data: Path, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work/mine").mkdir()
    (tmp_path / "work/mine/a.txt").write_text("mine")
    os.utime(tmp_path / "work/mine", (0, 0))
    order, file = await make_order(home)
    order = replace(order, settings=order.settings | {"data_dir": str(tmp_path)})
    await asyncio.to_thread(make_contents, ORDER.dump_json(order), file)
    assert (tmp_path / "work/mine/a.txt").exists()

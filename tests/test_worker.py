"""A function in a process of its own: its value, its errors, and its end in every case."""

import asyncio
import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from blockbuster import BlockBuster

from database.errors import ReadError
from database.readers.confine import describe_gaps
from database.readers.worker import WorkerCrashed, WorkerOutOfMemory, WorkerTimeout, run_limited
from database.settings import ROOT
from tests import chores

LIMITS = {"timeout_s": 60.0, "memory_mb": 1024}


def wait_for_pid(parent: int) -> int:
    """The process that a child of `parent` has forked for its task. Fails by the test's own time limit."""
    while not (
        found := [task for child in psutil.Process(parent).children() if is_zygote(child) for task in child.children()]
    ):
        time.sleep(0.02)
    return found[0].pid


def is_zygote(process: psutil.Process) -> bool:
    """Tests of the browser may have children at work, too."""
    return process.status() != psutil.STATUS_ZOMBIE and "database.readers.zygote" in " ".join(process.cmdline())


def wait_until_gone(pid: int) -> None:
    """Fails by the test's own time limit."""
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.02)


async def test_returns_the_value_from_another_process() -> None:
    pid, zygote_pid = await run_limited(chores.get_pids, **LIMITS)
    assert len({pid, zygote_pid, os.getpid()}) == 3
    assert await run_limited(chores.add, 2, 3, **LIMITS) == 5


async def test_big_values_come_whole() -> None:
    assert len(await run_limited(chores.make_bytes, 20_000_000, **LIMITS)) == 20_000_000


async def test_many_at_once_get_their_own_values() -> None:
    sums = await asyncio.gather(*(run_limited(chores.add, n, n, **LIMITS) for n in range(20)))
    assert sums == [2 * n for n in range(20)]


async def test_the_event_loop_is_never_blocked() -> None:
    blockbuster = BlockBuster()
    blockbuster.activate()
    try:
        assert await run_limited(chores.add, 2, 3, **LIMITS) == 5
    finally:
        blockbuster.deactivate()


async def test_an_error_raised_on_purpose_travels_back() -> None:
    with pytest.raises(ReadError, match=r"^The file is a teapot\.$") as caught:
        await run_limited(chores.refuse, **LIMITS)
    assert type(caught.value) is ReadError


async def test_an_unexpected_error_is_named() -> None:
    with pytest.raises(WorkerCrashed, match="KeyError: 'nobody expected this'"):
        await run_limited(chores.fail, **LIMITS)


async def test_a_crash_is_named() -> None:
    with pytest.raises(WorkerCrashed, match="SIGSEGV"):
        await run_limited(chores.crash, **LIMITS)


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS limits only on Linux")
async def test_memory_is_limited() -> None:
    assert await run_limited(chores.eat, 600, **LIMITS) == 600 << 20
    with pytest.raises(WorkerOutOfMemory, match="1024 MB"):
        await run_limited(chores.eat, 1200, **LIMITS)


async def test_time_is_limited_and_the_process_dies() -> None:
    task = asyncio.create_task(run_limited(chores.spin, timeout_s=4, memory_mb=1024))
    pid = await asyncio.to_thread(wait_for_pid, os.getpid())
    with pytest.raises(WorkerTimeout, match="4 seconds"):
        await task
    await asyncio.to_thread(wait_until_gone, pid)


async def test_cancelling_kills_the_process() -> None:
    task = asyncio.create_task(run_limited(chores.spin, **LIMITS))
    pid = await asyncio.to_thread(wait_for_pid, os.getpid())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.to_thread(wait_until_gone, pid)


async def test_cancelled_before_a_thread_was_free_nothing_stays_open() -> None:
    free, pool = threading.Event(), ThreadPoolExecutor(1)
    asyncio.get_running_loop().set_default_executor(pool)
    pool.submit(free.wait)
    try:
        gc.collect()
        before = psutil.Process().num_fds()
        task = asyncio.create_task(run_limited(chores.add, 2, 3, **LIMITS))
        await asyncio.sleep(0.1)
        assert psutil.Process().num_fds() == before + 2
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert psutil.Process().num_fds() == before
    finally:
        free.set()
    assert await run_limited(chores.add, 2, 3, **LIMITS) == 5


async def test_a_killed_zygote_is_replaced() -> None:
    _, zygote_pid = await run_limited(chores.get_pids, **LIMITS)
    os.kill(zygote_pid, signal.SIGKILL)
    assert await run_limited(chores.add, 2, 3, **LIMITS) == 5


async def test_killing_the_parent_kills_its_workers() -> None:
    code = (
        "import asyncio; from tests import chores; from database.readers.worker import run_limited;"
        "asyncio.run(run_limited(chores.spin, timeout_s=600, memory_mb=1024))"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", code, cwd=ROOT)
    pid = await asyncio.to_thread(wait_for_pid, parent.pid)
    helper = psutil.Process(pid).ppid()
    parent.kill()
    await parent.wait()
    await asyncio.to_thread(wait_until_gone, pid)
    await asyncio.to_thread(wait_until_gone, helper)


@pytest.mark.skipif(bool(describe_gaps()), reason="the kernel lacks what confines readers, which is told there")
def test_nothing_that_a_worker_prints_is_seen(tmp_path: Path) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); import asyncio; from tests import chores;"
        "from database.readers.worker import run_limited;"
        "print(asyncio.run(run_limited(chores.chatter, timeout_s=60, memory_mb=1024)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert (done.stdout, done.stderr) == ("said\n", "")


async def test_work_that_may_wait_runs_behind_other_work() -> None:
    own = os.nice(0)
    assert await run_limited(chores.get_niceness, **LIMITS, niceness=3) == own + 3
    assert await run_limited(chores.get_niceness, **LIMITS) == own


def test_an_idle_zygote_ends() -> None:
    ours, theirs = socket.socketpair()
    code = f"from database.readers.zygote import main; main({theirs.fileno()}, idle_s=0.05)"
    with ours, theirs:
        subprocess.run([sys.executable, "-c", code], pass_fds=[theirs.fileno()], cwd=ROOT, check=True, timeout=60)

"""A process that reads a file can read that file and answer, and do nothing else."""

import errno
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from database.readers import landlock, seccomp
from database.readers.confine import describe_gaps
from database.readers.worker import WorkerCrashed, run_limited
from tests import chores

LIMITS = {"timeout_s": 60.0, "memory_mb": 1024}
needs_landlock = pytest.mark.skipif(not landlock.find_version(), reason="this kernel has no Landlock")
needs_seccomp = pytest.mark.skipif(not seccomp.is_available(), reason="this kernel filters no system calls")


@needs_landlock
async def test_it_reads_the_file_it_was_given_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "given.pdf").write_bytes(b"given")
    (tmp_path / "other.pdf").write_bytes(b"other")
    assert await run_limited(chores.read, tmp_path / "given.pdf", "", **LIMITS) == b"given"
    for other in (tmp_path / "other.pdf", "/etc/passwd", Path(__file__), "/proc/1/environ", "/proc/self/environ"):
        with pytest.raises(WorkerCrashed, match="PermissionError"):
            await run_limited(chores.read, tmp_path / "given.pdf", str(other), **LIMITS)
    with pytest.raises(WorkerCrashed, match="PermissionError"):
        await run_limited(chores.list_folder, str(tmp_path), **LIMITS)


@pytest.mark.skipif(sys.platform != "linux", reason="what is refused is told differently elsewhere")
async def test_it_writes_nowhere(tmp_path: Path) -> None:
    given = tmp_path / "given.pdf"
    given.write_bytes(b"as it was")
    for path in (given, tmp_path / "new.txt"):
        with pytest.raises(WorkerCrashed, match=r"PermissionError|OSError.*File too large"):
            await run_limited(chores.write, given, str(path), **LIMITS)
    assert not (tmp_path / "new.txt").exists()
    assert given.read_bytes() == b"as it was"


@needs_seccomp
@pytest.mark.parametrize("chore", [chores.fork, chores.start_program, chores.kill_parent, chores.make_writable])
async def test_it_touches_no_other_process_and_no_mode(chore: Callable[[], int], tmp_path: Path) -> None:
    with pytest.raises(WorkerCrashed, match=rf"PermissionError: \[Errno {errno.EPERM}\]"):
        await run_limited(chore, **LIMITS)


@needs_seccomp
@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
async def test_it_reaches_nobody(kind: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(WorkerCrashed, match="PermissionError"):
        await run_limited(chores.connect, server.getsockname()[1], int(kind), **LIMITS)


@needs_seccomp
async def test_threads_are_its_own_business() -> None:
    assert await run_limited(chores.use_thread, **LIMITS) == "ran"


async def test_it_knows_no_secret_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    from database.readers import worker

    await run_limited(chores.add, 1, 1, **LIMITS)
    monkeypatch.setenv("GOOGLE_API_KEY", "secret")
    worker._ZYGOTE.close()  # the next one is started with the environment of now
    assert "GOOGLE_API_KEY" not in await run_limited(chores.list_variables, **LIMITS)


async def test_what_it_sends_back_is_taken_for_data() -> None:
    """A process that was taken over may send what it likes."""
    for told in (b"", b"x", b"j", b'j"text"', b"b\x80\x04.", b"e[]", b"cposix\nsystem\n(S'id'\ntR."):
        with pytest.raises(WorkerCrashed, match="something else than what was asked for"):
            await run_limited(chores.send, told, **LIMITS)


def test_gaps_are_told() -> None:
    assert bool(describe_gaps()) == (not landlock.find_version() or not seccomp.is_available())


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_is_a_program_that_jumps_within_itself(machine: str) -> None:
    code = seccomp.make_filter(machine)
    steps = [code[i : i + 8] for i in range(0, len(code), 8)]
    assert len(code) % 8 == 0 and steps[-1][0] == seccomp.RETURN
    for place, step in enumerate(steps):
        assert step[0] in (seccomp.LOAD, seccomp.EQUAL, seccomp.AT_LEAST, seccomp.ANY_BIT, seccomp.RETURN)
        assert place + 1 + max(step[2], step[3]) < len(steps) or step[0] == seccomp.RETURN

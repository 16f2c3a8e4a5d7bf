"""`python -m app users` and `python -m app keys`, as programs."""

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from database.settings import ROOT
from tests.accounts import PASSWORD
from tests.e2e.servers import make_environment

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs a command on a store of its own."""

    def run(*arguments: str, told: str = "") -> subprocess.CompletedProcess[str]:
        environment = make_environment(DATA_DIR=str(tmp_path / "data"), AUDIT_LOG=str(tmp_path / "audit"))
        command = [sys.executable, "-m", "app", *arguments]
        return subprocess.run(command, cwd=ROOT, env=environment, input=told, capture_output=True, text=True)

    return run


def test_users_and_keys(run: Run, tmp_path: Path) -> None:
    first = run("users", "add", "Ada", "--password-stdin", told=f"{PASSWORD}\n")
    assert (first.returncode, first.stdout) == (0, "ada may log in: admin.\n"), first.stderr
    rita = ("users", "add", "rita", "--collection", "board", "--collection", "", "--password-stdin")
    assert "reader of 'board', documents in no collection" in run(*rita, told=PASSWORD).stdout
    taken = run(*rita, told=PASSWORD)
    assert (taken.returncode, taken.stdout) == (1, "") and "There is a user rita already." in taken.stderr
    assert [line.split()[0] for line in run("users", "list").stdout.splitlines()] == ["ada", "rita"]
    refused = run("keys", "add", "rita", "--scope", "write")
    assert refused.returncode == 1 and "cannot have the scope write" in refused.stderr
    made = run("keys", "add", "ada", "--scope", "write", "--scope", "read", "--label", "nightly")
    key = made.stdout.splitlines()[-1]
    listed = run("keys", "list").stdout
    assert made.returncode == 0 and key.startswith("acv_") and key not in listed and "read,write  nightly" in listed
    key_id = listed.split()[0]
    assert [run("keys", "remove", key_id).returncode for _ in range(2)] == [0, 1]
    assert run("users", "reset", "rita", "--password-stdin", told="another password").returncode == 0
    assert "Nobody is left" not in run("users", "remove", "rita").stdout
    assert "Nobody is left" in run("users", "remove", "ada").stdout
    assert run("users", "list").stdout == "There are no users.\n"
    audit = (tmp_path / "audit").read_text()
    for event in ("user_added", "key_added", "key_removed", "password_changed", "user_removed"):
        assert f'"event": "{event}"' in audit
    assert PASSWORD not in audit and key not in audit


def test_what_cannot_be_done_is_told(run: Run) -> None:
    for arguments, told, status, said in (
        (("users", "add", "a b", "--password-stdin"), PASSWORD, 1, "cannot be a user's name"),
        (("users", "add", "ada", "--password-stdin"), "short\n", 1, "10 to 1000 characters"),
        (("users", "add", "ada", "--password-stdin"), "", 1, "10 to 1000 characters"),
        (("users", "reset", "nobody", "--password-stdin"), PASSWORD, 1, "no user 'nobody'"),
        (("users", "fly"), "", 2, "invalid choice"),
        (("nonsense",), "", 2, "invalid choice"),
    ):
        done = run(*arguments, told=told)
        assert (done.returncode, done.stdout) == (status, ""), done
        assert said in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(("again", "status"), [(PASSWORD, 0), ("a mistyped one", 1)])
def test_a_password_is_asked_for_twice_and_not_shown(tmp_path: Path, again: str, status: int) -> None:
    terminal, other = pty.openpty()
    environment = make_environment(DATA_DIR=str(tmp_path / "data"))
    command = [sys.executable, "-m", "app", "users", "add", "ada"]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=other, stdout=other, stderr=other, start_new_session=True
    )
    os.close(other)
    shown = b""
    for question, reply in ((b"Password: ", PASSWORD), (b"Again: ", again)):
        while question not in shown:
            shown += os.read(terminal, 1000)
        os.write(terminal, f"{reply}\n".encode())
    while process.poll() is None:
        try:
            shown += os.read(terminal, 1000)
        except OSError:
            break
    os.close(terminal)
    assert process.wait(60) == status
    assert PASSWORD.encode() not in shown and again.encode() not in shown
    assert (b"two different passwords" in shown) == bool(status)

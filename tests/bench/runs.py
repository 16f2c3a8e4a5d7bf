"""Programs that are measured from outside: time, processor time and memory, with everything they start."""

import json
import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from database.settings import ROOT

SAMPLE_S = 0.5
STARTED = "ACERVO_BENCH_STARTED"
"""The variable that tells a program when it was started, by the clock that never goes back."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What a program took. `peak_mb` is the memory of all its processes, what they share counted once."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    output: str

    @property
    def told(self) -> dict[str, Any]:
        """The object in the last line of its output."""
        found: dict[str, Any] = json.loads(self.output.strip().rpartition("\n")[2])
        return found


def run(command: Sequence[str | Path], settings: Mapping[str, str] = {}) -> Spent:
    """Run to the end. Raises `subprocess.CalledProcessError` with the output when it fails."""
    started = time.monotonic()
    environment = os.environ | {STARTED: str(started)} | settings
    with subprocess.Popen(
        list(map(str, command)), cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        peak = _Peak(process.pid)
        try:
            output, errors = _read(process)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        except BaseException:
            process.terminate()
            raise
        wall_s = time.monotonic() - started
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args, output, errors)
    return Spent(wall_s, usage.ru_utime + usage.ru_stime, peak.stop(), output)


def _read(process: subprocess.Popen[bytes]) -> tuple[str, str]:
    """All of both outputs, without waiting for the end, which is to be asked for what was used."""
    assert process.stdout is not None and process.stderr is not None
    with ThreadPoolExecutor(1) as aside:
        errors = aside.submit(process.stderr.read)
        return process.stdout.read().decode(), errors.result().decode()


class _Peak:
    """Looks at a family of processes now and then."""

    def __init__(self, pid: int):
        self._process, self._peak_mb, self._ended = psutil.Process(pid), 0.0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._ended.wait(SAMPLE_S):
            self._peak_mb = max(self._peak_mb, memory_mb(self._process))

    def stop(self) -> float:
        self._ended.set()
        self._thread.join()
        return self._peak_mb


def memory_mb(process: psutil.Process) -> float:
    """Of a process and all that it started; what they share counts once where the system can tell."""
    try:
        family = [process, *process.children(recursive=True)]
    except psutil.Error:
        return 0.0
    return sum(map(_own_mb, family))


def _own_mb(process: psutil.Process) -> float:
    try:
        info = process.memory_full_info()
    except psutil.Error:
        return 0.0
    return float(getattr(info, "pss", info.rss)) / 2**20


def cpu_s(process: psutil.Process) -> float:
    """Processor time that a process has used so far."""
    times = process.cpu_times()
    return float(times.user + times.system)


def family_cpu_s(process: psutil.Process) -> float:
    """The same with all that it started, ended or not."""
    return sum(sum(each.cpu_times()[:4]) for each in (process, *process.children(recursive=True)))


def start_program(stack: ExitStack, command: list[str], settings: dict[str, str]) -> tuple[str, psutil.Process]:
    """Start a server that prints its address; it is ended with `stack`."""
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | settings, stdout=subprocess.PIPE, text=True)
    stack.callback(process.wait)
    stack.callback(process.terminate)
    assert process.stdout is not None
    line = process.stdout.readline()
    return line[line.index("http") :].strip(), psutil.Process(process.pid)

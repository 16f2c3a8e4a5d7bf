"""The process that forks one child for each task of `worker.run_limited`; standard library only.

It imports a task's module once, so that a child starts in milliseconds instead of paying for the
import of a PDF library. The parent hands over one socket for each task; everything else follows
from sockets being closed:

    the parent closes a task's socket  -> that child is killed
    the parent dies (control closes)   -> every child is killed and the zygote ends
    the child ends                     -> its exit code is written to the socket, which is closed

A child also carries a kernel timer, so that it ends even if the zygote is killed first. Before it
does its task it gives up what it does not need (`confine.py`), and what it sends back is data, never
code: a file may have taken it over by then.
"""

import contextlib
import importlib
import json
import os
import pickle
import re
import resource
import selectors
import signal
import socket
import struct
import sys
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from database.errors import AcervoError
from database.readers.confine import confine

HEADER = struct.Struct("!I")
EXIT_CODE = struct.Struct("!i")
IDLE_S = 60.0
"""After this long without a task the zygote ends and gives its memory back."""
GRACE_S = 5.0
"""The kernel timer of a child fires this long after the parent should have killed it."""
BYTES, JSON, ERROR, OUT_OF_MEMORY = b"b", b"j", b"e", b"m"
"""What a child sends begins with one of these: a value as it is or as JSON, the class and the message of
an error it raised on purpose, or that it lacked memory."""
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Task:
    """A function by name, its arguments and its limits."""

    module: str
    function: str
    args: tuple[Any, ...]
    timeout_s: float
    memory_mb: int
    niceness: int = 0


def main(control_fd: int, idle_s: float = IDLE_S) -> None:
    """Serve tasks from `control_fd` until it closes; in a forked child, run that child's task."""
    with socket.socket(fileno=control_fd) as control:
        job = _Zygote(control).serve(idle_s)
    if job is not None:
        _run(*job)


class _Zygote:
    """The loop that forks, kills and reaps. Single-threaded, never busy for long."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._children: dict[socket.socket, int] = {}
        self._selector = selectors.DefaultSelector()
        self._woken, self._waker = socket.socketpair()
        self._woken.setblocking(False)
        self._waker.setblocking(False)
        self._selector.register(control, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)

    def serve(self, idle_s: float) -> tuple[Task, socket.socket] | None:
        """Return None when there is nothing left to serve, or, in a child, what it has to do."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        while True:
            events = self._selector.select(idle_s)
            if not events and not self._children:
                return None
            for key, _ in events:
                if key.fileobj is self._control:
                    received = self._receive()
                    if received is None:
                        self._kill_all()
                        return None
                    if self._fork(*received):
                        return received
                elif key.fileobj is self._woken:
                    self._drain()
                else:
                    self._abandon(key.fileobj)
            self._reap()

    def _receive(self) -> tuple[Task, socket.socket] | None:
        header, fds, _, _ = socket.recv_fds(self._control, HEADER.size, 1)
        if not header:
            return None
        size, data = HEADER.unpack(header)[0], bytearray()
        while len(data) < size:
            part = self._control.recv(size - len(data))
            if not part:
                return None
            data += part
        return pickle.loads(data), socket.socket(fileno=fds[0])

    def _fork(self, task: Task, channel: socket.socket) -> bool:
        """True in the child."""
        with contextlib.suppress(ImportError):  # the child meets it again, and reports it
            _import(task)
        pid = os.fork()
        if pid == 0:
            self._forget_all()
            return True
        self._children[channel] = pid
        self._selector.register(channel, selectors.EVENT_READ)
        return False

    def _forget_all(self) -> None:
        """Close in a child what belongs to the zygote: a socket held twice never ends."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._selector.close()
        for open_socket in [self._woken, self._waker, *self._children]:
            open_socket.close()

    def _drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._woken.recv(4096):
                pass

    def _abandon(self, channel: Any) -> None:
        """The parent has closed its end: nobody waits for this child."""
        self._selector.unregister(channel)
        os.kill(self._children[channel], signal.SIGKILL)

    def _reap(self) -> None:
        for channel, pid in list(self._children.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if not ended:
                continue
            del self._children[channel]
            if channel.fileno() in self._selector.get_map():
                self._selector.unregister(channel)
            with contextlib.suppress(OSError), channel:
                channel.send(EXIT_CODE.pack(os.waitstatus_to_exitcode(status)))

    def _kill_all(self) -> None:
        for pid in self._children.values():
            os.kill(pid, signal.SIGKILL)


def _import(task: Task) -> Any:
    """The task's function. Its module may have a function `preload` that
    imports what the others import lazily, so that this happens before the fork."""
    module = importlib.import_module(task.module)
    preload = getattr(module, "preload", None)
    if preload is not None:
        preload()
    return getattr(module, task.function)


def _run(task: Task, channel: socket.socket) -> None:
    """Do the task and end the process; an unexpected exception leaves as its traceback, exit code 1."""
    _report_crashes_to(channel)
    _silence()
    function = _import(task)
    _limit(task)
    confine(arg for arg in task.args if isinstance(arg, Path))
    try:
        outcome = _encode(function(*task.args))
    except AcervoError as error:
        outcome = ERROR + _to_json([type(error).__name__, str(error)])
    except MemoryError:
        outcome = OUT_OF_MEMORY
    channel.sendall(outcome)
    os._exit(0)


def _encode(value: object) -> bytes:
    return BYTES + value if isinstance(value, bytes) else JSON + _to_json(value)


def _to_json(value: object) -> bytes:
    text = json.dumps(value, default=asdict, ensure_ascii=False, separators=(",", ":"))
    return _LONE_SURROGATE.sub("\ufffd", text).encode()


def _report_crashes_to(channel: socket.socket) -> None:
    def report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        channel.sendall("".join(traceback.format_exception(kind, error, trace)).encode(errors="replace"))
        os._exit(1)

    sys.excepthook = report


def _silence() -> None:
    """Nothing that a library prints may reach the output of the program that asked."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(nowhere, fd)


def _limit(task: Task) -> None:
    """What this process got from the zygote does not count: it grows with the libraries that earlier tasks used."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, task.timeout_s + GRACE_S)
    os.nice(task.niceness)
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    with contextlib.suppress(ValueError, OSError):  # macOS has the name but neither /proc nor the limit
        inherited = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (inherited + (task.memory_mb << 20), hard))

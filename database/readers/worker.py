"""Runs a function in a process of its own that can be limited and killed.

    ReadError
    ├── WorkerTimeout      it took longer than allowed, and was killed
    ├── WorkerOutOfMemory  it needed more memory than allowed
    └── WorkerCrashed      it died, or raised what it should not have

One helper process, the zygote, forks a child for each call (`zygote.py` says why and how). Call
from any event loop; nothing here blocks one. What a child sends is taken for what a stranger sends.
"""

import asyncio
import atexit
import functools
import importlib
import logging
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, get_type_hints

from pydantic import TypeAdapter, ValidationError

from database.errors import AcervoError, ReadError
from database.readers.confine import KEPT_VARIABLES, describe_gaps
from database.readers.zygote import BYTES, ERROR, EXIT_CODE, HEADER, JSON, OUT_OF_MEMORY, Task

log = logging.getLogger(__name__)

T = TypeVar("T")

MAX_RESULT_BYTES = 64 << 20
"""More than this no child may send: four times the largest image, or the words of fifty thick books."""


class WorkerTimeout(ReadError):
    """The function took longer than allowed, and was killed."""

    kind = "too_slow"


class WorkerOutOfMemory(ReadError):
    """The function needed more memory than allowed."""


class WorkerCrashed(ReadError):
    """The process died, or the function raised something other than a `ReadError`."""


async def run_limited(
    function: Callable[..., T], *args: object, timeout_s: float, memory_mb: int, niceness: int = 0
) -> T:
    """`function(*args)` in its own process. Module-level functions only, whose result is what their
    annotation says: bytes, or what JSON can carry to dataclasses and back. It may open the files that are
    given as a `Path` for reading, and nothing else where the system can hold it to that (`confine.py`).
    Cancelling the caller kills the process. With `niceness` above 0 it runs behind others.

    Raises `WorkerTimeout`, `WorkerOutOfMemory`, `WorkerCrashed`, or the `AcervoError` that the
    function raised.
    """
    task = Task(function.__module__, function.__qualname__, args, timeout_s, memory_mb, niceness)
    try:
        async with asyncio.timeout(timeout_s):
            # Twice, because an idle zygote may end just after it has been asked.
            data = await _exchange(task) or await _exchange(task)
    except TimeoutError:
        raise WorkerTimeout(f"Took longer than {timeout_s:g} seconds and was stopped.") from None
    value: T = await asyncio.to_thread(_judge, data, task)
    return value


async def _exchange(task: Task) -> bytes:
    """All that the child sends, then its exit code; empty when the zygote was gone."""
    ours, theirs = socket.socketpair()
    with ours, theirs:  # a caller who is cancelled before a thread is free hands over nothing
        await asyncio.to_thread(_ZYGOTE.send, task, theirs)
        ours.setblocking(False)
        loop, data = asyncio.get_running_loop(), bytearray()
        while part := await loop.sock_recv(ours, 1 << 20):
            data += part
            if len(data) > MAX_RESULT_BYTES:
                raise WorkerOutOfMemory(f"Gave more than {MAX_RESULT_BYTES >> 20} MB and was stopped.")
        return bytes(data)


def _judge(data: bytes, task: Task) -> Any:
    """The function's value, or the error that tells what became of its process."""
    if len(data) < EXIT_CODE.size:
        raise WorkerCrashed("The process that reads files could not be started; run `make install`.")
    payload, code = data[: -EXIT_CODE.size], EXIT_CODE.unpack(data[-EXIT_CODE.size :])[0]
    if code == 1:
        told = payload.decode(errors="replace").strip().splitlines()
        raise WorkerCrashed(f"Failed in an unexpected way: {told[-1] if told else 'nothing was told'}")
    if code == -signal.SIGALRM:
        raise WorkerTimeout(f"Took longer than {task.timeout_s:g} seconds and was stopped.")
    if code == -signal.SIGKILL:
        raise WorkerOutOfMemory("Was killed by the system, which probably ran out of memory.")
    if code != 0:
        raise WorkerCrashed(f"Died with {_name_exit(code)}.")
    return _read_outcome(payload[:1], payload[1:], task)


def _read_outcome(kind: bytes, told: bytes, task: Task) -> Any:
    if kind == OUT_OF_MEMORY:
        raise WorkerOutOfMemory(f"Needed more than {task.memory_mb} MB of memory.")
    try:
        if kind == ERROR:
            name, message = TypeAdapter(tuple[str, str]).validate_json(told)
            raise _find_error(name)(message)
        if kind == JSON:
            return _result_type(task.module, task.function).validate_json(told)
        if kind == BYTES:
            return _result_type(task.module, task.function).validate_python(told, strict=True)
    except ValidationError:
        pass
    raise WorkerCrashed("Gave something else than what was asked for.")


@functools.cache
def _result_type(module: str, function: str) -> TypeAdapter[Any]:
    return TypeAdapter(get_type_hints(getattr(importlib.import_module(module), function))["return"])


def _find_error(name: str) -> type[AcervoError]:
    return next((kind for kind in _list_errors(AcervoError) if kind.__name__ == name), ReadError)


def _list_errors(kind: type[AcervoError]) -> Iterator[type[AcervoError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _list_errors(below)


def _name_exit(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


class _Zygote:
    """Our end of the zygote: starts it when needed, again when it has gone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._told = False

    def send(self, task: Task, channel: socket.socket) -> None:
        """Hand over a task and the socket for its result, which the caller no longer has then. Nothing is done when
        the caller has closed it. Blocks for a moment."""
        data, taken = pickle.dumps(task), channel.detach()
        if taken < 0:
            return
        try:
            with self._lock:
                if self._control is None:
                    self._start()
                try:
                    self._pass(data, taken)
                except (BrokenPipeError, ConnectionResetError):  # it was idle, and has ended
                    self._start()
                    self._pass(data, taken)
        finally:
            os.close(taken)

    def _pass(self, data: bytes, channel: int) -> None:
        assert self._control is not None
        socket.send_fds(self._control, [HEADER.pack(len(data))], [channel])
        self._control.sendall(data)

    def _start(self) -> None:
        self._stop()
        self._control, theirs = socket.socketpair()
        self._tell_gaps()
        setup = f"import sys; sys.path[:] = {sys.path!r}"
        start = f"from database.readers.zygote import main; main({theirs.fileno()})"
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", f"{setup}; {start}"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env={name: os.environ[name] for name in KEPT_VARIABLES & os.environ.keys()}
                | {"OPENBLAS_NUM_THREADS": "1"},
                start_new_session=True,  # Ctrl-C is ours to handle
            )

    def _tell_gaps(self) -> None:
        if not self._told and (gaps := describe_gaps()):
            log.warning("A file that takes over the process that reads it is not held by this system: %s", gaps)
        self._told = True

    def _stop(self) -> None:
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            self._process.wait()
        self._control = self._process = None

    def close(self) -> None:
        """End the zygote and, through it, every child."""
        with self._lock:
            self._stop()


_ZYGOTE = _Zygote()
atexit.register(_ZYGOTE.close)

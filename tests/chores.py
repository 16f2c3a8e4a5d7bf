"""What the tests of the worker have done in another process. Imports little, for it is forked."""

import ctypes
import gc
import os
import signal
import socket
import threading
from pathlib import Path

from database.errors import ReadError


def add(a: int, b: int) -> int:
    return a + b


def make_bytes(count: int) -> bytes:
    return b"x" * count


def refuse() -> None:
    raise ReadError("The file is a teapot.")


def fail() -> None:
    raise KeyError("nobody expected this")


def crash() -> None:
    ctypes.string_at(0)


def eat(megabytes: int) -> int:
    return len(bytearray(megabytes << 20))


def spin() -> None:
    """Hold the processor and never answer."""
    while True:
        pass


def chatter() -> str:
    print("printed")
    os.write(1, b"written to 1\n")
    os.write(2, b"written to 2\n")
    return "said"


def get_pids() -> tuple[int, int]:
    """This process and the zygote."""
    return os.getpid(), os.getppid()


def read(given: Path, other: str) -> bytes:
    return Path(other or given).read_bytes()


def get_niceness() -> int:
    return os.nice(0)


def list_folder(path: str) -> list[str]:
    return os.listdir(path)


def write(given: Path, path: str) -> int:
    with open(path, "a") as file:
        return file.write("written")


def fork() -> int:
    return os.fork() or os._exit(0)


def start_program() -> int:
    os.execv("/bin/true", ["true"])


def kill_parent() -> int:
    os.kill(os.getppid(), signal.SIGCONT)
    return 0


def make_writable() -> int:
    os.chmod(__file__, 0o666)
    return 0


def connect(port: int, kind: int) -> int:
    with socket.socket(socket.AF_INET, kind) as client:
        return client.connect_ex(("127.0.0.1", port))


def use_thread() -> str:
    said: list[str] = []
    thread = threading.Thread(target=said.append, args=("ran",))
    thread.start()
    thread.join()
    return said[0]


def list_variables() -> list[str]:
    return [*os.environ]


def send(told: bytes) -> int:
    """Send these bytes in place of a value, as a process would that a file has taken over."""
    channel = next(thing for thing in gc.get_objects() if isinstance(thing, socket.socket) and thing.fileno() >= 0)
    channel.sendall(told)
    os._exit(0)

"""What the tests of the worker have done in another process. Imports little, for it is forked."""

import ctypes
import os
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


def spin(note: Path) -> None:
    """Write this process's id, then hold the processor and never answer."""
    note.write_text(str(os.getpid()))
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

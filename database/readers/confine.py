"""What a process that reads somebody's file gives up before it opens it; standard library only.

    everywhere   writing files, core dumps, many open files
    Landlock     every file but the one to read and the libraries; TCP; signals to others
    seccomp      forking, starting programs, sockets of any kind, looking into other processes

A file that takes over the library that reads it finds itself in a process that can only answer.
"""

import ctypes
import os
import resource
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

from database.readers import landlock, seccomp

PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 4, 38
MAX_FILES = 128
SYSTEM = ("/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/dev/null", "/dev/urandom")
TESSDATA = ("/usr/share/tesseract-ocr/5/tessdata", "/usr/share/tesseract-ocr/4.00/tessdata", "/usr/share/tessdata")
KEPT_VARIABLES = frozenset(
    {"PATH", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "TESSDATA_PREFIX", "ORT_DISABLE_TELEMETRY"}
)
"""Of the environment. Others may be passwords and keys."""


def confine(readable: Iterable[Path]) -> None:
    """Give up all but computing and reading these files. Raises `OSError` when that fails where it should not."""
    for limit, value in ((resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0), (resource.RLIMIT_NOFILE, MAX_FILES)):
        hard = resource.getrlimit(limit)[1]
        lowered = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (lowered, lowered))
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    if landlock.find_version():
        landlock.restrict([*readable, *list_libraries()])
    if seccomp.is_available():
        seccomp.forbid_calls()


def list_libraries() -> list[Path]:
    """Where code and the data of OCR lie. The project's own folder is not among them: documents and keys may be."""
    python = {
        path for name, path in sysconfig.get_paths().items() if name in ("stdlib", "platstdlib", "purelib", "platlib")
    }
    packages = {path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")}
    ocr = [*TESSDATA, os.environ.get("TESSDATA_PREFIX", "")]
    code = Path(__file__).parent.parent
    return [code, *(Path(path) for path in (*sorted(python | packages), *SYSTEM, *ocr) if path)]


def describe_gaps() -> str:
    """What this system cannot keep a file that is read from doing, for the log; empty when there is nothing."""
    gaps = []
    if (version := landlock.find_version()) == 0:
        gaps.append("it may read every file that you may read (no Landlock)")
    if not seccomp.is_available():
        gaps.append(
            "it may start programs and reach the network (no seccomp)"
            if version < landlock.TCP_SINCE
            else "it may start programs (no seccomp)"
        )
    return "; ".join(gaps)

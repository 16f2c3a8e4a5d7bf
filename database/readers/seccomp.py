"""A filter of system calls, seccomp(2): no other process, no network, no change to a file's mode or owner.

Landlock has no say over these: UDP, Unix sockets, forking, the modes of files. They fail with EPERM.
"""

import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Mapping
from types import MappingProxyType

PR_SET_SECCOMP, MODE_FILTER = 22, 2
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NUMBER_AT, PROCESSOR_AT, FIRST_ARGUMENT_AT = 0, 4, 16
ALLOW, KILL, FAIL = 0x7FFF0000, 0x80000000, 0x00050000
CLONE_THREAD = 0x00010000
X32 = 0x40000000
"""Where a second set of numbers begins on x86-64."""

PROCESSORS: Mapping[str, tuple[int, int]] = MappingProxyType({"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)})
"""By `platform.machine()`: how the kernel names it, and its column in the tables below."""
CLONE, CLONE3 = (56, 220), (435, 435)
FORBIDDEN: Mapping[str, tuple[int | None, int | None]] = MappingProxyType(
    {
        "fork": (57, None),
        "vfork": (58, None),
        "execve": (59, 221),
        "execveat": (322, 281),
        "kill": (62, 129),
        "ptrace": (101, 117),
        "process_vm_readv": (310, 270),
        "process_vm_writev": (311, 271),
        "pidfd_open": (434, 434),
        "pidfd_getfd": (438, 438),
        "pidfd_send_signal": (424, 424),
        "socket": (41, 198),
        "connect": (42, 203),
        "bind": (49, 200),
        "listen": (50, 201),
        "accept": (43, 202),
        "accept4": (288, 242),
        "io_uring_setup": (425, 425),
        "bpf": (321, 280),
        "userfaultfd": (323, 282),
        "perf_event_open": (298, 241),
        "add_key": (248, 217),
        "request_key": (249, 218),
        "keyctl": (250, 219),
        "mount": (165, 40),
        "umount2": (166, 39),
        "unshare": (272, 97),
        "setns": (308, 268),
        "open_by_handle_at": (304, 265),
        "chmod": (90, None),
        "fchmod": (91, 52),
        "fchmodat": (268, 53),
        "fchmodat2": (452, 452),
        "chown": (92, None),
        "fchown": (93, 55),
        "lchown": (94, None),
        "fchownat": (260, 54),
        "utimensat": (280, 88),
    }
)
"""Numbers of the calls on x86-64 and on arm64; None where there is no such call."""


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))


def is_available() -> bool:
    """Whether the kernel filters calls of this processor."""
    if not sys.platform.startswith("linux") or platform.machine() not in PROCESSORS:
        return False
    # Without a program it must fail; how tells whether there are filters at all.
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_SECCOMP, MODE_FILTER, None, 0, 0)
    return ctypes.get_errno() == errno.EFAULT


def forbid_calls() -> None:
    """Forbid the calls to this process and its threads to come, for good. Raises `OSError`.

    The process must have given up new privileges before.
    """
    code = make_filter(platform.machine())
    program = _Program(len(code) // 8, code)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_SECCOMP, MODE_FILTER, ctypes.byref(program), 0, 0):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def make_filter(machine: str) -> bytes:
    """The filter as the kernel's program: eight bytes a step."""
    name, column = PROCESSORS[machine]
    steps = [_step(LOAD, PROCESSOR_AT), _step(EQUAL, name, 1, 0), _step(RETURN, KILL), _step(LOAD, NUMBER_AT)]
    steps += [_step(AT_LEAST, X32, 0, 1), _step(RETURN, FAIL | errno.EPERM)]
    for numbers in FORBIDDEN.values():
        if (number := numbers[column]) is not None:
            steps += [_step(EQUAL, number, 0, 1), _step(RETURN, FAIL | errno.EPERM)]
    # The C library falls back to clone, whose flags can be looked at.
    steps += [_step(EQUAL, CLONE3[column], 0, 1), _step(RETURN, FAIL | errno.ENOSYS)]
    steps += [_step(EQUAL, CLONE[column], 0, 3), _step(LOAD, FIRST_ARGUMENT_AT)]
    steps += [_step(ANY_BIT, CLONE_THREAD, 1, 0), _step(RETURN, FAIL | errno.EPERM)]
    return b"".join([*steps, _step(RETURN, ALLOW)])


def _step(operation: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", operation, if_true, if_false, value)

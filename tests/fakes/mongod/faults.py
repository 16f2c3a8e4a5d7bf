"""What a test can make go wrong, command by command."""

import threading
from dataclasses import dataclass


@dataclass
class Fault:
    """Befalls the commands called `command` (any when empty) after `skip` of them, `times` times.

    `code` fails the command before it runs. `hang_up` closes the connection: "before" the command
    runs, or "after" it ran and in place of the answer. `delay_s` answers late.
    """

    command: str = ""
    times: int = 1
    skip: int = 0
    code: int = 0
    message: str = "refused by the test"
    hang_up: str = ""
    delay_s: float = 0.0


class Faults:
    """The faults still to come. Used from the test's thread and the server's."""

    HANDSHAKE = frozenset({"hello", "ismaster", "isMaster"})

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Let `fault` happen."""
        with self._lock:
            self._waiting.append(fault)

    def clear(self) -> None:
        """Let nothing more happen."""
        with self._lock:
            self._waiting.clear()

    @property
    def waiting(self) -> bool:
        """Whether any is still to come."""
        with self._lock:
            return bool(self._waiting)

    def take(self, command: str) -> Fault | None:
        """The fault that befalls this command, if one does."""
        with self._lock:
            for fault in self._waiting:
                if fault.command == command or (not fault.command and command not in self.HANDSHAKE):
                    return self._count_down(fault)
        return None

    def _count_down(self, fault: Fault) -> Fault | None:
        if fault.skip:
            fault.skip -= 1
            return None
        fault.times -= 1
        if not fault.times:
            self._waiting.remove(fault)
        return fault

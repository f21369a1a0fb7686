"""What names a process beyond its pid, which is used again."""

from __future__ import annotations

import os
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass


@dataclass(frozen=True)
class ProcessIdentity:
    """Names one process of a machine, whatever process is given its pid later.

    :ivar start_time: in clock ticks after the boot, as ``/proc`` has it; ``None`` without ``/proc``
    """

    pid: int
    start_time: int | None

    @classmethod
    def of(cls, pid: int) -> ProcessIdentity:
        """Name the process that has the pid now."""
        found = _look_up(pid)
        return cls(pid, None if found is None else found[1])

    def exists(self) -> bool:
        """Whether the process is there, if only because nobody has waited for its end."""
        found = _look_up(self.pid)
        if found is None:
            return not os.path.isdir("/proc/self") and _has_process(self.pid)
        return found[1] == self.start_time

    def runs(self) -> bool:
        """Whether the process is there and has not ended."""
        found = _look_up(self.pid)
        return self.exists() and (found is None or found[0] not in "ZX")


@dataclass(frozen=True)
class Machine:
    """Where a pid has its meaning.

    :ivar boot_id: is another after each boot; ``None`` where the system does not tell
    :ivar pid_namespace: is another in each container; ``None`` where the system has none
    """

    host: str
    boot_id: str | None
    pid_namespace: str | None

    @classmethod
    def this(cls) -> Machine:
        """Describe the machine that runs this."""
        boot_id = pid_namespace = None
        with suppress(OSError), open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            boot_id = file.read().strip()
        with suppress(OSError):
            pid_namespace = os.readlink("/proc/self/ns/pid")
        return cls(socket.gethostname(), boot_id, pid_namespace)

    def is_same_boot(self, other: Machine) -> bool:
        """Whether it is the same machine, which has not been booted in between."""
        if self.boot_id is None or other.boot_id is None:
            return self.host == other.host
        return self.boot_id == other.boot_id


def _look_up(pid: int) -> tuple[str, int] | None:
    """Return the state and the start time of a process; ``None`` if that cannot be told."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            values = file.read().rpartition(b") ")[2].split()
    except OSError:
        return None
    return values[0].decode(), int(values[19])


def _has_process(pid: int) -> bool:
    if sys.platform == "win32":
        # There, signal 0 is Ctrl-C.
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

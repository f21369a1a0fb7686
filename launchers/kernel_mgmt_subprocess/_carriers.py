"""End the processes that a kernel left behind outside its process group.

Kernels that drive another program through a terminal of its own (bash, octave) have children in
a session of their own, which a signal to the kernel's group does not reach. All of them carry the
kernel's id in the environment that they were started with.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress

KERNEL_ID_VARIABLE = "KERNEL_MGMT_KERNEL_ID"
_MAXIMUM_ENVIRONMENT = 1 << 20


def kill_carriers(kernel_id: str) -> None:
    """End every process of this machine that carries the kernel's id; nothing without ``/proc``."""
    killed: set[int] = set()
    # One that is forked while we look escapes a round, but not the next.
    while new := {pid for pid in find_carriers(kernel_id) if pid not in killed}:
        for pid in new:
            _kill(pid, kernel_id)
        killed |= new


def find_carriers(kernel_id: str) -> Iterator[int]:
    """Yield the process ids of those that carry the kernel's id."""
    try:
        names = os.listdir("/proc")
    except OSError:
        return
    own = str(os.getpid())
    for name in names:
        if name.isdecimal() and name != own and _carries(name, kernel_id):
            yield int(name)


def _carries(pid: str, kernel_id: str) -> bool:
    try:
        descriptor = os.open(f"/proc/{pid}/environ", os.O_RDONLY)
    except OSError:
        return False
    try:
        environment = os.read(descriptor, _MAXIMUM_ENVIRONMENT)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return f"\0{KERNEL_ID_VARIABLE}={kernel_id}\0".encode() in b"\0" + environment


def _kill(pid: int, kernel_id: str) -> None:
    if sys.platform != "linux":
        return
    # The pidfd comes before the second look, so that the signal cannot reach a later process
    # that was given the same pid.
    with suppress(OSError):
        pidfd = os.pidfd_open(pid)
        try:
            if _carries(str(pid), kernel_id):
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        finally:
            os.close(pidfd)

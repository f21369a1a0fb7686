"""What a kernel may use of the machine, and which limit ended it."""

from __future__ import annotations

import signal
import sys
from dataclasses import asdict

from kernel_mgmt.exceptions import LaunchOptionError
from kernel_mgmt.types import ResourceLimits

# A kernel that outlives SIGXCPU is sent SIGKILL after so many seconds more.
_GRACE = 2
_SIGNS = {
    "memory": ("memoryerror", "cannot allocate", "bad_alloc", "out of memory", "enomem"),
    "open_files": ("too many open files", "emfile"),
}


def check_limits(limits: ResourceLimits) -> None:
    """Make sure that a process can be given these limits.

    :raises LaunchOptionError: if a limit is no positive number, or this system has no ``prlimit``
    """
    if not _asked_for(limits):
        return
    if sys.platform != "linux":
        reason = f"{sys.platform} cannot limit another process; only Linux has prlimit"
        raise LaunchOptionError("limits", reason)
    for name, value in _asked_for(limits).items():
        if type(value) is not int or value <= 0:
            raise LaunchOptionError("limits", f"{name} is {value!r}, and no positive whole number")


def set_limits(pid: int, limits: ResourceLimits) -> None:
    """Limit a process that was just spawned; where it is limited to less already, that holds.

    :raises OSError: if it cannot be limited
    """
    if sys.platform != "linux" or not _asked_for(limits):
        return
    import resource

    # Address space, which the other limit on memory is about, is reserved by the terabyte in some
    # runtimes, V8 among them.
    kinds = {
        "memory": (resource.RLIMIT_DATA, 0),
        "cpu_time": (resource.RLIMIT_CPU, _GRACE),
        "open_files": (resource.RLIMIT_NOFILE, 0),
    }
    for name, value in _asked_for(limits).items():
        kind, grace = kinds[name]
        soft_before, hard_before = resource.prlimit(pid, kind)
        soft = _lower(value, _lower(soft_before, hard_before))
        resource.prlimit(pid, kind, (soft, _lower(value + grace, hard_before)))


def find_struck_limit(
    signum: int | None, code: int | None, tail: str, limits: ResourceLimits
) -> str | None:
    """Return the name of the limit that ended a process, as far as that can be told.

    :param signum: the signal that ended it
    :param tail: what it wrote last
    """
    if sys.platform != "win32" and signum == signal.SIGXCPU:
        return "cpu_time"
    if code == 0:
        return None
    told = tail.lower()
    asked_for = _asked_for(limits)
    return next(
        (
            name
            for name, signs in _SIGNS.items()
            if name in asked_for and any(sign in told for sign in signs)
        ),
        None,
    )


def _asked_for(limits: ResourceLimits) -> dict[str, int]:
    return {name: value for name, value in asdict(limits).items() if value is not None}


def _lower(one: int, other: int) -> int:
    # Infinity is -1.
    return max(one, other) if min(one, other) < 0 else min(one, other)

"""What kernels use of the machine, their children included."""

from __future__ import annotations

from collections.abc import Iterable
from time import monotonic
from typing import NamedTuple

import psutil

__all__ = ("Usage", "UsageMeter")

_ATTRIBUTES = ["pid", "ppid", "memory_info", "cpu_times"]


class Usage(NamedTuple):
    """What a process and its children use.

    :ivar memory: in bytes; what they share counts for each of them
    :ivar cpu_percent: 100 for a processor that does nothing else
    """

    memory: int
    cpu_percent: float


class UsageMeter:
    """Measures what some processes use, from when it is made to when it is read."""

    def __init__(self, pids: Iterable[int]) -> None:
        self._pids = list(pids)
        self._since = monotonic()
        self._before = _look(self._pids)

    def seconds_left(self, seconds: float) -> float:
        """Return how long to wait until it has measured for some seconds."""
        return max(0.0, self._since + seconds - monotonic())

    def read(self) -> dict[int, Usage]:
        """Return what each uses; those that have ended are left out."""
        seconds = monotonic() - self._since
        usage: dict[int, Usage] = {}
        for pid, (memory, cpu) in _look(self._pids).items():
            # A child that has ended takes its time with it.
            spent = max(0.0, cpu - self._before.get(pid, (0, cpu))[1])
            usage[pid] = Usage(memory, round(100 * spent / seconds, 1))
        return usage


def _look(pids: Iterable[int]) -> dict[int, tuple[int, float]]:
    """Return the memory and the processor time of each process with its children."""
    own: dict[int, tuple[int, float]] = {}
    children: dict[int, list[int]] = {}
    for process in psutil.process_iter(_ATTRIBUTES):
        pid, parent, memory, cpu = (process.info[name] for name in _ATTRIBUTES)
        children.setdefault(parent, []).append(pid)
        if memory is not None and cpu is not None:
            own[pid] = (memory.rss, cpu.user + cpu.system)
    return {pid: _sum(pid, own, children) for pid in pids if pid in own}


def _sum(
    pid: int, own: dict[int, tuple[int, float]], children: dict[int, list[int]]
) -> tuple[int, float]:
    pending, seen = [pid], {pid}
    memory, cpu = 0, 0.0
    while pending:
        each = pending.pop()
        memory, cpu = memory + own.get(each, (0, 0.0))[0], cpu + own.get(each, (0, 0.0))[1]
        new = [child for child in children.get(each, ()) if child not in seen]
        pending += new
        seen.update(new)
    return memory, cpu

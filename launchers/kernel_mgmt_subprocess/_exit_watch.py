"""Learn of the end of a process, through a descriptor that becomes readable then."""

from __future__ import annotations

import os
import select
import socket
import sys
import time
from subprocess import Popen
from threading import Thread
from typing import Protocol, TypeAlias

from ._foreign import ForeignProcess

Process: TypeAlias = Popen[bytes] | ForeignProcess

_SECONDS_BETWEEN_LOOKS = 0.05


class Descriptor(Protocol):
    """Something that can be waited on and closed."""

    def fileno(self) -> int: ...

    def close(self) -> None: ...


class ExitWatch(Protocol):
    """Watches one process, which it never reaps."""

    def has_exited(self) -> bool:
        """Whether the process has exited, at the cost of a system call at most."""
        ...

    def duplicate(self) -> Descriptor:
        """Return a new descriptor, readable once the process has exited.

        Each waiter needs its own, since event loops refuse two waiters on one descriptor.
        """
        ...

    def close(self) -> None:
        """Stop watching."""
        ...


def watch_exit(popen: Process) -> ExitWatch:
    """Watch a process by the best means there is."""
    try:
        return PidfdWatch(popen.pid)
    except (AttributeError, OSError):
        # No such call in this system or this Python, or a sandbox forbids it.
        return ThreadWatch(popen)


class PidfdWatch:
    """Watches through a pidfd (Linux 5.3)."""

    def __init__(self, pid: int) -> None:
        self._pidfd = _OwnedDescriptor(os.pidfd_open(pid))

    def has_exited(self) -> bool:
        # Unlike waitid, this tells the truth also in a forked child, whose child this is not.
        poll = select.poll()
        poll.register(self._pidfd.fileno(), select.POLLIN)
        return bool(poll.poll(0))

    def duplicate(self) -> Descriptor:
        return _OwnedDescriptor(os.dup(self._pidfd.fileno()))

    def close(self) -> None:
        self._pidfd.close()


class ThreadWatch:
    """Watches through a thread that blocks until the process has exited."""

    def __init__(self, popen: Process) -> None:
        self._has_exited = False
        self._readable, self._ending = socket.socketpair()
        name = f"watch-{popen.pid}"
        Thread(target=self._watch, args=[popen], name=name, daemon=True).start()

    def has_exited(self) -> bool:
        return self._has_exited

    def duplicate(self) -> Descriptor:
        return self._readable.dup()

    def close(self) -> None:
        self._readable.close()

    def _watch(self, popen: Process) -> None:
        try:
            _block_until_exit(popen)
        finally:
            self._has_exited = True
            self._ending.close()


class _OwnedDescriptor:
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        return self._descriptor

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def _block_until_exit(popen: Process) -> None:
    if isinstance(popen, ForeignProcess) and sys.platform != "darwin":
        # Where there is no pidfd, a parent alone can wait.
        while popen.identity.runs():
            time.sleep(_SECONDS_BETWEEN_LOOKS)
    elif sys.platform == "win32":
        popen.wait()
    elif hasattr(os, "waitid") and not isinstance(popen, ForeignProcess):
        try:
            os.waitid(os.P_PID, popen.pid, os.WEXITED | os.WNOWAIT)
        except ChildProcessError:
            return
    elif sys.platform == "darwin":
        # Python has waitid on macOS from 3.13 on, and for children only.
        queue = select.kqueue()
        exits = select.kevent(
            popen.pid, select.KQ_FILTER_PROC, select.KQ_EV_ADD, select.KQ_NOTE_EXIT
        )
        try:
            queue.control([exits], 1)
        except ProcessLookupError:
            return
        finally:
            queue.close()

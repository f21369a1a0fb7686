"""The process of a kernel, with all that belongs to it: signals, the end, what is left then."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from typing import Literal

from kernel_mgmt.types import ExitStatus, ResourceLimits

from ._carriers import kill_carriers
from ._exit_watch import Descriptor, ExitWatch, Process, watch_exit
from ._files import read_tail
from ._foreign import ForeignProcess
from ._limits import find_struck_limit
from ._ports import release_ports
from ._spawn import leave_child


class KernelProcess:
    """A process, usually a child, and its group; bound to no event loop.

    :param kernel_id: what the environment of the process carries
    :param log_file: where the process writes its stdout and stderr
    :param held_ports: sockets that are closed at the end, if not before
    :param watch_exit: how the end of the process is learned of
    :param limits: what the process may use
    :param on_end: called once when the process and what belongs to it have ended
    :param may_outlive: whether the process is meant to go on when this program ends
    """

    def __init__(
        self,
        popen: Process,
        kernel_id: str,
        log_file: str | None,
        held_ports: list[socket.socket],
        watch_exit: Callable[[Process], ExitWatch] = watch_exit,
        limits: ResourceLimits | None = None,
        on_end: Callable[[], None] | None = None,
        may_outlive: bool = False,
    ) -> None:
        self._popen = popen
        self._kernel_id = kernel_id
        self._log_file = log_file
        self._held_ports = held_ports
        self._limits = limits or ResourceLimits()
        self._on_end = on_end
        self._owner = os.getpid()
        self._locks: dict[int, Lock] = {}
        self._leads_group = _leads_group(popen.pid)
        self._watch = watch_exit(popen)
        self._job = None if may_outlive else _create_job(popen.pid)
        self.exit_status: ExitStatus | None = None

    @property
    def pid(self) -> int:
        """The process id, which is also that of its group."""
        return self._popen.pid

    @property
    def _lock(self) -> Lock:
        # A fork has one of its own: the thread that may hold the other is not there.
        return self._locks.setdefault(os.getpid(), Lock())

    def is_ours(self) -> bool:
        """Whether this is still the program that started the process, and not a fork of it."""
        return os.getpid() == self._owner

    def has_ended(self) -> bool:
        """Whether the process has exited; the first to see it ends what is left, and reaps it."""
        with self._lock:
            if self.exit_status is None and self._watch.has_exited():
                self._finish()
            return self.exit_status is not None

    async def wait(self) -> None:
        """Wait until the process has ended; under any event loop, and any number at once."""
        descriptor = self._end_descriptor()
        if descriptor is None:
            return
        from anyio import CapacityLimiter, to_thread, wait_readable

        try:
            ended = self.has_ended()
            while not ended:
                await wait_readable(descriptor)
                # In a thread, since it looks through all processes of the machine. All threads that
                # the event loop lends may be waiting for this very end, hence the limiter.
                ended = await to_thread.run_sync(
                    self.has_ended, abandon_on_cancel=True, limiter=CapacityLimiter(1)
                )
        finally:
            descriptor.close()

    def send_signal(self, signum: int) -> None:
        """Signal the process and its group; nothing happens if it has ended."""
        if not self.has_ended():
            with self._lock:
                if self.exit_status is None:
                    self._send(signum)

    def kill(self) -> None:
        """End the process and its group at once; what else belongs to it is ended with them."""
        self.send_signal(_KILL)
        if isinstance(self._popen, ForeignProcess):
            kill_carriers(self._kernel_id)

    def release_ports(self) -> None:
        """Let go of the ports that were held for the kernel."""
        with self._lock:
            release_ports(self._held_ports)

    def close(self) -> None:
        """Stop watching, though the process may go on."""
        with self._lock:
            release_ports(self._held_ports)
            self._watch.close()

    def let_go(self, has_ended: Callable[[], None] | None) -> None:
        """Stop watching a process that is meant to go on.

        :param has_ended: called when the end of a child is found out, if ever
        """
        self.close()
        if not isinstance(self._popen, ForeignProcess):
            leave_child(self._popen, has_ended)

    def _end_descriptor(self) -> Descriptor | None:
        with self._lock:
            return self._watch.duplicate() if self.exit_status is None else None

    def _finish(self) -> None:
        if not self.is_ours():
            self.exit_status = ExitStatus()
            return
        # The order must not change: as long as the leader is a zombie, nobody else can be given
        # its group id, and a signal to the group reaches none but those that the kernel left.
        leader = _state_of(self._popen)
        if leader == "running":
            return
        if self._job is not None:
            self._end_job(self._job)
        elif leader == "zombie":
            self._send(_KILL)
        # Others may see the end of a process that is no child, too, and one of them may have started
        # a successor, which bears the same id.
        if not isinstance(self._popen, ForeignProcess):
            kill_carriers(self._kernel_id)
        code = self._popen.wait()
        tail = read_tail(self._log_file) if self._log_file is not None else ""
        self.exit_status = _exit_status(None if leader == "lost" else code, tail, self._limits)
        release_ports(self._held_ports)
        self._watch.close()
        if self._on_end is not None:
            self._on_end()

    def _end_job(self, job: int) -> None:
        self._job = None
        if sys.platform == "win32":
            from ._windows import end_job

            end_job(job)

    def _send(self, signum: int) -> None:
        # Popen.send_signal will not do: it polls, and so reaps, before the group has been ended.
        # macOS reports a group of which only zombies are left as one that may not be signalled.
        with suppress(ProcessLookupError, PermissionError):
            if sys.platform == "win32":
                self._popen.send_signal(signum)
            elif self._leads_group:
                os.killpg(self._popen.pid, signum)
            else:
                os.kill(self._popen.pid, signum)


_KILL = signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL


def _create_job(pid: int) -> int | None:
    """Return the handle of a job that holds the process and its children; ``None`` without jobs."""
    if sys.platform == "win32":
        from ._windows import create_job

        with suppress(OSError):
            return create_job(pid)
    return None


def _leads_group(pid: int) -> bool:
    if sys.platform == "win32":
        return False
    try:
        return os.getpgid(pid) == pid
    except ProcessLookupError:
        return False


def _state_of(popen: Process) -> Literal["running", "zombie", "reaped", "lost"]:
    if isinstance(popen, ForeignProcess):
        return "zombie" if popen.identity.exists() else "lost"
    if popen.returncode is not None:
        return "reaped"
    if sys.platform == "win32" or not hasattr(os, "waitid"):
        return "zombie"
    try:
        result = os.waitid(os.P_PID, popen.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
    except ChildProcessError:
        # Somebody waits for every child of the program, or SIGCHLD is ignored.
        return "lost"
    return "running" if result is None else "zombie"


def _exit_status(code: int | None, tail: str, limits: ResourceLimits) -> ExitStatus:
    signum = -code if code is not None and code < 0 else None
    code = code if signum is None else None
    limit = find_struck_limit(signum, code, tail, limits)
    return ExitStatus(code=code, signal=signum, tail=tail, limit=limit)

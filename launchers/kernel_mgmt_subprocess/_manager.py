"""The manager of a kernel that is a child process."""

from __future__ import annotations

import signal
import socket
import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from uuid import uuid4

from kernel_mgmt.abc import KernelManagerABC
from kernel_mgmt.exceptions import InterruptUnsupportedError
from kernel_mgmt.records import KernelRecord, remove_kernel_files
from kernel_mgmt.types import ConnectionInfo, ExitStatus, JSONDict, ResourceLimits

from ._exit_watch import Process
from ._files import remove_files
from ._foreign import ForeignProcess
from ._guardian import Guard
from ._process import KernelProcess

_SIGNS_OF_A_PORT_CONFLICT = ("address already in use", "eaddrinuse", "address in use")


class KernelManager(KernelManagerABC):
    """Holds one kernel that runs as a process of this machine.

    It is bound to no event loop: it may be made under one and used under another. When the kernel
    ends, so do its process group and, on Linux, every process that carries its id in the
    environment variable ``KERNEL_MGMT_KERNEL_ID``; where another program launched the kernel, these
    only when it is killed, since a successor may bear its id.

    :param popen: the process, in a session of its own; if it is a child, nobody else may wait for it
    :param files_to_cleanup: files, and directories of files, that :meth:`cleanup` removes
    :param win_interrupt_evt: the handle of the event that interrupts the kernel (Windows)
    :param connection_info: how to reach the kernel; the attribute stays unset without it
    :param kernel_id: the id of the kernel; made up when ``None``
    :param interrupt_mode: ``"signal"``, ``"message"`` or ``"unsupported"``
    :param log_file: where the kernel writes its stdout and stderr; removed by :meth:`cleanup`
    :param argv: the command that started the kernel
    :param held_ports: sockets that keep the kernel's ports from others, closed when the kernel is
        ready, at its end, or by :meth:`cleanup`
    :param limits: what the kernel may use
    :param guard: is told when the kernel and its files are gone
    :param record: what :meth:`describe` tells

    :ivar argv: the command that started the kernel
    """

    def __init__(
        self,
        popen: Process,
        files_to_cleanup: Iterable[str] | None = None,
        win_interrupt_evt: int | None = None,
        *,
        connection_info: ConnectionInfo | None = None,
        kernel_id: str | None = None,
        interrupt_mode: str = "signal",
        log_file: str | None = None,
        argv: Sequence[str] = (),
        held_ports: Iterable[socket.socket] = (),
        limits: ResourceLimits | None = None,
        guard: Guard | None = None,
        record: KernelRecord | None = None,
    ) -> None:
        self.kernel_id = str(uuid4()) if kernel_id is None else kernel_id
        self.interrupt_mode = interrupt_mode
        if connection_info is not None:
            self.connection_info = connection_info
        self.argv = list(argv)
        self._files = [*(files_to_cleanup or ()), *([log_file] if log_file is not None else ())]
        self._win_interrupt_evt = win_interrupt_evt
        self._guard = guard
        self._record = record
        persists = record is not None and record.persist
        self._is_foreign = isinstance(popen, ForeignProcess)
        self._may_outlive = persists or self._is_foreign
        self._process = KernelProcess(
            popen,
            self.kernel_id,
            log_file,
            list(held_ports),
            limits=limits,
            on_end=None if guard is None else guard.process_has_ended,
            may_outlive=self._may_outlive,
        )

    @property
    def pid(self) -> int:
        """The process id of the kernel."""
        return self._process.pid

    @property
    def exit_status(self) -> ExitStatus | None:
        """How the kernel ended; ``None`` while it runs, or as long as nobody has looked."""
        return self._process.exit_status

    @property
    def port_conflict(self) -> bool:
        """Whether the kernel has ended because a port was taken, as far as its output tells.

        Such a kernel may succeed on other ports.
        """
        tail = self.exit_status.tail.lower() if self.exit_status is not None else ""
        return any(sign in tail for sign in _SIGNS_OF_A_PORT_CONFLICT)

    def add_files(self, paths: Iterable[str]) -> None:
        """Have :meth:`cleanup` remove more files, and the guardian if this process is gone.

        :param paths: absolute ones
        """
        added = [path for path in paths if path not in self._files]
        self._files += added
        if self._guard is not None:
            self._guard.remove_files_at_end(added)

    async def is_alive(self) -> bool:
        return not self._process.has_ended()

    async def wait(self) -> bool:
        await self._process.wait()
        return False

    async def signal(self, signum: int) -> None:
        self._process.send_signal(signum)

    async def interrupt(self) -> None:
        """Interrupt what the kernel is doing: SIGINT to its group, or its event on Windows.

        :raises InterruptUnsupportedError: if that would have no effect, or would end the kernel
        """
        if self.interrupt_mode == "unsupported" and not self._process.has_ended():
            raise InterruptUnsupportedError(self.kernel_id)
        if sys.platform == "win32" and self._win_interrupt_evt is not None:
            from ._windows import send_interrupt

            send_interrupt(self._win_interrupt_evt)
        else:
            self._process.send_signal(signal.SIGINT)

    async def kill(self) -> None:
        self.asked_to_end = True
        self._process.kill()
        await self._process.wait()

    async def kernel_ready(self) -> None:
        """Take note that the kernel has answered: ports that were held for it are let go."""
        self._process.release_ports()
        if self._guard is not None:
            self._guard.check()

    async def cleanup(self) -> None:
        """Remove the files of the kernel and let go of its ports.

        The kernel should have ended. One that still runs goes on, and can still be signalled,
        waited for and killed, but no new client finds it and the tail of its log is lost.
        """
        self._process.has_ended()
        self._clean_up()

    def describe(self) -> JSONDict:
        """Return the kernel's record as a plain dict; empty if it has none.

        :func:`kernel_mgmt_subprocess.reattach` makes an equal manager of
        ``KernelRecord.from_dict(description)``, in another process, too.
        """
        return {} if self._record is None else replace(self._record, launch=None).to_dict()

    def _clean_up(self) -> None:
        self._process.release_ports()
        if self._is_foreign and self._record is not None:
            remove_kernel_files(self._record)
        else:
            remove_files(self._files)
        self._files.clear()
        if self._guard is not None:
            self._guard.files_are_removed()
        if sys.platform == "win32" and self._win_interrupt_evt is not None:
            from ._windows import close_handle

            close_handle(self._win_interrupt_evt)
            self._win_interrupt_evt = None

    def __repr__(self) -> str:
        state = "running" if self.exit_status is None else str(self.exit_status)
        return f"<{type(self).__name__} {self.kernel_id} pid={self.pid} {state}>"

    def __del__(self, is_finalizing: Callable[[], bool] = sys.is_finalizing) -> None:
        try:
            self._drop()
        except Exception as error:
            # At its end the interpreter takes away what this needs; the guardian does the rest.
            if isinstance(error, ResourceWarning) or not is_finalizing():
                raise

    def _drop(self) -> None:
        process: KernelProcess | None = getattr(self, "_process", None)
        if process is None or not process.is_ours() or process.has_ended():
            return
        if self._may_outlive:
            process.let_go(None if self._guard is None else self._guard.release)
            return
        process.close()
        message = f"{self!r} was dropped while its kernel runs; kill it, or wait for its end"
        warnings.warn(message, ResourceWarning, stacklevel=2, source=self)

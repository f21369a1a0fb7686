"""The classic manager of one kernel for code that is not asynchronous."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING, Any, Unpack

from kernel_mgmt import _portal

from ._blocking_client import BlockingKernelClient
from ._launch import StartKeywords
from ._operations import KernelOperations

if TYPE_CHECKING:
    from kernel_mgmt.client import ShutdownStage

    from ._callbacks import CallbackEvent

__all__ = ("KernelManager",)

log = logging.getLogger(__name__)


class KernelManager(KernelOperations[BlockingKernelClient]):
    """Starts a kernel, ends it, and starts it again, from any thread.

    It also works in a thread whose event loop runs, which it blocks. Any thread may call any method
    at any time: overlapping calls have one outcome, as those of :class:`~kernel_mgmt.Kernel`.

    ::

        manager = KernelManager(kernel_name="python3")
        manager.start_kernel()
        client = manager.client()
        client.start_channels()
        ...
        client.stop_channels()
        manager.shutdown_kernel()
    """

    client_factory: Callable[..., Any] = BlockingKernelClient

    def blocking_client(self) -> BlockingKernelClient:
        """Make a client of the kernel, as :meth:`client` does."""
        return self.client()

    def add_restart_callback(
        self, callback: Callable[..., object], event: CallbackEvent = "restart"
    ) -> None:
        """Call a function when something happens to the kernel, in a thread of its own.

        :param event: as for :meth:`AsyncKernelManager.add_restart_callback`
        :raises ValueError: if there is no such event
        """
        # In the event-loop thread it could not call the manager.
        self._callbacks.add(callback, event, partial(_call_in_a_thread, callback))

    def start_kernel(self, **keywords: Unpack[StartKeywords]) -> None:
        """Start the kernel, and wait until it is ready; nothing happens if it runs.

        What interrupts the call, such as Ctrl-C, leaves nothing behind.

        :raises KernelManagementError: if it cannot be started, as ``start_kernel_async`` does
        :raises KernelStateError: if it is being shut down
        :raises LaunchOptionError: if some ports are given, and not all
        """
        _portal.call(self._start_kernel, keywords)

    def shutdown_kernel(self, now: bool = False, restart: bool = False) -> ShutdownStage:
        """End the kernel: ask it to, then terminate it, then kill it; and clean up after it.

        What is under way otherwise is broken off.

        :param now: whether it is killed at once
        :param restart: ignored; :meth:`restart_kernel` tells the kernel that another one follows
        :return: what ended it: ``"shutdown"``, the request; ``"terminated"``, SIGTERM; ``"killed"``,
            SIGKILL; or ``"dead"`` if there was nothing to end
        """
        return _portal.call(self._shutdown_kernel, now)

    def restart_kernel(
        self, now: bool = False, newports: bool = False, **keywords: Unpack[StartKeywords]
    ) -> None:
        """End the kernel, start it again, and wait until it is ready.

        The clients of this manager follow it; those of other programs stay attached, since it
        listens where it did.

        :param now: whether it is killed, rather than asked to end
        :param newports: whether it listens elsewhere
        :param keywords: as for :meth:`start_kernel`; what is not given is as it was
        :raises KernelStateError: if it was never started, or is being shut down
        :raises KernelManagementError: if it cannot be started, as ``start_kernel_async`` does
        """
        _portal.call(self._restart_kernel, now, newports, keywords)

    def kill_kernel(self, restart: bool = False) -> ShutdownStage:
        """End the kernel at once, and clean up after it."""
        return _portal.call(self._shutdown_kernel, True)

    def interrupt_kernel(self) -> None:
        """Interrupt what the kernel is doing, in the way that its kernel type asks for.

        :raises KernelStateError: if it does not run
        :raises InterruptUnsupportedError: if nothing interrupts it
        """
        _portal.call(self._interrupt_kernel)

    def signal_kernel(self, signum: int) -> None:
        """Send a signal to the kernel and its children.

        :raises KernelStateError: if it does not run
        """
        _portal.call(self._signal_kernel, signum)

    def is_alive(self) -> bool:
        """Whether the process of the kernel runs; a kernel of another program is taken to."""
        return _portal.call(self._is_alive)

    def request_shutdown(self, restart: bool = False) -> None:
        """Ask the kernel to end, and do not wait; it is not started again then.

        :param restart: whether the kernel is told that another one follows it
        """
        _portal.call(self._request_shutdown, restart)

    def finish_shutdown(
        self, waittime: float | None = None, pollinterval: float = 0.1, restart: bool = False
    ) -> ShutdownStage:
        """Wait for the end of a kernel that was asked to; then terminate it, then kill it.

        :param waittime: how long all of it may take, in seconds; ``shutdown_wait_time`` when ``None``
        :param pollinterval: ignored: the end is noticed when it comes
        :param restart: ignored
        :return: what ended it, as :meth:`shutdown_kernel` does
        """
        return _portal.call(self._finish_shutdown, waittime)

    def cleanup_resources(self, restart: bool = False) -> None:
        """Remove what was kept for a kernel that has ended; nothing happens if it runs.

        :param restart: whether the connection file stays
        """
        _portal.call(self._cleanup_resources, restart)

    def cleanup(self) -> None:
        """Remove what was kept for a kernel that has ended; nothing happens if it runs."""
        _portal.call(self._cleanup_resources, False)


def _call_in_a_thread(callback: Callable[..., object], *event: object) -> None:
    def call() -> None:
        try:
            callback(*event)
        except Exception:
            log.exception("a restart callback failed")

    Thread(target=call, name="kernel_mgmt restart callback", daemon=True).start()

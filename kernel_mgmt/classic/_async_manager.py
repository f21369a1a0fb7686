"""The classic manager of one kernel for asynchronous code, on asyncio and on trio."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Unpack

from ._async_client import AsyncKernelClient
from ._blocking_client import BlockingKernelClient
from ._launch import StartKeywords
from ._operations import KernelOperations

if TYPE_CHECKING:
    from kernel_mgmt.client import ShutdownStage

__all__ = ("AsyncKernelManager",)


class AsyncKernelManager(KernelOperations[AsyncKernelClient]):
    """Starts a kernel, ends it, and starts it again, on asyncio and on trio.

    It belongs to the event loop that it is used in. Any task of it may call any method at any time:
    overlapping calls have one outcome, as those of :class:`~kernel_mgmt.Kernel`.

    ::

        manager = AsyncKernelManager(kernel_name="python3")
        await manager.start_kernel()
        client = manager.client()
        client.start_channels()
        ...
        client.stop_channels()
        await manager.shutdown_kernel()
    """

    client_factory: Callable[..., Any] = AsyncKernelClient

    def blocking_client(self) -> BlockingKernelClient:
        """Make a client of the kernel for code that is not asynchronous."""
        client = BlockingKernelClient(parent=self, kernel_name=self.kernel_name)
        client.load_connection_info(self.get_connection_info())
        return client

    async def start_kernel(self, **keywords: Unpack[StartKeywords]) -> None:
        """Start the kernel, and wait until it is ready; nothing happens if it runs.

        A call that is cancelled leaves nothing behind.

        :raises KernelManagementError: if it cannot be started, as ``start_kernel_async`` does
        :raises KernelStateError: if it is being shut down
        :raises LaunchOptionError: if some ports are given, and not all
        """
        await self._start_kernel(keywords)

    async def shutdown_kernel(self, now: bool = False, restart: bool = False) -> ShutdownStage:
        """End the kernel: ask it to, then terminate it, then kill it; and clean up after it.

        A call that is cancelled leaves it going on. What is under way otherwise is broken off.

        :param now: whether it is killed at once
        :param restart: ignored; :meth:`restart_kernel` tells the kernel that another one follows
        :return: what ended it: ``"shutdown"``, the request; ``"terminated"``, SIGTERM; ``"killed"``,
            SIGKILL; or ``"dead"`` if there was nothing to end
        """
        return await self._shutdown_kernel(now)

    async def restart_kernel(
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
        await self._restart_kernel(now, newports, keywords)

    async def kill_kernel(self, restart: bool = False) -> ShutdownStage:
        """End the kernel at once, and clean up after it."""
        return await self._shutdown_kernel(now=True)

    async def interrupt_kernel(self) -> None:
        """Interrupt what the kernel is doing, in the way that its kernel type asks for.

        :raises KernelStateError: if it does not run
        :raises InterruptUnsupportedError: if nothing interrupts it
        """
        await self._interrupt_kernel()

    async def signal_kernel(self, signum: int) -> None:
        """Send a signal to the kernel and its children.

        :raises KernelStateError: if it does not run
        """
        await self._signal_kernel(signum)

    async def is_alive(self) -> bool:
        """Whether the process of the kernel runs; a kernel of another program is taken to."""
        return await self._is_alive()

    async def request_shutdown(self, restart: bool = False) -> None:
        """Ask the kernel to end, and do not wait; it is not started again then.

        :param restart: whether the kernel is told that another one follows it
        """
        await self._request_shutdown(restart)

    async def finish_shutdown(
        self, waittime: float | None = None, pollinterval: float = 0.1, restart: bool = False
    ) -> ShutdownStage:
        """Wait for the end of a kernel that was asked to; then terminate it, then kill it.

        :param waittime: how long all of it may take, in seconds; ``shutdown_wait_time`` when ``None``
        :param pollinterval: ignored: the end is noticed when it comes
        :param restart: ignored
        :return: what ended it, as :meth:`shutdown_kernel` does
        """
        return await self._finish_shutdown(waittime)

    async def cleanup_resources(self, restart: bool = False) -> None:
        """Remove what was kept for a kernel that has ended; nothing happens if it runs.

        :param restart: whether the connection file stays
        """
        await self._cleanup_resources(restart)

    async def cleanup(self) -> None:
        """Remove what was kept for a kernel that has ended; nothing happens if it runs."""
        await self._cleanup_resources(restart=False)

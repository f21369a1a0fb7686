"""The classic manager of many kernels for asynchronous code, on asyncio and on trio."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

import anyio

from kernel_mgmt._background import BackgroundTask
from kernel_mgmt.exceptions import KernelStateError

from ._async_manager import AsyncKernelManager
from ._collection import KernelCollection, MultiSettings
from ._culling import KernelCuller

if TYPE_CHECKING:
    from kernel_mgmt.client import ShutdownStage

    from ._launch import StartKeywords

__all__ = ("AsyncMultiKernelManager",)

log = logging.getLogger(__name__)


class AsyncMultiKernelManager(KernelCollection[AsyncKernelManager]):
    """Starts, ends and holds many kernels by their ids, on asyncio and on trio.

    It belongs to the event loop that it is used in. Kernels that have died are started again, unless
    ``autorestart=False``.

    ::

        kernels = AsyncMultiKernelManager()
        kernel_id = await kernels.start_kernel("python3")
        client = kernels.get_kernel(kernel_id).client()
        ...
        await kernels.shutdown_all()

    :ivar use_pending_kernels: whether starting and shutting down return at once; the ``ready`` of
        the kernel's manager tells when it is done
    """

    kernel_manager_class: str | type[Any] = AsyncKernelManager

    def __init__(
        self, *, use_pending_kernels: bool = False, **settings: Unpack[MultiSettings]
    ) -> None:
        super().__init__(**settings)
        self.use_pending_kernels = use_pending_kernels
        self._culler = KernelCuller(self, self._managers, self.shutdown_kernel)

    async def start_kernel(
        self, kernel_name: str | None = None, **keywords: Unpack[StartKeywords]
    ) -> str:
        """Start a kernel, and wait until it is ready, unless ``use_pending_kernels``.

        A call that is cancelled leaves nothing behind.

        :param kernel_name: the kernel type; ``default_kernel_name`` when ``None``
        :param keywords: as for :meth:`AsyncKernelManager.start_kernel`
        :return: the id of the kernel
        :raises DuplicateKernelError: if there is a kernel of this ``kernel_id``
        :raises KernelManagementError: if it cannot be started
        """
        arguments: dict[str, Any] = {**keywords}
        manager, _, kernel_id = self.pre_start_kernel(kernel_name, arguments)
        self._reserve(kernel_id, manager)
        arguments["kernel_id"] = kernel_id
        start = partial(self._start, kernel_id, manager, arguments)
        if self.use_pending_kernels:
            self._kernels[kernel_id] = manager
            self._go_on(kernel_id, start)
        else:
            await start()
            self._keep(kernel_id, manager)
        self._culler.start()
        return kernel_id

    async def shutdown_kernel(
        self, kernel_id: str, now: bool = False, restart: bool = False
    ) -> ShutdownStage | None:
        """End a kernel, also one that is being started, and forget it.

        With ``use_pending_kernels`` it returns at once, and the kernel is forgotten when it has
        ended.

        :param now: whether it is killed at once
        :return: what ended it, as :meth:`AsyncKernelManager.shutdown_kernel` tells
        :raises KeyError: if there is no kernel of this id
        """
        manager = self._find(kernel_id)
        end = partial(self._shutdown, kernel_id, manager, now, restart)
        if not self.use_pending_kernels:
            return await end()
        self._go_on(kernel_id, end)
        return None

    async def shutdown_all(self, now: bool = False) -> None:
        """End all kernels at once, also those that are being started, and forget them.

        :raises Exception: what the first of those raises that cannot be ended, when all have been
            tried
        """
        errors: list[Exception] = []

        async def end(kernel_id: str, manager: AsyncKernelManager) -> None:
            try:
                await self._shutdown(kernel_id, manager, now)
            except Exception as error:  # noqa: BLE001 - it is raised when all have been tried
                errors.append(error)

        self.list_kernel_ids()
        async with anyio.create_task_group() as tasks:
            for kernel_id, manager in {**self._kernels, **self._starting}.items():
                tasks.start_soon(end, kernel_id, manager)
        if errors:
            raise errors[0]

    async def restart_kernel(
        self, kernel_id: str, now: bool = False, newports: bool = False
    ) -> None:
        """End a kernel, start it again, and wait until it is ready.

        :raises KeyError: if there is no kernel of this id
        :raises RuntimeError: with ``use_pending_kernels``, if it is being started or shut down
        """
        manager = self.get_kernel(kernel_id)
        if self.use_pending_kernels:
            self._check_ready(kernel_id, manager, "restart")
        await manager.restart_kernel(now=now, newports=newports)

    async def interrupt_kernel(self, kernel_id: str) -> None:
        """Interrupt what a kernel is doing.

        :raises RuntimeError: if it is being started or shut down, or does not run
        """
        manager = self.get_kernel(kernel_id)
        self._check_ready(kernel_id, manager, "interrupt")
        await manager.interrupt_kernel()

    async def kill_kernel(self, kernel_id: str) -> ShutdownStage | None:
        """End a kernel at once, and forget it."""
        return await self.shutdown_kernel(kernel_id, now=True)

    async def signal_kernel(self, kernel_id: str, signum: int) -> None:
        """Send a signal to a kernel and its children.

        :raises RuntimeError: if it does not run
        """
        await self.get_kernel(kernel_id).signal_kernel(signum)

    async def is_alive(self, kernel_id: str) -> bool:
        """Whether the process of a kernel runs."""
        return await self.get_kernel(kernel_id).is_alive()

    async def request_shutdown(self, kernel_id: str, restart: bool = False) -> None:
        """Ask a kernel to end, and do not wait."""
        await self.get_kernel(kernel_id).request_shutdown(restart=restart)

    async def finish_shutdown(
        self, kernel_id: str, waittime: float | None = None, pollinterval: float = 0.1
    ) -> ShutdownStage:
        """Wait for the end of a kernel that was asked to; then terminate it, then kill it.

        :param waittime: how long all of it may take, in seconds
        :param pollinterval: ignored: the end is noticed when it comes
        """
        return await self.get_kernel(kernel_id).finish_shutdown(waittime)

    async def cleanup_resources(self, kernel_id: str, restart: bool = False) -> None:
        """Remove what was kept for a kernel that has ended; nothing happens if it runs."""
        await self.get_kernel(kernel_id).cleanup_resources(restart=restart)

    def remove_kernel(self, kernel_id: str) -> AsyncKernelManager | None:
        removed = super().remove_kernel(kernel_id)
        if not self._kernels:
            self._culler.stop()
        return removed

    async def _start(
        self, kernel_id: str, manager: AsyncKernelManager, keywords: dict[str, Any]
    ) -> None:
        try:
            self._check_wanted(kernel_id, manager)
            await manager.start_kernel(**keywords)
        finally:
            self._starting.pop(kernel_id, None)

    async def _shutdown(
        self, kernel_id: str, manager: AsyncKernelManager, now: bool, restart: bool = False
    ) -> ShutdownStage:
        self._unwanted.add(manager)
        stage = await manager.shutdown_kernel(now=now, restart=restart)
        if self._kernels.get(kernel_id) is manager:
            self.remove_kernel(kernel_id)
        return stage

    def _go_on(self, kernel_id: str, work: Callable[[], Awaitable[object]]) -> None:
        """Do something in a task of its own; what it raises is told by ``ready``."""

        async def run() -> None:
            try:
                await work()
            except Exception:
                log.warning("the kernel %s failed while it was pending", kernel_id, exc_info=True)

        BackgroundTask(run)

    def _check_ready(self, kernel_id: str, manager: AsyncKernelManager, operation: str) -> None:
        if not manager.ready.done():
            raise KernelStateError(kernel_id, operation, "pending")

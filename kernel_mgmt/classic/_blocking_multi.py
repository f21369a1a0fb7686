"""The classic manager of many kernels for code that is not asynchronous."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

from kernel_mgmt import _portal
from kernel_mgmt.discovery._errand import Errand
from kernel_mgmt.exceptions import KernelStateError

from ._blocking_manager import KernelManager
from ._collection import KernelCollection, MultiSettings
from ._culling import KernelCuller

if TYPE_CHECKING:
    from kernel_mgmt.client import ShutdownStage

    from ._launch import StartKeywords

__all__ = ("MultiKernelManager",)


class MultiKernelManager(KernelCollection[KernelManager]):
    """Starts, ends and holds many kernels by their ids, from any thread.

    It also works in a thread whose event loop runs, which it blocks. Kernels that have died are
    started again, unless ``autorestart=False``.

    ::

        kernels = MultiKernelManager()
        kernel_id = kernels.start_kernel("python3")
        client = kernels.get_kernel(kernel_id).client()
        ...
        kernels.shutdown_all()
    """

    kernel_manager_class: str | type[Any] = KernelManager

    def __init__(self, **settings: Unpack[MultiSettings]) -> None:
        super().__init__(**settings)
        self._culler = KernelCuller(self, self._managers, self._cull)

    def start_kernel(
        self, kernel_name: str | None = None, **keywords: Unpack[StartKeywords]
    ) -> str:
        """Start a kernel, and wait until it is ready.

        :param kernel_name: the kernel type; ``default_kernel_name`` when ``None``
        :param keywords: as for :meth:`KernelManager.start_kernel`
        :return: the id of the kernel
        :raises DuplicateKernelError: if there is a kernel of this ``kernel_id``
        :raises KernelManagementError: if it cannot be started
        """
        arguments: dict[str, Any] = {**keywords}
        manager, _, kernel_id = self.pre_start_kernel(kernel_name, arguments)
        self._reserve(kernel_id, manager)
        arguments["kernel_id"] = kernel_id
        try:
            self._check_wanted(kernel_id, manager)
            manager.start_kernel(**arguments)
            self._keep(kernel_id, manager)
        finally:
            self._starting.pop(kernel_id, None)
        if self.cull_idle_timeout > 0:
            _portal.call(self._start_culling)
        return kernel_id

    def shutdown_kernel(
        self, kernel_id: str, now: bool = False, restart: bool = False
    ) -> ShutdownStage:
        """End a kernel, also one that is being started, and forget it.

        :param now: whether it is killed at once
        :return: what ended it, as :meth:`KernelManager.shutdown_kernel` tells
        :raises KeyError: if there is no kernel of this id
        """
        manager = self._find(kernel_id)
        return self._shutdown(kernel_id, manager, now, restart)

    def shutdown_all(self, now: bool = False) -> None:
        """End all kernels at once, also those that are being started, and forget them.

        :raises Exception: what the first of those raises that cannot be ended, when all have been
            tried
        """
        self.list_kernel_ids()
        kernels = {**self._kernels, **self._starting}
        with ThreadPoolExecutor(max(1, len(kernels))) as threads:
            ends = [
                threads.submit(self._shutdown, kernel_id, manager, now)
                for kernel_id, manager in kernels.items()
            ]
        for end in ends:
            end.result()

    def restart_kernel(self, kernel_id: str, now: bool = False, newports: bool = False) -> None:
        """End a kernel, start it again, and wait until it is ready.

        :raises KeyError: if there is no kernel of this id
        """
        self.get_kernel(kernel_id).restart_kernel(now=now, newports=newports)

    def interrupt_kernel(self, kernel_id: str) -> None:
        """Interrupt what a kernel is doing.

        :raises RuntimeError: if it is being started or shut down, or does not run
        """
        manager = self.get_kernel(kernel_id)
        if not manager.ready.done():
            raise KernelStateError(kernel_id, "interrupt", "pending")
        manager.interrupt_kernel()

    def kill_kernel(self, kernel_id: str) -> ShutdownStage:
        """End a kernel at once, and forget it."""
        return self.shutdown_kernel(kernel_id, now=True)

    def signal_kernel(self, kernel_id: str, signum: int) -> None:
        """Send a signal to a kernel and its children.

        :raises RuntimeError: if it does not run
        """
        self.get_kernel(kernel_id).signal_kernel(signum)

    def is_alive(self, kernel_id: str) -> bool:
        """Whether the process of a kernel runs."""
        return self.get_kernel(kernel_id).is_alive()

    def request_shutdown(self, kernel_id: str, restart: bool = False) -> None:
        """Ask a kernel to end, and do not wait."""
        self.get_kernel(kernel_id).request_shutdown(restart=restart)

    def finish_shutdown(
        self, kernel_id: str, waittime: float | None = None, pollinterval: float = 0.1
    ) -> ShutdownStage:
        """Wait for the end of a kernel that was asked to; then terminate it, then kill it.

        :param waittime: how long all of it may take, in seconds
        :param pollinterval: ignored: the end is noticed when it comes
        """
        return self.get_kernel(kernel_id).finish_shutdown(waittime)

    def cleanup_resources(self, kernel_id: str, restart: bool = False) -> None:
        """Remove what was kept for a kernel that has ended; nothing happens if it runs."""
        self.get_kernel(kernel_id).cleanup_resources(restart=restart)

    def remove_kernel(self, kernel_id: str) -> KernelManager | None:
        removed = super().remove_kernel(kernel_id)
        if not self._kernels:
            self._culler.stop()
        return removed

    def _shutdown(
        self, kernel_id: str, manager: KernelManager, now: bool, restart: bool = False
    ) -> ShutdownStage:
        self._unwanted.add(manager)
        stage = manager.shutdown_kernel(now=now, restart=restart)
        if self._kernels.get(kernel_id) is manager:
            self.remove_kernel(kernel_id)
        return stage

    async def _start_culling(self) -> None:
        self._culler.start()

    async def _cull(self, kernel_id: str) -> None:
        # The event-loop thread must not wait for itself.
        end = partial(self.shutdown_kernel, kernel_id)
        await Errand(end, f"kernel_mgmt culling of {kernel_id}").run()

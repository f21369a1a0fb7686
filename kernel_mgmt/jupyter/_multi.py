"""The managers of many kernels."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import jupyter_client.multikernelmanager
from jupyter_client.manager import KernelManager
from jupyter_core.paths import jupyter_runtime_dir
from jupyter_core.utils import run_sync
from traitlets import DottedObjectName, default

from ._managed import new_kernel_spec_manager
from .kernelspecs import KernelSpecManager

__all__ = ("AsyncMultiKernelManager", "MultiKernelManager")


class MultiKernelManager(jupyter_client.multikernelmanager.MultiKernelManager):
    """Manages many kernels, as :class:`jupyter_client.MultiKernelManager` does, over our launchers.

    Two kernels cannot be started at the same time under one id.
    """

    kernel_manager_class = DottedObjectName(
        "kernel_mgmt.jupyter.IOLoopKernelManager",
        config=True,
        help="The class of the manager of each kernel.",
    )

    @default("kernel_spec_manager")
    def _our_kernel_spec_manager(self) -> KernelSpecManager:
        return new_kernel_spec_manager(parent=self)

    @default("connection_dir")
    def _runtime_dir(self) -> str:
        return jupyter_runtime_dir()

    def pre_start_kernel(
        self, kernel_name: str | None, kwargs: Any
    ) -> tuple[KernelManager, str, str]:
        """Make the manager of a kernel that is to be started.

        :raises jupyter_client.multikernelmanager.DuplicateKernelError: if there is a kernel of this
            id, or one is being started
        """
        kernel_id = kwargs.get("kernel_id")
        if kernel_id in self._pending_kernels:
            reason = f"Kernel already exists: {kernel_id}"
            raise jupyter_client.multikernelmanager.DuplicateKernelError(reason)
        return super().pre_start_kernel(kernel_name, kwargs)

    async def _async_shutdown_kernel(
        self, kernel_id: str, now: bool | None = False, restart: bool | None = False
    ) -> None:
        """End a kernel; a call that is cancelled leaves it going on."""
        shutdown = super()._async_shutdown_kernel(kernel_id, now, restart)
        await asyncio.shield(asyncio.create_task(shutdown))

    async def _add_kernel_when_ready(
        self, kernel_id: str, km: KernelManager, kernel_awaitable: Awaitable[Any]
    ) -> None:
        try:
            await kernel_awaitable
            self._kernels[kernel_id] = km
        except Exception:
            self.log.exception("The kernel %s was not started", kernel_id)
        finally:
            # Also when it was cancelled, or could not be started.
            self._pending_kernels.pop(kernel_id, None)

    async def _remove_kernel_when_ready(
        self, kernel_id: str, kernel_awaitable: Awaitable[Any]
    ) -> None:
        try:
            await kernel_awaitable
            self.remove_kernel(kernel_id)
        except Exception:
            self.log.exception("The kernel %s was not shut down", kernel_id)
        finally:
            self._pending_kernels.pop(kernel_id, None)

    start_kernel: Any = run_sync(
        jupyter_client.multikernelmanager.MultiKernelManager._async_start_kernel
    )
    shutdown_kernel: Any = run_sync(_async_shutdown_kernel)


class AsyncMultiKernelManager(
    MultiKernelManager, jupyter_client.multikernelmanager.AsyncMultiKernelManager
):
    """Manages many kernels as :class:`jupyter_client.AsyncMultiKernelManager`, over our launchers."""

    kernel_manager_class = DottedObjectName(
        "kernel_mgmt.jupyter.AsyncIOLoopKernelManager",
        config=True,
        help="The class of the manager of each kernel.",
    )
    start_kernel: Any = MultiKernelManager._async_start_kernel
    shutdown_kernel: Any = MultiKernelManager._async_shutdown_kernel

"""The managers of one kernel."""

from __future__ import annotations

from typing import Any

import jupyter_client.manager
from jupyter_core.utils import run_sync
from traitlets import DottedObjectName, Type

from ._managed import ManagedKernel

__all__ = ("AsyncKernelManager", "KernelManager")


class KernelManager(ManagedKernel):
    """Manages one kernel, as :class:`jupyter_client.KernelManager` does, over our launchers."""

    client_class = DottedObjectName(
        "kernel_mgmt.jupyter.BlockingKernelClient",
        config=True,
        help="The class of the clients that it makes.",
    )
    blocking_class: Any = Type("kernel_mgmt.jupyter.BlockingKernelClient", klass=object)

    start_kernel: Any = run_sync(ManagedKernel._async_start_kernel)
    pre_start_kernel: Any = run_sync(ManagedKernel._async_pre_start_kernel)
    shutdown_kernel: Any = run_sync(ManagedKernel._async_shutdown_kernel)
    restart_kernel: Any = run_sync(ManagedKernel._async_restart_kernel)
    interrupt_kernel: Any = run_sync(ManagedKernel._async_interrupt_kernel)


class AsyncKernelManager(KernelManager, jupyter_client.manager.AsyncKernelManager):
    """Manages one kernel, as :class:`jupyter_client.AsyncKernelManager` does, over our launchers."""

    client_class = DottedObjectName(
        "kernel_mgmt.jupyter.AsyncKernelClient",
        config=True,
        help="The class of the clients that it makes.",
    )
    client_factory: Any = Type(
        "kernel_mgmt.jupyter.AsyncKernelClient",
        klass="jupyter_client.asynchronous.AsyncKernelClient",
        config=True,
        help="The class of the clients that it makes, or what makes them.",
    )

    start_kernel: Any = ManagedKernel._async_start_kernel
    pre_start_kernel: Any = ManagedKernel._async_pre_start_kernel
    shutdown_kernel: Any = ManagedKernel._async_shutdown_kernel
    restart_kernel: Any = ManagedKernel._async_restart_kernel
    interrupt_kernel: Any = ManagedKernel._async_interrupt_kernel

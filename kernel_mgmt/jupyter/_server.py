"""The manager of one kernel in a Jupyter Server."""

from __future__ import annotations

from jupyter_server.services.kernels import kernelmanager

from ._ioloop import AsyncIOLoopKernelManager

__all__ = ("ServerKernelManager",)


class ServerKernelManager(kernelmanager.ServerKernelManager, AsyncIOLoopKernelManager):
    """Manages one kernel as that of Jupyter Server does, which ``kernel_manager_class`` names.

    The server tells its events about it, and follows its activity.
    """

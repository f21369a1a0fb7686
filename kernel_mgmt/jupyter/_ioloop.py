"""The managers of one kernel that restart it when it dies, and hand out ZMQ streams."""

from __future__ import annotations

from typing import Any

from jupyter_client.ioloop import manager, restarter
from traitlets import Type

from ._managers import AsyncKernelManager, KernelManager
from ._restarter import AsyncIOLoopKernelRestarter, IOLoopKernelRestarter

__all__ = ("AsyncIOLoopKernelManager", "IOLoopKernelManager")


class IOLoopKernelManager(KernelManager, manager.IOLoopKernelManager):
    """Manages one kernel as :class:`jupyter_client.ioloop.IOLoopKernelManager` does."""

    restarter_class: Any = Type(
        IOLoopKernelRestarter,
        klass=restarter.IOLoopKernelRestarter,
        config=True,
        help="The class that starts the kernel again.",
    )


class AsyncIOLoopKernelManager(AsyncKernelManager, manager.AsyncIOLoopKernelManager):
    """Manages one kernel as :class:`jupyter_client.ioloop.AsyncIOLoopKernelManager` does."""

    restarter_class: Any = Type(
        AsyncIOLoopKernelRestarter,
        klass=restarter.AsyncIOLoopKernelRestarter,
        config=True,
        help="The class that starts the kernel again.",
    )

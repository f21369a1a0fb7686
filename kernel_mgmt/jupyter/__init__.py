"""The bridge to Jupyter's programs, which use our kernels without a change to them.

It is the only part that imports jupyter_client, and needs the extra ``kernel-mgmt[jupyter]`` where it
does. Its classes bear the names of those of jupyter_client that they are::

    c.NotebookClient.kernel_manager_class = "kernel_mgmt.jupyter.AsyncKernelManager"
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._clients import AsyncKernelClient, BlockingKernelClient
    from ._death import DeadKernelError
    from ._ioloop import AsyncIOLoopKernelManager, IOLoopKernelManager
    from ._managers import AsyncKernelManager, KernelManager
    from ._multi import AsyncMultiKernelManager, MultiKernelManager
    from ._server import ServerKernelManager
    from ._start import run_kernel, start_new_async_kernel, start_new_kernel

__all__ = (
    "AsyncIOLoopKernelManager",
    "AsyncKernelClient",
    "AsyncKernelManager",
    "AsyncMultiKernelManager",
    "BlockingKernelClient",
    "DeadKernelError",
    "IOLoopKernelManager",
    "KernelManager",
    "MultiKernelManager",
    "ServerKernelManager",
    "run_kernel",
    "start_new_async_kernel",
    "start_new_kernel",
)

_MODULE_OF = {
    "AsyncIOLoopKernelManager": "_ioloop",
    "AsyncKernelClient": "_clients",
    "AsyncKernelManager": "_managers",
    "AsyncMultiKernelManager": "_multi",
    "BlockingKernelClient": "_clients",
    "DeadKernelError": "_death",
    "IOLoopKernelManager": "_ioloop",
    "KernelManager": "_managers",
    "MultiKernelManager": "_multi",
    "ServerKernelManager": "_server",
    "run_kernel": "_start",
    "start_new_async_kernel": "_start",
    "start_new_kernel": "_start",
}


# The command imports this package, and jupyter_client may not be installed (PEP 562).
def __getattr__(name: str) -> object:
    try:
        module = _MODULE_OF[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    value = globals()[name] = getattr(import_module(f".{module}", __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

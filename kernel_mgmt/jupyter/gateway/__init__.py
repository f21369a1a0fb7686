"""The gateway classes of Jupyter Server, under their own names, over our provider and transport.

A server whose kernels are all on one gateway names them in its configuration::

    c.ServerApp.kernel_manager_class = "kernel_mgmt.jupyter.gateway.GatewayMappingKernelManager"

They are subclasses of those of jupyter_server, and heed the settings of its ``GatewayClient``. The
extras ``kernel-mgmt[jupyter,gateway]`` and jupyter_server are needed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._channels import ChannelQueue, HBChannelQueue
    from ._client import GatewayKernelClient
    from ._kernelspecs import GatewayKernelSpecManager
    from ._manager import GatewayKernelManager
    from ._mapping import GatewayMappingKernelManager, GatewaySessionManager
    from ._websocket import GatewayWebSocketConnection

__all__ = (
    "ChannelQueue",
    "GatewayKernelClient",
    "GatewayKernelManager",
    "GatewayKernelSpecManager",
    "GatewayMappingKernelManager",
    "GatewaySessionManager",
    "GatewayWebSocketConnection",
    "HBChannelQueue",
)

_MODULE_OF = {
    "ChannelQueue": "_channels",
    "GatewayKernelClient": "_client",
    "GatewayKernelManager": "_manager",
    "GatewayKernelSpecManager": "_kernelspecs",
    "GatewayMappingKernelManager": "_mapping",
    "GatewaySessionManager": "_mapping",
    "GatewayWebSocketConnection": "_websocket",
    "HBChannelQueue": "_channels",
}


# Each needs jupyter_server, whose import takes its time (PEP 562).
def __getattr__(name: str) -> object:
    try:
        module = _MODULE_OF[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    value = globals()[name] = getattr(import_module(f".{module}", __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

"""The kernel types of Jupyter Servers and gateways: ``gateway/<name>``."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from ._provider import GatewayKernelProvider

if TYPE_CHECKING:
    from ._errors import (
        GatewayCredentialsError,
        GatewayError,
        GatewayLaunchError,
        GatewayTimeoutError,
        GatewayUnreachableError,
        SignalUnsupportedError,
    )
    from ._kernels import RemoteKernel
    from ._manager import GatewayKernelManager
    from ._settings import GatewaySettings

__all__ = (
    "GatewayCredentialsError",
    "GatewayError",
    "GatewayKernelManager",
    "GatewayKernelProvider",
    "GatewayLaunchError",
    "GatewaySettings",
    "GatewayTimeoutError",
    "GatewayUnreachableError",
    "RemoteKernel",
    "SignalUnsupportedError",
)

_MODULE_OF = {
    "GatewayKernelManager": "_manager",
    "GatewaySettings": "_settings",
    "RemoteKernel": "_kernels",
}


# A listing where no gateway is configured needs none of these.
def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f".{_MODULE_OF.get(name, '_errors')}", __name__)
    value = globals()[name] = getattr(module, name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

"""Find, launch, talk to and watch Jupyter kernels."""

from __future__ import annotations

# Type checkers take it for true; to load typing for it is most of the time that this module takes.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._version import __version__
    from .abc import KernelLauncherABC, KernelManagerABC, KernelProviderBase
    from .client import BlockingKernelClient, KernelClient, Request
    from .connection_files import find_connection_file
    from .discovery import KernelFinder
    from .exceptions import (
        ClientClosedError,
        ConnectionLostError,
        CredentialsRefusedError,
        DuplicateKernelError,
        InterruptUnsupportedError,
        KernelDiedError,
        KernelGoneError,
        KernelLaunchError,
        KernelManagementError,
        KernelSpecError,
        KernelStateError,
        LaunchOptionError,
        LaunchParameterError,
        NoSuchKernelError,
        OutputOverflowError,
        ProviderLoadError,
        ReattachError,
        StartupTimeoutError,
        UnknownProviderError,
    )
    from .kernel import Kernel, KernelState, ShutdownOutcome
    from .messages import Message
    from .restarter import KernelRestarter, KernelRestarterBase, RestartEvent, RestartPolicy
    from .start import (
        run_kernel_async,
        run_kernel_blocking,
        start_kernel_async,
        start_kernel_blocking,
    )
    from .types import (
        ConnectionInfo,
        ExitStatus,
        KernelAttributes,
        LaunchOptions,
        Problem,
        ResourceLimits,
    )

__all__ = (
    "BlockingKernelClient",
    "ClientClosedError",
    "ConnectionInfo",
    "ConnectionLostError",
    "CredentialsRefusedError",
    "DuplicateKernelError",
    "ExitStatus",
    "InterruptUnsupportedError",
    "Kernel",
    "KernelAttributes",
    "KernelClient",
    "KernelDiedError",
    "KernelFinder",
    "KernelGoneError",
    "KernelLaunchError",
    "KernelLauncherABC",
    "KernelManagementError",
    "KernelManagerABC",
    "KernelProviderBase",
    "KernelRestarter",
    "KernelRestarterBase",
    "KernelSpecError",
    "KernelState",
    "KernelStateError",
    "LaunchOptionError",
    "LaunchOptions",
    "LaunchParameterError",
    "Message",
    "NoSuchKernelError",
    "OutputOverflowError",
    "Problem",
    "ProviderLoadError",
    "ReattachError",
    "Request",
    "ResourceLimits",
    "RestartEvent",
    "RestartPolicy",
    "ShutdownOutcome",
    "StartupTimeoutError",
    "UnknownProviderError",
    "__version__",
    "find_connection_file",
    "run_kernel_async",
    "run_kernel_blocking",
    "start_kernel_async",
    "start_kernel_blocking",
)

_MODULE_OF = {
    name: module
    for module, names in {
        "_version": "__version__",
        "abc": "KernelLauncherABC KernelManagerABC KernelProviderBase",
        "client": "BlockingKernelClient KernelClient Request",
        "connection_files": "find_connection_file",
        "discovery": "KernelFinder",
        "exceptions": "ClientClosedError ConnectionLostError CredentialsRefusedError "
        "DuplicateKernelError InterruptUnsupportedError KernelDiedError KernelGoneError "
        "KernelLaunchError KernelManagementError KernelSpecError KernelStateError "
        "LaunchOptionError LaunchParameterError NoSuchKernelError "
        "OutputOverflowError ProviderLoadError ReattachError StartupTimeoutError "
        "UnknownProviderError",
        "kernel": "Kernel KernelState ShutdownOutcome",
        "messages": "Message",
        "restarter": "KernelRestarter KernelRestarterBase RestartEvent RestartPolicy",
        "start": "run_kernel_async run_kernel_blocking start_kernel_async start_kernel_blocking",
        "types": "ConnectionInfo ExitStatus KernelAttributes LaunchOptions Problem ResourceLimits",
    }.items()
    for name in names.split()
}


# Discovery alone must load neither anyio nor zmq, so each name comes when it is asked for (PEP 562).
def __getattr__(name: str) -> object:
    from importlib import import_module

    try:
        module = _MODULE_OF[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    value = globals()[name] = getattr(import_module(f".{module}", __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

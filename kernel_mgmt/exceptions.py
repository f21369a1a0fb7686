"""Every exception that kernel_mgmt raises of its own.

::

    KernelManagementError
    ├── UnknownProviderError       (also a KeyError)
    ├── ProviderLoadError
    ├── NoSuchKernelError          (also a KeyError)
    ├── KernelSpecError            (also a ValueError)
    ├── LaunchParameterError       (also a ValueError)
    ├── LaunchOptionError          (also a ValueError)
    ├── KernelLaunchError          (also a RuntimeError)
    │   └── StartupTimeoutError    (also a TimeoutError)
    ├── KernelDiedError
    │   └── KernelGoneError
    ├── CredentialsRefusedError    (also a PermissionError)
    ├── ConnectionLostError        (also a ConnectionError)
    ├── ReattachError
    ├── KernelStateError           (also a RuntimeError)
    ├── DuplicateKernelError
    ├── ClientClosedError
    ├── InterruptUnsupportedError
    └── OutputOverflowError
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from os import PathLike, fspath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .types import ExitStatus

__all__ = (
    "ClientClosedError",
    "ConnectionLostError",
    "CredentialsRefusedError",
    "DuplicateKernelError",
    "InterruptUnsupportedError",
    "KernelDiedError",
    "KernelGoneError",
    "KernelLaunchError",
    "KernelManagementError",
    "KernelSpecError",
    "KernelStateError",
    "LaunchOptionError",
    "LaunchParameterError",
    "NoSuchKernelError",
    "OutputOverflowError",
    "ProviderLoadError",
    "ReattachError",
    "StartupTimeoutError",
    "UnknownProviderError",
)


class KernelManagementError(Exception):
    """The root of the errors of kernel_mgmt."""

    # KeyError, which some leaves also are, would show the repr of the message.
    __str__ = Exception.__str__


class UnknownProviderError(KernelManagementError, KeyError):
    """Raised when a kernel type is asked of a provider that is not there."""

    def __init__(self, provider_id: str, known: Iterable[str] = ()) -> None:
        self.provider_id = provider_id
        self.known = tuple(known)
        super().__init__(
            f"There is no kernel provider {provider_id!r}{_choices('providers', provider_id, self.known)}"
        )


class ProviderLoadError(KernelManagementError):
    """Raised when a provider that was asked for by name cannot be used."""

    def __init__(self, provider_id: str, reason: str) -> None:
        self.provider_id = provider_id
        self.reason = reason
        super().__init__(f"The kernel provider {provider_id!r} cannot be used: {reason}")


class NoSuchKernelError(KernelManagementError, KeyError):
    """Raised when a provider has no kernel type of the name that was asked for."""

    def __init__(self, name: str, known: Iterable[str] = (), *, reason: str | None = None) -> None:
        self.name = name
        self.known = tuple(known)
        self.reason = reason
        message = f"There is no kernel type {name!r}"
        if reason is not None:
            message += f": {reason}"
        if self.known or reason is None:
            message += _choices("kernel types", name, self.known)
        super().__init__(message)


class KernelSpecError(KernelManagementError, ValueError):
    """Raised when a kernelspec that was asked for by name or path cannot be used."""

    def __init__(self, path: str | PathLike[str], reason: str) -> None:
        self.path = fspath(path)
        self.reason = reason
        super().__init__(f"The kernelspec {self.path} cannot be used: {reason}")


class LaunchParameterError(KernelManagementError, ValueError):
    """Raised when launch parameters do not fit the schema of their kernel type."""

    def __init__(self, name: str, violations: Iterable[str]) -> None:
        self.name = name
        self.violations = tuple(violations)
        super().__init__(f"Launch parameters of {name!r}: " + "; ".join(self.violations))


class LaunchOptionError(KernelManagementError, ValueError):
    """Raised when a provider or launcher is asked for a launch option that it cannot take."""

    def __init__(self, option: str, reason: str) -> None:
        self.option = option
        self.reason = reason
        super().__init__(f"The launch option {option!r} cannot be had: {reason}")


class KernelLaunchError(KernelManagementError, RuntimeError):
    """Raised when a kernel could not be started or ended before it was ready."""

    def __init__(
        self,
        reason: str,
        *,
        argv: Sequence[str] = (),
        exit_status: ExitStatus | None = None,
    ) -> None:
        self.reason = reason
        self.argv = list(argv)
        self.exit_status = exit_status
        message = reason
        if argv:
            message += f": {shlex.join(argv)}"
        super().__init__(message + _last_words(exit_status))


class StartupTimeoutError(KernelLaunchError, TimeoutError):
    """Raised when a kernel is not ready within the time it was given to start."""


class KernelDiedError(KernelManagementError):
    """Raised by a request whose kernel ended before it had answered."""

    def __init__(self, exit_status: ExitStatus | None = None) -> None:
        self.exit_status = exit_status
        how = "how is not known" if exit_status is None else str(exit_status)
        super().__init__(f"The kernel has died ({how}){_last_words(exit_status)}")


class KernelGoneError(KernelDiedError):
    """Raised when the server of a kernel has no such kernel any more."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.args = (f"The kernel at {url} is gone: its server does not know it; launch another",)


class CredentialsRefusedError(KernelManagementError, PermissionError):
    """Raised when a server refuses the credentials that it was given, and none that are newer."""

    def __init__(self, url: str, status: int) -> None:
        self.url = url
        self.status = status
        super().__init__(
            f"The server refuses the credentials for {url} (HTTP status {status}); "
            "check the token or password that it is configured with"
        )


class ConnectionLostError(KernelManagementError, ConnectionError):
    """Raised when the server of a kernel cannot be reached, or could not when it mattered.

    A request that was on its way when the connection broke may have reached the kernel, or not.
    """

    def __init__(self, url: str, reason: str) -> None:
        self.url = url
        self.reason = reason
        super().__init__(f"There is no connection to {url}: {reason}")


class ReattachError(KernelManagementError):
    """Raised when a kernel that another process launched cannot be taken hold of."""

    def __init__(self, kernel_id: str, reason: str) -> None:
        self.kernel_id = kernel_id
        self.reason = reason
        super().__init__(f"The kernel {kernel_id} cannot be taken hold of: {reason}")


class KernelStateError(KernelManagementError, RuntimeError):
    """Raised when a kernel is asked for what its state, or what goes before, does not allow.

    :ivar operation: what was asked for, such as ``"restart"``
    :ivar state: the state of the kernel, such as ``"stopping"``
    """

    def __init__(self, kernel_id: str, operation: str, state: str) -> None:
        self.kernel_id = kernel_id
        self.operation = operation
        self.state = state
        super().__init__(f"There is no way to {operation} the kernel {kernel_id}: it is {state}")


class DuplicateKernelError(KernelManagementError):
    """Raised when a kernel is to be started under an id that another one has."""

    def __init__(self, kernel_id: str) -> None:
        self.kernel_id = kernel_id
        super().__init__(f"There is a kernel {kernel_id} already; start it under another id")


class ClientClosedError(KernelManagementError):
    """Raised by a request whose client was closed before the kernel had answered."""

    def __init__(self) -> None:
        super().__init__("The kernel client is closed; a request needs an open one")


class InterruptUnsupportedError(KernelManagementError):
    """Raised when a kernel is to be interrupted that no signal and no message interrupts.

    What it does goes on. To stop it, end the kernel.
    """

    def __init__(self, kernel_id: str) -> None:
        self.kernel_id = kernel_id
        super().__init__(
            f"The kernel {kernel_id} cannot be interrupted: a message has no effect on kernels of its "
            "kind, and a signal has none or ends them; end the kernel to stop what it does"
        )


class OutputOverflowError(KernelManagementError):
    """Raised when more output waits to be consumed than the client may keep."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        super().__init__(
            f"More than {limit:,} bytes of output waited to be consumed, and were let go of; iterate "
            "over requests as they run, pass collect=False, or give the client a larger output_limit"
        )


def _choices(what: str, name: str, known: Sequence[str]) -> str:
    if not known:
        return f"; no {what} were found"
    from difflib import get_close_matches

    # What a provider has is compared without its id, which they all begin with.
    known_of = {each.rpartition("/")[2]: each for each in reversed(known)}
    close = get_close_matches(name.rpartition("/")[2], known_of, n=1)
    hint = f"; did you mean {known_of[close[0]]!r}?" if close else ""
    shown = ", ".join(known[:20]) + (", …" if len(known) > 20 else "")
    return f"{hint} (known {what}: {shown})"


def _last_words(exit_status: ExitStatus | None) -> str:
    if exit_status is None or not exit_status.tail:
        return ""
    return f"; its last output was:\n{exit_status.tail}"

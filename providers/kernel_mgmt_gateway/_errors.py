"""What can go wrong with a gateway.

::

    ProviderLoadError
    └── GatewayError                       it answered with an unexpected status
        ├── GatewayCredentialsError        401 or 403 (also a CredentialsRefusedError)
        ├── GatewayUnreachableError        no connection (also a ConnectionLostError)
        └── GatewayTimeoutError            no answer in time (also a TimeoutError)
    KernelLaunchError
    └── GatewayLaunchError                 a launch failed for one of these, its ``failure``
    KernelManagementError
    └── SignalUnsupportedError
"""

from __future__ import annotations

from signal import Signals

from kernel_mgmt.exceptions import (
    ConnectionLostError,
    CredentialsRefusedError,
    KernelLaunchError,
    KernelManagementError,
    ProviderLoadError,
)

__all__ = (
    "GatewayCredentialsError",
    "GatewayError",
    "GatewayLaunchError",
    "GatewayTimeoutError",
    "GatewayUnreachableError",
    "SignalUnsupportedError",
)


class GatewayError(ProviderLoadError):
    """Raised when a gateway cannot do what it was asked for.

    :ivar url: that of the gateway
    :ivar status: the HTTP status that it answered with, if it did
    """

    def __init__(self, url: str, reason: str, status: int | None = None) -> None:
        self.provider_id = "gateway"
        self.url = url
        self.reason = reason
        self.status = status
        # Each of the classes that a leaf also is has a message of its own.
        self.args = (f"The gateway {url} {reason}",)


class GatewayCredentialsError(GatewayError, CredentialsRefusedError):
    """Raised when a gateway refuses the credentials, or what they do not allow."""

    status: int

    def __init__(self, url: str, reason: str, status: int) -> None:
        GatewayError.__init__(self, url, reason, status)


class GatewayUnreachableError(GatewayError, ConnectionLostError):
    """Raised when there is no connection to a gateway."""


class GatewayTimeoutError(GatewayError, TimeoutError):
    """Raised when a gateway does not answer in time."""


class GatewayLaunchError(KernelLaunchError):
    """Raised when a gateway has launched no kernel.

    :ivar failure: why
    """

    def __init__(self, failure: GatewayError) -> None:
        self.failure = failure
        super().__init__(str(failure))


class SignalUnsupportedError(KernelManagementError):
    """Raised when a kernel of a gateway is to be sent a signal other than SIGINT."""

    def __init__(self, kernel_id: str, signum: int) -> None:
        self.kernel_id = kernel_id
        self.signum = signum
        try:
            name = Signals(signum).name
        except ValueError:
            name = f"the signal {signum}"
        super().__init__(
            f"{name} cannot be sent to the kernel {kernel_id}: a gateway only interrupts kernels, and "
            "ends them; use interrupt() or kill()"
        )

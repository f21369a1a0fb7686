"""The exit statuses, and which error leads to which."""

from __future__ import annotations

from enum import IntEnum

from kernel_mgmt import exceptions

__all__ = ("CommandError", "Status", "status_of")


class Status(IntEnum):
    """What the exit status of the command tells."""

    OK = 0
    RAISED = 1
    USAGE = 2
    NO_SUCH_KERNEL = 3
    NOT_STARTED = 4
    TIMEOUT = 5
    INTERRUPTED = 130


class CommandError(Exception):
    """Raised to end a command with a message and an exit status."""

    def __init__(self, message: str, status: Status) -> None:
        super().__init__(message)
        self.status = status


# The first that fits counts: an error that is another's leaf stands before it.
_STATUS_OF: tuple[tuple[type[Exception], Status], ...] = (
    (exceptions.UnknownProviderError, Status.NO_SUCH_KERNEL),
    (exceptions.ProviderLoadError, Status.NO_SUCH_KERNEL),
    (exceptions.NoSuchKernelError, Status.NO_SUCH_KERNEL),
    (exceptions.KernelSpecError, Status.NO_SUCH_KERNEL),
    (exceptions.LaunchParameterError, Status.USAGE),
    (exceptions.LaunchOptionError, Status.USAGE),
    (exceptions.KernelLaunchError, Status.NOT_STARTED),
    (TimeoutError, Status.TIMEOUT),
)


def status_of(error: Exception) -> Status:
    """The exit status for an error of kernel_mgmt or of the system."""
    if isinstance(error, CommandError):
        return error.status
    fits = (status for kind, status in _STATUS_OF if isinstance(error, kind))
    return next(fits, Status.RAISED)

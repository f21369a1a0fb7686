"""What goes wrong with a gateway, as a Jupyter Server answers it."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from jupyter_server.gateway.gateway_client import GatewayClient
from tornado.web import HTTPError

from kernel_mgmt.exceptions import (
    ConnectionLostError,
    DuplicateKernelError,
    KernelGoneError,
    KernelManagementError,
    NoSuchKernelError,
    ReattachError,
)

__all__ = ("as_http_errors", "status_of")

_STATUSES: tuple[tuple[type[Exception], int], ...] = (
    (NoSuchKernelError, 404),
    (KernelGoneError, 404),
    (ReattachError, 404),
    (DuplicateKernelError, 409),
    (ConnectionLostError, 503),
    (TimeoutError, 504),
)


@contextmanager
def as_http_errors() -> Generator[None]:
    """Raise what a gateway does not do, in the block, as the HTTPError that a server answers.

    The events of jupyter_server's gateway client tell of it.
    """
    try:
        yield
    except (KernelManagementError, ValueError) as error:
        status, message = status_of(error), str(error)
        client: Any = GatewayClient.instance()
        client.emit({"status": "error", "status_code": status, "msg": message})
        raise HTTPError(status, message) from error


def status_of(error: Exception) -> int:
    """Return the HTTP status that says what went wrong: the gateway's own, if it has answered."""
    failure: object = getattr(error, "failure", error)
    told: object = getattr(failure, "status", None)
    if isinstance(told, int):
        # A redirection is none of the browser.
        return told if told >= 400 else 502
    return next((status for kind, status in _STATUSES if isinstance(failure, kind)), 500)

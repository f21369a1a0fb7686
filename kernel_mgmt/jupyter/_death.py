"""How a client of jupyter_client is told that its kernel has died."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any, cast

import zmq
from jupyter_client.manager import KernelManager
from zmq.utils.monitor import parse_monitor_message

from kernel_mgmt.exceptions import KernelDiedError
from kernel_mgmt.types import ExitStatus

__all__ = ("ConnectionWatch", "DeadKernelError", "exit_status_of", "is_on_this_machine")

_EVENTS = zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED


class DeadKernelError(KernelDiedError, RuntimeError):
    """Raised by a request whose kernel ended before it had answered.

    Programs that use jupyter_client know it as the RuntimeError that it is.
    """


class ConnectionWatch:
    """Counts how often the other end of a socket has gone away, which the end of a process causes.

    :param socket: a socket that is not connected yet
    """

    def __init__(self, socket: zmq.Socket[Any]) -> None:
        self._socket = socket
        self._monitor = socket.get_monitor_socket(_EVENTS)
        # That of a socket for asyncio is one, too, and would have to be awaited.
        plain_socket: Any = zmq.Socket
        self._events: zmq.Socket[bytes] = plain_socket.shadow(self._monitor)
        self._is_connected = False
        self._lost = 0

    @property
    def lost(self) -> int:
        """How often the connection was lost."""
        self._look()
        return self._lost

    def close(self) -> None:
        """Watch no more; to be called before the socket is closed."""
        if not self._socket.closed:
            self._socket.disable_monitor()
        self._monitor.close(0)

    def _look(self) -> None:
        while not self._monitor.closed and cast(int, self._events.get(zmq.EVENTS)) & zmq.POLLIN:
            frames = self._events.recv_multipart(zmq.NOBLOCK)
            event = parse_monitor_message(frames)["event"]
            if event == zmq.EVENT_DISCONNECTED and self._is_connected:
                self._lost += 1
            self._is_connected = event == zmq.EVENT_HANDSHAKE_SUCCEEDED


def is_on_this_machine(transport: str, ip: str) -> bool:
    """Whether a connection is lost only if one of the two processes ends."""
    if transport == "ipc" or ip == "localhost":
        return True
    try:
        return ip_address(ip).is_loopback
    except ValueError:
        return False


async def exit_status_of(manager: object) -> ExitStatus | None:
    """How the kernel of a manager has ended; ``None`` if that is not known."""
    status: object = getattr(manager, "exit_status", None)
    if isinstance(status, ExitStatus) or not isinstance(manager, KernelManager):
        return status if isinstance(status, ExitStatus) else None
    provisioner = manager.provisioner
    if provisioner is None or not provisioner.has_process:
        return None
    code = await provisioner.poll()
    if code is None:
        return None
    return ExitStatus(code) if code >= 0 else ExitStatus(signal=-code)

"""TCP ports that nobody else is given until the kernel has bound them."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterable

# On macOS and Windows a second socket is not let in beside the one that holds the port.
CAN_HOLD_PORTS = sys.platform not in ("darwin", "win32")


def hold_ports(ip: str, ports: Iterable[int]) -> list[socket.socket]:
    """Bind TCP ports without listening, and return the sockets that hold them.

    A kernel that binds with ``SO_REUSEADDR``, as libzmq does, is let in beside them on Linux.

    :param ports: the ports; for each 0, any that is free
    :raises OSError: if ``ip`` is none of this machine, or a port is not free
    """
    held: list[socket.socket] = []
    try:
        for port in ports:
            holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            held.append(holder)
            if CAN_HOLD_PORTS:
                holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            holder.bind((ip, port))
    except BaseException:
        release_ports(held)
        raise
    return held


def release_ports(held: list[socket.socket]) -> None:
    """Let the ports go; the list is empty afterwards."""
    while held:
        held.pop().close()

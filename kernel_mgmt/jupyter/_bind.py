"""Bind sockets where a connection info says that a kernel listens."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import zmq

if TYPE_CHECKING:
    from kernel_mgmt.types import Channel, ConnectionInfo

__all__ = ("bind", "prepare")


def prepare(socket: zmq.Socket[bytes], connection_info: ConnectionInfo) -> None:
    """Make a socket the server of the CURVE keys in a connection info, if it has some."""
    if ":" in connection_info.get("ip", ""):
        socket.setsockopt(zmq.IPV6, 1)
    if secret := connection_info.get("curve_secretkey"):
        socket.setsockopt(zmq.CURVE_SERVER, 1)
        socket.setsockopt(zmq.CURVE_PUBLICKEY, connection_info.get("curve_publickey", "").encode())
        socket.setsockopt(zmq.CURVE_SECRETKEY, secret.encode())


def bind(socket: zmq.Socket[bytes], channel: Channel, connection_info: ConnectionInfo) -> int:
    """Bind a socket where a channel is; over tcp, where no port is named, to one that is free.

    :return: the port
    :raises zmq.ZMQError: if the address cannot be had
    """
    transport, ip = connection_info["transport"], connection_info.get("ip", "127.0.0.1")
    port = cast(int, connection_info.get(f"{channel}_port", 0))
    if transport == "ipc":
        socket.bind(f"ipc://{ip}-{port}")
        return port
    socket.bind(f"{transport}://{f'[{ip}]' if ':' in ip else ip}:{port}")
    endpoint = cast(bytes, socket.get(zmq.LAST_ENDPOINT))
    return int(endpoint.rstrip(b"\0").rpartition(b":")[2])

"""How messages travel between a client and a kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from kernel_mgmt.abc import TransportABC
    from kernel_mgmt.types import ConnectionInfo

__all__ = ("TransportKeywords", "make_transport")


class TransportKeywords(TypedDict):
    """What a client tells of itself when it asks for a transport."""

    session: str
    starting: bool
    heartbeat: bool
    allow_unsigned: bool


def make_transport(
    connection_info: ConnectionInfo,
    *,
    session: str,
    starting: bool = False,
    heartbeat: bool = False,
    allow_unsigned: bool = False,
) -> TransportABC:
    """Make the transport that a connection info asks for.

    :param session: the id of the client's session, by which the kernel tells its clients apart
    :param starting: whether the kernel is on its way up, so that connecting is tried often
    :param heartbeat: whether the channel ``hb`` will be used
    :param allow_unsigned: whether a kernel without a key is talked to
    :raises ValueError: if the connection info names no known transport or lacks something
    :raises ImportError: if the transport needs an extra that is not installed
    """
    transport = connection_info.get("transport", "tcp")
    if transport in ("tcp", "ipc"):
        from .zmq import ZMQTransport

        return ZMQTransport(
            connection_info,
            session=session,
            starting=starting,
            heartbeat=heartbeat,
            allow_unsigned=allow_unsigned,
        )
    if transport == "websocket":
        from .websocket import websocket_transport

        return websocket_transport(connection_info, session=session)
    raise ValueError(
        f"the transport {transport!r} of the connection info is unknown; use tcp, ipc or websocket"
    )

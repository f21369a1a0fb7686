"""How messages travel between a client and a kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kernel_mgmt.abc import TransportABC
    from kernel_mgmt.types import ConnectionInfo

__all__ = ("make_transport",)


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
    raise ValueError(
        f"the transport {transport!r} of the connection info is unknown; use tcp or ipc"
    )

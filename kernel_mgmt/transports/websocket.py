"""Messages over the WebSocket of a Jupyter Server or gateway."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from kernel_mgmt.abc import TransportABC

if TYPE_CHECKING:
    import ssl as ssl_module

    from kernel_mgmt.abc import Buffer, Received
    from kernel_mgmt.types import Channel, ConnectionInfo

__all__ = ("Authorize", "KeepAlive", "Reconnection", "WebSocketTransport", "websocket_transport")

Authorize: TypeAlias = Callable[[bool], Awaitable[Mapping[str, str]]]
"""Gives the headers for a connection; told ``True``, those with renewed credentials."""


@dataclass(frozen=True)
class Reconnection:
    """How often, and how soon, a connection that is lost is made again.

    The pauses double from the first to the longest, and each is shortened by up to half at random.

    :ivar pause: the first of the pauses, in seconds
    :ivar longest_pause: in seconds
    :ivar tries: how many tries in a row may fail after the first
    """

    pause: float = 1.0
    longest_pause: float = 30.0
    tries: int = 5


@dataclass(frozen=True)
class KeepAlive:
    """How a connection is found to be dead.

    :ivar interval: how long nothing may arrive before the server is pinged, in seconds
    :ivar timeout: how long nothing may arrive after a ping before the connection is given up
    """

    interval: float = 30.0
    timeout: float = 30.0


class WebSocketTransport(TransportABC):
    """Carries all channels over one WebSocket, and makes that again when it breaks.

    :param url: that of the channels of the kernel, ``ws(s)://host/base/api/kernels/<id>/channels``
    :param session: the id of the client's session, under which the server keeps what the client
        misses while it is not connected
    :param authorize: asked for the headers of each connection; asked again, with ``True``, once, if
        the server refuses them
    :param ssl: whom to trust, and how to show oneself; the default of Python when ``None``
    :param connect_timeout: how long making a connection may take, in seconds
    :raises ImportError: if the extra ``kernel-mgmt[gateway]`` is not installed
    """

    def __init__(
        self,
        url: str,
        *,
        session: str,
        authorize: Authorize,
        ssl: ssl_module.SSLContext | None = None,
        reconnection: Reconnection | None = None,
        keep_alive: KeepAlive | None = None,
        connect_timeout: float = 40.0,
    ) -> None:
        raise NotImplementedError

    def open(
        self,
        received: Received,
        ended: Callable[[], None],
        watch: Callable[[], Awaitable[None]],
    ) -> None:
        raise NotImplementedError

    def send(self, channel: Channel, parts: Sequence[Buffer]) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


def websocket_transport(connection_info: ConnectionInfo, *, session: str) -> WebSocketTransport:
    """Make the transport that a connection info describes.

    :raises ValueError: if it has no ``url``
    :raises ImportError: if the extra ``kernel-mgmt[gateway]`` is not installed
    """
    raise NotImplementedError

"""The WebSocket of a browser to a kernel on a gateway, in a Jupyter Server."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from jupyter_server.gateway import connections
from tornado.websocket import WebSocketClosedError
from traitlets import Unicode

from kernel_mgmt.exceptions import ClientClosedError, KernelDiedError
from kernel_mgmt.messages import MessageFactory
from kernel_mgmt.transports._websocket_frames import (
    V1,
    read_binary,
    read_text,
    write_json,
    write_v1,
)
from kernel_mgmt.wire import WireError

from ._messages import read_header
from ._settings import gateway_provider

if TYPE_CHECKING:
    from kernel_mgmt.abc import Buffer, KernelManagerABC, TransportABC
    from kernel_mgmt.types import Channel

__all__ = ("GatewayWebSocketConnection",)

# What a browser is told of a connection that is lost for good (RFC 6455, 7.4.1).
_UNEXPECTED = 1011
_NORMAL = 1000


class GatewayWebSocketConnection(connections.GatewayWebSocketConnection):
    """Hands messages on between a browser and the gateway, each in the framing of the receiver.

    For ``ServerApp.kernel_websocket_connection_class``. A connection to the gateway that breaks is made
    again, and what the kernel sent meanwhile is not lost. The browser is told if it cannot be.
    """

    kernel_ws_protocol = Unicode(
        None,
        allow_none=True,
        config=True,
        help="The subprotocol for browsers; an empty string is that of JSON, None is the newest.",
    )

    _transport: TransportABC | None = None

    async def connect(self) -> None:
        """Connect to the gateway, while what the browser sends waits."""
        remote: KernelManagerABC | None = getattr(self.kernel_manager, "remote", None)
        if remote is None:
            remote = await gateway_provider().attach(self.kernel_id)
        if self.disconnected:
            return
        transport = remote.make_transport(session=self.session_id or uuid4().hex)
        assert transport is not None
        self._transport = transport
        transport.undelivered = self._take_undelivered
        transport.open(self._receive, self._transport_ended, partial(self._watch, remote))

    def disconnect(self) -> None:  # type: ignore[override]
        """Take note that the browser has left."""
        self.disconnected = True
        if self._transport is not None:
            self._transport.close()

    def handle_incoming_message(self, message: str | bytes) -> None:
        """Send a message of the browser to the kernel."""
        try:
            if isinstance(message, str):
                channel, parts = read_text(message.encode("utf-8", "replace"))
            else:
                channel, parts = read_binary(message)
        except WireError as error:
            self.log.warning("Dropped what a browser has sent: %s", error)
            return
        try:
            if self._transport is not None:
                self._transport.send(channel, parts)
        except ClientClosedError:
            self.log.warning("Dropped a message to the kernel %s, which has ended", self.kernel_id)

    def handle_outgoing_message(  # type: ignore[override]
        self, channel: Channel, parts: Sequence[Buffer]
    ) -> None:
        """Send a message of the kernel to the browser."""
        speaks_v1 = self.websocket_handler.selected_subprotocol == V1
        is_text, data = (False, write_v1(channel, parts)) if speaks_v1 else _in_json(channel, parts)
        try:
            self.websocket_handler.write_message(data, binary=not is_text)
        except WebSocketClosedError:
            self.log.debug("Dropped a message to a browser that has left")

    def _receive(self, channel: Channel, parts: Sequence[Buffer]) -> None:
        if channel != "hb":
            self.handle_outgoing_message(channel, parts)

    def _take_undelivered(self, parts: Sequence[Buffer], failure: Callable[[], Exception]) -> None:
        """Answer in place of the kernel, which a browser would wait for."""
        told, error = read_header(parts), failure()
        self.log.warning("A message to the kernel %s may be lost: %s", self.kernel_id, error)
        content = {"ename": type(error).__name__, "evalue": str(error), "traceback": [str(error)]}
        reply_type = told["msg_type"].replace("_request", "_reply")
        self.handle_outgoing_message("iopub", _made("error", content, told))
        self.handle_outgoing_message(
            "shell", _made(reply_type, {"status": "error", "execution_count": 0, **content}, told)
        )
        self.handle_outgoing_message("iopub", _made("status", {"execution_state": "idle"}, told))

    async def _watch(self, remote: KernelManagerABC) -> None:
        while await remote.wait():
            pass
        self._end(KernelDiedError(remote.exit_status))

    def _transport_ended(self) -> None:
        failure = self._transport.failure if self._transport is not None else None
        if failure is not None:
            self._end(failure())

    def _end(self, failure: Exception) -> None:
        """Tell the browser that there is no kernel any more, rather than to be silent."""
        if self.disconnected:
            return
        self.log.warning("The kernel %s cannot be reached any more: %s", self.kernel_id, failure)
        if is_dead := isinstance(failure, KernelDiedError):
            self.handle_outgoing_message("iopub", _made("status", {"execution_state": "dead"}))
        self.websocket_handler.close(_NORMAL if is_dead else _UNEXPECTED)


def _made(
    msg_type: str, content: dict[str, Any], parent_header: dict[str, Any] | None = None
) -> Sequence[Buffer]:
    factory = MessageFactory(username="kernel")
    _, parts = factory.make(msg_type, content, parent_header=parent_header)
    return parts


def _in_json(channel: Channel, parts: Sequence[Buffer]) -> tuple[bool, bytes]:
    """Write a message as Jupyter Server does, whose messages have two members more."""
    is_text, data = write_json(channel, parts)
    if not is_text:
        return is_text, data
    header = read_header(parts)
    members = {name: header.get(name) for name in ("msg_id", "msg_type")}
    return True, data[:-1] + b"," + json.dumps(members).encode()[1:]

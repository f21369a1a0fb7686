"""A kernel that answers whatever it is asked to execute with one error."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import TYPE_CHECKING

import zmq

from kernel_mgmt.messages import Message, MessageFactory
from kernel_mgmt.wire import Signer, WireError

from ._bind import bind, prepare

if TYPE_CHECKING:
    from kernel_mgmt.types import Channel, ConnectionInfo, JSONDict

__all__ = ("ErrorKernel",)

_SOCKET_TYPES: Mapping[Channel, int] = {
    "shell": zmq.ROUTER,
    "control": zmq.ROUTER,
    "stdin": zmq.ROUTER,
    "iopub": zmq.PUB,
    "hb": zmq.ROUTER,
}
# What was sent last is given as long to go (milliseconds).
_LINGER = 1000

# The replies that are the same for every request.
_REPLIES: Mapping[str, JSONDict] = {
    "interrupt_request": {"status": "ok"},
    "is_complete_request": {"status": "complete"},
    "comm_info_request": {"status": "ok", "comms": {}},
    "history_request": {"status": "ok", "history": []},
    "inspect_request": {"status": "ok", "found": False, "data": {}, "metadata": {}},
    "complete_request": {"status": "ok", "matches": [], "metadata": {}},
}


class ErrorKernel:
    """Tells a front-end why there is no kernel, where the kernel would have told its results.

    :param connection_info: where it listens; the front-end knows it already
    :param error: what has kept the kernel from starting
    """

    def __init__(self, connection_info: ConnectionInfo, error: Exception) -> None:
        self._signer = Signer(
            connection_info.get("key", "").encode(),
            connection_info.get("signature_scheme", "hmac-sha256"),
            allow_unsigned=True,
        )
        self._factory = MessageFactory(username="kernel")
        self._error: JSONDict = {
            "ename": type(error).__name__,
            "evalue": str(error),
            "traceback": traceback.format_exception_only(error),
        }
        self._executed = 0
        self._asked_to_end = False
        self._context = zmq.Context()
        self._sockets = {
            channel: _bound(self._context, channel, kind, connection_info)
            for channel, kind in _SOCKET_TYPES.items()
        }

    def serve(self) -> None:
        """Answer until a shutdown is asked for."""
        poller = zmq.Poller()
        for channel in ("shell", "control", "hb"):
            poller.register(self._sockets[channel], zmq.POLLIN)
        try:
            while not self._asked_to_end:
                for socket, _ in poller.poll():
                    self._take(socket)
        finally:
            self._context.destroy(linger=_LINGER)

    def _take(self, socket: zmq.Socket[bytes]) -> None:
        frames = socket.recv_multipart()
        if socket is self._sockets["hb"]:
            socket.send_multipart(frames)
            return
        channel: Channel = "control" if socket is self._sockets["control"] else "shell"
        try:
            request = Message(channel, self._signer.parse(frames))
        except (WireError, ValueError):
            return
        identities = frames[: frames.index(b"<IDS|MSG>")]
        self._publish(request, "status", {"execution_state": "busy"})
        content = self._answer(request)
        if content is not None:
            self._send(channel, identities, request, _reply_to(request.msg_type), content)
        self._publish(request, "status", {"execution_state": "idle"})

    def _publish(self, request: Message, msg_type: str, content: JSONDict) -> None:
        self._send("iopub", [msg_type.encode()], request, msg_type, content)

    def _send(
        self,
        channel: Channel,
        identities: list[bytes],
        request: Message,
        msg_type: str,
        content: JSONDict,
    ) -> None:
        _, parts = self._factory.make(msg_type, content, parent_header=request.header)
        self._sockets[channel].send_multipart([*identities, *self._signer.frames(parts)])

    def _answer(self, request: Message) -> JSONDict | None:
        """The content of the reply, or ``None`` if there is none."""
        match request.msg_type:
            case "execute_request":
                return self._execute(request)
            case "shutdown_request":
                self._asked_to_end = True
                return {"status": "ok", "restart": request.content.get("restart", False)}
            case "kernel_info_request":
                return self._kernel_info()
            case "complete_request":
                position = request.content.get("cursor_pos", 0)
                return {
                    **_REPLIES["complete_request"],
                    "cursor_start": position,
                    "cursor_end": position,
                }
            case _:
                return _REPLIES.get(request.msg_type)

    def _kernel_info(self) -> JSONDict:
        return {
            "status": "ok",
            "protocol_version": "5.3",
            "implementation": "kernel_mgmt",
            "implementation_version": "0",
            "banner": self._error["evalue"],
            "help_links": [],
            "language_info": {
                "name": "text",
                "version": "",
                "mimetype": "text/plain",
                "file_extension": ".txt",
            },
        }

    def _execute(self, request: Message) -> JSONDict:
        self._executed += 1
        code = request.content.get("code", "")
        counted = {"code": code, "execution_count": self._executed}
        self._publish(request, "execute_input", counted)
        self._publish(request, "error", self._error)
        return {"status": "error", "execution_count": self._executed, **self._error}


def _reply_to(msg_type: str) -> str:
    return msg_type.removesuffix("_request") + "_reply"


def _bound(
    context: zmq.Context[zmq.Socket[bytes]], channel: Channel, kind: int, info: ConnectionInfo
) -> zmq.Socket[bytes]:
    socket = context.socket(kind)
    prepare(socket, info)
    bind(socket, channel, info)
    return socket

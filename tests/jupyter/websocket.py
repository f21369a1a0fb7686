"""A kernel of a server, as a front-end in the browser talks to it."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from time import monotonic
from typing import Any
from uuid import uuid4

from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from .server import Server

V1 = Subprotocol("v1.kernel.websocket.jupyter.org")
_PATIENCE = 60.0
_PARTS = ("header", "parent_header", "metadata", "content")

JupyterMessage = dict[str, Any]


class WebSocket:
    """One connection to the channels of a kernel; messages are framed as the server agreed to."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._session = uuid4().hex

    def send(self, channel: str, msg_type: str, content: Mapping[str, object]) -> str:
        """Send a message, and return its id."""
        msg_id = uuid4().hex
        header = {
            "msg_id": msg_id,
            "msg_type": msg_type,
            "session": self._session,
            "username": "",
            "version": "5.3",
        }
        message = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
        if self._connection.subprotocol == V1:
            self._connection.send(_packed(channel, message))
        else:
            self._connection.send(json.dumps({**message, "channel": channel, "buffers": []}))
        return msg_id

    def receive(
        self, msg_type: str, parent_id: str | None = None, *, patience: float = _PATIENCE
    ) -> JupyterMessage:
        """Wait for a message of a type, in answer to another; those before it are dropped."""
        until = monotonic() + patience
        while True:
            frame = self._connection.recv(until - monotonic())
            message = json.loads(frame) if isinstance(frame, str) else _unpacked(frame)
            if message["header"]["msg_type"] == msg_type and parent_id in (
                None,
                message["parent_header"].get("msg_id"),
            ):
                return message

    def wait_for_state(self, state: str) -> None:
        """Wait until the kernel, or the server in its place, tells a state."""
        while self.receive("status")["content"]["execution_state"] != state:
            pass

    def wait_until_it_is_heard(self) -> None:
        """Ask until the kernel answers, and what it publishes comes through.

        The sockets of the server find a kernel that has been restarted again at their leisure.
        """
        until = monotonic() + _PATIENCE
        while True:
            request_id = self.send("shell", "kernel_info_request", {})
            try:
                self.receive("status", request_id, patience=1)
            except TimeoutError:
                assert monotonic() < until
            else:
                return

    def execute(self, code: str) -> str:
        content = {"code": code, "silent": False, "allow_stdin": True, "stop_on_error": False}
        return self.send("shell", "execute_request", content)

    def printed(self, code: str) -> str:
        """Run code, and return what it prints first."""
        return str(self.receive("stream", self.execute(code))["content"]["text"])


@contextmanager
def channels(
    server: Server, kernel_id: str, subprotocol: Subprotocol | None
) -> Generator[WebSocket]:
    """Connect to a kernel, with the framing of a subprotocol, or in JSON."""
    url = f"{server.url}/api/kernels/{kernel_id}/channels?token={server.token}"
    offered = None if subprotocol is None else [subprotocol]
    with connect(url.replace("http", "ws", 1), subprotocols=offered, max_size=None) as connection:
        assert connection.subprotocol == subprotocol
        yield WebSocket(connection)


def _packed(channel: str, message: JupyterMessage) -> bytes:
    parts = [channel.encode(), *(json.dumps(message[name]).encode() for name in _PARTS)]
    offsets = [8 * (len(parts) + 2)]
    for part in parts:
        offsets.append(offsets[-1] + len(part))
    numbers = [len(offsets), *offsets]
    return b"".join([*(number.to_bytes(8, "little") for number in numbers), *parts])


def _unpacked(frame: bytes) -> JupyterMessage:
    def numbers() -> Iterator[int]:
        for start in range(0, 8 * (int.from_bytes(frame[:8], "little") + 1), 8):
            yield int.from_bytes(frame[start : start + 8], "little")

    _, *offsets = numbers()
    parts = [frame[start:end] for start, end in pairwise(offsets)]
    return dict(zip(_PARTS, map(json.loads, parts[1:5]), strict=True))

"""A kernel whose code is a number, and which prints that many small messages at once.

A second number makes them displays with a binary buffer of so many bytes.

``python -m benchmarks._fake_kernel CONNECTION_FILE``; it runs until it is killed.
"""

from __future__ import annotations

import hmac
import json
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import zmq

from ._floor import DELIMITER, address

TEXT = "a small line of output\n"
KERNEL_INFO = {
    "status": "ok",
    "protocol_version": "5.4",
    "implementation": "benchmark",
    "implementation_version": "1",
    "language_info": {"name": "number", "version": "1", "mimetype": "", "file_extension": ".n"},
    "banner": "",
}


class FakeKernel:
    """Answers ``kernel_info_request``, ``execute_request`` and the heartbeat."""

    def __init__(self, info: dict[str, Any]) -> None:
        self._context = zmq.Context()
        self._key = info["key"].encode()
        self._iopub = self._bind(zmq.PUB, info, "iopub")
        self._shell = self._bind(zmq.ROUTER, info, "shell")
        self._control = self._bind(zmq.ROUTER, info, "control")
        self._stdin = self._bind(zmq.ROUTER, info, "stdin")
        self._heartbeat = self._bind(zmq.ROUTER, info, "hb")
        self._session = uuid4().hex

    def _bind(self, kind: int, info: dict[str, Any], channel: str) -> zmq.Socket[bytes]:
        sock = self._context.socket(kind)
        # Nothing may be dropped, however slow the client is.
        sock.setsockopt(zmq.SNDHWM, 0)
        sock.bind(address(info, channel))
        return sock

    def run(self) -> None:
        """Serve forever."""
        poller = zmq.Poller()
        for sock in (self._shell, self._control, self._heartbeat):
            poller.register(sock, zmq.POLLIN)
        while True:
            for sock, _ in poller.poll():
                frames = sock.recv_multipart()
                if sock is self._heartbeat:
                    sock.send_multipart(frames)
                else:
                    self._answer(sock, frames)

    def _answer(self, sock: zmq.Socket[bytes], frames: list[bytes]) -> None:
        start = frames.index(DELIMITER)
        parent, content = frames[start + 2], json.loads(frames[start + 5])
        kind = json.loads(parent)["msg_type"]
        reply: dict[str, Any] = KERNEL_INFO
        self._publish(self._message("status", {"execution_state": "busy"}, parent))
        if kind == "execute_request":
            for message in self._flood(parent, *map(int, content["code"].split())):
                self._publish(message)
            reply = {"status": "ok", "execution_count": 1, "user_expressions": {}, "payload": []}
        answer = self._message(kind.replace("request", "reply"), reply, parent)
        sock.send_multipart([*frames[:start], *answer])
        self._publish(self._message("status", {"execution_state": "idle"}, parent))

    def _flood(self, parent: bytes, count: int, size: int = 0) -> list[list[bytes]]:
        """Sign all before the first is sent, so that they come as fast as zmq can."""
        if not size:
            stream = {"name": "stdout", "text": TEXT}
            return [self._message("stream", stream, parent) for _ in range(count)]
        display: dict[str, Any] = {"data": {}, "metadata": {}}
        buffer = bytes(size)
        return [[*self._message("display_data", display, parent), buffer] for _ in range(count)]

    def _publish(self, message: list[bytes]) -> None:
        # Large buffers are handed to zmq without a copy.
        self._iopub.send_multipart([b"kernel", *message], copy=len(message) == 6)

    def _message(self, kind: str, content: dict[str, Any], parent: bytes) -> list[bytes]:
        header = {
            "msg_id": uuid4().hex,
            "msg_type": kind,
            "session": self._session,
            "username": "benchmark",
            "date": "2024-01-01T00:00:00.000000Z",
            "version": "5.4",
        }
        parts = [json.dumps(header).encode(), parent, b"{}", json.dumps(content).encode()]
        signature = hmac.digest(self._key, b"".join(parts), "sha256").hex().encode()
        return [DELIMITER, signature, *parts]


if __name__ == "__main__":
    FakeKernel(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))).run()

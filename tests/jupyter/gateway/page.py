"""A page in the browser that talks to a kernel of a server, in the framings of jupyter_server."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Any, cast
from uuid import uuid4

from jupyter_server.services.kernels.connection import base
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.jupyter.server import Server
from tests.jupyter.websocket import V1

_PATIENCE = 60.0
_PARTS = ("header", "parent_header", "metadata", "content")
# Its functions have no types.
_framings = cast("Any", base)


class Page:
    """One connection to the channels of a kernel."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._speaks_v1 = connection.subprotocol == V1

    def send(
        self,
        msg_type: str,
        content: dict[str, Any],
        *,
        channel: str = "shell",
        buffers: Sequence[bytes] = (),
    ) -> str:
        """Send a message, and return its id."""
        header = {"msg_id": uuid4().hex, "msg_type": msg_type, "session": "page", "version": "5.3"}
        message: dict[str, Any] = dict(zip(_PARTS, (header, {}, {}, content), strict=True))
        if self._speaks_v1:
            parts = [json.dumps(message[name]).encode() for name in _PARTS]
            self._connection.send(_framings.serialize_msg_to_ws_v1([*parts, *buffers], channel))
        else:
            message |= {"channel": channel, "buffers": list(buffers)}
            self._connection.send(_framings.serialize_binary_message(message))
        return header["msg_id"]

    def receive(self, msg_type: str, parent_id: str | None = None) -> dict[str, Any]:
        """Wait for a message of a type, in answer to another; those before it are dropped."""
        until = monotonic() + _PATIENCE
        while True:
            message = self._read(self._connection.recv(until - monotonic()))
            answers = parent_id in (None, message["parent_header"].get("msg_id"))
            if answers and message["header"]["msg_type"] == msg_type:
                return message

    def run(self, code: str) -> str:
        """Run code, and return its id."""
        content = {"code": code, "silent": False, "allow_stdin": True, "stop_on_error": False}
        return self.send("execute_request", content)

    def printed(self, code: str) -> str:
        """Run code, and return what it prints first."""
        return str(self.receive("stream", self.run(code))["content"]["text"])

    def error_of(self, code: str) -> str:
        """Run code, and return the name of the error that it raises."""
        return str(self.receive("execute_reply", self.run(code))["content"]["ename"])

    def answer(self, question: str, answer: str) -> str:
        """Have code ask a question, answer it, and return what it prints then."""
        asked = self.run(f"print(input({question!r}))")
        assert self.receive("input_request", asked)["content"]["prompt"] == question
        self.send("input_reply", {"value": answer}, channel="stdin")
        return str(self.receive("stream", asked)["content"]["text"])

    def echo(self, *buffers: bytes) -> list[bytes]:
        """Send buffers to a target of comms that sends them back."""
        self.receive("execute_reply", self.run(_ECHO))
        content: dict[str, Any] = {"comm_id": uuid4().hex, "target_name": "echo", "data": {}}
        asked = self.send("comm_open", content, buffers=buffers)
        return list(map(bytes, self.receive("comm_msg", asked)["buffers"]))

    def wait_until_closed(self) -> int:
        """Wait until the server closes the connection, and return the code that it gives."""
        until = monotonic() + _PATIENCE
        try:
            while True:
                self._connection.recv(until - monotonic())
        except ConnectionClosed as closed:
            return 0 if closed.rcvd is None else closed.rcvd.code

    def _read(self, frame: str | bytes) -> dict[str, Any]:
        if isinstance(frame, str):
            message: dict[str, Any] = json.loads(frame)
            assert message["msg_id"] == message["header"]["msg_id"]
            assert not self._speaks_v1
        elif self._speaks_v1:
            _, parts = _framings.deserialize_msg_from_ws_v1(frame)
            message = dict(zip(_PARTS, map(json.loads, parts[:4]), strict=True))
            message["buffers"] = parts[4:]
        else:
            message = _framings.deserialize_binary_message(frame)
        return message


_ECHO = """
def echo(comm, message):
    comm.send({}, buffers=message["buffers"])
get_ipython().kernel.comm_manager.register_target("echo", echo)
"""


@contextmanager
def opened(server: Server, kernel_id: str, *, v1: bool = True) -> Generator[Page]:
    """Open a page that offers the framing of the subprotocol, or not."""
    url = f"{server.url}/api/kernels/{kernel_id}/channels?token={server.token}"
    url += f"&session_id={uuid4().hex}"
    offered = [V1] if v1 else None
    with connect(url.replace("http", "ws", 1), subprotocols=offered, max_size=None) as connection:
        assert (connection.subprotocol == V1) is v1
        yield Page(connection)


def lead_a_life(server: Server, name: str, *, v1: bool = True) -> None:
    """Start a kernel of a server, have a page do all that is done with one, and end it."""
    kernel_id = json.loads(server.ask("/api/kernels", {"name": name}))["id"]
    try:
        with opened(server, kernel_id, v1=v1) as page:
            assert page.printed("print(6 * 7)") == "42\n"
            assert page.echo(b"\x80\xff\x00", bytes(100_000)) == [b"\x80\xff\x00", bytes(100_000)]
            assert page.answer("Who? ", "ada") == "ada\n"

            busy = page.run("import time; print('busy', flush=True); time.sleep(600)")
            page.receive("stream", busy)
            server.ask(f"/api/kernels/{kernel_id}/interrupt", {})
            assert page.receive("execute_reply", busy)["content"]["ename"] == "KeyboardInterrupt"

            page.printed("x = 1; print(x)")
            server.ask(f"/api/kernels/{kernel_id}/restart", {})
            assert page.error_of("x") == "NameError"
        assert kernel_id in [each["id"] for each in server.get("/api/kernels")]
    finally:
        server.ask(f"/api/kernels/{kernel_id}", method="DELETE")
    assert kernel_id not in [each["id"] for each in server.get("/api/kernels")]

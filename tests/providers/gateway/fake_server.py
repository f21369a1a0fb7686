"""A server of one kernel that does what a script says, connection by connection, and wrong on demand."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from http import HTTPStatus
from itertools import accumulate, pairwise
from typing import Any, Literal, NamedTuple, Self, TypeAlias
from uuid import uuid4

from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

V1 = Subprotocol("v1.kernel.websocket.jupyter.org")
# Nothing takes longer (seconds): a script that waits in vain fails, and does not hang.
_MOST = 30.0

Framing: TypeAlias = Literal["v1", "json"]
Script: TypeAlias = "Callable[[FakeConnection], None]"


class Received(NamedTuple):
    """A message that the client has sent.

    :ivar framing: how it was written
    """

    framing: Framing
    channel: str
    header: dict[str, Any]
    content: dict[str, Any]
    buffers: list[bytes]

    @property
    def msg_type(self) -> str:
        msg_type: str = self.header["msg_type"]
        return msg_type


class Message(NamedTuple):
    """A message to the client, which may be sent again as it is."""

    channel: str
    header: dict[str, Any]
    parent_header: dict[str, Any]
    content: dict[str, Any]
    buffers: Sequence[bytes] = ()

    def in_json(self) -> tuple[bool, bytes]:
        """Whether it is text in JSON framing, and the data."""
        document: dict[str, Any] = {
            "channel": self.channel,
            "header": self.header,
            "msg_id": self.header["msg_id"],
            "msg_type": self.header["msg_type"],
            "parent_header": self.parent_header,
            "metadata": {},
            "content": self.content,
            "buffers": [],
        }
        text = json.dumps(document).encode()
        return (True, text) if not self.buffers else (False, _behind_offsets(text, *self.buffers))

    def in_v1(self) -> tuple[bool, bytes]:
        """Whether it is text in the framing of the subprotocol, which it is not, and the data."""
        parts: list[dict[str, Any]] = [self.header, self.parent_header, {}, self.content]
        pieces = [self.channel.encode(), *(json.dumps(part).encode() for part in parts)]
        pieces += self.buffers
        count = len(pieces) + 1
        offsets = accumulate(map(len, pieces), initial=8 * (count + 1))
        return False, b"".join([struct.pack(f"<{count + 1}Q", count, *offsets), *pieces])


def message(
    msg_type: str,
    content: dict[str, Any],
    parent: Received | None = None,
    *,
    channel: str = "iopub",
    buffers: Sequence[bytes] = (),
) -> Message:
    """Make a message, by default one that is published."""
    header = {"msg_id": uuid4().hex, "msg_type": msg_type, "session": "kernel", "version": "5.3"}
    return Message(channel, header, {} if parent is None else parent.header, content, buffers)


def status(state: str, parent: Received | None = None) -> Message:
    """Make a message that tells the state of the kernel."""
    return message("status", {"execution_state": state}, parent)


def stream(text: str, parent: Received) -> Message:
    """Make a message with output."""
    return message("stream", {"name": "stdout", "text": text}, parent)


def reply(request: Received, **content: Any) -> Message:
    """Make the reply to a request."""
    msg_type = request.msg_type.replace("_request", "_reply")
    return message(msg_type, {"status": "ok", **content}, request, channel=request.channel)


class HungUp(Exception):
    """Raised in a script when the client has left."""


class FakeConnection:
    """One connection of a client, seen from the server.

    :ivar request: the request for the upgrade
    :ivar answers_pings: whether pings are answered, when they are read
    :ivar pings: how many have come
    """

    def __init__(self, stream: socket.socket, *, deflate: bool = False) -> None:
        self.answers_pings = True
        self.pings = 0
        self.pongs: list[bytes] = []
        self.subprotocol: Subprotocol | None = None
        self._stream = stream
        self._frames: list[Frame] = []
        self._protocol = ServerProtocol(
            subprotocols=[V1],
            select_subprotocol=lambda _, offered: self.subprotocol,
            extensions=[ServerPerMessageDeflateFactory()] if deflate else None,
            max_size=None,
        )
        self.request = self._read_request()

    @property
    def deflates(self) -> bool:
        """Whether frames are compressed."""
        return self._protocol.extensions != []

    def refuse(self, status: int) -> None:
        """Answer with another HTTP status than that of the upgrade."""
        response = self._protocol.reject(HTTPStatus(status), "no\n")
        self._protocol.send_response(response)
        self._flush()
        self._stream.close()

    def accept(self, framing: Framing = "v1") -> None:
        """Answer with the upgrade, and agree to the subprotocol or not."""
        self.subprotocol = V1 if framing == "v1" else None
        self._protocol.send_response(self._protocol.accept(self.request))
        self._flush()

    def take(self, msg_type: str | None = None) -> Received:
        """Wait for the next message, or the next of a type.

        :raises HungUp: if the client leaves
        """
        while True:
            frame = self._next_frame()
            if frame.opcode in (Opcode.TEXT, Opcode.BINARY):
                received = _read(frame)
                if msg_type in (None, received.msg_type):
                    return received

    def stay(self) -> None:
        """Answer pings, and take what comes, until the client leaves."""
        with suppress(HungUp):
            while True:
                self._next_frame()

    def wait_for_ping(self) -> None:
        """Wait until a ping has come."""
        before = self.pings
        while self.pings == before:
            self._next_frame()

    def send(self, *messages: Message) -> None:
        """Send messages in the framing that was agreed to."""
        for each in messages:
            self.send_data(*(each.in_json() if self.subprotocol is None else each.in_v1()))

    def send_as(self, framing: Framing, each: Message) -> None:
        """Send a message in a framing, whatever was agreed to."""
        self.send_data(*(each.in_json() if framing == "json" else each.in_v1()))

    def send_data(self, is_text: bool, data: bytes, *, fin: bool = True) -> None:
        """Send a frame, or the first of several."""
        send = self._protocol.send_text if is_text else self._protocol.send_binary
        send(data, fin)
        self._flush()

    def send_on(self, data: bytes, *, fin: bool) -> None:
        """Send another frame of what was begun."""
        self._protocol.send_continuation(data, fin)
        self._flush()

    def send_bytes(self, data: bytes) -> None:
        """Send what may be no frame at all."""
        self._stream.sendall(data)

    def ping(self) -> None:
        """Ping, and wait for the pong."""
        before = len(self.pongs)
        self._protocol.send_ping(b"are you there?")
        self._flush()
        while len(self.pongs) == before:
            self._next_frame()

    def answer(self, request: Received, *published: Message, **content: Any) -> None:
        """Answer a request as a kernel does: busy, what it publishes, the reply, and idle."""
        self.send(status("busy", request), *published)
        self.send(reply(request, **content), status("idle", request))

    def serve(self) -> None:
        """Be a kernel that prints the code that it is given, until the client leaves."""
        with suppress(HungUp):
            while True:
                request = self.take()
                if request.msg_type == "execute_request":
                    self.answer(request, stream(request.content["code"], request))
                elif request.msg_type.endswith("_request"):
                    self.answer(request)

    def close(self, code: int = 1000) -> None:
        """Close as it should be done."""
        self._protocol.send_close(code)
        self._flush()
        self.stay()

    def drop(self) -> None:
        """Break the connection without a word (1006)."""
        self._stream.shutdown(socket.SHUT_RDWR)
        self._stream.close()

    def _read_request(self) -> Request:
        while True:
            for event in self._protocol.events_received():
                if isinstance(event, Request):
                    return event
            self._receive()

    def _next_frame(self) -> Frame:
        while not self._frames:
            self._receive()
            self._frames += [e for e in self._protocol.events_received() if isinstance(e, Frame)]
            if self.answers_pings:
                self._flush()
            else:
                self._protocol.data_to_send()
        frame = self._frames.pop(0)
        if frame.opcode is Opcode.PING:
            self.pings += 1
        elif frame.opcode is Opcode.PONG:
            self.pongs.append(bytes(frame.data))
        return frame

    def _receive(self) -> None:
        try:
            data = self._stream.recv(65_536)
        except OSError as error:
            if isinstance(error, TimeoutError):
                raise
            data = b""
        if not data:
            raise HungUp
        self._protocol.receive_data(data)

    def _flush(self) -> None:
        try:
            self._stream.sendall(b"".join(self._protocol.data_to_send()))
        except OSError as error:
            raise HungUp from error


class FakeServer:
    """Serves each connection by the next script, and further ones by the last.

    :param scripts: functions that get a connection, and run in a thread of their own
    :param context: for a server that speaks TLS

    :ivar port: where it listens
    :ivar url: that of the channels of the kernel
    :ivar requests: the requests for upgrades, in order
    :ivar faults: what scripts raised, but for clients that have left
    """

    def __init__(
        self, *scripts: Script, context: ssl.SSLContext | None = None, deflate: bool = False
    ) -> None:
        self.requests: list[Request] = []
        self.faults: list[BaseException] = []
        self._scripts = [*scripts]
        self._context = context
        self._deflate = deflate
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        scheme = "ws" if context is None else "wss"
        self.url = f"{scheme}://127.0.0.1:{self.port}/base/api/kernels/an-id/channels"
        self._streams: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *exception: object) -> None:
        # A blocking accept ends only when somebody comes, or the socket is shut down.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join()
        for stream in self._streams:
            with suppress(OSError):
                stream.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join()
        for stream in self._streams:
            stream.close()

    def _accept(self) -> None:
        for count in range(1_000_000):
            try:
                stream, _ = self._listener.accept()
            except OSError:
                return
            stream.settimeout(_MOST)
            self._streams.append(stream)
            script = self._scripts[min(count, len(self._scripts) - 1)]
            thread = threading.Thread(target=self._serve, args=(stream, script))
            self._threads.append(thread)
            thread.start()

    def _serve(self, stream: socket.socket, script: Script) -> None:
        try:
            if self._context is not None:
                stream = self._context.wrap_socket(stream, server_side=True)
                stream.settimeout(_MOST)
                self._streams.append(stream)
            connection = FakeConnection(stream, deflate=self._deflate)
            self.requests.append(connection.request)
            script(connection)
        except (HungUp, ssl.SSLError, ConnectionError):
            pass
        except BaseException as fault:  # noqa: BLE001 - the test looks at it
            self.faults.append(fault)
        finally:
            with suppress(OSError):
                stream.close()


def kernel(connection: FakeConnection) -> None:
    """Be a kernel, in the framing that the client offers."""
    connection.accept()
    connection.serve()


def json_kernel(connection: FakeConnection) -> None:
    """Be a kernel of a server that knows no subprotocol."""
    connection.accept("json")
    connection.serve()


def refusing(status: int) -> Script:
    """Refuse the upgrade."""
    return lambda connection: connection.refuse(status)


def _read(frame: Frame) -> Received:
    data = bytes(frame.data)
    if frame.opcode is Opcode.BINARY and data[0] != 0:
        count = int.from_bytes(data[:8], "little")
        offsets = struct.unpack_from(f"<{count}Q", data, 8)
        pieces = [data[a:b] for a, b in pairwise(offsets)]
        header, content = json.loads(pieces[1]), json.loads(pieces[4])
        return Received("v1", pieces[0].decode(), header, content, pieces[5:])
    buffers: list[bytes] = []
    if frame.opcode is Opcode.BINARY:
        count = int.from_bytes(data[:4], "big")
        offsets = (*struct.unpack_from(f">{count}I", data, 4), len(data))
        data, *buffers = [data[a:b] for a, b in pairwise(offsets)]
    document = json.loads(data)
    channel, header, content = (document[name] for name in ("channel", "header", "content"))
    return Received("json", channel, header, content, buffers)


def _behind_offsets(*pieces: bytes) -> bytes:
    count = len(pieces)
    offsets = accumulate(map(len, pieces[:-1]), initial=4 * (count + 1))
    return b"".join([struct.pack(f">{count + 1}I", count, *offsets), *pieces])

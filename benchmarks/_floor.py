"""The floor: raw pyzmq, msgspec and hmac, with nothing between.

It does no more than the protocol asks for: what it receives it verifies, and it decodes the header,
the parent header and the content.
"""

from __future__ import annotations

import hmac
import os
import subprocess
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from socket import AF_INET, SOCK_STREAM, socket
from typing import Any, Literal, NamedTuple, TypeAlias
from uuid import uuid4

import msgspec
import zmq

from ._environment import kernel_argv, runtime_directory

Transport: TypeAlias = Literal["tcp", "ipc"]
# The type, the content and the buffers of a message.
Take: TypeAlias = Callable[[str, dict[str, Any], Sequence[Any]], None]
CHANNELS = ("shell", "iopub", "stdin", "control", "hb")
DELIMITER = b"<IDS|MSG>"
# zmq's default of 100 ms adds about 50 ms to a start.
RECONNECT_MS = 4
DEADLINE_MS = 30_000


class Header(msgspec.Struct):
    """What is looked at in a header and in a parent header."""

    msg_id: str = ""
    msg_type: str = ""


class Received(NamedTuple):
    """A message that was verified."""

    header: Header
    parent: Header
    content: dict[str, Any]
    buffers: list[Any]


def make_connection_info(transport: Transport) -> dict[str, Any]:
    """Return a connection info with free ports and a new key."""
    info: dict[str, Any] = {
        "transport": transport,
        "ip": "127.0.0.1",
        "key": token_hex(32),
        "signature_scheme": "hmac-sha256",
    }
    if transport == "ipc":
        info["ip"] = str(runtime_directory() / f"ipc-{token_hex(4)}")
        return info | {f"{name}_port": n for n, name in enumerate(CHANNELS, 1)}
    held = [socket(AF_INET, SOCK_STREAM) for _ in CHANNELS]
    for name, sock in zip(CHANNELS, held, strict=True):
        sock.bind(("127.0.0.1", 0))
        info[f"{name}_port"] = sock.getsockname()[1]
    for sock in held:
        sock.close()
    return info


def address(info: dict[str, Any], channel: str) -> str:
    """Return the address of a channel."""
    separator = "-" if info["transport"] == "ipc" else ":"
    return f"{info['transport']}://{info['ip']}{separator}{info[f'{channel}_port']}"


def write_connection_file(info: dict[str, Any]) -> Path:
    """Write the connection file that a kernel is started with."""
    path = runtime_directory() / f"kernel-{token_hex(8)}.json"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(info))
    return path


def spawn(argv: list[str]) -> subprocess.Popen[bytes]:
    """Start a process that prints nowhere, in a session of its own."""
    null = subprocess.DEVNULL
    return subprocess.Popen(argv, stdin=null, stdout=null, stderr=null, start_new_session=True)


@contextmanager
def spawned_kernel(argv: list[str], connection_file: Path) -> Generator[None]:
    """Start a kernel, and end it on leaving."""
    process = spawn(argv)
    try:
        yield
    finally:
        process.kill()
        process.wait()
        connection_file.unlink()


@contextmanager
def running_ipykernel(transport: Transport) -> Generator[dict[str, Any]]:
    """Start an ipykernel, and give its connection info once it answers."""
    info = make_connection_info(transport)
    file = write_connection_file(info)
    with spawned_kernel(kernel_argv(file), file):
        client = FloorClient(info)
        client.wait_for_ready()
        client.close()
        yield info


class FloorClient:
    """Talks to a kernel by blocking calls.

    :param copy: whether frames are copied out of the memory of zmq, which is cheaper for small ones
    """

    def __init__(self, info: dict[str, Any], *, copy: bool = True) -> None:
        self._copy = copy
        self._context = zmq.Context()
        self._session = uuid4().hex.encode()
        self._mac = hmac.new(info["key"].encode(), digestmod="sha256")
        self._decode_header = msgspec.json.Decoder(Header).decode
        self._decode_content = msgspec.json.Decoder(dict[str, Any]).decode
        self.shell = self._connect(zmq.DEALER, info, "shell")
        self.control = self._connect(zmq.DEALER, info, "control")
        self.iopub = self._connect(zmq.SUB, info, "iopub")
        self._poller = zmq.Poller()
        self._poller.register(self.shell, zmq.POLLIN)
        self._poller.register(self.iopub, zmq.POLLIN)

    def _connect(self, kind: int, info: dict[str, Any], channel: str) -> zmq.Socket[bytes]:
        sock = self._context.socket(kind)
        sock.setsockopt(zmq.LINGER, 0)
        sock.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
        sock.setsockopt(zmq.RCVHWM, 0)
        if kind == zmq.SUB:
            sock.setsockopt(zmq.SUBSCRIBE, b"")
        sock.connect(address(info, channel))
        return sock

    def send(self, sock: zmq.Socket[bytes], msg_type: str, content: dict[str, Any]) -> str:
        """Send a request, and return its ``msg_id``."""
        msg_id = uuid4().hex
        header = (
            b'{"msg_id":"%b","msg_type":"%b","session":"%b","username":"","date":'
            b'"2024-01-01T00:00:00Z","version":"5.4"}'
            % (msg_id.encode(), msg_type.encode(), self._session)
        )
        parts = [header, b"{}", b"{}", msgspec.json.encode(content)]
        sock.send_multipart([DELIMITER, self._sign(parts), *parts])
        return msg_id

    def receive(self, sock: zmq.Socket[bytes]) -> Received:
        """Take a message that is there.

        :raises zmq.Again: if there is none
        """
        frames: list[Any] = sock.recv_multipart(zmq.NOBLOCK, copy=self._copy)
        if not self._copy:
            frames = [frame.buffer for frame in frames]
        start = frames.index(DELIMITER)
        parts = frames[start + 2 : start + 6]
        if not hmac.compare_digest(self._sign(parts), bytes(frames[start + 1])):
            raise ValueError("The signature does not match")
        header, parent, _, content = parts
        return Received(
            self._decode_header(header),
            self._decode_header(parent),
            self._decode_content(content),
            frames[start + 6 :],
        )

    def _sign(self, parts: list[bytes]) -> bytes:
        mac = self._mac.copy()
        for part in parts:
            mac.update(part)
        return mac.hexdigest().encode()

    def wait(self, milliseconds: int = DEADLINE_MS) -> dict[Any, int]:
        """Wait for a message on shell or iopub, and return the sockets that have one."""
        ready = dict(self._poller.poll(milliseconds))
        if not ready and milliseconds == DEADLINE_MS:
            raise TimeoutError("The kernel does not answer")
        return ready

    def wait_for_ready(self) -> None:
        """Wait until a reply on shell and a message on iopub were seen."""
        self.send(self.shell, "kernel_info_request", {})
        missing = {self.shell, self.iopub}
        while missing:
            # Only iopub can be missing after a while: it subscribed too late, so ask once more.
            ready = self.wait(20 if self.shell not in missing else DEADLINE_MS)
            if not ready:
                self.send(self.shell, "kernel_info_request", {})
            for sock in ready:
                self.receive(sock)
                missing.discard(sock)

    def execute(self, code: str, take: Take | None = None) -> None:
        """Execute code, and wait for the reply and for idle.

        :param take: called with each message that is published for it
        """
        msg_id = self.send(self.shell, "execute_request", execute_content(code))
        progress = Progress([msg_id], take)
        while not progress.complete:
            for sock in self.wait():
                self.drain(sock, progress)

    def drain(self, sock: zmq.Socket[bytes], progress: Progress) -> None:
        """Take every message that is there."""
        while True:
            try:
                message = self.receive(sock)
            except zmq.Again:
                return
            progress.take(message)

    def close(self) -> None:
        """Close at once."""
        self._context.destroy(linger=0)


class Progress:
    """How far requests to execute have come."""

    def __init__(self, msg_ids: Iterable[str], take: Take | None) -> None:
        self._msg_ids = frozenset(msg_ids)
        self._take = take
        self._left = 2 * len(self._msg_ids)

    @property
    def complete(self) -> bool:
        """Whether each reply and each idle were seen."""
        return self._left == 0

    def take(self, message: Received) -> None:
        """Note what a message tells."""
        if message.parent.msg_id not in self._msg_ids:
            return
        kind = message.header.msg_type
        if kind == "execute_reply" or (
            kind == "status" and message.content["execution_state"] == "idle"
        ):
            self._left -= 1
        elif self._take is not None:
            self._take(kind, message.content, message.buffers)


def execute_content(code: str) -> dict[str, Any]:
    """Return the content of a request to execute."""
    return {
        "code": code,
        "silent": False,
        "store_history": True,
        "user_expressions": {},
        "allow_stdin": False,
        "stop_on_error": True,
    }

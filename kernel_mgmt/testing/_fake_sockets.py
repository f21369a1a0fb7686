"""The sockets of the fake kernel: bind, sign, send, receive, verify."""

from __future__ import annotations

import hmac
import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from threading import Thread
from typing import Any, NamedTuple

import zmq

DELIMITER = b"<IDS|MSG>"
# Milliseconds. A kernel that nobody waits for is to end (JEP 66).
_ACKNOWLEDGED_WITHIN = 10_000
SOCKET_TYPES = {
    "shell": zmq.ROUTER,
    "control": zmq.ROUTER,
    "stdin": zmq.ROUTER,
    "iopub": zmq.XPUB,
    "hb": zmq.ROUTER,
}


class BadSignature(Exception):
    """A message that this kernel's key has not signed."""


class Received(NamedTuple):
    """A message from a client; ``raw_header`` is what answers bear as their parent header."""

    channel: str
    identities: list[bytes]
    header: dict[str, Any]
    raw_header: bytes
    content: dict[str, Any]
    buffers: list[bytes]

    @property
    def msg_type(self) -> str:
        return str(self.header["msg_type"])


class FakeSockets:
    """The five sockets that a connection file describes, and the signing of what goes through them.

    Where it is a registration file (JEP 66), they are bound to free ports.
    """

    def __init__(self, connection_info: Mapping[str, Any], *, curve: bool) -> None:
        self.key = str(connection_info.get("key", "")).encode()
        self.session = os.urandom(8).hex()
        self._connection_info = connection_info
        self._signer = hmac.new(self.key, digestmod="sha256") if self.key else None
        self._sent = 0
        self._ports: dict[str, int] = {}
        self._context = zmq.Context()
        self._sockets = {name: self._context.socket(kind) for name, kind in SOCKET_TYPES.items()}
        # Every subscription is told, a second one to the same topic as well (JEP 65).
        self._sockets["iopub"].xpub_verbose = True
        # A client whose stdin is not connected yet is an error, or the question would be lost.
        self._sockets["stdin"].router_mandatory = True
        for socket in self._sockets.values():
            # A subscriber that does not read must lose nothing, and must not hold up the exit.
            socket.sndhwm = 0
            socket.linger = 1000
            if curve and "curve_secretkey" in connection_info:
                socket.curve_server = True
                socket.curve_publickey = connection_info["curve_publickey"].encode()
                socket.curve_secretkey = connection_info["curve_secretkey"].encode()

    def __getitem__(self, channel: str) -> zmq.Socket[bytes]:
        return self._sockets[channel]

    def bind(self, channel: str) -> None:
        info = self._connection_info
        if self.registers:
            ip = f"{info['transport']}://{info['ip']}"
            self._ports[f"{channel}_port"] = self._sockets[channel].bind_to_random_port(ip)
            return
        separator = "-" if info["transport"] == "ipc" else ":"
        address = f"{info['transport']}://{info['ip']}{separator}{info[f'{channel}_port']}"
        self._sockets[channel].bind(address)

    @property
    def registers(self) -> bool:
        """Whether the kernel chooses its ports, and registers them with its launcher (JEP 66)."""
        return "registration_port" in self._connection_info

    def register(self, kind: str) -> bool:
        """Tell the launcher the ports that were bound, over a socket of the kind req or dealer.

        :return: whether it has acknowledged them in time
        """
        info = self._connection_info
        socket = self._context.socket(zmq.REQ if kind == "req" else zmq.DEALER)
        self._sockets["registration"] = socket
        socket.linger = 0
        socket.connect(f"{info['transport']}://{info['ip']}:{info['registration_port']}")
        self.send("registration", [], "handshake_request", self._ports, b"{}")
        reply = self.receive("registration") if socket.poll(_ACKNOWLEDGED_WITHIN) else None
        self._sockets.pop("registration").close()
        return reply is not None and reply.content.get("status") == "ok"

    def close(self) -> None:
        """Close everything, once what was sent is on its way or a second has passed."""
        for socket in self._sockets.values():
            socket.close()
        self._context.term()

    def beat_in_background(self) -> None:
        """Let a thread answer heartbeats, whatever the kernel is doing."""
        heartbeat = self._sockets.pop("hb")

        def beat() -> None:
            while True:
                try:
                    heartbeat.send_multipart(heartbeat.recv_multipart())
                except zmq.ContextTerminated:
                    heartbeat.close()
                    return

        Thread(target=beat, daemon=True).start()

    def receive(self, channel: str) -> Received | None:
        """Take a message off a channel.

        :return: the message, or ``None`` if there is none or it is no message of the protocol
        :raises BadSignature: if it is not signed with the key
        """
        try:
            frames = self._sockets[channel].recv_multipart(zmq.NOBLOCK)
            start = frames.index(DELIMITER) + 1
            signature, header, parent, metadata, content = frames[start : start + 5]
        except (zmq.Again, ValueError):
            return None
        if not hmac.compare_digest(signature, self._sign(header, parent, metadata, content)):
            raise BadSignature
        return Received(
            channel,
            frames[: start - 1],
            json.loads(header),
            header,
            json.loads(content),
            frames[start + 5 :],
        )

    def send(
        self,
        channel: str,
        route: Sequence[bytes],
        msg_type: str,
        content: Mapping[str, Any],
        parent: bytes,
        buffers: Sequence[bytes] = (),
    ) -> None:
        """Send a message.

        :param route: the identities of the client, or the topic
        :param parent: the parent header in JSON
        """
        self._sent += 1
        now = datetime.now(UTC).isoformat()
        header = (
            f'{{"msg_id":"{self.session}_{self._sent}","msg_type":"{msg_type}",'
            f'"username":"fake","session":"{self.session}","date":"{now}","version":"5.4"}}'
        ).encode()
        body = json.dumps(content).encode()
        signature = self._sign(header, parent, b"{}", body)
        frames = [*route, DELIMITER, signature, header, parent, b"{}", body, *buffers]
        # send_multipart would check the frames, which takes longer than sending them.
        send = self._sockets[channel].send
        for frame in frames[:-1]:
            send(frame, zmq.SNDMORE)
        send(frames[-1])

    def _sign(self, *parts: bytes) -> bytes:
        if self._signer is None:
            return b""
        signer = self._signer.copy()
        signer.update(b"".join(parts))
        return signer.hexdigest().encode()

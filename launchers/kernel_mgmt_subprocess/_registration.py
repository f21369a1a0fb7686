"""The socket on which a kernel tells its launcher the ports that it has bound (JEP 66)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

import zmq

from kernel_mgmt.messages import Message, MessageFactory
from kernel_mgmt.transports.zmq import zmq_context
from kernel_mgmt.wire import DELIMITER, Signer, WireError

from ._connection_file import PORT_NAMES

if TYPE_CHECKING:
    from kernel_mgmt.abc import Buffer

logger = logging.getLogger(__name__)

# How long an acknowledgement may be on its way after the socket is closed (milliseconds).
_LINGER = 1000


class RegistrationSocket:
    """Takes the registration of one kernel, over a DEALER or a REQ socket of the kernel.

    :param ip: where the kernel connects to
    :ivar port: the port that the kernel connects to
    :raises OSError: if there is no free port
    """

    def __init__(self, ip: str) -> None:
        self._socket = zmq_context().socket(zmq.ROUTER)
        try:
            self.port = self._socket.bind_to_random_port(f"tcp://{ip}")
        except zmq.ZMQError as error:
            self._socket.close()
            raise OSError(error.errno, error.strerror) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._socket.close(_LINGER)

    async def receive(self, key: str) -> dict[str, int]:
        """Wait for the registration of the kernel, and acknowledge it.

        What is wrongly signed or lacks a port is not taken for one.

        :param key: the key of the kernel, which has signed it
        :return: the five ports by their names in the connection info
        """
        from anyio import wait_readable

        signer = Signer(key.encode())
        while True:
            while not int(self._socket.get(zmq.EVENTS)) & zmq.POLLIN:
                await wait_readable(int(self._socket.get(zmq.FD)))
            frames: list[Buffer] = [*self._socket.recv_multipart(zmq.NOBLOCK)]
            if ports := self._take(frames, signer):
                return ports

    def _take(self, frames: Sequence[Buffer], signer: Signer) -> dict[str, int] | None:
        try:
            message = Message("control", signer.parse(frames))
            ports = _ports(message.content)
            header = message.header
        except (WireError, ValueError, RecursionError) as error:
            logger.warning("dropped what came on the registration socket: %s", error)
            return None
        _, parts = MessageFactory().make("handshake_reply", {"status": "ok"}, parent_header=header)
        route = frames[: frames.index(DELIMITER)]
        self._socket.send_multipart([*route, *signer.frames(parts)], zmq.NOBLOCK)
        return ports


def _ports(content: dict[str, object]) -> dict[str, int]:
    ports: dict[str, int] = {}
    for name in PORT_NAMES:
        port = content.get(name)
        if type(port) is not int or not 0 < port < 65_536:
            raise ValueError(f"{name} is {port!r}, and no port")
        ports[name] = port
    return ports

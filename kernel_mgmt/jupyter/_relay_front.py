"""The sockets that programs connect to, where a relay is the kernel to them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from secrets import token_hex
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol, cast

import anyio
import zmq
from anyio import to_thread

from kernel_mgmt._backend import Drain, EventLoop, Reading, current_event_loop
from kernel_mgmt.messages import Message, MessageFactory
from kernel_mgmt.transports._frames import receive
from kernel_mgmt.wire import DELIMITER, Signer

from ._bind import bind, prepare
from ._relay_outflow import Outflow

if TYPE_CHECKING:
    from kernel_mgmt.abc import Buffer
    from kernel_mgmt.types import Channel, ConnectionInfo

__all__ = ("Front", "ServedKernel")

log = logging.getLogger(__name__)

_SOCKET_TYPES: dict[Channel, int] = {
    "control": zmq.ROUTER,
    "shell": zmq.ROUTER,
    "stdin": zmq.ROUTER,
    "iopub": zmq.XPUB,
    "hb": zmq.ROUTER,
}
_READ_ALWAYS: tuple[Channel, ...] = ("iopub", "hb")
_READ_OF_ONE: tuple[Channel, ...] = ("control", "stdin")
# The loop is let breathe after so many messages or so long a time in seconds.
_MOST_MESSAGES = 64
_MOST_TIME = 0.001
_PATIENCE = 0.5
# What was sent last is given as long to go (milliseconds).
_LINGER = 1000


class ServedKernel(Protocol):
    """What the programs are served with: a kernel that is reached otherwise."""

    @property
    def is_reachable(self) -> bool:
        """Whether the kernel lives and can be reached, as far as is known."""
        ...

    def ask(self, message: Message, identities: Sequence[Buffer]) -> None:
        """Take what a program has sent; it raises nothing.

        :param identities: the routing prefix by which the program is reached
        """
        ...


class Front:
    """Five bound sockets; they serve one kernel after the other, and wait in between.

    What programs send while no kernel is served is kept for the next. They connect with the
    connection info, which has the key that they sign with.

    :param at: where to listen; ports that are free, with a new key, when ``None``
    :param limit: how many bytes may wait for programs that do not read what is published
    :param patience: how long requests wait for somebody to subscribe, in seconds: a program connects
        its sockets one by one, and would miss what comes of its request
    """

    def __init__(
        self, at: ConnectionInfo | None, limit: int, *, patience: float = _PATIENCE
    ) -> None:
        self.patience = patience
        self.connection_info: ConnectionInfo = _new_info() if at is None else at.copy()
        self._signer = Signer(
            self.connection_info.get("key", "").encode(),
            self.connection_info.get("signature_scheme", "hmac-sha256"),
            allow_unsigned=True,
        )
        self._limit = limit
        self._factory = MessageFactory(username="kernel")
        self._sockets: dict[Channel, zmq.Socket[bytes]] = {}
        self._kernel: ServedKernel | None = None
        self._let_in = False
        self._subscribed = False
        self._read: set[Channel] = set(_READ_ALWAYS)
        self._unwelcomed: set[bytes] = set()
        self._malformed = 0
        self._lost = 0

    @property
    def is_serving(self) -> bool:
        """Whether there is a kernel."""
        return self._kernel is not None

    @property
    def is_flowing(self) -> bool:
        """Whether what is published would be sent, since not too much waits to leave."""
        return not self._outflow.is_full

    def open(self) -> None:
        """Bind the sockets, and begin to read on the running event loop.

        :raises OSError: if an address cannot be had
        """
        self._loop: EventLoop = current_event_loop()
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        try:
            for channel, kind in _SOCKET_TYPES.items():
                self._bind(channel, kind)
        except zmq.ZMQError as error:
            self._context.destroy(0)
            message = f"The relay cannot listen where it is to: {error}"
            raise OSError(error.errno, message) from error
        self._outflow = Outflow(self._sockets["iopub"], self._limit)
        drains: dict[int, Drain] = {
            cast(int, socket.get(zmq.FD)): partial(self._drain, channel)
            for channel, socket in self._sockets.items()
        }
        self._reading: Reading = self._loop.read(drains, self._close, anyio.sleep_forever)

    async def close(self) -> None:
        """Close the sockets, once what was sent has left or a second has passed."""
        self._close()
        # Its end is that of the sockets, so that others can listen there.
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(self._context.term)

    def serve(self, kernel: ServedKernel | None) -> None:
        """Serve another kernel, or none; on shell from :meth:`let_in` on."""
        self._kernel = kernel
        self._let_in = False
        self._read = set(_READ_ALWAYS)
        if kernel is not None:
            self._read.update(_READ_OF_ONE)
            self._look("control")
            self._look("stdin")

    def let_in(self) -> None:
        """Take requests on shell, and welcome those who subscribe: what the kernel publishes arrives."""
        if self._let_in:
            return
        self._let_in = True
        while self._unwelcomed:
            self._welcome(self._unwelcomed.pop())
        self._read_shell()

    def wait_for_no_subscriber(self) -> None:
        """Take requests on shell though nobody subscribes to what comes of them."""
        self._subscribed = True
        self._read_shell()

    def reply(
        self, channel: Channel, identities: Sequence[Buffer], parts: Sequence[Buffer]
    ) -> bool:
        """Send a message to one program.

        :return: whether it was sent; on stdin it is not if the program is not connected there
        """
        socket = self._sockets.get(channel)
        if socket is None:
            return False
        try:
            frames = [*identities, *self._signer.frames(parts)]
            socket.send_multipart(frames, zmq.NOBLOCK, copy=False)
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            return False
        finally:
            self._look(channel)
        return True

    def publish(self, msg_type: str, parts: Sequence[Buffer]) -> None:
        """Send a message to all who subscribe to its type.

        Where too much waits, all are told how much was lost, and states alone are sent.
        """
        if not self.is_flowing:
            if self._lost == 0:
                log.error("A program does not read what is published; further output is dropped")
            if msg_type != "status":
                self._lost += 1
                return
        elif self._lost:
            self._tell_what_was_lost(parts[1])
        self._publish(msg_type.encode(), parts)

    def _bind(self, channel: Channel, kind: int) -> None:
        socket = self._sockets[channel] = self._context.socket(kind)
        socket.setsockopt(zmq.LINGER, _LINGER)
        socket.setsockopt(zmq.SNDHWM, 0)
        if channel == "iopub":
            # Each one who subscribes is welcomed, also to what others have subscribed to (JEP 65).
            socket.setsockopt(zmq.XPUB_VERBOSE, 1)
        else:
            # A program that connects again is not kept out by the connection that it has lost.
            socket.setsockopt(zmq.ROUTER_HANDOVER, 1)
        if channel == "stdin":
            # A question to one who is not connected yet is an error, and can be repeated.
            socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        prepare(socket, self.connection_info)
        port = bind(socket, channel, self.connection_info)
        cast("dict[str, Any]", self.connection_info)[f"{channel}_port"] = port

    def _close(self) -> None:
        if not self._sockets:
            return
        self._reading.stop()
        self._read.clear()
        sockets, self._sockets = self._sockets, {}
        for socket in sockets.values():
            socket.close()

    def _read_shell(self) -> None:
        if self._let_in and self._subscribed:
            self._read.add("shell")
            self._look("shell")

    def _look(self, channel: Channel) -> None:
        """Read soon what there is; to have sent something may have used up the news of it."""
        socket = self._sockets.get(channel)
        if socket is not None and channel in self._read and _is_readable(socket):
            self._loop.call_soon(partial(self._drain_on, channel))

    def _drain_on(self, channel: Channel) -> None:
        if self._drain(channel) == 0:
            self._look(channel)

    def _drain(self, channel: Channel) -> float | None:
        """Read what has arrived, within the budget; tell when to look again."""
        until = perf_counter() + _MOST_TIME
        for _ in range(_MOST_MESSAGES):
            socket = self._sockets.get(channel)
            # The descriptor stays readable until it has been asked what there is, read or not.
            if socket is None or not _is_readable(socket) or channel not in self._read:
                return None
            self._take(channel, receive(socket))
            if perf_counter() > until:
                break
        return 0

    def _take(self, channel: Channel, frames: list[Buffer]) -> None:
        if channel == "iopub":
            self._take_subscription(bytes(frames[0]))
        elif channel != "hb":
            self._take_request(channel, frames)
        elif self._kernel is not None and self._kernel.is_reachable:
            self._sockets["hb"].send_multipart(frames, zmq.NOBLOCK)

    def _take_subscription(self, subscription: bytes) -> None:
        if subscription[:1] == b"\x01":
            self._unwelcomed.add(subscription[1:])
            self._subscribed = True
            if self._let_in:
                self._welcome(self._unwelcomed.pop())
                self._read_shell()

    def _take_request(self, channel: Channel, frames: list[Buffer]) -> None:
        try:
            message = Message(channel, self._signer.parse(frames))
        except (ValueError, RecursionError) as error:
            self._malformed += 1
            if self._malformed == 1:
                log.warning(
                    "dropped what a program sent on %s: %s (further ones are counted)",
                    channel,
                    error,
                )
            return
        if self._kernel is not None:
            self._kernel.ask(message, frames[: frames.index(DELIMITER)])

    def _welcome(self, topic: bytes) -> None:
        content = {"subscription": topic.decode(errors="replace")}
        self._publish(topic, self._factory.make("iopub_welcome", content)[1])

    def _tell_what_was_lost(self, parent_header: Buffer) -> None:
        text = (
            f"{self._lost} messages are missing here: a program did not read what was published\n"
        )
        parts = self._factory.make("stream", {"name": "stderr", "text": text})[1]
        parts[1] = parent_header
        self._lost = 0
        self._publish(b"stream", parts)

    def _publish(self, topic: bytes, parts: Sequence[Buffer]) -> None:
        if self._sockets:
            self._outflow.send([topic, *self._signer.frames(parts)])
            self._look("iopub")


def _is_readable(socket: zmq.Socket[bytes]) -> bool:
    return bool(cast(int, socket.get(zmq.EVENTS)) & zmq.POLLIN)


def _new_info() -> ConnectionInfo:
    return {
        "transport": "tcp",
        "ip": "127.0.0.1",
        "key": token_hex(32),
        "signature_scheme": "hmac-sha256",
    }

"""Messages over ZeroMQ sockets: tcp and ipc.

The descriptor of a ZeroMQ socket tells only that something has changed, and every call on the socket
may use that up. So whoever touches a socket looks afterwards whether there is something to read.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from secrets import token_hex
from time import perf_counter
from typing import TYPE_CHECKING, cast

import zmq
from zmq.utils.monitor import parse_monitor_message

from kernel_mgmt._backend import Drain, EventLoop, Reading, current_event_loop
from kernel_mgmt.abc import TransportABC
from kernel_mgmt.exceptions import ClientClosedError, KernelLaunchError
from kernel_mgmt.wire import Signer, WireError

from ._frames import (
    COPY_LIMIT,
    MOST_AT_ONCE,
    behind_what_is_cut_short,
    is_small,
    receive,
    receive_signed,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from kernel_mgmt.abc import Buffer, Received
    from kernel_mgmt.types import Channel, ConnectionInfo

__all__ = ("ZMQTransport", "connect_socket", "zmq_context")

log = logging.getLogger(__name__)

_SOCKET_TYPES: dict[Channel, int] = {
    "shell": zmq.DEALER,
    "control": zmq.DEALER,
    "stdin": zmq.DEALER,
    "iopub": zmq.SUB,
    "hb": zmq.DEALER,
}
_CHANNELS: tuple[Channel, ...] = ("control", "shell", "stdin", "iopub")
# The reader lets the loop breathe after so many messages or so long a time in seconds.
_MOST_MESSAGES = 64
_MOST_TIME = 0.001
# When the kernel asks for input, so many times as much is read on iopub at once.
_MOST_BEFORE_QUESTION = 50
# So long (seconds) a flood may gather before it is read on, which halves its price.
_GATHER = 0.005
# Connecting is tried again after so many milliseconds; with a kernel that is on its way up, after more
# and more, up to so many times as long. Each try costs some of ZeroMQ's thread.
_RECONNECT_STARTING = 4
_RECONNECT_GROWTH = 4
_RECONNECT_RUNNING = 10
_RECONNECT_MOST = 1000
# How long what was sent may take to leave when the client is closed (milliseconds).
_LINGER = 100
_NO_CURVE = (
    "The kernel speaks plain text, though its messages are to be encrypted with CURVE; correct "
    "metadata.supported_encryption of its kernelspec, or launch it with encryption='disabled'"
)

_contexts: dict[int, zmq.Context[zmq.Socket[bytes]]] = {}


def zmq_context() -> zmq.Context[zmq.Socket[bytes]]:
    """Return the context of this process: made at first use, and forgotten after a fork."""
    try:
        return _contexts[os.getpid()]
    except KeyError:
        context = _contexts[os.getpid()] = zmq.Context()
        return context


def connect_socket(
    connection_info: ConnectionInfo, channel: Channel, *, identity: bytes | None = None
) -> zmq.Socket[bytes]:
    """Return a socket that is connected to a channel of a kernel; the caller closes it.

    One for ``iopub`` subscribes to everything, one for ``hb`` is a REQ.

    :param identity: the routing id, which a kernel refuses as long as another socket has it
    :raises ValueError: if the connection info lacks something
    """
    address, curve = _address(connection_info, channel), _curve_keys(connection_info)
    kind = zmq.REQ if channel == "hb" else _SOCKET_TYPES[channel]
    socket = zmq_context().socket(kind)
    socket.setsockopt(zmq.LINGER, _LINGER)
    if channel == "iopub":
        socket.setsockopt(zmq.RCVHWM, 0)
        socket.setsockopt(zmq.SUBSCRIBE, b"")
    if identity:
        socket.setsockopt(zmq.ROUTING_ID, identity)
    _connect(socket, address, curve)
    return socket


class ZMQTransport(TransportABC):
    """Carries messages over one ZeroMQ socket a channel.

    :param session: the id of the client's session, with which the routing id of its sockets begins
    :param starting: whether the kernel is on its way up: connecting is then tried every few
        milliseconds, where it is otherwise tried ever more rarely
    :param heartbeat: whether there is a socket for the channel ``hb``
    :param allow_unsigned: whether a kernel without a key is talked to
    :raises ValueError: if the connection info lacks something, or asks for an encryption that this
        libzmq does not have
    """

    def __init__(
        self,
        connection_info: ConnectionInfo,
        *,
        session: str,
        starting: bool = False,
        heartbeat: bool = False,
        allow_unsigned: bool = False,
    ) -> None:
        key = connection_info.get("key", "")
        scheme = connection_info.get("signature_scheme", "hmac-sha256")
        self._signer = Signer(key.encode(), scheme, allow_unsigned=allow_unsigned)
        self._receive = receive_signed if key else receive
        channels: tuple[Channel, ...] = (*_CHANNELS, "hb") if heartbeat else _CHANNELS
        self._addresses: dict[Channel, str] = {
            channel: _address(connection_info, channel) for channel in channels
        }
        self._curve = _curve_keys(connection_info)
        # A kernel refuses whoever comes with the routing id of a peer that it has not yet seen leave.
        self._routing_id = f"{session}.{token_hex(4)}".encode()
        self._starting = starting
        self._sockets: dict[Channel, zmq.Socket[bytes]] = {}
        self._monitor: zmq.Socket[bytes] | None = None
        self._loop: EventLoop | None = None
        self._reading: Reading | None = None
        self._gathers = False
        self._failure: Callable[[], Exception] | None = None

    def open(
        self,
        received: Received,
        ended: Callable[[], None],
        watch: Callable[[], Awaitable[None]],
    ) -> None:
        self._received = received
        self._ended = ended
        self._loop = current_event_loop()
        try:
            for channel, address in self._addresses.items():
                self._sockets[channel] = self._connect(channel, address)
        except zmq.ZMQError as error:
            self.close()
            raise ValueError(f"the connection info is of no use to ZeroMQ: {error}") from error
        drains: dict[int, Drain] = {
            _descriptor(socket): partial(self._drain, channel, socket)
            for channel, socket in self._sockets.items()
            if channel != "hb"
        }
        self._iopub = _descriptor(self._sockets["iopub"])
        if self._curve is not None:
            self._monitor = _monitor(self._sockets["shell"])
            drains[_descriptor(self._monitor)] = self._drain_monitor
        self._reading = self._loop.read(drains, ended, watch)

    def send(self, channel: Channel, parts: Sequence[Buffer]) -> None:
        socket = self._sockets.get(channel)
        if socket is None or self._loop is None:
            raise ClientClosedError
        if channel == "hb":
            self._beat(socket, parts)
            return
        try:
            socket.send_multipart(self._signer.frames(parts), zmq.NOBLOCK, copy=_small(parts))
        except zmq.Again:
            # Only stdin, when it is not connected: there is no kernel any more that waits for input.
            log.debug("nobody takes what was sent on %s", channel)
        if _events(socket) & zmq.POLLIN:
            self._loop.call_soon(partial(self._drain_on, channel, socket))

    @property
    def connected(self) -> bool:
        """Whether stdin is connected: a kernel cannot ask for input before, and its request is lost."""
        socket = self._sockets.get("stdin")
        if socket is None or self._loop is None:
            return False
        events = _events(socket)
        if events & zmq.POLLIN:
            self._loop.call_soon(partial(self._drain_on, "stdin", socket))
        return bool(events & zmq.POLLOUT)

    @property
    def failure(self) -> Callable[[], Exception] | None:
        return self._failure

    def gather(self, gathers: bool) -> None:
        if self._gathers and not gathers and self._reading is not None:
            self._reading.look(self._iopub)
        self._gathers = gathers

    def close(self) -> None:
        self._close(_LINGER)

    def abort(self) -> None:
        # What lingers would be sent to the next kernel, if that listens at the same place.
        self._close(0)

    def _close(self, linger: int) -> None:
        if self._reading is not None:
            self._reading.stop()
            self._reading = None
        sockets, self._sockets = self._sockets, {}
        if self._monitor is not None:
            sockets["shell"].disable_monitor()
            self._monitor.close(0)
            self._monitor = None
        for socket in sockets.values():
            socket.close(linger)

    def _connect(self, channel: Channel, address: str) -> zmq.Socket[bytes]:
        socket = zmq_context().socket(_SOCKET_TYPES[channel])
        self._sockets[channel] = socket
        # iopub is never paused: where a SUB socket is full, the kernel's PUB drops.
        socket.setsockopt(zmq.RCVHWM, 0)
        socket.setsockopt(zmq.SNDHWM, 0)
        if self._starting:
            # The kernel answers some time after it has bound: only what it answers on is in haste.
            hurry = channel in ("shell", "iopub")
            interval = _RECONNECT_STARTING if hurry else _RECONNECT_RUNNING
            socket.setsockopt(zmq.RECONNECT_IVL, interval)
            socket.setsockopt(zmq.RECONNECT_IVL_MAX, _RECONNECT_GROWTH * interval)
        else:
            socket.setsockopt(zmq.RECONNECT_IVL, _RECONNECT_RUNNING)
            socket.setsockopt(zmq.RECONNECT_IVL_MAX, _RECONNECT_MOST)
        if channel == "iopub":
            socket.setsockopt(zmq.SUBSCRIBE, b"")
        elif channel != "hb":
            # The kernel asks for input on stdin under the routing id that a request had on shell.
            socket.setsockopt(zmq.ROUTING_ID, self._routing_id)
        if channel == "stdin":
            # Being writable then means being connected.
            socket.setsockopt(zmq.IMMEDIATE, 1)
        _connect(socket, address, self._curve)
        return socket

    def _drain_on(self, channel: Channel, socket: zmq.Socket[bytes]) -> None:
        if self._drain(channel, socket) == 0 and self._loop is not None:
            self._loop.call_soon(partial(self._drain_on, channel, socket))

    def _drain(self, channel: Channel, socket: zmq.Socket[bytes]) -> float | None:
        """Read what has arrived, within the budget; tell when to look again."""
        if socket.closed:
            return None
        until = perf_counter() + _MOST_TIME
        small = False
        try:
            for _ in range(_MOST_MESSAGES):
                frames = self._receive(socket)
                self._take(channel, frames)
                small = is_small(frames)
                # Large ones are let go before the next are taken.
                del frames
                if socket.closed:  # by what was received
                    return None
                if perf_counter() > until:
                    break
        except zmq.Again:
            gathers = self._gathers and channel == "iopub" and small
            return _GATHER if gathers else None
        return 0

    def _drain_before_question(self) -> None:
        """Read on iopub first: what was published before a question is to be seen before it."""
        for _ in range(_MOST_BEFORE_QUESTION):
            socket = self._sockets.get("iopub")
            if socket is None or self._drain("iopub", socket) != 0:
                return
        self._drain_on("iopub", self._sockets["iopub"])

    def _beat(self, socket: zmq.Socket[bytes], parts: Sequence[Buffer]) -> None:
        """Take what has been echoed since the beat before, and send the next.

        An echo is neither signed nor waited for, which saves a wake for each.
        """
        while _events(socket) & zmq.POLLIN:
            self._received("hb", receive(socket))
        with suppress(zmq.Again):
            # A REP, which some kernels have, expects an empty frame before it.
            socket.send_multipart([b"", *parts], zmq.NOBLOCK)

    def _drain_monitor(self) -> None:
        """Give up a kernel that answers in plain text where CURVE was to be spoken."""
        while self._monitor is not None and _events(self._monitor) & zmq.POLLIN:
            event = parse_monitor_message(self._monitor.recv_multipart(zmq.NOBLOCK))
            if event["value"] == zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH:
                self._failure = partial(KernelLaunchError, _NO_CURVE)
                self._ended()

    def _take(self, channel: Channel, frames: list[Buffer]) -> None:
        if channel == "stdin" and self._gathers:
            self._drain_before_question()
            if not self._sockets:
                return
        for _ in range(MOST_AT_ONCE):
            try:
                parts = self._signer.parse(frames)
            except WireError as error:
                self._drop(channel, error)
            else:
                self._received(channel, parts)
                return
            frames = behind_what_is_cut_short(frames)
            if not frames:
                return

    def _drop(self, channel: Channel, error: WireError) -> None:
        self.dropped += 1
        if self.dropped == 1:
            log.warning("dropped what came on %s: %s (further ones are counted)", channel, error)


def _connect(socket: zmq.Socket[bytes], address: str, curve: tuple[bytes, bytes] | None) -> None:
    if address.startswith("tcp://["):
        socket.setsockopt(zmq.IPV6, 1)
    if curve is not None:
        public, secret = curve
        socket.setsockopt(zmq.CURVE_SERVERKEY, public)
        socket.setsockopt(zmq.CURVE_PUBLICKEY, public)
        socket.setsockopt(zmq.CURVE_SECRETKEY, secret)
    socket.connect(address)


def _curve_keys(connection_info: ConnectionInfo) -> tuple[bytes, bytes] | None:
    public = connection_info.get("curve_publickey")
    secret = connection_info.get("curve_secretkey")
    if public is None and secret is None:
        return None
    if public is None or secret is None:
        raise ValueError("the connection info has one CURVE key, and should have two or none")
    if not zmq.has("curve"):
        raise ValueError("the connection info has CURVE keys, and this libzmq has no CURVE")
    return public.encode(), secret.encode()


def _monitor(socket: zmq.Socket[bytes]) -> zmq.Socket[bytes]:
    return socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL)


def _address(connection_info: ConnectionInfo, channel: Channel) -> str:
    port = connection_info.get(f"{channel}_port")
    ip = connection_info.get("ip", "127.0.0.1")
    if not port:
        raise ValueError(f"the connection info has no {channel}_port")
    if connection_info["transport"] == "ipc":
        return f"ipc://{ip}-{port}"
    return f"tcp://[{ip}]:{port}" if ":" in ip else f"tcp://{ip}:{port}"


def _descriptor(socket: zmq.Socket[bytes]) -> int:
    return cast(int, socket.get(zmq.FD))


def _events(socket: zmq.Socket[bytes]) -> int:
    return cast(int, socket.get(zmq.EVENTS))


def _small(parts: Sequence[Buffer]) -> bool:
    return len(parts) == 4 or sum(map(len, parts[4:])) < COPY_LIMIT

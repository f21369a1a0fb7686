"""One WebSocket, from the upgrade to its end: websockets' protocol over a stream of anyio."""

from __future__ import annotations

import socket
import ssl
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Self, cast

import anyio
from anyio.abc import ByteStream, SocketAttribute
from anyio.lowlevel import checkpoint_if_cancelled
from anyio.streams.tls import TLSStream
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus
from websockets.extensions.permessage_deflate import enable_client_permessage_deflate
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from kernel_mgmt._version import __version__

from ._proxy import connect_tcp
from ._websocket_frames import V1

if TYPE_CHECKING:
    from websockets.http11 import Request
    from websockets.protocol import Event
    from websockets.uri import WebSocketURI

    from kernel_mgmt.abc import Buffer

__all__ = ("LinkLostError", "LinkUser", "UpgradeRefusedError", "WebSocketLink")

# So many bytes are read at once, and so many when a large frame is on its way.
_READ = 65_536
_READ_LARGE = 1_048_576
# So many bytes are gathered before they are sent.
_WRITE = 262_144
# How long what has arrived is still read when nothing can be sent any more (seconds).
_READ_ON = 1.0
# How long what was sent may take to leave when the transport is closed (seconds).
_LINGER = 0.1

_QUICK: int | None = getattr(socket, "TCP_QUICKACK", None)
_BROKEN = (OSError, anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError)


class LinkLostError(Exception):
    """Raised when a connection cannot be made, and may be some other time."""


class UpgradeRefusedError(Exception):
    """Raised when the server answers with another HTTP status than that of an upgrade."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(f"HTTP status {status}")


class LinkUser(ABC):
    """Sends and receives over a link."""

    @abstractmethod
    def next_frame(self) -> tuple[bool, bytes] | None:
        """Return what is to be sent next: whether it is text, and its data."""

    @abstractmethod
    def received(self, is_text: bool, data: Buffer) -> None:
        """Take what has come, in one piece."""

    @abstractmethod
    def ponged(self, number: int) -> None:
        """Take note that a ping with a number was answered."""


class WebSocketLink:
    """A WebSocket that is open.

    :ivar speaks_v1: whether the server has agreed to the subprotocol
    """

    def __init__(
        self, stream: ByteStream, protocol: ClientProtocol, events: Sequence[Event]
    ) -> None:
        self.speaks_v1 = protocol.subprotocol == V1
        self._stream = stream
        self._socket = stream.extra(SocketAttribute.raw_socket, None)
        self._protocol = protocol
        self._events: list[Event] = [*events]
        self._fragments: list[bytes] = []
        self._is_text = False
        # It is cancelled by its deadline alone: after half a frame, nothing else could be sent.
        self._sending = anyio.CancelScope(shield=True)
        self._wake = anyio.Event()
        self._heard = anyio.Event()
        self._received_at = anyio.current_time()
        self._reason = "it was left"

    @classmethod
    async def connect(
        cls,
        url: str,
        headers: Mapping[str, str],
        context: ssl.SSLContext | None,
        *,
        offer_v1: bool = True,
    ) -> Self:
        """Connect, and upgrade to a WebSocket.

        :raises UpgradeRefusedError: if the server refuses
        :raises LinkLostError: if there is no connection, or no answer that is understood
        :raises ssl.SSLCertVerificationError: if the server is not to be trusted
        :raises ValueError: if a header is none
        """
        protocol, request = _protocol(url, headers, offer_v1=offer_v1)
        try:
            stream = await _connect(protocol.uri, context)
        except ssl.SSLCertVerificationError:
            raise
        except _BROKEN as error:
            raise LinkLostError(_text(error)) from error
        try:
            events = await _upgrade(stream, protocol, request)
        except BaseException:
            await _close(stream)
            raise
        return cls(stream, protocol, events)

    async def serve(self, user: LinkUser, interval: float, timeout: float) -> str:
        """Send and receive until the connection is lost.

        :param interval: how long nothing may arrive before the server is pinged, in seconds
        :param timeout: how long nothing may arrive after that
        :return: why it is lost
        """
        async with anyio.create_task_group() as tasks:

            async def until_lost(losing: Callable[[], Awaitable[str]]) -> None:
                self._reason = await losing()
                tasks.cancel_scope.cancel()

            tasks.start_soon(self._end_sending)
            tasks.start_soon(until_lost, partial(self._read, user))
            tasks.start_soon(until_lost, partial(self._write, user))
            tasks.start_soon(until_lost, partial(self._keep_alive, interval, timeout))
        return self._reason

    def wake(self) -> None:
        """Ask soon for the messages to send."""
        self._wake.set()

    def ping(self, number: int) -> None:
        """Ask for a pong with a number, behind all that was sent."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_ping(b"%d" % number)
            self._wake.set()

    async def close(self, user: LinkUser | None = None) -> None:
        """Close; what a user has to send still goes, if it goes at once."""
        try:
            if user is not None and not self._sending.cancelled_caught:
                with anyio.move_on_after(_LINGER, shield=True):
                    await self._leave(user)
        finally:
            await _close(self._stream)

    async def _leave(self, user: LinkUser) -> None:
        with suppress(*_BROKEN):
            while data := self._collect(user):
                await self._stream.send(data)
            if self._protocol.state is State.OPEN:
                self._protocol.send_close(1000)
                await self._stream.send(b"".join(self._protocol.data_to_send()))

    async def _read(self, user: LinkUser) -> str:
        size = _READ
        while True:
            events, self._events = self._events, []
            for event in events:
                if isinstance(event, Frame):
                    self._take(event, user)
            if self._protocol.state is not State.OPEN:
                return self._farewell()
            if self._protocol.writes:
                self._wake.set()
            size = _READ if events else _READ_LARGE
            try:
                data = await self._stream.receive(size)
            except _BROKEN as error:
                return _text(error)
            self._received_at = anyio.current_time()
            self._heard.set()
            self._acknowledge()
            self._protocol.receive_data(data)
            self._events.extend(self._protocol.events_received())

    def _take(self, frame: Frame, user: LinkUser) -> None:
        if frame.opcode is Opcode.PONG:
            if (number := bytes(frame.data)).isdigit():
                user.ponged(int(number))
        elif frame.opcode in (Opcode.TEXT, Opcode.BINARY):
            self._is_text = frame.opcode is Opcode.TEXT
            if frame.fin:
                user.received(self._is_text, frame.data)
            else:
                self._fragments = [bytes(frame.data)]
        elif frame.opcode is Opcode.CONT:
            self._fragments.append(bytes(frame.data))
            if frame.fin:
                data, self._fragments = b"".join(self._fragments), []
                user.received(self._is_text, data)

    def _farewell(self) -> str:
        closed = self._protocol.close_rcvd
        if closed is not None:
            return f"the server has closed it ({closed.code} {closed.reason})".replace(" )", ")")
        return f"the server broke the protocol ({self._protocol.parser_exc})"

    async def _write(self, user: LinkUser) -> str:
        while True:
            await checkpoint_if_cancelled()
            self._wake = anyio.Event()
            data = self._collect(user)
            if not data:
                await self._wake.wait()
                continue
            try:
                with anyio.CancelScope(shield=True) as self._sending:
                    await self._stream.send(data)
            except _BROKEN as error:
                # What the server has sent before it left is still there to be read.
                await anyio.sleep(_READ_ON)
                return _text(error)
            if self._sending.cancelled_caught:
                return "it was left"
            self._acknowledge()

    async def _end_sending(self) -> None:
        """Let what is being sent go on for a moment only, however the link is ended."""
        try:
            await anyio.sleep_forever()
        finally:
            self._sending.deadline = anyio.current_time() + _LINGER

    def _acknowledge(self) -> None:
        """Acknowledge at once what comes next, where the system can be told to.

        Servers gather small frames until the one before is acknowledged, which the system else puts
        off for 40 ms. It forgets what it was told whenever something is sent.
        """
        if self._socket is not None and _QUICK is not None:
            with suppress(OSError):
                self._socket.setsockopt(socket.IPPROTO_TCP, _QUICK, 1)

    def _collect(self, user: LinkUser) -> bytes:
        pieces = self._protocol.data_to_send()
        size = 0
        while size < _WRITE and self._protocol.state is State.OPEN:
            frame = user.next_frame()
            if frame is None:
                break
            is_text, data = frame
            (self._protocol.send_text if is_text else self._protocol.send_binary)(data)
            size += len(data)
        return b"".join([*pieces, *self._protocol.data_to_send()])

    async def _keep_alive(self, interval: float, timeout: float) -> str:
        while True:
            await anyio.sleep_until(self._received_at + interval)
            if self._received_at + interval > anyio.current_time():
                continue
            self._heard = anyio.Event()
            self.ping(0)
            with anyio.move_on_after(timeout) as waiting:
                await self._heard.wait()
            if waiting.cancelled_caught:
                return f"nothing has come for {interval + timeout:g} s"


def _protocol(
    url: str, headers: Mapping[str, str], *, offer_v1: bool
) -> tuple[ClientProtocol, Request]:
    protocol = ClientProtocol(
        parse_uri(url),
        extensions=enable_client_permessage_deflate(None),
        subprotocols=[Subprotocol(V1)] if offer_v1 else None,
        max_size=None,
    )
    # It would log the headers, and there are credentials among them.
    protocol.debug = False
    request = protocol.connect()
    for name, value in {"User-Agent": f"kernel-mgmt/{__version__}", **headers}.items():
        if "\r" in name + value or "\n" in name + value:
            raise ValueError(f"the header {name!r} has a line break")
        if name in request.headers:
            del request.headers[name]
        request.headers[name] = value
    return protocol, request


async def _connect(uri: WebSocketURI, context: ssl.SSLContext | None) -> ByteStream:
    stream = await connect_tcp(uri.host, uri.port, secure=uri.secure)
    if not uri.secure:
        return stream
    try:
        return await TLSStream.wrap(
            stream, hostname=uri.host, ssl_context=context, standard_compatible=False
        )
    except BaseException:
        await _close(stream)
        raise


async def _upgrade(
    stream: ByteStream, protocol: ClientProtocol, request: Request
) -> Sequence[Event]:
    """Ask for the upgrade; return what came behind the answer."""
    protocol.send_request(request)
    try:
        await stream.send(b"".join(protocol.data_to_send()))
        events: list[Event] = []
        while not events and protocol.handshake_exc is None:
            protocol.receive_data(await stream.receive(_READ))
            events = protocol.events_received()
    except _BROKEN as error:
        raise LinkLostError(_text(error)) from error
    refusal = protocol.handshake_exc
    if isinstance(refusal, InvalidStatus):
        raise UpgradeRefusedError(refusal.response.status_code)
    if refusal is not None:
        raise LinkLostError(str(refusal)) from refusal
    return events[1:]


async def _close(stream: ByteStream) -> None:
    """Close at once, also where the task is cancelled."""
    with anyio.CancelScope(shield=True), suppress(*_BROKEN):
        await stream.aclose()


def _text(error: BaseException) -> str:
    """Say in a word what has happened to a stream."""
    if isinstance(error, anyio.EndOfStream):
        return "the server has hung up"
    cause = error.__cause__ or error
    if isinstance(cause, ExceptionGroup):
        # A host has several addresses, and none of them could be connected to.
        return "; ".join(
            dict.fromkeys(map(str, cast("ExceptionGroup[Exception]", cause).exceptions))
        )
    return str(cause) or type(cause).__name__

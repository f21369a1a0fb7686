"""The client: sends requests to a kernel and hands out what it answers."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING, Literal, Self, TypeVar, get_args
from weakref import WeakMethod

from kernel_mgmt.connection_files import read_connection_file
from kernel_mgmt.exceptions import ClientClosedError
from kernel_mgmt.messages import Message, MessageFactory
from kernel_mgmt.transports import make_transport
from kernel_mgmt.types import Channel

from ._connection import Connection, Handler
from ._exchange import Exchange
from ._readiness import answered, let_go_when_heard
from ._request import PATIENT, Patience, Request
from ._requests import KernelRequests

if TYPE_CHECKING:
    from kernel_mgmt.abc import Buffer, KernelManagerABC, TransportABC
    from kernel_mgmt.transports import TransportKeywords
    from kernel_mgmt.types import ConnectionInfo, JSONDict

    from ._interactive import OutputHook, StdinHook

__all__ = ("KernelClient", "ShutdownStage")

ShutdownStage = Literal["dead", "shutdown", "terminated", "killed"]
"""What ended a kernel: nothing was to be done, the request, SIGTERM, or SIGKILL."""

_Handler = TypeVar("_Handler", bound=Handler)

# How often to look whether the last channel is connected, and for how long: there are kernels that
# never listen on stdin (seconds).
_LOOK_AGAIN = 0.001
_LOOK_MOST = 1.0
# How long a kernel that must be killed may take to go (seconds).
_KILL_MOST = 10.0


class KernelClient(KernelRequests):
    """Talks to a running kernel, on asyncio and on trio.

    Making one does no I/O. It belongs to the event loop in which it is first used, and may be
    shared by many tasks of it. Whoever makes one closes it, by :meth:`close` or ``async with``.

    ::

        request = client.execute("print('hello')")
        async for message in request:
            print(message.msg_type, message.content)
        reply = await request

    :param connection_info: how to reach the kernel
    :param manager: the manager of the kernel, if it is this program's; then its death fails what is
        pending, at once
    :param session: the id of the session, which goes into every header; made up when ``None``
    :param username: the name that goes into every header; the user's when ``None``
    :param output_limit: how many bytes of output may wait to be consumed; past it the request that
        holds most of them raises :exc:`OutputOverflowError`
    :param use_heartbeat: how often the kernel's heartbeat is asked for, in seconds; never when
        ``None``
    :param allow_unsigned: whether a kernel without a key is talked to, for which anybody can speak
        who reaches its ports; where there is a key, messages are signed and verified all the same
    :raises ValueError: if the connection info lacks something, or names an unknown transport
    """

    def __init__(
        self,
        connection_info: ConnectionInfo,
        manager: KernelManagerABC | None = None,
        *,
        session: str | None = None,
        username: str | None = None,
        output_limit: int = 1_000_000_000,
        use_heartbeat: float | None = None,
        allow_unsigned: bool = False,
    ) -> None:
        self.connection_info = connection_info
        self.manager = manager
        self.kernel_info_dict: JSONDict | None = None
        self._factory = MessageFactory(session, username)
        self._heartbeat = use_heartbeat
        self._allow_unsigned = allow_unsigned
        self._connection = Connection(
            self._make_transport(connection_info, manager),
            manager,
            output_limit=output_limit,
            heartbeat=use_heartbeat,
        )
        self._closed = False

    @classmethod
    def from_connection_file(
        cls,
        path: str | PathLike[str],
        *,
        session: str | None = None,
        username: str | None = None,
        output_limit: int = 1_000_000_000,
        use_heartbeat: float | None = None,
        allow_unsigned: bool = False,
    ) -> Self:
        """Make a client of a kernel that runs already, whoever started it.

        :param path: the connection file; see :func:`~kernel_mgmt.find_connection_file`
        :raises OSError: if the file cannot be read
        :raises ValueError: if it is not a connection file, or has no key and may not lack it
        """
        return cls(
            read_connection_file(path),
            session=session,
            username=username,
            output_limit=output_limit,
            use_heartbeat=use_heartbeat,
            allow_unsigned=allow_unsigned,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        self.close()

    def __del__(self) -> None:
        if not getattr(self, "_closed", True) and self._connection.is_open:
            # A warning may be an exception.
            self._connection.close_from_anywhere()
            if self._has_ended_kernel():
                return
            warnings.warn(f"{self!r} was not closed", ResourceWarning, source=self, stacklevel=2)

    def __repr__(self) -> str:
        return f"<KernelClient {self.session}>"

    @property
    def session(self) -> str:
        """The id of the session of this client."""
        return self._factory.session

    @property
    def owned_kernel(self) -> bool:
        """Whether the client has the manager of its kernel."""
        return self.manager is not None

    @property
    def is_connected(self) -> bool:
        """Whether the kernel can reach the client on every channel, as far as can be told.

        One that is connected and does not answer is busy. A kernel that never listens on stdin is
        never connected.
        """
        return self._connection.connected

    @property
    def is_beating(self) -> bool | None:
        """Whether the kernel's heartbeat is heard; ``None`` without ``use_heartbeat``.

        It is a hint and no more: some kernels do not answer while they are busy, and others go on
        answering when nothing else of them works.
        """
        return None if self._heartbeat is None else self._connection.is_beating

    @property
    def failure(self) -> Exception | None:
        """What a request would raise now: :exc:`KernelDiedError`, :exc:`ClientClosedError`, or none."""
        failure = self._connection.failure
        return None if failure is None else failure()

    @property
    def dropped(self) -> int:
        """How often something came from this kernel that was dropped.

        It was no message of the protocol, or not signed with the key, or had come before. The first
        of them is logged.
        """
        return self._connection.dropped

    async def is_alive(self) -> bool:
        """Whether the kernel runs, as far as this client can tell."""
        if self.manager is not None:
            return await self.manager.is_alive()
        return self._connection.failure is None

    def connect(self) -> None:
        """Connect now, rather than at the first request, for handlers to see what is published.

        :raises RuntimeError: if no event loop runs, or another one than that of its first use
        """
        self._connection.open()

    def reconnect(
        self, connection_info: ConnectionInfo, manager: KernelManagerABC | None = None
    ) -> None:
        """Go over to another kernel, such as the one that follows after a restart.

        What was asked of the kernel before and has not been answered fails with
        :exc:`KernelDiedError`. Handlers stay.

        :raises ClientClosedError: if the client is closed
        :raises ValueError: if the connection info lacks something
        """
        if self._closed:
            raise ClientClosedError
        self._go_over(self._make_transport(connection_info, manager), connection_info, manager)

    def reconnect_soon(
        self, connection_info: ConnectionInfo, manager: KernelManagerABC | None = None
    ) -> None:
        """Go over to another kernel, as :meth:`reconnect` does, on the demand of any thread.

        It is done at once in the event loop of the client, and soon after elsewhere. Nothing
        happens if the client is closed by then, or its event loop is over. Requests on shell are
        sent when what the kernel publishes arrives, or a few seconds after it has answered.

        :raises ValueError: if the connection info lacks something
        """
        transport = self._make_transport(connection_info, manager)

        def go_over() -> None:
            with suppress(ClientClosedError, RuntimeError):
                self._go_over(transport, connection_info, manager)
                self._hold_requests()

        self._connection.call_from_anywhere(go_over)

    def close(self) -> None:
        """Close at once; what is pending fails with :exc:`ClientClosedError`.

        The kernel is left as it is. Calling it again does nothing.

        :raises RuntimeError: if called in another thread than that of its event loop
        """
        self._connection.close()
        self._closed = True

    async def execute_interactive(
        self,
        code: str,
        silent: bool = False,
        store_history: bool = True,
        user_expressions: Mapping[str, str] | None = None,
        allow_stdin: bool = True,
        stop_on_error: bool = True,
        timeout: float | None = None,
        output_hook: OutputHook | None = None,
        stdin_hook: StdinHook | None = None,
        interrupt_timeout: float | None = None,
        idle_timeout: float | None = None,
        raise_on_no_idle: bool = False,
    ) -> Message:
        """Run code as at a terminal: print what comes out, and ask for input.

        :param timeout: in seconds
        :param output_hook: called with each message that the code publishes, in place of printing
        :param stdin_hook: called with each ``input_request``, in place of asking; it returns the
            answer, or ``None`` if it has called :meth:`input` itself. Both may be coroutine
            functions.
        :return: the reply
        :raises TimeoutError: if it is not done in time; the code goes on
        """
        import anyio

        from ._interactive import interact

        request = self.execute(
            code,
            silent,
            store_history,
            user_expressions,
            allow_stdin,
            stop_on_error,
            interrupt_timeout,
            idle_timeout,
            raise_on_no_idle,
        )
        with anyio.fail_after(timeout):
            return await interact(self, request, output_hook, stdin_hook)

    def send(self, channel: Channel, parts: Sequence[Buffer]) -> None:
        """Send a message that was made elsewhere; handlers see what comes back.

        :param parts: header, parent header, metadata and content as JSON, then the buffers
        :raises KernelDiedError: if the kernel has died
        :raises ClientClosedError: if the client is closed
        """
        self._connection.send_only(channel, parts)

    # Handlers

    def add_handler(
        self, handler: _Handler, channels: Channel | Iterable[Channel] = ("iopub",)
    ) -> _Handler:
        """Call a function with each message that arrives on some channels, whoever asked for it.

        It is called from the event loop and should return soon. One that raises is logged.

        :param channels: a channel or several, out of shell, iopub, stdin and control
        :return: the function
        :raises ValueError: if there is no such channel
        """
        self._connection.add_handler(handler, _channels(channels))
        return handler

    def remove_handler(
        self, handler: Handler, channels: Channel | Iterable[Channel] | None = None
    ) -> None:
        """Call a function no more, on some channels or on all; nothing happens if it was not."""
        removed = frozenset(get_args(Channel)) if channels is None else _channels(channels)
        self._connection.remove_handler(handler, removed)

    def add_change_handler(self, handler: Callable[[], object]) -> None:
        """Call a function, from the event loop, when something happens to the connection.

        That is when the kernel has died, when the client goes over to another one, and when it is
        closed; :attr:`failure` tells which. One that raises is logged.
        """
        self._connection.add_change_handler(handler)

    async def _start_interrupt(self) -> Request | None:
        if self.manager is not None and self.manager.interrupt_mode != "message":
            await self.manager.interrupt()
            return None
        return self.interrupt_request()

    # Start and end

    async def wait_for_ready(self, timeout: float | None = None) -> JSONDict:
        """Wait until the kernel has answered on shell and something has come on iopub.

        From then on nothing that the kernel publishes is missed. It can ask for input by then, too,
        unless it still does not listen on stdin a second later.

        :param timeout: in seconds; ``None`` waits for as long as the kernel lives
        :return: the content of the ``kernel_info_reply``
        :raises TimeoutError: if the kernel is not ready in time
        :raises KernelDiedError: if it dies before it is ready
        """
        import anyio

        with anyio.fail_after(timeout):
            info = await answered(self._connection, self._ask_for_info)
            await self._connected()
        self.kernel_info_dict = info.content
        if self.manager is not None:
            await self.manager.kernel_ready()
        return info.content

    def _hold_requests(self) -> None:
        """Let requests wait for the proof that what the kernel publishes arrives, and cause it."""
        from kernel_mgmt._background import BackgroundTask

        connection = self._connection
        if connection.is_open:
            # The task must not hold the client: one that nobody holds is to be collected.
            ask = WeakMethod(self._ask_for_info)
            BackgroundTask(partial(let_go_when_heard, connection, connection.hold_back(), ask))

    def _ask_for_info(self) -> Exchange:
        return self._send("shell", "kernel_info_request", {}, ahead=True)

    async def _connected(self) -> None:
        """Wait until the kernel can reach the client on every channel, if that is soon."""
        import anyio

        with anyio.move_on_after(_LOOK_MOST):
            while not self._connection.connected:
                if self._connection.failure is not None:
                    raise self._connection.failure()
                await self._connection.wait_for_message(_LOOK_AGAIN)

    async def shutdown_or_terminate(
        self, timeout: float = 5.0, *, restart: bool = False
    ) -> ShutdownStage:
        """End the kernel: ask it to, then terminate it, then kill it; and clean up after it.

        A call that is cancelled kills the kernel and cleans up.

        :param timeout: how long to wait after asking and again after terminating, in seconds
        :param restart: whether the kernel is told that another one follows it
        :return: what ended the kernel
        :raises RuntimeError: if the client has no manager
        """
        import anyio

        manager = self.manager
        if manager is None:
            raise RuntimeError("the client has no manager of its kernel; use shutdown() instead")
        manager.asked_to_end = True
        try:
            return await self._end_in_stages(manager, timeout, restart)
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(_KILL_MOST):
                await manager.kill()
                await manager.cleanup()

    async def _end_in_stages(
        self, manager: KernelManagerABC, timeout: float, restart: bool
    ) -> ShutdownStage:
        import anyio

        if not await manager.is_alive():
            return "dead"
        if self._connection.failure is None:
            self.shutdown(restart)
            with anyio.move_on_after(timeout):
                await manager.wait()
                return "shutdown"
        await manager.terminate()
        with anyio.move_on_after(timeout):
            await manager.wait()
            return "terminated"
        await manager.kill()
        return "killed"

    def _request(
        self,
        channel: Channel,
        msg_type: str,
        content: Mapping[str, object],
        *,
        header: Mapping[str, object] | None = None,
        until_idle: bool = False,
        collect: bool = True,
        patience: Patience = PATIENT,
        reply_of_death: Mapping[str, object] | None = None,
    ) -> Request:
        exchange = self._send(
            channel,
            msg_type,
            content,
            header=header,
            until_idle=until_idle,
            collect=collect,
            reply_of_death=reply_of_death,
        )
        return Request(self, self._connection, msg_type, exchange, patience)

    def _send(
        self,
        channel: Channel,
        msg_type: str,
        content: Mapping[str, object],
        *,
        header: Mapping[str, object] | None = None,
        until_idle: bool = False,
        collect: bool = True,
        reply_of_death: Mapping[str, object] | None = None,
        ahead: bool = False,
    ) -> Exchange:
        protocol4 = self._connection.protocol4
        sent_type, sent = msg_type, content
        if protocol4 is not None:
            sent_type, sent = protocol4.request(msg_type, content)
        msg_id, parts = self._factory.make(sent_type, sent, header=header)
        if protocol4 is not None:
            protocol4.sent(msg_id, content)
        answer = None
        if reply_of_death is not None:
            reply_type = msg_type.replace("_request", "_reply")
            answer = Message(channel, self._factory.make(reply_type, reply_of_death)[1])
        exchange = Exchange(
            msg_id,
            self._connection.backlog,
            until_idle=until_idle,
            collect=collect,
            reply_of_death=answer,
        )
        self._connection.send(exchange, channel, parts, ahead=ahead)
        return exchange

    def _send_only(
        self,
        channel: Channel,
        msg_type: str,
        content: Mapping[str, object],
        *,
        parent_header: Mapping[str, object] | None = None,
        metadata: Mapping[str, object] | None = None,
        buffers: Sequence[Buffer] = (),
    ) -> str:
        msg_id, parts = self._factory.make(
            msg_type, content, parent_header=parent_header, metadata=metadata, buffers=buffers
        )
        self._connection.send_only(channel, parts)
        return msg_id

    def _go_over(
        self,
        transport: TransportABC,
        connection_info: ConnectionInfo,
        manager: KernelManagerABC | None,
    ) -> None:
        self._connection.reconnect(transport, manager)
        self.connection_info = connection_info
        self.manager = manager

    def _has_ended_kernel(self) -> bool:
        manager = self.manager
        return manager is not None and (manager.asked_to_end or manager.exit_status is not None)

    def _make_transport(
        self, connection_info: ConnectionInfo, manager: KernelManagerABC | None
    ) -> TransportABC:
        keywords: TransportKeywords = {
            "session": self.session,
            "starting": manager is not None,
            "heartbeat": self._heartbeat is not None,
            "allow_unsigned": self._allow_unsigned,
        }
        transport = None if manager is None else manager.make_transport(**keywords)
        return transport or make_transport(connection_info, **keywords)

    def _has_ended(self, msg_id: str) -> bool:
        return self._factory.has_made(msg_id) and not self._connection.is_pending(msg_id)

    def _can_answer(self) -> bool:
        return self._connection.handles("stdin")


def _channels(channels: Channel | Iterable[Channel]) -> frozenset[Channel]:
    chosen: frozenset[Channel] = frozenset({channels} if isinstance(channels, str) else channels)
    for channel in chosen - {"shell", "iopub", "stdin", "control"}:
        raise ValueError(f"there is no channel {channel!r}; use shell, iopub, stdin or control")
    return chosen

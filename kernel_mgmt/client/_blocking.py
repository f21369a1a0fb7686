"""The client for code that is not asynchronous: a thin layer over one background event loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING, Literal, Self, TypeVar

from anyio import fail_after

from kernel_mgmt import _portal

from ._client import KernelClient, ShutdownStage
from ._interactive import ask, print_output
from ._relay import Handover, relay

if TYPE_CHECKING:
    from kernel_mgmt.abc import Buffer, KernelManagerABC
    from kernel_mgmt.messages import Message
    from kernel_mgmt.types import Channel, ConnectionInfo, JSONDict

    from ._connection import Handler
    from ._request import Request

__all__ = ("BlockingKernelClient",)

T = TypeVar("T")


class BlockingKernelClient:
    """Talks to a running kernel, from any thread, also from one whose event loop runs.

    All clients of the process share one background thread. The arguments and the methods are those
    of :class:`KernelClient`; where that one returns a request, this one waits for the reply.

    Every ``timeout`` is in seconds, and :exc:`TimeoutError` is raised when it is over. Handlers are
    called in the background thread.
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
        self._client = KernelClient(
            connection_info,
            manager,
            session=session,
            username=username,
            output_limit=output_limit,
            use_heartbeat=use_heartbeat,
            allow_unsigned=allow_unsigned,
        )

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
        """Make a client of a kernel that runs already, whoever started it."""
        return cls.around(
            KernelClient.from_connection_file(
                path,
                session=session,
                username=username,
                output_limit=output_limit,
                use_heartbeat=use_heartbeat,
                allow_unsigned=allow_unsigned,
            )
        )

    @classmethod
    def around(cls, client: KernelClient) -> Self:
        """Make a blocking client of one that is in use in the background thread."""
        self = cls.__new__(cls)
        self._client = client
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<BlockingKernelClient {self.session}>"

    @property
    def connection_info(self) -> ConnectionInfo:
        """How the kernel is reached."""
        return self._client.connection_info

    @property
    def manager(self) -> KernelManagerABC | None:
        """The manager of the kernel, if it is this program's."""
        return self._client.manager

    @property
    def kernel_info_dict(self) -> JSONDict | None:
        """What the kernel told about itself when it became ready."""
        return self._client.kernel_info_dict

    @property
    def session(self) -> str:
        """The id of the session of this client."""
        return self._client.session

    @property
    def owned_kernel(self) -> bool:
        """Whether the client has the manager of its kernel."""
        return self._client.owned_kernel

    @property
    def is_connected(self) -> bool:
        """Whether the kernel can reach the client on every channel, as far as can be told."""
        return self._client.is_connected

    @property
    def is_beating(self) -> bool | None:
        """Whether the kernel's heartbeat is heard; ``None`` without ``use_heartbeat``."""
        return self._client.is_beating

    @property
    def failure(self) -> Exception | None:
        """What a request would raise now: :exc:`KernelDiedError`, :exc:`ClientClosedError`, or none."""
        return self._client.failure

    @property
    def dropped(self) -> int:
        """How often something came from this kernel that was dropped."""
        return self._client.dropped

    def is_alive(self) -> bool:
        """Whether the kernel runs, as far as this client can tell."""
        return _portal.call(self._client.is_alive)

    def close(self) -> None:
        """Close at once; what is pending in other threads fails. The kernel is left as it is."""
        self._do(self._client.close)

    def connect(self) -> None:
        """Connect now, rather than at the first request, for handlers to see what is published."""
        self._do(self._client.connect)

    def reconnect(
        self, connection_info: ConnectionInfo, manager: KernelManagerABC | None = None
    ) -> None:
        """Go over to another kernel, such as the one that follows after a restart."""
        self._do(lambda: self._client.reconnect(connection_info, manager))

    def reconnect_soon(
        self, connection_info: ConnectionInfo, manager: KernelManagerABC | None = None
    ) -> None:
        """Go over to another kernel; this is done soon, and not waited for."""
        self._client.reconnect_soon(connection_info, manager)

    def execute(
        self,
        code: str,
        silent: bool = False,
        store_history: bool = True,
        user_expressions: Mapping[str, str] | None = None,
        allow_stdin: bool | None = None,
        stop_on_error: bool = True,
        interrupt_timeout: float | None = None,
        idle_timeout: float | None = None,
        raise_on_no_idle: bool = False,
        *,
        subshell_id: str | None = None,
        timeout: float | None = None,
    ) -> Message:
        """Run code in the kernel, and wait until it is done.

        What it publishes is seen by handlers only; see :meth:`execute_interactive`.
        """
        return self._reply(
            lambda: self._client.execute(
                code,
                silent,
                store_history,
                user_expressions,
                allow_stdin,
                stop_on_error,
                interrupt_timeout,
                idle_timeout,
                raise_on_no_idle,
                subshell_id=subshell_id,
                collect=False,
            ),
            timeout,
        )

    def execute_interactive(
        self,
        code: str,
        silent: bool = False,
        store_history: bool = True,
        user_expressions: Mapping[str, str] | None = None,
        allow_stdin: bool = True,
        stop_on_error: bool = True,
        timeout: float | None = None,
        output_hook: Callable[[Message], object] | None = None,
        stdin_hook: Callable[[Message], str | None] | None = None,
        interrupt_timeout: float | None = None,
        idle_timeout: float | None = None,
        raise_on_no_idle: bool = False,
    ) -> Message:
        """Run code as at a terminal: print what comes out, and ask for input.

        The hooks are called in the calling thread. Ctrl-C interrupts the kernel, if the client has
        its manager; a second one is raised.

        :param output_hook: called with each message that the code publishes, in place of printing
        :param stdin_hook: called with each ``input_request``, in place of asking; it returns the
            answer, or ``None`` if it has called :meth:`input` itself
        """
        output_hook = print_output if output_hook is None else output_hook
        stdin_hook = ask if stdin_hook is None else stdin_hook

        async def run(handover: Handover) -> Message:
            with fail_after(timeout):
                request = self._client.execute(
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
                async for message in request.with_stdin():
                    await handover.carry(message)
                return await request

        def show(message: Message) -> None:
            if message.channel != "stdin":
                output_hook(message)
            elif (answer := stdin_hook(message)) is not None:
                self.input(answer, message)

        return relay(run, show, self.interrupt if self.owned_kernel else None)

    def complete(
        self,
        code: str,
        cursor_pos: int | None = None,
        *,
        subshell_id: str | None = None,
        timeout: float | None = None,
    ) -> Message:
        """Ask how code may go on."""
        complete = partial(self._client.complete, code, cursor_pos, subshell_id=subshell_id)
        return self._reply(complete, timeout)

    def inspect(
        self,
        code: str,
        cursor_pos: int | None = None,
        detail_level: Literal[0, 1] = 0,
        *,
        subshell_id: str | None = None,
        timeout: float | None = None,
    ) -> Message:
        """Ask what is known of the thing at the cursor."""
        inspect = partial(self._client.inspect, code, cursor_pos, detail_level)
        return self._reply(partial(inspect, subshell_id=subshell_id), timeout)

    def history(
        self,
        raw: bool = True,
        output: bool = False,
        hist_access_type: Literal["range", "tail", "search"] = "range",
        *,
        timeout: float | None = None,
        **kwargs: object,
    ) -> Message:
        """Ask for what was executed."""
        history = partial(self._client.history, raw, output, hist_access_type, **kwargs)
        return self._reply(history, timeout)

    def is_complete(self, code: str, *, timeout: float | None = None) -> Message:
        """Ask whether code can be run as it stands, or wants another line."""
        return self._reply(partial(self._client.is_complete, code), timeout)

    def kernel_info(
        self,
        *,
        channel: Literal["shell", "control"] = "shell",
        timeout: float | None = None,
    ) -> Message:
        """Ask what the kernel is."""
        return self._reply(partial(self._client.kernel_info, channel=channel), timeout)

    def comm_info(self, target_name: str | None = None, *, timeout: float | None = None) -> Message:
        """Ask which comms are open, for one target or for all."""
        return self._reply(partial(self._client.comm_info, target_name), timeout)

    def shutdown(self, restart: bool = False, *, timeout: float | None = None) -> Message:
        """Ask the kernel to end; its death counts as the reply."""
        return self._reply(partial(self._client.shutdown, restart), timeout)

    def interrupt(self, *, timeout: float | None = None) -> Message | None:
        """Interrupt the kernel, in the way that its kernel type asks for."""
        return _portal.call(self._client.interrupt, timeout=timeout)

    def debug(
        self,
        command: str,
        arguments: Mapping[str, object] | None = None,
        *,
        seq: int = 1,
        timeout: float | None = None,
    ) -> Message:
        """Send a request of the Debug Adapter Protocol; its events come on iopub."""
        return self._reply(partial(self._client.debug, command, arguments, seq=seq), timeout)

    def usage(self, *, timeout: float | None = None) -> Message:
        """Ask what the kernel uses of the machine; an extension of ipykernel."""
        return self._reply(self._client.usage, timeout)

    def create_subshell(self, *, timeout: float | None = None) -> Message:
        """Ask for a subshell, which runs requests beside the main shell (JEP 91)."""
        return self._reply(self._client.create_subshell, timeout)

    def list_subshells(self, *, timeout: float | None = None) -> Message:
        """Ask which subshells there are (JEP 91)."""
        return self._reply(self._client.list_subshells, timeout)

    def delete_subshell(self, subshell_id: str, *, timeout: float | None = None) -> Message:
        """Ask for the end of a subshell (JEP 91)."""
        return self._reply(partial(self._client.delete_subshell, subshell_id), timeout)

    def comm_open(
        self,
        comm_id: str,
        target_name: str,
        data: Mapping[str, object] | None = None,
        *,
        metadata: Mapping[str, object] | None = None,
        buffers: Sequence[Buffer] = (),
    ) -> str:
        """Open a comm; return the id of the message, under which the kernel publishes for it."""
        comm_open = partial(self._client.comm_open, comm_id, target_name, data)
        return self._do(partial(comm_open, metadata=metadata, buffers=buffers))

    def comm_msg(
        self,
        comm_id: str,
        data: Mapping[str, object],
        *,
        metadata: Mapping[str, object] | None = None,
        buffers: Sequence[Buffer] = (),
    ) -> str:
        """Send data to a comm; return the id of the message."""
        comm_msg = partial(self._client.comm_msg, comm_id, data)
        return self._do(partial(comm_msg, metadata=metadata, buffers=buffers))

    def comm_close(self, comm_id: str, data: Mapping[str, object] | None = None) -> str:
        """Close a comm; return the id of the message."""
        return self._do(partial(self._client.comm_close, comm_id, data))

    def wait_for_ready(self, timeout: float | None = None) -> JSONDict:
        """Wait until the kernel has answered on shell and something has come on iopub."""
        return _portal.call(self._client.wait_for_ready, timeout)

    def shutdown_or_terminate(
        self, timeout: float = 5.0, *, restart: bool = False
    ) -> ShutdownStage:
        """End the kernel: ask it to, then terminate it, then kill it; and clean up after it."""
        return _portal.call(partial(self._client.shutdown_or_terminate, timeout, restart=restart))

    def input(self, value: str, parent: Message | None = None) -> None:
        """Answer an ``input_request``; from a handler or from any thread."""
        self._do(partial(self._client.input, value, parent))

    def send(self, channel: Channel, parts: Sequence[Buffer]) -> None:
        """Send a message that was made elsewhere; handlers see what comes back."""
        self._do(partial(self._client.send, channel, parts))

    def add_handler(
        self, handler: Handler, channels: Channel | Iterable[Channel] = ("iopub",)
    ) -> Handler:
        """Call a function, in the background thread, with each message on some channels."""
        return self._client.add_handler(handler, channels)

    def remove_handler(
        self, handler: Handler, channels: Channel | Iterable[Channel] | None = None
    ) -> None:
        """Call a function no more, on some channels or on all."""
        self._client.remove_handler(handler, channels)

    def add_change_handler(self, handler: Callable[[], object]) -> None:
        """Call a function, in the background thread, when something happens to the connection."""
        self._client.add_change_handler(handler)

    @staticmethod
    def _reply(ask: Callable[[], Request], timeout: float | None) -> Message:
        async def reply() -> Message:
            return await ask()

        return _portal.call(reply, timeout=timeout)

    @staticmethod
    def _do(action: Callable[[], T]) -> T:
        """Do something in the background thread, which may be this one."""
        if _portal.is_current_thread():
            return action()

        async def act() -> T:
            return action()

        return _portal.call(act)

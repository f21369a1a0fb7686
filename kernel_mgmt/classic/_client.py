"""What the classic clients have in common: settings, channels and requests."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Generic, Literal, TypeVar, Unpack, overload

from kernel_mgmt.transports.zmq import zmq_context

from ._channels import Access, HeartbeatChannel
from ._line import CHANNELS, Line
from ._settings import ConnectionSettings, Settings

if TYPE_CHECKING:
    import zmq

    from kernel_mgmt import client as clients
    from kernel_mgmt.abc import KernelManagerABC
    from kernel_mgmt.client import Request
    from kernel_mgmt.types import Channel, ConnectionInfo

__all__ = ("KernelClient",)

Reply = TypeVar("Reply")
Fetched = TypeVar("Fetched")
T = TypeVar("T")


class KernelClient(ConnectionSettings, ABC, Generic[Reply]):
    """Talks to a kernel by channels from which messages are fetched, as dicts.

    The requests return the id of their message at once; with ``reply=True`` they wait for the
    reply, at most ``timeout`` seconds, and raise :exc:`TimeoutError` or :exc:`KernelDiedError` if
    there is none. What comes by a channel waits there until it is fetched.

    :param manager: the manager of the kernel, whose death ends what waits
    :param parent: who made the client
    :param context: ignored: all clients of a process share its context
    :param output_limit: how many bytes may wait on each channel; past it they are let go of, and
        the next fetch raises :exc:`OutputOverflowError`
    :param settings: how the kernel is reached

    :ivar allow_stdin: whether code may ask for input, where ``execute`` is not told
    """

    allow_stdin = True

    def __init__(
        self,
        *,
        manager: KernelManagerABC | None = None,
        parent: object = None,
        context: object = None,
        output_limit: int = 1_000_000_000,
        **settings: Unpack[Settings],
    ) -> None:
        super().__init__(**settings)
        self.parent = parent
        self._manager = manager
        self._line = Line(output_limit)

    @property
    def context(self) -> zmq.Context[zmq.Socket[bytes]]:
        """The ZeroMQ context, which all clients of the process share."""
        return zmq_context()

    def follow(
        self, connection_info: ConnectionInfo, manager: KernelManagerABC | None = None
    ) -> None:
        """Go over to another kernel, soon, such as the one that follows after a restart.

        What waits on the channels may still be fetched; replies that are waited for fail with
        :exc:`KernelDiedError`. Any thread may call this.
        """
        self._manager = manager
        self.replace_connection_info(connection_info)
        self._line.follow(connection_info, manager)

    async def followed(self) -> None:
        """Wait until the kernel gone over to is heard, if the channels run in this event loop."""
        await self._line.settle()

    # Channels

    def start_channels(
        self,
        shell: bool = True,
        iopub: bool = True,
        stdin: bool = True,
        hb: bool = True,
        control: bool = True,
    ) -> None:
        """Connect, and keep what comes by these channels; also again, after they were stopped.

        :raises ValueError: if it is not known how the kernel is reached
        """
        wanted = {"shell": shell, "iopub": iopub, "stdin": stdin, "hb": hb, "control": control}
        self.allow_stdin = stdin
        self._do(lambda: self._start([channel for channel in CHANNELS if wanted[channel]]))

    def stop_channels(self) -> None:
        """Close at once, and let go of what was not fetched; the kernel is left as it is."""
        self._do(lambda: self._line.stop(CHANNELS))

    @property
    def channels_running(self) -> bool:
        """Whether any channel runs."""
        return self._line.runs()

    @property
    def hb_channel(self) -> HeartbeatChannel:
        """The heartbeat."""
        return HeartbeatChannel("hb", self._access(lambda channel, timeout: None))

    # Requests

    @overload
    def execute(
        self,
        code: str,
        silent: bool = False,
        store_history: bool = True,
        user_expressions: Mapping[str, str] | None = None,
        allow_stdin: bool | None = None,
        stop_on_error: bool = True,
        *,
        reply: Literal[False] = False,
        timeout: float | None = None,
    ) -> str: ...
    @overload
    def execute(
        self,
        code: str,
        silent: bool = False,
        store_history: bool = True,
        user_expressions: Mapping[str, str] | None = None,
        allow_stdin: bool | None = None,
        stop_on_error: bool = True,
        *,
        reply: Literal[True],
        timeout: float | None = None,
    ) -> Reply: ...
    def execute(
        self,
        code: str,
        silent: bool = False,
        store_history: bool = True,
        user_expressions: Mapping[str, str] | None = None,
        allow_stdin: bool | None = None,
        stop_on_error: bool = True,
        *,
        reply: bool = False,
        timeout: float | None = None,
    ) -> str | Reply:
        """Run code in the kernel.

        :param silent: run it without publishing, counting or storing it in the history
        :param user_expressions: expressions by name; their values come with the reply
        :param allow_stdin: whether the code may ask for input; that of the attribute when ``None``
        :param stop_on_error: whether an error aborts the requests queued behind this one
        """
        ask = self._asking_to_execute(
            code, silent, store_history, user_expressions, allow_stdin, stop_on_error, collect=False
        )
        return self._ask(ask, reply, timeout)

    @overload
    def complete(
        self,
        code: str,
        cursor_pos: int | None = None,
        *,
        reply: Literal[False] = False,
        timeout: float | None = None,
    ) -> str: ...
    @overload
    def complete(
        self,
        code: str,
        cursor_pos: int | None = None,
        *,
        reply: Literal[True],
        timeout: float | None = None,
    ) -> Reply: ...
    def complete(
        self,
        code: str,
        cursor_pos: int | None = None,
        *,
        reply: bool = False,
        timeout: float | None = None,
    ) -> str | Reply:
        """Ask how code may go on.

        :param cursor_pos: in characters; the end of the code when ``None``
        """
        return self._ask(lambda client: client.complete(code, cursor_pos), reply, timeout)

    @overload
    def inspect(
        self,
        code: str,
        cursor_pos: int | None = None,
        detail_level: Literal[0, 1] = 0,
        *,
        reply: Literal[False] = False,
        timeout: float | None = None,
    ) -> str: ...
    @overload
    def inspect(
        self,
        code: str,
        cursor_pos: int | None = None,
        detail_level: Literal[0, 1] = 0,
        *,
        reply: Literal[True],
        timeout: float | None = None,
    ) -> Reply: ...
    def inspect(
        self,
        code: str,
        cursor_pos: int | None = None,
        detail_level: Literal[0, 1] = 0,
        *,
        reply: bool = False,
        timeout: float | None = None,
    ) -> str | Reply:
        """Ask what is known of the thing at the cursor.

        :param cursor_pos: in characters; the end of the code when ``None``
        :param detail_level: 1 asks for more, such as the source
        """
        return self._ask(
            lambda client: client.inspect(code, cursor_pos, detail_level), reply, timeout
        )

    @overload
    def history(
        self,
        raw: bool = True,
        output: bool = False,
        hist_access_type: Literal["range", "tail", "search"] = "range",
        *,
        reply: Literal[False] = False,
        timeout: float | None = None,
        **kwargs: object,
    ) -> str: ...
    @overload
    def history(
        self,
        raw: bool = True,
        output: bool = False,
        hist_access_type: Literal["range", "tail", "search"] = "range",
        *,
        reply: Literal[True],
        timeout: float | None = None,
        **kwargs: object,
    ) -> Reply: ...
    def history(
        self,
        raw: bool = True,
        output: bool = False,
        hist_access_type: Literal["range", "tail", "search"] = "range",
        *,
        reply: bool = False,
        timeout: float | None = None,
        **kwargs: object,
    ) -> str | Reply:
        """Ask for what was executed.

        :param raw: as it was typed, rather than as it was transformed
        :param output: with what came out
        :param hist_access_type: ``range`` takes ``session``, ``start`` and ``stop``; ``tail`` takes
            ``n``; ``search`` takes ``pattern``, ``unique`` and ``n``
        """
        return self._ask(
            lambda client: client.history(raw, output, hist_access_type, **kwargs), reply, timeout
        )

    @overload
    def kernel_info(
        self, *, reply: Literal[False] = False, timeout: float | None = None
    ) -> str: ...
    @overload
    def kernel_info(self, *, reply: Literal[True], timeout: float | None = None) -> Reply: ...
    def kernel_info(self, *, reply: bool = False, timeout: float | None = None) -> str | Reply:
        """Ask what the kernel is."""
        return self._ask(lambda client: client.kernel_info(), reply, timeout)

    @overload
    def comm_info(
        self,
        target_name: str | None = None,
        *,
        reply: Literal[False] = False,
        timeout: float | None = None,
    ) -> str: ...
    @overload
    def comm_info(
        self,
        target_name: str | None = None,
        *,
        reply: Literal[True],
        timeout: float | None = None,
    ) -> Reply: ...
    def comm_info(
        self,
        target_name: str | None = None,
        *,
        reply: bool = False,
        timeout: float | None = None,
    ) -> str | Reply:
        """Ask which comms are open, for one target or for all."""
        return self._ask(lambda client: client.comm_info(target_name), reply, timeout)

    @overload
    def is_complete(
        self, code: str, *, reply: Literal[False] = False, timeout: float | None = None
    ) -> str: ...
    @overload
    def is_complete(
        self, code: str, *, reply: Literal[True], timeout: float | None = None
    ) -> Reply: ...
    def is_complete(
        self, code: str, *, reply: bool = False, timeout: float | None = None
    ) -> str | Reply:
        """Ask whether code can be run as it stands, or wants another line."""
        return self._ask(lambda client: client.is_complete(code), reply, timeout)

    @overload
    def shutdown(
        self, restart: bool = False, *, reply: Literal[False] = False, timeout: float | None = None
    ) -> str: ...
    @overload
    def shutdown(
        self, restart: bool = False, *, reply: Literal[True], timeout: float | None = None
    ) -> Reply: ...
    def shutdown(
        self, restart: bool = False, *, reply: bool = False, timeout: float | None = None
    ) -> str | Reply:
        """Ask the kernel, on control, to end.

        :param restart: whether the kernel is told that another one follows it
        """
        return self._ask(lambda client: client.shutdown(restart), reply, timeout, "control")

    def input(self, string: str) -> None:
        """Answer the ``input_request`` that came by stdin last."""
        self._do(lambda: self._opened().client.input(string))

    def _asking_to_execute(
        self,
        code: str,
        silent: bool,
        store_history: bool,
        user_expressions: Mapping[str, str] | None,
        allow_stdin: bool | None,
        stop_on_error: bool,
        *,
        collect: bool = True,
    ) -> Callable[[clients.KernelClient], Request]:
        if allow_stdin is None:
            allow_stdin = self.allow_stdin
        return lambda client: client.execute(
            code,
            silent,
            store_history,
            user_expressions,
            allow_stdin,
            stop_on_error,
            collect=collect,
        )

    def _start(self, channels: Iterable[Channel]) -> None:
        if not self._line.is_open:
            info = self._connection_info()
            self._line.open(info, self._manager, self.session, heartbeat="hb" in channels)
        self._line.start(channels)

    def _opened(self) -> Line:
        # Programs that start no channels use them all the same.
        if not self._line.was_open:
            self._start(CHANNELS)
        return self._line

    async def _is_alive(self) -> bool:
        if self._manager is not None:
            return await self._manager.is_alive()
        return self._line.is_beating or not self._line.runs(["hb"])

    def _access(self, fetch: Callable[[Channel, float | None], Fetched]) -> Access[Fetched]:
        return Access(
            self._line,
            lambda channel: self._do(lambda: self._start([channel])),
            lambda channel: self._do(lambda: self._line.stop([channel])),
            lambda channel, message: self._do(
                lambda: self._opened().send_message(channel, message)
            ),
            fetch,
        )

    @abstractmethod
    def _do(self, action: Callable[[], T]) -> T:
        """Do something in the event loop of the client."""

    @abstractmethod
    def _ask(
        self,
        ask: Callable[[clients.KernelClient], Request],
        reply: bool,
        timeout: float | None,
        channel: Channel = "shell",
    ) -> str | Reply:
        """Send a request; return its id, or the reply."""

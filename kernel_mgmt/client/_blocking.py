"""The client for code that is not asynchronous: a thin layer over one background event loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Self

from kernel_mgmt import _portal

from ._client import KernelClient, ShutdownStage

if TYPE_CHECKING:
    from kernel_mgmt.abc import KernelManagerABC
    from kernel_mgmt.messages import Message
    from kernel_mgmt.types import Channel, ConnectionInfo, JSONDict

    from ._connection import Handler
    from ._request import Request

__all__ = ("BlockingKernelClient",)


class BlockingKernelClient:
    """Talks to a running kernel, from any thread, also from one whose event loop runs.

    All clients of the process share one background thread. The methods are those of
    :class:`KernelClient`; where that one returns a request, this one waits for the reply.

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
    ) -> None:
        self._client = KernelClient(connection_info, manager, session=session, username=username)

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

    def is_alive(self) -> bool:
        """Whether the kernel runs, as far as this client can tell."""
        return _portal.call(self._client.is_alive)

    def close(self) -> None:
        """Close at once; what is pending in other threads fails. The kernel is left as it is."""

        async def close() -> None:
            self._client.close()

        _portal.call(close)

    def execute(
        self,
        code: str,
        silent: bool = False,
        store_history: bool = True,
        user_expressions: Mapping[str, str] | None = None,
        allow_stdin: bool | None = None,
        stop_on_error: bool = True,
        *,
        output_hook: Callable[[Message], object] | None = None,
        timeout: float | None = None,
    ) -> Message:
        """Run code in the kernel, and wait until it is done.

        :param output_hook: called, in the calling thread's stead, with each message that the code
            publishes
        """

        async def execute() -> Message:
            request = self._client.execute(
                code, silent, store_history, user_expressions, allow_stdin, stop_on_error
            )
            if output_hook is not None:
                async for message in request:
                    output_hook(message)
            return await request

        return _portal.call(execute, timeout=timeout)

    def kernel_info(self, *, timeout: float | None = None) -> Message:
        """Ask what the kernel is."""
        return self._reply(self._client.kernel_info, timeout)

    def shutdown(self, restart: bool = False, *, timeout: float | None = None) -> Message:
        """Ask the kernel to end; its death counts as the reply."""
        return self._reply(lambda: self._client.shutdown(restart), timeout)

    def interrupt(self, *, timeout: float | None = None) -> Message | None:
        """Interrupt the kernel, in the way that its kernel type asks for."""
        return _portal.call(self._client.interrupt, timeout=timeout)

    def wait_for_ready(self, timeout: float | None = None) -> JSONDict:
        """Wait until the kernel has answered on shell and something has come on iopub."""
        return _portal.call(self._client.wait_for_ready, timeout)

    def shutdown_or_terminate(self, timeout: float = 5.0) -> ShutdownStage:
        """End the kernel: ask it to, then terminate it, then kill it; and clean up after it."""
        return _portal.call(self._client.shutdown_or_terminate, timeout)

    def input(self, value: str, parent: Message | None = None) -> None:
        """Answer an ``input_request``; from a handler or from any thread."""

        async def answer() -> None:
            self._client.input(value, parent)

        if _portal.is_current_thread():
            self._client.input(value, parent)
        else:
            _portal.call(answer)

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

    @staticmethod
    def _reply(ask: Callable[[], Request], timeout: float | None) -> Message:
        async def reply() -> Message:
            return await ask()

        return _portal.call(reply, timeout=timeout)

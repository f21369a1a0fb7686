"""The classic client for asynchronous code, on asyncio and on trio."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, TypeVar

from kernel_mgmt.types import JSONDict

from ._channels import AsyncChannel
from ._client import KernelClient
from ._messages import as_dict
from ._show import show_output

if TYPE_CHECKING:
    from kernel_mgmt import client as clients
    from kernel_mgmt.client import Request
    from kernel_mgmt.messages import Message
    from kernel_mgmt.types import Channel

__all__ = ("AsyncKernelClient",)

T = TypeVar("T")


class AsyncKernelClient(KernelClient[Coroutine[Any, Any, JSONDict]]):
    """Talks to a kernel by channels from which messages are fetched, on asyncio and on trio.

    It belongs to the event loop in which it is first used, and may be shared by many tasks of it.
    Each message is given to one of those who fetch; a task that is cancelled takes none.

    ::

        client.start_channels()
        await client.wait_for_ready(timeout=60)
        msg_id = client.execute("6 * 7")
        reply = await client.get_shell_msg(timeout=10)
        client.stop_channels()
    """

    @property
    def shell_channel(self) -> AsyncChannel:
        """The channel of requests and replies."""
        return AsyncChannel("shell", self._access(self._fetch))

    @property
    def iopub_channel(self) -> AsyncChannel:
        """The channel of what the kernel publishes."""
        return AsyncChannel("iopub", self._access(self._fetch))

    @property
    def stdin_channel(self) -> AsyncChannel:
        """The channel by which the kernel asks for input."""
        return AsyncChannel("stdin", self._access(self._fetch))

    @property
    def control_channel(self) -> AsyncChannel:
        """The channel of requests that reach a busy kernel."""
        return AsyncChannel("control", self._access(self._fetch))

    async def get_shell_msg(self, timeout: float | None = None) -> JSONDict:
        """Fetch the next message from shell; :meth:`AsyncChannel.get_msg` says how it ends."""
        return await self._fetch("shell", timeout)

    async def get_iopub_msg(self, timeout: float | None = None) -> JSONDict:
        """Fetch the next message from iopub; :meth:`AsyncChannel.get_msg` says how it ends."""
        return await self._fetch("iopub", timeout)

    async def get_stdin_msg(self, timeout: float | None = None) -> JSONDict:
        """Fetch the next message from stdin; :meth:`AsyncChannel.get_msg` says how it ends."""
        return await self._fetch("stdin", timeout)

    async def get_control_msg(self, timeout: float | None = None) -> JSONDict:
        """Fetch the next message from control; :meth:`AsyncChannel.get_msg` says how it ends."""
        return await self._fetch("control", timeout)

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Wait until the kernel has answered; nothing that it publishes from then on is missed.

        What it published before for others than this client is let go of.

        :param timeout: in seconds
        :raises RuntimeError: if the kernel dies first, or does not answer in time
        """
        await self._opened().wait_for_ready(timeout)

    async def is_alive(self) -> bool:
        """Whether the kernel runs: as its process tells, or else its heartbeat."""
        return await self._is_alive()

    async def execute_interactive(
        self,
        code: str,
        silent: bool = False,
        store_history: bool = True,
        user_expressions: Mapping[str, str] | None = None,
        allow_stdin: bool | None = None,
        stop_on_error: bool = True,
        timeout: float | None = None,
        output_hook: Callable[[JSONDict], object] | None = None,
        stdin_hook: Callable[[JSONDict], object] | None = None,
    ) -> JSONDict:
        """Run code as at a terminal: print what comes out, and ask for input.

        What belongs to the code is not fetched from the channels, and what belongs to others is
        left there. Both hooks may be coroutine functions.

        :param timeout: in seconds
        :param output_hook: called with each message that the code publishes, in place of printing
        :param stdin_hook: called with each ``input_request``, in place of asking; it answers with
            :meth:`input`
        :return: the reply
        :raises TimeoutError: if it is not done in time; the code goes on
        :raises KernelDiedError: if the kernel dies first
        """
        ask = self._asking_to_execute(
            code, silent, store_history, user_expressions, allow_stdin, stop_on_error
        )
        return await self._opened().interact(
            ask,
            show_output if output_hook is None else lambda message: output_hook(as_dict(message)),
            None if stdin_hook is None else _without_result(stdin_hook),
            timeout,
        )

    async def _fetch(self, channel: Channel, timeout: float | None) -> JSONDict:
        return await self._opened().get(channel, timeout)

    def _do(self, action: Callable[[], T]) -> T:
        return action()

    def _ask(
        self,
        ask: Callable[[clients.KernelClient], Request],
        reply: bool,
        timeout: float | None,
        channel: Channel = "shell",
    ) -> str | Coroutine[Any, Any, JSONDict]:
        line = self._opened()
        request = line.send(ask)
        return line.reply(request, channel, timeout) if reply else request.msg_id


def _without_result(hook: Callable[[JSONDict], object]) -> Callable[[Message], Awaitable[None]]:
    async def call(message: Message) -> None:
        result = hook(as_dict(message))
        if isawaitable(result):
            await result

    return call

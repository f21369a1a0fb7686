"""The classic client for code that is not asynchronous."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from kernel_mgmt import _portal
from kernel_mgmt.client._interactive import ask as ask_at_terminal
from kernel_mgmt.client._relay import Handover, relay
from kernel_mgmt.types import JSONDict

from ._channels import BlockingChannel
from ._client import KernelClient
from ._messages import as_dict
from ._show import show_output

if TYPE_CHECKING:
    from kernel_mgmt import client as clients
    from kernel_mgmt.client import Request
    from kernel_mgmt.messages import Message
    from kernel_mgmt.types import Channel

__all__ = ("BlockingKernelClient",)

T = TypeVar("T")


class BlockingKernelClient(KernelClient[JSONDict]):
    """Talks to a kernel by channels from which messages are fetched, from any thread.

    It also works in a thread whose event loop runs, which it blocks. Each message is given to one of
    those who fetch.

    ::

        client.start_channels()
        client.wait_for_ready(timeout=60)
        msg_id = client.execute("6 * 7")
        reply = client.get_shell_msg(timeout=10)
        client.stop_channels()
    """

    @property
    def shell_channel(self) -> BlockingChannel:
        """The channel of requests and replies."""
        return BlockingChannel("shell", self._access(self._fetch))

    @property
    def iopub_channel(self) -> BlockingChannel:
        """The channel of what the kernel publishes."""
        return BlockingChannel("iopub", self._access(self._fetch))

    @property
    def stdin_channel(self) -> BlockingChannel:
        """The channel by which the kernel asks for input."""
        return BlockingChannel("stdin", self._access(self._fetch))

    @property
    def control_channel(self) -> BlockingChannel:
        """The channel of requests that reach a busy kernel."""
        return BlockingChannel("control", self._access(self._fetch))

    def get_shell_msg(self, timeout: float | None = None) -> JSONDict:
        """Fetch the next message from shell; :meth:`BlockingChannel.get_msg` says how it ends."""
        return self._fetch("shell", timeout)

    def get_iopub_msg(self, timeout: float | None = None) -> JSONDict:
        """Fetch the next message from iopub; :meth:`BlockingChannel.get_msg` says how it ends."""
        return self._fetch("iopub", timeout)

    def get_stdin_msg(self, timeout: float | None = None) -> JSONDict:
        """Fetch the next message from stdin; :meth:`BlockingChannel.get_msg` says how it ends."""
        return self._fetch("stdin", timeout)

    def get_control_msg(self, timeout: float | None = None) -> JSONDict:
        """Fetch the next message from control; :meth:`BlockingChannel.get_msg` says how it ends."""
        return self._fetch("control", timeout)

    def wait_for_ready(self, timeout: float | None = None) -> None:
        """Wait until the kernel has answered; nothing that it publishes from then on is missed.

        What it published before for others than this client is let go of.

        :param timeout: in seconds
        :raises RuntimeError: if the kernel dies first, or does not answer in time
        """

        async def wait() -> None:
            await self._opened().wait_for_ready(timeout)

        _portal.call(wait)

    def is_alive(self) -> bool:
        """Whether the kernel runs: as its process tells, or else its heartbeat."""
        return _portal.call(self._is_alive)

    def execute_interactive(
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
        left there. The hooks are called in the calling thread.

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

        async def run(handover: Handover) -> JSONDict:
            return await self._opened().interact(ask, handover.carry, handover.put, timeout)

        def show(message: Message) -> None:
            if message.channel != "stdin":
                show_output(message) if output_hook is None else output_hook(as_dict(message))
            elif stdin_hook is None:
                self.input(ask_at_terminal(message))
            else:
                stdin_hook(as_dict(message))

        return relay(run, show)

    def _fetch(self, channel: Channel, timeout: float | None) -> JSONDict:
        # What has come already needs no change of threads.
        if (message := self._line.mailboxes[channel].take()) is not None:
            return as_dict(message)

        async def fetch() -> JSONDict:
            return await self._opened().get(channel, timeout)

        return _portal.call(fetch)

    def _do(self, action: Callable[[], T]) -> T:
        if _portal.is_current_thread():
            return action()

        async def act() -> T:
            return action()

        return _portal.call(act)

    def _ask(
        self,
        ask: Callable[[clients.KernelClient], Request],
        reply: bool,
        timeout: float | None,
        channel: Channel = "shell",
    ) -> str | JSONDict:
        async def send() -> str | JSONDict:
            line = self._opened()
            request = line.send(ask)
            return await line.reply(request, channel, timeout) if reply else request.msg_id

        return _portal.call(send)

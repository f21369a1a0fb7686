"""Clients that are those of jupyter_client, and lose no message and wait for no dead kernel."""

from __future__ import annotations

import logging
import sys
from abc import abstractmethod
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import ExitStack
from functools import partial, wraps
from inspect import isawaitable
from math import inf
from queue import Empty
from time import monotonic
from typing import Any, TypeAlias

import jupyter_client.asynchronous.client
import jupyter_client.blocking.client
import jupyter_client.client
import zmq
from jupyter_client.connect import channel_socket_types
from jupyter_client.manager import KernelManager
from jupyter_client.session import new_id
from jupyter_core.utils import run_sync
from traitlets import Type

from kernel_mgmt.client._interactive import ask_at_terminal

from ._channels import AsyncChannel, BlockingChannel, wait_for_any, wait_for_any_async
from ._death import ConnectionWatch, DeadKernelError, exit_status_of, is_on_this_machine
from ._inbox import Message
from ._readiness import Probes

__all__ = ("AsyncKernelClient", "BlockingKernelClient")

Channel: TypeAlias = BlockingChannel | AsyncChannel
Hook: TypeAlias = Callable[[Message], object]

log = logging.getLogger(__name__)

# How often to look whether the kernel still runs (seconds).
_LOOK_AGAIN = 0.1
# After its death, what it had sent is still read, until it has been quiet for so long (seconds).
_QUIET = 0.05
# How long a kernel that has replied and publishes nothing may take to be idle (seconds).
_IDLE_GRACE = 10.0
# A kernel that starts is soon there (milliseconds).
_RECONNECT = 10
_RECONNECT_MOST = 500


def _or_reply(send: Callable[..., str], channel: str = "shell") -> Callable[..., Any]:
    """Have a request that returns its id take ``reply=True`` and ``timeout``, and return the reply."""

    @wraps(send)
    def request(
        self: Any, *args: Any, reply: bool = False, timeout: float | None = None, **kwargs: Any
    ) -> Any:
        msg_id = send(self, *args, **kwargs)
        return self._recv_reply(msg_id, timeout=timeout, channel=channel) if reply else msg_id

    return request


class KernelClient(jupyter_client.client.KernelClient):
    """What both clients have in common: who receives what, and when to give up."""

    _watch: ConnectionWatch | None = None

    execute = _or_reply(jupyter_client.client.KernelClient.execute)
    history = _or_reply(jupyter_client.client.KernelClient.history)
    complete = _or_reply(jupyter_client.client.KernelClient.complete)
    is_complete = _or_reply(jupyter_client.client.KernelClient.is_complete)
    inspect = _or_reply(jupyter_client.client.KernelClient.inspect)
    kernel_info = _or_reply(jupyter_client.client.KernelClient.kernel_info)
    comm_info = _or_reply(jupyter_client.client.KernelClient.comm_info)
    shutdown = _or_reply(jupyter_client.client.KernelClient.shutdown, channel="control")

    def __init__(self, **keywords: Any) -> None:
        super().__init__(**keywords)
        if isinstance(self.parent, KernelManager):
            # The manager gives all its clients one, by which their requests could not be told apart.
            self.session.session = new_id()

    def stop_channels(self) -> None:
        """Close at once, and let go of what was not fetched."""
        super().stop_channels()
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    def _create_connected_socket(
        self, channel: str, identity: bytes | None = None
    ) -> zmq.Socket[Any]:
        socket: zmq.Socket[Any] = self.context.socket(channel_socket_types[channel])
        socket.linger = 1000
        # Where a SUB socket is full, the kernel's PUB drops what it publishes.
        socket.rcvhwm = 0
        socket.reconnect_ivl = _RECONNECT
        socket.reconnect_ivl_max = _RECONNECT_MOST
        if identity:
            socket.identity = identity
        # Not in jupyter_client before 8.9.
        if (key := getattr(self, "curve_publickey", None)) is not None:
            socket.curve_secretkey = self.curve_secretkey
            socket.curve_publickey = socket.curve_serverkey = key
        if channel == "shell" and self._shell_channel is None:
            self._watch = ConnectionWatch(socket)
        socket.connect(self._make_url(channel))
        return socket

    async def _async_recv_reply(
        self,
        msg_id: str,
        timeout: float | None = None,
        channel: str = "shell",
        *,
        lost_before: int | None = None,
    ) -> Message:
        """Wait for the reply to a request; what answers others is left for them.

        :param lost_before: how often the connection had been lost when the request was sent
        :raises TimeoutError: if it does not come in time; then it may still be fetched
        :raises DeadKernelError: if the kernel dies first
        """
        replies: Channel = self.control_channel if channel == "control" else self.shell_channel
        before = self._lost() if lost_before is None else lost_before
        with replies.inbox.claimed(msg_id):
            until = _after(timeout)
            try:
                _, reply = await self._receive([replies], msg_id, until, before)
            except Empty:
                raise TimeoutError("Timeout waiting for reply") from None
            return reply

    async def _async_wait_for_ready(self, timeout: float | None = None) -> None:
        """Wait until the kernel has answered; nothing that it publishes from then on is missed.

        What was published before can still be fetched.

        :param timeout: in seconds
        :raises DeadKernelError: if the kernel dies first
        :raises RuntimeError: if the kernel does not answer in time
        """
        with Probes(self.shell_channel.inbox, self.iopub_channel.inbox, self.kernel_info) as probes:
            if not await self._is_heard(probes, _after(timeout)):
                raise RuntimeError(f"Kernel didn't respond in {timeout} seconds")
            assert probes.reply is not None
            self._handle_kernel_info_reply(probes.reply)

    async def _async_execute_interactive(
        self,
        code: str,
        silent: bool = False,
        store_history: bool = True,
        user_expressions: dict[str, Any] | None = None,
        allow_stdin: bool | None = None,
        stop_on_error: bool = True,
        timeout: float | None = None,
        output_hook: Hook | None = None,
        stdin_hook: Hook | None = None,
    ) -> Message:
        """Run code as at a terminal: show what comes out, and ask for input.

        What belongs to others can still be fetched. Both hooks may be coroutine functions.

        :param timeout: in seconds
        :param output_hook: called with each message that the code publishes, in place of printing
        :param stdin_hook: called with each ``input_request``, in place of asking; it answers with
            :meth:`input`
        :return: the reply
        :raises TimeoutError: if it is not done in time; the code goes on
        :raises DeadKernelError: if the kernel dies first
        """
        if not self.iopub_channel.is_alive():
            raise RuntimeError("IOPub channel must be running to receive output")
        allow_stdin = self.allow_stdin if allow_stdin is None else allow_stdin
        if allow_stdin and not self.stdin_channel.is_alive():
            raise RuntimeError("stdin channel must be running to allow input")
        until, before = _after(timeout), self._lost()
        msg_id = self.execute(
            code, silent, store_history, user_expressions or {}, allow_stdin, stop_on_error
        )
        show = output_hook or self._usual_output_hook()
        answer = (stdin_hook or self._stdin_hook_default) if allow_stdin else None
        return await self._interact(msg_id, show, answer, until, before)

    async def _interact(
        self, msg_id: str, show: Hook, answer: Hook | None, until: float, before: int
    ) -> Message:
        shell, iopub = self.shell_channel, self.iopub_channel
        channels: list[Channel] = [iopub, shell]
        if answer is not None:
            channels.insert(0, self.stdin_channel)
        reply: Message | None = None
        is_idle = False
        with ExitStack() as claims:
            for channel in channels:
                claims.enter_context(channel.inbox.claimed(msg_id))
            while reply is None or not is_idle:
                most = until if reply is None else min(until, monotonic() + _IDLE_GRACE)
                try:
                    channel, message = await self._receive(channels, msg_id, most, before)
                except Empty:
                    if reply is None or most == until:
                        raise TimeoutError("Timeout waiting for output") from None
                    log.warning("the kernel replied, and was not idle within %g s", _IDLE_GRACE)
                    break
                if channel is shell:
                    reply = message
                    continue
                hook = show if channel is iopub or answer is None else answer
                if isawaitable(shown := hook(message)):
                    await shown
                is_idle = is_idle or _is_idle(message)
        return reply

    async def _stdin_hook_default(self, msg: Message) -> None:
        try:
            value = ask_at_terminal(msg["content"])
        except KeyboardInterrupt:
            sys.stdout.write("\n")
            return
        # Nobody waits for it any more if there is another question, or the code is done.
        msg_id = msg["parent_header"]["msg_id"]
        inboxes = (self.stdin_channel.inbox, self.shell_channel.inbox)
        if not any(inbox.is_ready(msg_id) for inbox in inboxes):
            self.input(value)

    def _usual_output_hook(self) -> Hook:
        """Print, or, inside an IPython kernel, publish as if it came from that."""
        ipython: Any = sys.modules.get("IPython")
        shell: Any = None if ipython is None else ipython.get_ipython()
        if not getattr(shell, "kernel", None):
            return self._output_hook_default
        publish: Any = vars(jupyter_client.client.KernelClient)["_output_hook_kernel"]
        to = shell.display_pub
        return partial(publish, self, to.session, to.pub_socket, to.parent_header)

    async def _is_heard(self, probes: Probes, until: float) -> bool:
        """Ask until the kernel has answered and is heard, or the time is up."""
        before = self._lost()
        channels: list[Channel] = [self.shell_channel, self.iopub_channel]
        while not probes.are_answered():
            if (left := until - monotonic()) <= 0:
                return False
            if await self._wait_for_any(channels, min(left, _LOOK_AGAIN, probes.pause)):
                continue
            # A manager may start again what has ended before it was ready.
            is_managed = isinstance(self.parent, KernelManager)
            lost, before = before, self._lost()
            if (death := await self._death(before if is_managed else lost)) is not None:
                raise death
            # What was asked of a kernel that has gone is lost.
            probes.ask_again(anew=lost != before)
        return True

    async def _receive(
        self, channels: Sequence[Channel], msg_id: str, until: float, before: int
    ) -> tuple[Channel, Message]:
        """Receive the next answer to a request, from the first of some channels that has one.

        :param before: how often the connection had been lost when the request was sent
        :raises queue.Empty: if none comes in time
        :raises DeadKernelError: if none can come any more
        """
        death: DeadKernelError | None = None
        while True:
            for channel in channels:
                if (message := channel.inbox.take(msg_id)) is not None:
                    return channel, message
            if death is not None:
                raise death
            if (left := until - monotonic()) <= 0:
                raise Empty
            if await self._wait_for_any(channels, min(left, _LOOK_AGAIN)):
                continue
            death = await self._death(before)
            if death is not None:
                await self._wait_for_any(channels, _QUIET)

    async def _death(self, before: int) -> DeadKernelError | None:
        """Return what to raise if the kernel has died.

        :param before: how often its connection had been lost when it was asked
        """
        manager: object = self.parent
        if isinstance(manager, KernelManager) and not await self._async_is_alive():
            return DeadKernelError(await exit_status_of(manager))
        if self._lost() == before:
            return None
        if is_on_this_machine(self.transport, self.ip) or not await self._async_is_alive():
            return DeadKernelError(await exit_status_of(manager))
        return None

    def _lost(self) -> int:
        return 0 if self._watch is None else self._watch.lost

    @abstractmethod
    async def _wait_for_any(self, channels: Iterable[Any], timeout: float) -> bool:
        """Wait until something may have come by one of some channels; tell whether it has."""


def _next_from(name: str) -> Callable[..., Message]:
    def get_msg(self: Any, *args: Any, **kwargs: Any) -> Message:
        channel: BlockingChannel = getattr(self, f"{name}_channel")
        return channel.get_msg(*args, **kwargs)

    get_msg.__name__ = f"get_{name}_msg"
    get_msg.__doc__ = (
        f"Fetch the next message from {name}; :meth:`BlockingChannel.get_msg` says how."
    )
    return get_msg


class BlockingKernelClient(KernelClient, jupyter_client.blocking.client.BlockingKernelClient):
    """Talks to a kernel as :class:`jupyter_client.BlockingKernelClient`, and is one."""

    shell_channel_class = Type(BlockingChannel)
    iopub_channel_class = Type(BlockingChannel)
    stdin_channel_class = Type(BlockingChannel)
    control_channel_class = Type(BlockingChannel)

    wait_for_ready = run_sync(KernelClient._async_wait_for_ready)
    execute_interactive = run_sync(KernelClient._async_execute_interactive)
    _recv_reply = run_sync(KernelClient._async_recv_reply)

    get_shell_msg = _next_from("shell")
    get_iopub_msg = _next_from("iopub")
    get_stdin_msg = _next_from("stdin")
    get_control_msg = _next_from("control")

    async def _wait_for_any(self, channels: Iterable[Any], timeout: float) -> bool:
        return wait_for_any(channels, timeout)


class AsyncKernelClient(KernelClient, jupyter_client.asynchronous.client.AsyncKernelClient):
    """Talks to a kernel as :class:`jupyter_client.AsyncKernelClient`, and is one.

    It belongs to one event loop of asyncio, and may be shared by many tasks of it. Each message is
    given to one of those who fetch; a task that is cancelled takes none.
    """

    shell_channel_class = Type(AsyncChannel)
    iopub_channel_class = Type(AsyncChannel)
    stdin_channel_class = Type(AsyncChannel)
    control_channel_class = Type(AsyncChannel)

    wait_for_ready = KernelClient._async_wait_for_ready
    execute_interactive = KernelClient._async_execute_interactive

    def _recv_reply(
        self, msg_id: str, timeout: float | None = None, channel: str = "shell"
    ) -> Coroutine[Any, Any, Message]:
        # Before another task can fetch it.
        replies: AsyncChannel = self.control_channel if channel == "control" else self.shell_channel
        replies.inbox.claim(msg_id)
        return self._async_recv_reply(msg_id, timeout, channel, lost_before=self._lost())

    async def _wait_for_any(self, channels: Iterable[Any], timeout: float) -> bool:
        return await wait_for_any_async(channels, timeout)


def _after(timeout: float | None) -> float:
    return inf if timeout is None else monotonic() + timeout


def _is_idle(message: Message) -> bool:
    state: object = message["content"].get("execution_state")
    return message["msg_type"] == "status" and state == "idle"

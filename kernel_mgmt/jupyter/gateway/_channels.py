"""The channels of a client whose kernel is on a gateway: queues that its WebSocket fills."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from math import inf
from queue import Empty, Queue
from time import monotonic
from typing import TYPE_CHECKING, Any, cast

from jupyter_server.gateway import managers

from kernel_mgmt.exceptions import ClientClosedError
from kernel_mgmt.jupyter._inbox import Inbox, Message

if TYPE_CHECKING:
    from kernel_mgmt.types import Channel

    from ._line import Line

__all__ = ("ChannelQueue", "HBChannelQueue", "wait_for_any")

# How long a call waits that names no limit, as that of jupyter_server does (seconds).
_USUAL_TIMEOUT = 1.0


class ChannelQueue(managers.ChannelQueue):
    """A channel from which the tasks of one event loop may receive.

    :param channel_socket: carries the messages of all channels
    :ivar inbox: what has come by it, for those who wait for the answer to a request
    """

    def __init__(
        self, channel_name: str, channel_socket: Line, log: logging.Logger | Any = None
    ) -> None:
        initialise: Any = vars(managers.ChannelQueue)["__init__"]
        initialise(self, channel_name, channel_socket, log or logging.getLogger(__name__))
        self.line = channel_socket
        self.inbox: Inbox = QueueInbox(self)
        self._wakers: list[Callable[[], object]] = []
        self._is_stopped = False

    def put(self, item: Message, block: bool = True, timeout: float | None = None) -> None:
        """Have a message received; any thread may call it."""
        cast("Any", super()).put(item, block, timeout)
        self.wake()

    def wake(self) -> None:
        """Have those look who wait; any thread may call it."""
        for waker in tuple(self._wakers):
            waker()

    async def get_msg(self, *args: Any, **kwargs: Any) -> Message:
        """Fetch the next message; a call that is cancelled takes none.

        :param timeout: in seconds, 1 by default; ``None`` is for ever
        :raises queue.Empty: if none comes in time
        :raises KernelManagementError: if none can come any more, which says why
        """
        given = args[0] if args else kwargs.get("timeout", _USUAL_TIMEOUT)
        timeout = inf if given is None else float(given)
        if timeout < 0:
            raise ValueError("'timeout' must be a non-negative number")
        until = monotonic() + timeout
        await asyncio.sleep(0)
        while True:
            # What came before a failure is there when that is seen.
            failure = self.line.failure
            if (message := self.inbox.take()) is not None:
                return message
            if failure is not None:
                raise failure()
            if not await wait_for_any([self], until - monotonic()):
                raise Empty

    async def get_msgs(self) -> list[Message]:
        """Fetch the messages that have come."""
        return list(iter(self.inbox.take, None))

    async def msg_ready(self) -> bool:
        """Whether a message can be fetched."""
        return self.inbox.is_ready()

    def send(self, msg: Message) -> None:
        """Send a message, with its buffers, without waiting.

        :raises ClientClosedError: if the channels are stopped
        :raises KernelManagementError: if the kernel is out of reach for good
        """
        self.line.send(cast("Channel", self.channel_name), msg)

    def start(self) -> None:
        """Take part in what the WebSocket carries."""
        self._is_stopped = False

    def stop(self) -> None:
        """Let go of what was not fetched."""
        self._is_stopped = True
        while self.inbox.take() is not None:
            pass
        self.wake()

    close = stop

    def is_alive(self) -> bool:
        """Whether messages can come and go by it."""
        return not self._is_stopped and self.line.is_open

    @contextmanager
    def waking(self, waker: Callable[[], object]) -> Generator[None]:
        """Have a function called when there is reason to look, by whatever thread."""
        self._wakers.append(waker)
        try:
            yield
        finally:
            self._wakers.remove(waker)


class HBChannelQueue(ChannelQueue):
    """The heartbeat of a kernel on a gateway, whose own heart is out of reach."""

    def is_beating(self) -> bool:
        """Whether the WebSocket is connected, and the kernel was not told to be dead or restarting."""
        return self.is_alive() and self.line.is_beating


class QueueInbox(Inbox):
    """Gives each message of a queue to the one who waits for it, and keeps the others."""

    def __init__(self, channel: ChannelQueue) -> None:
        super().__init__(_nothing, cast("Any", None))
        self._channel = channel
        self._queue: Queue[Message] = channel

    def _look(self) -> bool:
        try:
            message = self._queue.get_nowait()
        except Empty:
            return False
        if not self._is_ignored(message):
            self._put(message, message.pop("size", 0))
            # It may be for another one.
            self._channel.wake()
        return True


async def wait_for_any(channels: Iterable[ChannelQueue], timeout: float) -> bool:
    """Wait until it is worth looking at what has come by one of some channels.

    :param timeout: in seconds
    :return: whether it is
    :raises ClientClosedError: if one of them is stopped
    """
    channels = tuple(channels)
    loop = asyncio.get_running_loop()
    told: asyncio.Future[None] = loop.create_future()
    with ExitStack() as stack:
        for channel in channels:
            if channel._is_stopped:  # pyright: ignore[reportPrivateUsage]
                raise ClientClosedError
            stack.enter_context(channel.waking(partial(_tell, loop, told)))
        if any(not channel.empty() for channel in channels):
            return True
        with suppress(TimeoutError):
            async with asyncio.timeout(None if timeout == inf else max(0, timeout)):
                await told
        return told.done() and not told.cancelled()


def _tell(loop: asyncio.AbstractEventLoop, told: asyncio.Future[None]) -> None:
    def tell() -> None:
        if not told.done():
            told.set_result(None)

    with suppress(RuntimeError):  # the event loop has ended, and with it who has waited
        loop.call_soon_threadsafe(tell)


def _nothing() -> None:
    return None

"""Channels of jupyter_client from which several may receive."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import ExitStack
from math import ceil, inf
from queue import Empty
from time import monotonic
from typing import TYPE_CHECKING, Any

import zmq
from jupyter_client.channels import AsyncZMQSocketChannel, ZMQSocketChannel
from zmq.asyncio import Socket as AsyncSocket

from kernel_mgmt.exceptions import ClientClosedError

from ._inbox import Inbox, Message

if TYPE_CHECKING:
    from jupyter_client.session import Session

__all__ = ("AsyncChannel", "BlockingChannel", "wait_for_any", "wait_for_any_async")


class BlockingChannel(ZMQSocketChannel):
    """A channel for code that is not asynchronous.

    :ivar inbox: what has come by it
    :ivar socket: ``None`` once it is closed
    """

    socket: Any

    def __init__(self, socket: zmq.Socket[bytes], session: Session, loop: Any = None) -> None:
        initialise: Any = vars(ZMQSocketChannel)["__init__"]
        initialise(self, socket, session, loop)
        self.inbox = Inbox(self._receive, session)

    def get_msg(self, timeout: float | None = None) -> Message:
        """Fetch the next message.

        :param timeout: in seconds
        :raises queue.Empty: if none comes in time
        """
        until = inf if timeout is None else monotonic() + timeout
        while (message := self.inbox.take()) is None:
            if not wait_for_any([self], until - monotonic()):
                raise Empty
        return message

    def get_msgs(self) -> list[Message]:
        """Fetch the messages that have come."""
        return list(iter(self.inbox.take, None))

    def msg_ready(self) -> bool:
        """Whether a message can be fetched."""
        return self.inbox.is_ready()

    def _receive(self) -> list[bytes] | None:
        if self.socket is None:
            raise ClientClosedError
        try:
            frames: list[bytes] = self.socket.recv_multipart(zmq.NOBLOCK)
            return frames
        except zmq.Again:
            return None


class AsyncChannel(AsyncZMQSocketChannel):
    """A channel for asynchronous code, which many tasks of one event loop may share.

    :ivar inbox: what has come by it
    :ivar socket: ``None`` once it is closed
    """

    socket: Any

    def __init__(self, socket: AsyncSocket, session: Session, loop: Any = None) -> None:
        super().__init__(socket, session, loop)
        self.inbox = Inbox(self._receive, session)
        self._waiting: list[asyncio.Future[None]] = []

    async def get_msg(  # type: ignore[override]
        self, timeout: float | None = None
    ) -> Message:
        """Fetch the next message; a call that is cancelled takes none.

        :param timeout: in seconds
        :raises queue.Empty: if none comes in time
        """
        until = inf if timeout is None else monotonic() + timeout
        await asyncio.sleep(0)
        while (message := self.inbox.take()) is None:
            if not await wait_for_any_async([self], until - monotonic()):
                raise Empty
        return message

    async def get_msgs(self) -> list[Message]:  # type: ignore[override]
        """Fetch the messages that have come."""
        return list(iter(self.inbox.take, None))

    async def msg_ready(self) -> bool:  # type: ignore[override]
        """Whether a message can be fetched."""
        return self.inbox.is_ready()

    def send(self, msg: Message) -> None:
        """Send a message."""
        super().send(msg)
        # Sending takes the signal away that something has come.
        self._tell_waiting()

    def close(self) -> None:
        """Close at once; those who wait are told."""
        super().close()
        self._tell_waiting()

    stop = close

    def waiting(self) -> asyncio.Future[None]:
        """Return what is done when it is worth looking into the inbox."""
        told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(told)
        told.add_done_callback(self._waiting.remove)
        return told

    def _receive(self) -> list[bytes] | None:
        if self.socket is None:
            raise ClientClosedError
        try:
            frames: list[bytes] = self.socket.recv_multipart(zmq.NOBLOCK).result()
        except zmq.Again:
            return None
        # It may be for another one; and it takes the signal away that more has come.
        self._tell_waiting()
        return frames

    def _tell_waiting(self) -> None:
        for told in tuple(self._waiting):
            if not told.done():
                told.set_result(None)


def wait_for_any(channels: Iterable[BlockingChannel], timeout: float) -> bool:
    """Wait until something comes by one of some channels.

    :param timeout: in seconds
    :return: whether it did
    :raises ClientClosedError: if one of them is closed
    """
    poller = zmq.Poller()
    for channel in channels:
        if channel.socket is None:
            raise ClientClosedError
        poller.register(channel.socket, zmq.POLLIN)
    return bool(poller.poll(None if timeout == inf else ceil(max(0, timeout) * 1000)))


async def wait_for_any_async(channels: Iterable[AsyncChannel], timeout: float) -> bool:
    """Wait until it is worth looking at what has come by one of some channels.

    :param timeout: in seconds
    :return: whether it is
    :raises ClientClosedError: if one of them is closed
    """
    with ExitStack() as stack:
        events: list[asyncio.Future[Any]] = []
        for channel in channels:
            if channel.socket is None:
                raise ClientClosedError
            events += [channel.waiting(), channel.socket.poll()]
        for event in events:
            stack.callback(event.cancel)
        most = None if timeout == inf else max(0, timeout)
        done, _ = await asyncio.wait(events, timeout=most, return_when=asyncio.FIRST_COMPLETED)
        return bool(done)

"""The WebSocket of one client, for programs whose own event loop runs only now and then."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING
from uuid import uuid4

import anyio
from jupyter_client.session import Session

from kernel_mgmt import _portal
from kernel_mgmt._backend import EventLoop, current_event_loop
from kernel_mgmt.exceptions import ClientClosedError
from kernel_mgmt.jupyter._death import DeadKernelError

from ._messages import read_message

if TYPE_CHECKING:
    from kernel_mgmt.abc import Buffer, KernelManagerABC, TransportABC
    from kernel_mgmt.jupyter._inbox import Message
    from kernel_mgmt.types import Channel

    from ._channels import ChannelQueue

__all__ = ("Line",)

log = logging.getLogger(__name__)

# After its end, what a kernel had sent is still read, until it has been quiet for so long (seconds).
_QUIET = 0.05
_DEATHS = ("restarting", "autorestarting", "dead")


class Line:
    """Carries the messages of all channels, in the event-loop thread of the process.

    The server is answered there while the program does something else.

    :ivar failure: makes the error that says why nothing comes any more; ``None`` while something may
    :ivar lives: how often the kernel was started again
    :ivar undelivered: makes the error of each request that may be lost, by its id
    """

    def __init__(self) -> None:
        self.channels: dict[str, ChannelQueue] = {}
        self.failure: Callable[[], Exception] | None = None
        self.lives = 0
        self.undelivered: dict[str, Callable[[], Exception]] = {}
        self._session = Session()
        self._loop: EventLoop | None = None
        self._transport: TransportABC | None = None
        self._is_down = False
        self._received = 0

    @property
    def is_open(self) -> bool:
        """Whether messages can come and go."""
        return self._transport is not None and self.failure is None

    @property
    def is_beating(self) -> bool:
        """Whether the kernel can be reached just now, and was not told to be dead or restarting."""
        transport = self._transport
        return self.is_open and transport is not None and transport.connected and not self._is_down

    def failure_of(self, msg_id: str, before: int) -> Callable[[], Exception] | None:
        """Return what makes the error that keeps a request from being answered, if there is one.

        :param before: how many lives there were when it was sent
        """
        if self.failure is not None or self.lives == before:
            return self.failure or self.undelivered.get(msg_id)
        return partial(DeadKernelError, None)

    def open(self, manager: KernelManagerABC) -> None:
        """Connect to a kernel; the connection is made while nobody waits for it.

        :raises RuntimeError: if the interpreter exits
        """
        _portal.call(self._connect, manager)

    def close(self) -> None:
        """Close it at once; what was sent has a moment to leave."""
        self._fail(ClientClosedError)
        with suppress(RuntimeError):  # the interpreter exits, and the thread has ended
            _portal.call(self._disconnect)

    def close_soon(self) -> None:
        """Close it at once, on the demand of any thread."""
        if self._loop is not None and self._transport is not None:
            self._loop.call_from_anywhere(self._transport.close)

    def send(self, channel: Channel, message: Message) -> None:
        """Send a message of jupyter_client, without waiting.

        :raises KernelManagementError: if it cannot be sent
        """
        if self.failure is not None:
            raise self.failure()
        if self._loop is None:
            raise ClientClosedError
        _, _, *parts = self._session.serialize(message)
        parts += message.get("buffers") or []
        self._loop.call_from_anywhere(partial(self._send, channel, parts))

    async def _connect(self, manager: KernelManagerABC) -> None:
        # A second WebSocket of one session closes the first.
        transport = manager.make_transport(session=uuid4().hex)
        assert transport is not None
        transport.undelivered = self._take_undelivered
        self._loop = current_event_loop()
        transport.open(self._receive, self._transport_ended, partial(self._watch, manager))
        self._transport = transport

    async def _disconnect(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _send(self, channel: Channel, parts: Sequence[Buffer]) -> None:
        assert self._transport is not None
        try:
            self._transport.send(channel, parts)
        except ClientClosedError:
            log.warning("a message was not sent: the connection to the kernel is closed")

    def _receive(self, channel: Channel, parts: Sequence[Buffer]) -> None:
        self._received += 1
        if channel == "hb":
            return
        try:
            message = read_message(parts)
        except (KeyError, TypeError, ValueError) as error:
            log.warning("dropped what is no message: %s", error)
            return
        message["channel"] = channel
        message["size"] = sum(map(len, parts))
        if channel == "iopub" and message["msg_type"] == "status":
            self._take_state(message)
        if (queue := self.channels.get(channel)) is not None:
            queue.put(message)

    def _take_state(self, message: Message) -> None:
        state: object = message["content"].get("execution_state")
        self._is_down = state in _DEATHS
        if self._is_down and not message["parent_header"]:
            # What was asked of the one before is not answered by the one that follows.
            self.lives += 1
            self._wake()

    def _take_undelivered(self, parts: Sequence[Buffer], failure: Callable[[], Exception]) -> None:
        msg_id = read_message(parts)["msg_id"]
        log.warning("the message %s may be lost: %s", msg_id, failure())
        self.undelivered[msg_id] = failure
        self._wake()

    def _transport_ended(self) -> None:
        assert self._transport is not None
        self._fail(self._transport.failure or ClientClosedError)

    async def _watch(self, manager: KernelManagerABC) -> None:
        while await manager.wait():
            pass
        before = -1
        while before != self._received:
            before = self._received
            await anyio.sleep(_QUIET)
        self._fail(partial(DeadKernelError, manager.exit_status))
        assert self._transport is not None
        self._transport.abort()

    def _fail(self, failure: Callable[[], Exception]) -> None:
        if self.failure is None:
            self.failure = failure
            self._wake()

    def _wake(self) -> None:
        for queue in tuple(self.channels.values()):
            queue.wake()

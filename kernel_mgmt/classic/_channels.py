"""The channels of the classic clients, from which messages are fetched one by one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from kernel_mgmt.types import Channel, JSONDict

from ._messages import as_dict

if TYPE_CHECKING:
    from ._line import Line

__all__ = ("Access", "AsyncChannel", "BlockingChannel", "HeartbeatChannel")

Fetched = TypeVar("Fetched")


@dataclass(frozen=True)
class Access(Generic[Fetched]):
    """What a client lets its channels do.

    :ivar line: its line, open or not
    :ivar start: start a channel, and connect if there is no connection
    :ivar stop: stop a channel
    :ivar send: send a message by a channel
    :ivar fetch: fetch a message from a channel, within some seconds
    """

    line: Line
    start: Callable[[Channel], None]
    stop: Callable[[Channel], None]
    send: Callable[[Channel, Mapping[str, Any]], None]
    fetch: Callable[[Channel, float | None], Fetched]


class _Channel(Generic[Fetched]):
    """What all channels have in common."""

    def __init__(self, name: Channel, access: Access[Fetched]) -> None:
        self._name: Channel = name
        self._access = access

    def start(self) -> None:
        """Connect, if there is no connection yet, and keep what comes by this channel."""
        self._access.start(self._name)

    def stop(self) -> None:
        """Keep no more of what comes by this channel, and let go of what was not fetched."""
        self._access.stop(self._name)

    def close(self) -> None:
        """Stop."""
        self.stop()

    def is_alive(self) -> bool:
        """Whether this channel runs."""
        return self._access.line.runs([self._name])


class _MessageChannel(_Channel[Fetched]):
    """What the channels have in common by which messages come."""

    def send(self, msg: Mapping[str, Any]) -> None:
        """Send a message that ``session.msg()`` has made.

        :raises KernelDiedError: if the kernel has died
        """
        self._access.send(self._name, msg)

    def get_msg(self, timeout: float | None = None) -> Fetched:
        """Fetch the next message.

        :param timeout: in seconds
        :raises queue.Empty: if none comes in time
        :raises KernelDiedError: if none can come any more, and there is no time limit
        :raises OutputOverflowError: once, if more came than may wait
        """
        return self._access.fetch(self._name, timeout)

    def _take_all(self) -> list[JSONDict]:
        mailbox = self._access.line.mailboxes[self._name]
        return [as_dict(message) for message in iter(mailbox.take, None)]

    def _has_message(self) -> bool:
        return bool(self._access.line.mailboxes[self._name])


class AsyncChannel(_MessageChannel[Awaitable[JSONDict]]):
    """A channel of an :class:`AsyncKernelClient`."""

    async def get_msgs(self) -> list[JSONDict]:
        """Fetch all the messages that are there."""
        return self._take_all()

    async def msg_ready(self) -> bool:
        """Whether a message is there."""
        return self._has_message()


class BlockingChannel(_MessageChannel[JSONDict]):
    """A channel of a :class:`BlockingKernelClient`."""

    def get_msgs(self) -> list[JSONDict]:
        """Fetch all the messages that are there."""
        return self._take_all()

    def msg_ready(self) -> bool:
        """Whether a message is there."""
        return self._has_message()


class HeartbeatChannel(_Channel[Any]):
    """The heartbeat of a kernel, which is asked for each second.

    It is a hint: some kernels do not answer while they are busy.
    """

    def pause(self) -> None:
        """Take no notice of the heartbeat."""
        self._access.line.heartbeat_is_paused = True

    def unpause(self) -> None:
        """Take notice of the heartbeat again."""
        self._access.line.heartbeat_is_paused = False

    def is_beating(self) -> bool:
        """Whether the channel runs, is not paused, and the kernel answers."""
        return self._access.line.is_beating

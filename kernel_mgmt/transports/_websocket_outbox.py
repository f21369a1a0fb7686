"""What is to be sent over a WebSocket, and what may not have arrived when that broke."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from kernel_mgmt.messages import Message

if TYPE_CHECKING:
    from kernel_mgmt.abc import Buffer
    from kernel_mgmt.types import Channel

__all__ = ("Outbox", "Outgoing")

# What may be sent twice without harm; an answer that nobody waits for is thrown away by the kernel.
_REPEATABLE: Final = frozenset(
    {
        "comm_info_request",
        "complete_request",
        "history_request",
        "input_reply",
        "inspect_request",
        "interrupt_request",
        "is_complete_request",
        "kernel_info_request",
        "shutdown_request",
        "usage_request",
    }
)


class Outgoing(NamedTuple):
    """A message to send.

    :ivar is_repeated: whether it was sent before
    """

    channel: Channel
    parts: Sequence[Buffer]
    is_repeated: bool = False

    @property
    def msg_id(self) -> str:
        return self._identity[0]

    @property
    def is_repeatable(self) -> bool:
        # A server may have broken the connection because of it, and would do so again.
        return not self.is_repeated and self._identity[1] in _REPEATABLE

    @property
    def _identity(self) -> tuple[str, str]:
        try:
            message = Message(self.channel, self.parts)
        except ValueError:  # it was made elsewhere, and is no message
            return "", ""
        return message.msg_id, message.msg_type


class Outbox:
    """Keeps messages until it is known that the server has them.

    The server answers a ping behind what it has received before: that is known, then, to have
    arrived. What is not when a connection breaks is in doubt, until the next connection has brought
    all that the server kept for the client.

    :ivar sent: how many messages were sent, which is the number of the last
    :ivar doubtful: what may have arrived before a connection broke, by the message's id
    """

    def __init__(self) -> None:
        self.sent = 0
        self.doubtful: dict[str, Outgoing] = {}
        self._waiting: deque[Outgoing] = deque()
        self._unconfirmed: deque[tuple[int, Outgoing]] = deque()
        self._tried: list[Outgoing] | None = None

    @property
    def is_confirmed(self) -> bool:
        """Whether all that was sent has arrived."""
        return not self._unconfirmed

    def put(self, channel: Channel, parts: Sequence[Buffer]) -> None:
        """Keep a message to send."""
        self._waiting.append(Outgoing(channel, parts))

    def take(self) -> Outgoing | None:
        """Take the next message to send; none while something is in doubt."""
        if self.doubtful or not self._waiting:
            return None
        outgoing = self._waiting.popleft()
        self.sent += 1
        self._unconfirmed.append((self.sent, outgoing))
        if self._tried is not None:
            self._tried.append(outgoing)
        return outgoing

    def confirm(self, number: int) -> None:
        """Take note that messages up to one have arrived."""
        while self._unconfirmed and self._unconfirmed[0][0] <= number:
            self._unconfirmed.popleft()

    def begin_trial(self) -> None:
        """Remember what is sent, as long as it is not known whether the server understands it."""
        self._tried = []

    def end_trial(self, *, understood: bool) -> None:
        """Send again what was sent since, if it was not understood."""
        tried, self._tried = self._tried, None
        if tried and not understood:
            self._unconfirmed.clear()
            self._waiting.extendleft(reversed(tried))

    def doubt(self) -> None:
        """Take note that the connection is broken."""
        self.doubtful |= {outgoing.msg_id: outgoing for _, outgoing in self._unconfirmed}
        self._unconfirmed.clear()
        self._tried = None

    def heard_of(self, msg_id: str) -> None:
        """Take note that the kernel has said something about a message."""
        self.doubtful.pop(msg_id, None)

    def settle(self) -> list[Outgoing]:
        """End all doubt: what may be sent again is, and the rest is returned."""
        doubtful, self.doubtful = [*self.doubtful.values()], {}
        again = [each._replace(is_repeated=True) for each in doubtful if each.is_repeatable]
        self._waiting.extendleft(reversed(again))
        return [outgoing for outgoing in doubtful if not outgoing.is_repeatable]

    def clear(self) -> None:
        """Send nothing of what waits."""
        self._waiting.clear()
        self.doubtful.clear()

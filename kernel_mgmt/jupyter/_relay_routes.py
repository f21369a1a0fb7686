"""Which program has asked what, so that each is given what it has asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from kernel_mgmt.messages import Message

if TYPE_CHECKING:
    from kernel_mgmt.abc import Buffer
    from kernel_mgmt.types import Channel

__all__ = ("Asked", "Routes")

# So many requests are known after they have been answered: code that still runs may ask for input.
_REMEMBERED = 10_000


class Asked:
    """What a program has sent to the kernel.

    :ivar identities: the routing prefix by which it is reached
    :ivar header: the header of what it has sent, as it came
    """

    __slots__ = ("channel", "header", "identities", "msg_type", "size")

    def __init__(self, message: Message, identities: Sequence[Buffer]) -> None:
        self.channel: Channel = message.channel
        self.identities = identities
        self.header = message.parts[0]
        self.msg_type = message.msg_type
        self.size = message.size

    @property
    def has_reply(self) -> bool:
        """Whether the kernel replies to messages of this kind; to those of comms it does not."""
        return self.msg_type.endswith("_request")


class Routes:
    """What was asked of one kernel, by the ids of the messages.

    :ivar size: what the messages take in memory that the kernel has not dealt with, in bytes, about
    """

    def __init__(self) -> None:
        self.size = 0
        self._unanswered: dict[str, Asked] = {}
        self._answered: dict[str, Asked] = {}

    def add(self, message: Message, identities: Sequence[Buffer]) -> Asked:
        """Take note of what a program has sent."""
        self.answered(message.msg_id)
        asked = self._unanswered[message.msg_id] = Asked(message, identities)
        self.size += asked.size
        return asked

    def find(self, msg_id: str) -> Asked | None:
        """Return what was asked by the message of this id, if it is known."""
        return self._unanswered.get(msg_id) or self._answered.get(msg_id)

    def is_unanswered(self, asked: Asked) -> bool:
        """Whether the kernel has not yet dealt with something."""
        return any(each is asked for each in self._unanswered.values())

    def answered(self, msg_id: str) -> None:
        """Take note that the kernel has dealt with a message, and with what came before it.

        Of what came before, that goes for messages that have no reply, since there are kernels that
        do not even tell that they are idle after one.
        """
        if msg_id not in self._unanswered:
            return
        for earlier in self._earlier_without_reply(msg_id):
            self._remember(earlier)
        self._remember(msg_id)

    def take_unanswered(self) -> list[Asked]:
        """Return what the kernel has not dealt with, and let go of it."""
        unanswered = list(self._unanswered.values())
        self._unanswered.clear()
        self.size = 0
        return unanswered

    def _earlier_without_reply(self, msg_id: str) -> list[str]:
        return [each for each in self._before(msg_id) if not self._unanswered[each].has_reply]

    def _before(self, msg_id: str) -> Iterator[str]:
        channel = self._unanswered[msg_id].channel
        for earlier, asked in self._unanswered.items():
            if earlier == msg_id:
                return
            if asked.channel == channel:
                yield earlier

    def _remember(self, msg_id: str) -> None:
        asked = self._unanswered.pop(msg_id)
        self.size -= asked.size
        self._answered.pop(msg_id, None)
        self._answered[msg_id] = asked
        if len(self._answered) > _REMEMBERED:
            del self._answered[next(iter(self._answered))]

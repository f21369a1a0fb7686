"""What comes back for one request, as the connection collects it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kernel_mgmt.messages import Message

__all__ = ("Exchange",)


class Exchange:
    """Collects the reply to a request and what the kernel publishes for it.

    :ivar until_idle: whether it takes ``idle`` besides the reply to be done
    :ivar waiters: called at every news
    """

    __slots__ = (
        "failure",
        "idle",
        "incomplete",
        "msg_id",
        "published",
        "reply",
        "reply_of_death",
        "until_idle",
        "waiters",
    )

    def __init__(
        self, msg_id: str, *, until_idle: bool = False, reply_of_death: Message | None = None
    ) -> None:
        self.msg_id = msg_id
        self.until_idle = until_idle
        self.reply_of_death = reply_of_death
        self.reply: Message | None = None
        self.idle = False
        self.incomplete = False
        self.published: deque[Message] = deque()
        self.failure: Callable[[], Exception] | None = None
        self.waiters: list[Callable[[], None]] = []

    @property
    def done(self) -> bool:
        """Whether the request has been answered."""
        return self.reply is not None and (self.idle or not self.until_idle)

    def take_reply(self, message: Message) -> None:
        if self.reply is None:
            self.reply = message
            self._notify()

    def take_published(self, message: Message) -> None:
        self.published.append(message)
        if message.msg_type == "status" and message.execution_state == "idle":
            self.idle = True
        if self.waiters:
            self._notify()

    def give_up(self) -> None:
        """Wait for no more; the kernel has replied, but was never heard to be idle."""
        self.incomplete = self.idle = True
        self._notify()

    def die(self, failure: Callable[[], Exception]) -> None:
        """Fail because the kernel has died, or be answered by that."""
        if self.reply_of_death is None:
            self.fail(failure)
        else:
            self.idle = True
            self.take_reply(self.reply_of_death)

    def fail(self, failure: Callable[[], Exception]) -> None:
        self.failure = failure
        self._notify()

    def _notify(self) -> None:
        for waiter in tuple(self.waiters):
            waiter()

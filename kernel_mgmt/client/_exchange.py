"""What comes back for one request, as the connection collects it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from kernel_mgmt.exceptions import OutputOverflowError

if TYPE_CHECKING:
    from kernel_mgmt.messages import Message

    from ._backlog import Backlog

__all__ = ("Exchange",)


class Exchange:
    """Collects the reply to a request and what the kernel publishes for it.

    :param backlog: where the bytes of what waits to be consumed are counted
    :param until_idle: whether it takes ``idle`` besides the reply to be done
    :param collect: whether what is published is kept
    :param reply_of_death: what stands for the reply if the kernel dies

    :ivar heard: whether anything that was published for it has arrived
    :ivar with_stdin: whether what the kernel asks for is kept among what it publishes
    :ivar overflowed: whether something that was published could not be kept
    :ivar waiters: called at the reply, at idle and at the failure
    :ivar readers: called then, and when something was published
    """

    __slots__ = (
        "__weakref__",
        "_backlog",
        "_held",
        "_published",
        "collect",
        "failure",
        "heard",
        "idle",
        "incomplete",
        "msg_id",
        "overflowed",
        "readers",
        "reply",
        "reply_of_death",
        "until_idle",
        "waiters",
        "with_stdin",
    )

    def __init__(
        self,
        msg_id: str,
        backlog: Backlog,
        *,
        until_idle: bool = False,
        collect: bool = True,
        reply_of_death: Message | None = None,
    ) -> None:
        self.msg_id = msg_id
        self.until_idle = until_idle
        self.collect = collect
        self.reply_of_death = reply_of_death
        self.reply: Message | None = None
        self.heard = False
        self.idle = False
        self.incomplete = False
        self.overflowed = False
        self.with_stdin = False
        self.failure: Callable[[], Exception] | None = None
        self.waiters: list[Callable[[], None]] = []
        self.readers: list[Callable[[], None]] = []
        self._published: deque[Message] = deque()
        self._backlog = backlog
        self._held = 0

    def __del__(self) -> None:
        self._backlog.held -= self._held

    @property
    def done(self) -> bool:
        """Whether the request has been answered."""
        return self.reply is not None and (self.idle or not self.until_idle)

    @property
    def held(self) -> int:
        """How many bytes wait to be consumed."""
        return self._held

    def take_reply(self, message: Message) -> None:
        if self.reply is None:
            self.reply = message
            self._notify()

    def take_asked(self, message: Message) -> None:
        if self.with_stdin:
            self._keep(message)
            self._notify_readers()

    def take_published(self, message: Message) -> None:
        self.heard = True
        if self.collect:
            self._keep(message)
        if message.msg_type == "status" and message.execution_state == "idle":
            self.idle = True
            self._notify()
        elif self.readers:
            self._notify_readers()

    def _keep(self, message: Message) -> None:
        size = message.size
        self._published.append(message)
        self._held += size
        self._backlog.held += size

    def next_published(self) -> Message | None:
        """Consume a message; ``None`` if none waits.

        :raises OutputOverflowError: if what waited was too much to be kept
        """
        if self._published:
            message = self._published.popleft()
            size = message.size
            self._held -= size
            self._backlog.held -= size
            return message
        if self.overflowed:
            raise OutputOverflowError(self._backlog.limit)
        return None

    def overflow(self) -> None:
        """Let go of what waits to be consumed, and collect no more; the consumer is told."""
        self._published.clear()
        self._backlog.held -= self._held
        self._held = 0
        self.overflowed = True
        self.collect = False
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
            self.reply = self.reply or self.reply_of_death
            self._notify()

    def fail(self, failure: Callable[[], Exception]) -> None:
        self.failure = failure
        self._notify()

    def _notify(self) -> None:
        for waiter in tuple(self.waiters):
            waiter()
        self._notify_readers()

    def _notify_readers(self) -> None:
        for reader in tuple(self.readers):
            reader()

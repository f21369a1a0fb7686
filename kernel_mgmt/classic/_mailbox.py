"""What has come by a channel and has not been fetched yet."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING

import anyio

from kernel_mgmt.exceptions import OutputOverflowError

if TYPE_CHECKING:
    from kernel_mgmt.messages import Message

__all__ = ("Mailbox",)


class Mailbox:
    """Keeps the messages of one channel until they are fetched.

    Messages are put in and waited for in one event loop; any thread may take them.

    :param limit: how many bytes may wait

    :ivar is_open: whether it takes messages in
    """

    def __init__(self, limit: int) -> None:
        self.is_open = False
        self._limit = limit
        self._messages: deque[Message] = deque()
        self._held = 0
        self._overflowed = False
        self._lock = Lock()
        self._claimed: dict[str, list[Message]] = {}
        self._ignored: set[str] = set()
        self._waiters: list[Callable[[], None]] = []

    def put(self, message: Message) -> None:
        """Take a message in, unless somebody else takes it."""
        if (claimed := self._claimed.get(message.parent_id)) is not None:
            claimed.append(message)
        elif self.is_open and message.parent_id not in self._ignored:
            with self._lock:
                self._add(message)
            self.notify()

    def take(self) -> Message | None:
        """Take the oldest message out; ``None`` if none waits.

        :raises OutputOverflowError: once, if what waited was too much to be kept
        """
        with self._lock:
            if self._overflowed:
                self._overflowed = False
                raise OutputOverflowError(self._limit)
            if not self._messages:
                return None
            message = self._messages.popleft()
            self._held -= message.size
            return message

    def keep(self, wanted: Callable[[Message], bool]) -> None:
        """Let go of the messages that are not wanted."""
        with self._lock:
            self._messages = deque(filter(wanted, self._messages))
            self._held = sum(message.size for message in self._messages)

    def clear(self) -> None:
        """Let go of all messages."""
        self.keep(lambda message: False)
        self._overflowed = False

    def remove(self, message: Message) -> None:
        """Take a certain message out, if it waits."""
        with self._lock:
            if message in self._messages:
                self._messages.remove(message)
                self._held -= message.size

    @contextmanager
    def claim(self, msg_id: str) -> Generator[None]:
        """Keep the answer to a request out; it is put in after all if the block raises."""
        claimed = self._claimed[msg_id] = []
        try:
            yield
        except BaseException:
            del self._claimed[msg_id]
            for message in claimed:
                self.put(message)
            raise
        del self._claimed[msg_id]

    @contextmanager
    def ignore(self, msg_id: str) -> Generator[None]:
        """Take nothing in for a request, as long as the block lasts."""
        self._ignored.add(msg_id)
        try:
            yield
        finally:
            self._ignored.discard(msg_id)

    async def get(self, check: Callable[[], object]) -> Message:
        """Take the oldest message out, as soon as there is one; one that is cancelled takes none.

        :param check: called before each wait; what it raises ends the waiting
        """
        while (message := self.take()) is None:
            check()
            event = anyio.Event()
            self._waiters.append(event.set)
            try:
                await event.wait()
            finally:
                self._waiters.remove(event.set)
        return message

    def notify(self) -> None:
        """Have those who wait check and look again."""
        for waiter in tuple(self._waiters):
            waiter()

    def __bool__(self) -> bool:
        return bool(self._messages) or self._overflowed

    def _add(self, message: Message) -> None:
        self._messages.append(message)
        self._held += message.size
        if self._held > self._limit:
            self._messages.clear()
            self._held = 0
            self._overflowed = True

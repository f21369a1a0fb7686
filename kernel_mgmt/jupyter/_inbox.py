"""What has come by a channel of jupyter_client, and for whom."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from kernel_mgmt.exceptions import OutputOverflowError

if TYPE_CHECKING:
    from jupyter_client.session import Session

__all__ = ("Inbox", "Message")

Message: TypeAlias = "dict[str, Any]"

log = logging.getLogger(__name__)

# How much may wait for nobody in particular, besides what ZeroMQ holds (bytes).
_MOST_KEPT = 200_000_000


class Inbox:
    """Gives each message to the one who waits for it, and keeps the others.

    :param receive: takes the next message from the socket, as frames; ``None`` if none has come
    :param session: which verifies and reads it

    :ivar welcomes: how many subscriptions the kernel has confirmed (JEP 65)
    :ivar ignores_welcome: whether those confirmations are let go of
    :ivar ignores_start: whether what a kernel publishes first is let go of
    """

    def __init__(self, receive: Callable[[], list[bytes] | None], session: Session) -> None:
        self._receive = receive
        self._session = session
        self._kept: deque[tuple[Message, int]] = deque()
        self._size = 0
        self._overflowed = False
        self._claimed: dict[str, deque[tuple[Message, int]]] = {}
        self._ignored: set[str] = set()
        self.welcomes = 0
        self.ignores_welcome = False
        self.ignores_start = False

    def take(self, msg_id: str | None = None) -> Message | None:
        """Take the oldest message that answers a request; ``None`` if none has come.

        :param msg_id: the request, which is claimed; ``None`` for what nobody has claimed
        :raises OutputOverflowError: once, if what nobody had claimed was too much to be kept
        """
        while not self.has(msg_id):
            if not self._look():
                return None
        if msg_id is not None:
            return self._claimed[msg_id].popleft()[0]
        if self._overflowed:
            self._overflowed = False
            raise OutputOverflowError(_MOST_KEPT)
        message, size = self._kept.popleft()
        self._size -= size
        return message

    def has(self, msg_id: str | None = None) -> bool:
        """Whether a message has been taken from the socket, and not yet from here."""
        if msg_id is not None:
            return bool(self._claimed.get(msg_id))
        return bool(self._kept) or self._overflowed

    def is_ready(self, msg_id: str | None = None) -> bool:
        """Whether a message can be taken."""
        while not self.has(msg_id):
            if not self._look():
                return False
        return True

    def fill(self) -> None:
        """Take from the socket what has come."""
        while self._look():
            pass

    def claim(self, msg_id: str) -> None:
        """Have what answers a request wait for whoever asks for it by the request."""
        if msg_id not in self._claimed:
            self._claimed[msg_id] = deque()
            kept, self._kept, self._size = self._kept, deque(), 0
            for message, size in kept:
                self._put(message, size)

    def release(self, msg_id: str) -> None:
        """Keep what answers a request for anybody."""
        for message, size in self._claimed.pop(msg_id, ()):
            self._put(message, size)

    @contextmanager
    def claimed(self, msg_id: str) -> Generator[None]:
        """Claim what answers a request, as long as the block lasts."""
        self.claim(msg_id)
        try:
            yield
        finally:
            self.release(msg_id)

    def ignore(self, msg_id: str) -> None:
        """Let go of what answers a request."""
        self._ignored.add(msg_id)
        self._claimed.pop(msg_id, None)

    def _look(self) -> bool:
        """Take one message from the socket; tell whether there was one."""
        frames = self._receive()
        if frames is None:
            return False
        try:
            _, parts = self._session.feed_identities(frames)
            message: Message = self._session.deserialize(parts)
        except (KeyError, TypeError, ValueError) as error:
            # Whoever waits, waits for another one.
            log.warning("dropped what is no message: %s", error)
            return True
        if not self._is_ignored(message):
            self._put(message, sum(map(len, frames)))
        return True

    def _is_ignored(self, message: Message) -> bool:
        if message["msg_type"] == "iopub_welcome":
            self.welcomes += 1
            return self.ignores_welcome
        if self.ignores_start and message["content"].get("execution_state") == "starting":
            return True
        return _parent_id(message) in self._ignored

    def _put(self, message: Message, size: int) -> None:
        if (claimed := self._claimed.get(_parent_id(message))) is not None:
            claimed.append((message, size))
            return
        self._kept.append((message, size))
        self._size += size
        if self._size > _MOST_KEPT:
            self._kept.clear()
            self._size = 0
            self._overflowed = True


def _parent_id(message: Message) -> str:
    parent_id = message["parent_header"].get("msg_id", "")
    return parent_id if isinstance(parent_id, str) else ""

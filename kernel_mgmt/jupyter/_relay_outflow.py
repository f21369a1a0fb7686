"""What is published and has not left yet, counted in bytes, since ZeroMQ counts messages alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import zmq

if TYPE_CHECKING:
    from kernel_mgmt.abc import Buffer

__all__ = ("Outflow",)

# A message in so many bytes is followed on its way out, which costs more than to send it.
_FOLLOWED_EACH = 1_000_000
# Below this (bytes) a copy is cheaper than to share the memory with ZeroMQ.
_COPY_LIMIT = 16_384


class Outflow:
    """Publishes on a socket as long as no more than a limit waits in it for those who subscribe.

    ZeroMQ lets go of a message when all have been sent it: so one that is followed tells that those
    before it have left.

    :param limit: in bytes
    """

    def __init__(self, socket: zmq.Socket[bytes], limit: int) -> None:
        # Otherwise small frames are copied even where they are to be followed.
        socket.copy_threshold = 0
        self._socket = socket
        self._limit = limit
        self._each = min(_FOLLOWED_EACH, limit // 4)
        self._sent = 0
        self._gone = 0
        self._followed: deque[tuple[zmq.MessageTracker, int]] = deque()

    @property
    def is_full(self) -> bool:
        """Whether more than the limit waits to leave."""
        if self._sent - self._gone <= self._limit:
            return False
        while self._followed and self._followed[0][0].done:
            self._gone = self._followed.popleft()[1]
        return self._sent - self._gone > self._limit

    def send(self, frames: Sequence[Buffer]) -> None:
        """Publish a message."""
        size = sum(map(len, frames))
        last = self._followed[-1][1] if self._followed else self._gone
        self._sent += size
        if self._sent - last < self._each:
            self._socket.send_multipart(frames, zmq.NOBLOCK, copy=size < _COPY_LIMIT)
            return
        tracker = self._socket.send_multipart(frames, zmq.NOBLOCK, copy=False, track=True)
        self._followed.append((cast("zmq.MessageTracker", tracker), self._sent))

"""What arrives in the event-loop thread is shown in the thread that waits for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from queue import SimpleQueue
from typing import TYPE_CHECKING, TypeVar

from anyio import sleep

from kernel_mgmt import _portal

if TYPE_CHECKING:
    from kernel_mgmt.messages import Message

__all__ = ("Handover", "relay")

T = TypeVar("T")

# So many bytes are handed over before the other thread must have taken them; the rest stays with the
# request, where it is counted. How often to look whether it has (seconds).
_MOST_AHEAD = 1_000_000
_LOOK_AGAIN = 0.005


class Handover:
    """Takes messages to another thread."""

    def __init__(self) -> None:
        self._arrived: SimpleQueue[Message | None] = SimpleQueue()
        self._ahead = 0

    def put(self, message: Message) -> None:
        """Hand a message over."""
        self._arrived.put(message)
        self._ahead += message.size

    async def carry(self, message: Message) -> None:
        """Hand a message over; wait, if much has been handed over, until it has been taken."""
        self.put(message)
        while self._ahead > _MOST_AHEAD:
            await sleep(_LOOK_AGAIN)
            if self._arrived.empty():
                self._ahead = 0

    def end(self) -> None:
        """Hand nothing more over."""
        self._arrived.put(None)

    def get(self) -> Message | None:
        """Wait for the next message, in the other thread; ``None`` at the end."""
        return self._arrived.get()


def relay(
    function: Callable[[Handover], Awaitable[T]],
    show: Callable[[Message], object],
    interrupt: Callable[[], object] | None = None,
) -> T:
    """Call an asynchronous function in the event-loop thread, and show here what it hands over.

    :param show: called in this thread with each message; what it raises cancels the function
    :param interrupt: called at the first Ctrl-C, in place of raising it
    :return: what the function returns
    """
    handover = Handover()

    async def run() -> T:
        try:
            return await function(handover)
        finally:
            handover.end()

    with _portal.running(run) as outcome:
        while True:
            try:
                message = handover.get()
                if message is None:
                    break
                show(message)
            except KeyboardInterrupt:
                if interrupt is None:
                    raise
                once, interrupt = interrupt, None
                once()
    return outcome.result()

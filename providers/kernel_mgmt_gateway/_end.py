"""The end of a kernel, told to whoever waits for it in whatever event loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel

from kernel_mgmt._backend import current_event_loop

if TYPE_CHECKING:
    from kernel_mgmt.types import ExitStatus

__all__ = ("End",)


class End:
    """Knows whether a kernel has ended.

    :ivar status: how it ended; ``None`` before
    """

    def __init__(self) -> None:
        self.status: ExitStatus | None = None
        self._waiting: list[Callable[[], object]] = []

    def come(self, status: ExitStatus) -> None:
        """Take note that the kernel has ended; the first to say so tells how."""
        if self.status is None:
            self.status = status
        self.wake()

    def wake(self) -> None:
        """Have those look who wait; any thread may call it."""
        for wake in tuple(self._waiting):
            wake()

    async def wait(self, timeout: float) -> bool:
        """Wait until the kernel has ended, or there is a reason to look, or the time is over.

        :param timeout: in seconds
        :return: whether the time is not over
        """
        if self.status is not None:
            await anyio.lowlevel.checkpoint()
            return True
        loop, woken = current_event_loop(), anyio.Event()

        def wake() -> None:
            loop.call_from_anywhere(woken.set)

        self._waiting.append(wake)
        try:
            with anyio.move_on_after(timeout):
                await woken.wait()
        finally:
            self._waiting.remove(wake)
        return woken.is_set()

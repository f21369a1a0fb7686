"""Whether what was begun with a kernel is done: a future for any event loop, and for none."""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import Future
from typing import Any

from kernel_mgmt._backend import current_event_loop

__all__ = ("Ready",)


class Ready(Future[None]):
    """A future that a thread waits for by ``result()``, and a task of any event loop by ``await``.

    A task that is cancelled while it waits disturbs nobody, and nobody can cancel it.
    """

    def cancel(self) -> bool:
        """Do nothing: what was begun goes on."""
        return False

    def __await__(self) -> Generator[Any, None, None]:
        return self._wait().__await__()

    async def _wait(self) -> None:
        loop = current_event_loop()
        settled = False
        waiters: list[Any] = []

        def settle() -> None:
            nonlocal settled
            settled = True
            for waiter in tuple(waiters):
                waiter()

        self.add_done_callback(lambda _: loop.call_from_anywhere(settle))
        while not settled:
            await loop.wait(waiters, None)
        self.result()

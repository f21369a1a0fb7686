"""Whether what was begun with a kernel is done: a future for any event loop, and for none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import Future
from typing import Any, TypeVar

from kernel_mgmt._backend import current_event_loop
from kernel_mgmt._background import BackgroundTask

__all__ = ("Attempt", "Ready")

T = TypeVar("T")


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


class Attempt(BackgroundTask[T]):
    """A function at work, at whose end ``ready`` is settled, also if it is cancelled before it begins."""

    def __init__(self, function: Callable[[], Awaitable[T]], ready: Ready) -> None:
        self._ready = ready
        super().__init__(function)

    async def _run(self) -> None:
        try:
            await super()._run()
        finally:
            if self._values:
                self._ready.set_result(None)
            else:
                self._ready.set_exception(self._error)
